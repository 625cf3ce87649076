/* SPDX-License-Identifier: Apache-2.0 */
/* The reference, generated from the option tables. It is a configuration file itself: every option
 * commented out, at its default. */
#include "config/config.h"

#include "config/variant.h"

static void config_help_variants(const struct config_kind *kind, struct buf *out)
{
    struct buf names = BUF_INIT(CONFIG_VARIANT_NAMES_MAX);
    kind->variant_names(&names);
    const char *rest = names.data;
    char type[CONFIG_VARIANT_MAX];
    while ((rest = config_variant_next(rest, type)) != NULL) {
        size_t size;
        buf_addf(out, "\n#[%s NAME]\n#type = %s\n", kind->section, type);
        const struct option_spec *options = kind->variant(type, &size);
        if (options->name != NULL)
            buf_add_char(out, '\n');
        option_help(options, out);
    }
    buf_release(&names);
}

void config_help(const struct config_kind *kinds, struct buf *out)
{
    for (const struct config_kind *kind = kinds; kind->section != NULL; kind++) {
        buf_add_text(out, kind == kinds ? "" : "\n\n");
        option_help_text(kind->help, out);
        if (kind->variant != NULL) {
            config_help_variants(kind, out);
            continue;
        }
        buf_addf(out, "[%s]\n", kind->section);
        option_help(kind->options, out);
    }
}
