/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running the channels: a thread per polling channel, its back-off when it fails, its state, and
 * the services adapter.h promises to adapters. One channel's trouble stays its own.
 */
#ifndef KANAL_GATEWAY_CHANNELS_H
#define KANAL_GATEWAY_CHANNELS_H

#include "gateway/gateway.h"

struct channels;

/* The runners of every configured channel; nothing runs yet. gateway->runners is to be set to it
 * before any thread that may send a notice starts. */
struct channels *channels_new(struct gateway *gateway);

/* Opens every channel, and starts a thread for those that poll or are to be tried again. A channel
 * that cannot be opened is shown as such and tried again (TRANSIENT) or left alone (CONFIG); that
 * is no failure of the gateway. */
int channels_start(struct channels *channels, struct err *err);

/* Has every poll return. NULL is fine. */
void channels_halt(struct channels *channels);

/* Halts, and waits for the threads: nothing more comes in by polling. False: one has not come back
 * by deadline_ms (clock_ms()), and goes on. NULL is fine. */
bool channels_wait(struct channels *channels, int64_t deadline_ms);

/* Closes the channels and frees; nobody may use a channel any more. NULL is fine, halted or never
 * started. */
void channels_free(struct channels *channels);

/* Whether requests may be handed to a channel. */
bool channels_open(struct gateway *gateway, const struct channel *channel);

/* Sends a notice by a channel; ERR_TRANSIENT while the channel is not open. */
int channels_reply(struct gateway *gateway, struct channel *channel, const struct notice *notice,
                   struct err *err);

/* A message of this channel has just become durable. */
void channels_message(struct gateway *gateway, const struct channel *channel);

/* Channels whose last poll or open failed. */
size_t channels_failing(struct gateway *gateway);

#endif
