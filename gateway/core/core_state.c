/* SPDX-License-Identifier: Apache-2.0 */
/* The states of Jakarta's CRM and the ways between them. The words are the city's, byte-exact. */
#include <string.h>

#include "gateway/core/core.h"

const char *const core_states[] = {
    CORE_STATE_FIRST, "Koordinasi", "Disposisi", "Proses", "Menunggu Validasi",
    "Selesai",        "TL Ditolak", "Ditolak",   NULL,
};

static const struct {
    const char *from, *to;
} transitions[] = {
    {"Menunggu", "Proses"},       /* the kelurahan can do it itself */
    {"Menunggu", "Koordinasi"},   /* not its task */
    {"Menunggu", "Ditolak"},      /* cannot be acted on */
    {"Koordinasi", "Koordinasi"}, /* the wrong agency passes it on */
    {"Koordinasi", "Disposisi"},  /* a Dinas instructs its Suku Dinas */
    {"Koordinasi", "Proses"},
    {"Koordinasi", "Ditolak"},
    {"Disposisi", "Proses"},
    {"Proses", "Menunggu Validasi"},     /* the agency says it is done */
    {"Menunggu Validasi", "Selesai"},    /* Biro Pemerintahan accepts */
    {"Menunggu Validasi", "TL Ditolak"}, /* or does not */
    {"TL Ditolak", "Proses"},            /* repeated until right */
};

bool core_state_known(const char *state)
{
    for (size_t i = 0; core_states[i] != NULL; i++)
        if (strcmp(core_states[i], state) == 0)
            return true;
    return false;
}

bool core_transition_allowed(const char *from, const char *to)
{
    for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++)
        if (strcmp(transitions[i].from, from) == 0 && strcmp(transitions[i].to, to) == 0)
            return true;
    return false;
}
