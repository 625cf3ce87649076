/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/backoff.h"

/* Nobody may silence us for longer: a mistyped Retry-After would outlive the operator's shift. */
enum { BACKOFF_ASKED_MAX_MS = 24 * 3600 * 1000 };

/* 10 s doubled per failed try; BACKOFF_MAX_MS from the tenth on. */
static int64_t backoff_base_ms(int failed_tries)
{
    int64_t base_ms = BACKOFF_FIRST_MS;
    for (int n = 1; n < failed_tries && base_ms < BACKOFF_MAX_MS; n++)
        base_ms *= 2;
    return base_ms < BACKOFF_MAX_MS ? base_ms : BACKOFF_MAX_MS;
}

int64_t backoff_ms(int failed_tries, int asked_s, uint32_t random)
{
    int64_t base_ms = backoff_base_ms(failed_tries);
    int64_t swing_ms = base_ms * BACKOFF_JITTER_PERCENT / 100;
    int64_t wait_ms = base_ms - swing_ms + (int64_t)random * 2 * swing_ms / UINT32_MAX;
    int64_t asked_ms = (int64_t)asked_s * 1000;
    if (asked_ms > BACKOFF_ASKED_MAX_MS)
        asked_ms = BACKOFF_ASKED_MAX_MS;
    return asked_ms > wait_ms ? asked_ms : wait_ms;
}

bool backoff_give_up(int64_t created_ms, int64_t now_ms)
{
    return now_ms - created_ms >= BACKOFF_GIVE_UP_MS;
}
