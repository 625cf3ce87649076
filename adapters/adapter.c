/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all kinds of channel. */
#include "adapters/adapter.h"

#include <string.h>

#include "adapters/email.h"
#include "adapters/web_form.h"

const struct adapter *const adapters[] = {
    &adapter_email,
    &adapter_web_form,
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
