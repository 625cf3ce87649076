/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the gateway process share. Everything is borrowed and outlives the threads that
 * use it; serve.c makes and ends it, in that order.
 */
#ifndef KANAL_GATEWAY_GATEWAY_H
#define KANAL_GATEWAY_GATEWAY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/adapter.h"
#include "adapters/core.h"
#include "gateway/commit.h"
#include "gateway/gate.h"
#include "gateway/limiter.h"
#include "gateway/notice_text.h"
#include "gateway/seal.h"
#include "gateway/settings.h"
#include "gateway/vault.h"
#include "gateway/worker_pool.h"
#include "queue/queue.h"

struct gateway {
    struct config *config;
    const char *state; /* the state folder */
    const struct gateway_settings *settings;
    const struct http_settings *http;
    const struct core_settings *core;
    const struct city_settings *city;
    const struct notices_settings *notices;
    struct notice_texts *texts;
    struct seal *seal;
    struct vault_client *vault;
    struct queue *queue;
    struct committer *committer;
    struct worker_pool *pool;
    struct gate *gate;         /* messages on their way in */
    struct limiter *ack_limit; /* acknowledgements per address */
    const struct core_kind *core_kind;
    const void *core_options; /* settings of core_kind */
    const char *core_secret;  /* shared with the core: what it pushes is signed with it */
    void *core_state;         /* the forwarder's handle */
    struct outbox *forward, *notify;
    struct channels *runners;
    struct channel *channels; /* in the order of the configuration */
    size_t channel_count;
    atomic_bool stopping;
    atomic_bool disk_short; /* nothing new is taken in: what is left is for what is in hand */
};

/* The channel with that id, or NULL. */
struct channel *gateway_channel(struct gateway *gateway, const char *id);

/* The channel that can answer an address of that kind: the one the report came by when it can, else
 * the first that does. NULL: nobody can. */
struct channel *gateway_reply_channel(struct gateway *gateway, const char *channel_id,
                                      const char *address_kind);

/* What a report is until the core says otherwise. */
#define STATE_RECEIVED "Menunggu"

/* Day number (since 1970-01-01) of a moment in the city's time zone, and its text "2026-11-21". */
int64_t gateway_day(const struct gateway *gateway, int64_t wall_ms);
enum { DAY_TEXT_SIZE = 16 };
void gateway_day_text(int64_t day, char text[static DAY_TEXT_SIZE]);

#endif
