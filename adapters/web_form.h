/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report form's adapter, and the form's own model: the start page and a refused form are the
 * same page, so both are made here.
 */
#ifndef KANAL_ADAPTERS_WEB_FORM_H
#define KANAL_ADAPTERS_WEB_FORM_H

#include <jansson.h>

#include "adapters/adapter.h"

extern const struct adapter adapter_web_form;

/*
 * The model of the view "form" for a channel of this adapter; gives a new reference. typed: a
 * refused record, whose values are filled in again and whose problems are explained; NULL: an empty
 * form. Every model carries a new random client_key.
 */
json_t *web_form_model(const struct channel *ch, const char *language, const struct record *typed);

#endif
