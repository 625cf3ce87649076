/* SPDX-License-Identifier: Apache-2.0 */
/* The reference, generated from the option tables. It is a configuration file itself: every option
 * commented out, at its default. */
#include "config/config.h"

#include <string.h>

enum { CONFIG_TYPE_MAX = 40 };

static void config_help_variants(const struct config_kind *kind, struct buf *out)
{
    for (const char *names = kind->variant_names(); *names != '\0'; names += strspn(names, ", ")) {
        char type[CONFIG_TYPE_MAX];
        size_t len = strcspn(names, ", ");
        snprintf(type, sizeof type, "%.*s", (int)len, names);
        names += len;
        size_t size;
        buf_addf(out, "\n#[%s NAME]\n#type = %s\n", kind->section, type);
        const struct option_spec *options = kind->variant(type, &size);
        if (options->name != NULL)
            buf_add_char(out, '\n');
        option_help(options, out);
    }
}

void config_help(const struct config_kind *kinds, struct buf *out)
{
    for (const struct config_kind *kind = kinds; kind->section != NULL; kind++) {
        buf_addf(out, "%s# %s\n", kind == kinds ? "" : "\n\n", kind->help);
        if (kind->variant != NULL) {
            config_help_variants(kind, out);
            continue;
        }
        buf_addf(out, "[%s]\n", kind->section);
        option_help(kind->options, out);
    }
}
