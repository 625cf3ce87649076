/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/err.h"

#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
    if (err->kind != ERR_NONE)
        return -1;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    err->kind = kind;
    return -1;
}

void err_clear(struct err *err)
{
    *err = (struct err)ERR_INIT;
}

const char *err_kind_name(enum err_kind kind)
{
    static const char *const names[] = {
        [ERR_NONE] = "none",
        [ERR_TRANSIENT] = "transient",
        [ERR_PERMANENT] = "permanent",
        [ERR_CONFIG] = "config",
    };
    return names[kind];
}
