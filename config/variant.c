/* SPDX-License-Identifier: Apache-2.0 */
#include "config/variant.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

const char *config_variant_next(const char *list, char name[static CONFIG_VARIANT_MAX])
{
    list += strspn(list, ", ");
    size_t len = strcspn(list, ", ");
    if (len == 0)
        return NULL;
    snprintf(name, CONFIG_VARIANT_MAX, "%.*s", (int)len, list);
    return list + len;
}
