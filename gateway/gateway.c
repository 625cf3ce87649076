/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/gateway.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct channel *gateway_channel(struct gateway *gateway, const char *id)
{
    for (size_t i = 0; i < gateway->channel_count; i++)
        if (strcmp(gateway->channels[i].id, id) == 0)
            return &gateway->channels[i];
    return NULL;
}

static bool gateway_can_reply(const struct channel *channel, const char *address_kind)
{
    const char *kind = channel->adapter->reply_kind;
    return channel->adapter->reply != NULL && kind != NULL && strcmp(kind, address_kind) == 0;
}

struct channel *gateway_reply_channel(struct gateway *gateway, const char *channel_id,
                                      const char *address_kind)
{
    struct channel *own = gateway_channel(gateway, channel_id);
    if (own != NULL && gateway_can_reply(own, address_kind))
        return own;
    for (size_t i = 0; i < gateway->channel_count; i++)
        if (gateway_can_reply(&gateway->channels[i], address_kind))
            return &gateway->channels[i];
    return NULL;
}

int64_t gateway_day(const struct gateway *gateway, int64_t wall_ms)
{
    const int64_t day_ms = 24 * 3600 * (int64_t)1000;
    int64_t local_ms = wall_ms + gateway->city->utc_offset_minutes * 60 * 1000;
    return local_ms >= 0 ? local_ms / day_ms : -((-local_ms + day_ms - 1) / day_ms);
}

void gateway_day_text(int64_t day, char text[static DAY_TEXT_SIZE])
{
    time_t seconds = (time_t)(day * 24 * 3600);
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL || strftime(text, DAY_TEXT_SIZE, "%Y-%m-%d", &tm) == 0)
        snprintf(text, DAY_TEXT_SIZE, "?");
}
