/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up built-in files. Tables are short: a walk is all it takes. */
#include "config/asset.h"

#include <string.h>

const struct asset *asset_find(const struct asset *table, const char *name)
{
    for (const struct asset *asset = table; asset->name != NULL; asset++) {
        if (strcmp(asset->name, name) == 0)
            return asset;
    }
    return NULL;
}
