/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/adapter.h"

#include <string.h>

const struct adapter *const adapters[] = {
    NULL,
};

const struct adapter *adapter_find(const char *type)
{
    for (const struct adapter *const *adapter = adapters; *adapter != NULL; adapter++) {
        if (strcmp((*adapter)->name, type) == 0)
            return *adapter;
    }
    return NULL;
}
