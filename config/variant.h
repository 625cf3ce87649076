/* SPDX-License-Identifier: Apache-2.0 */
/* The names of a kind's variants, as config_kind.variant_names() lists them. */
#ifndef KANAL_CONFIG_VARIANT_H
#define KANAL_CONFIG_VARIANT_H

enum { CONFIG_VARIANT_MAX = 40, CONFIG_VARIANT_NAMES_MAX = 4000 };

/* Copies the next name of the list; gives what follows it, or NULL after the last. */
const char *config_variant_next(const char *list, char name[static CONFIG_VARIANT_MAX]);

#endif
