/* SPDX-License-Identifier: Apache-2.0 */
/* What the citizens' site answers: models of its views, with their JSON twins. Gives new
 * references. */
#ifndef KANAL_GATEWAY_SITE_MODEL_H
#define KANAL_GATEWAY_SITE_MODEL_H

#include <jansson.h>

#include "gateway/site.h"

/* What tracking gives programs, as {"json": ...}, and its page "track_result"; own decides whether
 * the reporter's own part is in it. */
json_t *site_result_json(const struct track_view *view, bool own);
json_t *site_result_model(const struct track_view *view, const char *language, bool own);

/* How a state looks, as a class of style.css: "good", "busy", "bad" or "calm". state may be NULL.
 */
const char *site_state_tone(const char *state);

/* Adds to a model what is wrong, as page (a link to anchor) and as JSON {"errors": [...]}; field
 * and anchor may be NULL. message: a finished sentence. */
void site_model_problem(json_t *model, const char *field, const char *anchor, const char *message);

#endif
