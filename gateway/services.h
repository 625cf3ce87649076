/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the citizens' site asks of the gateway: the form, look up a report, take one in, add to one.
 * Guessing is limited per client and per report here, so that every page and format has the same
 * limits.
 */
#ifndef KANAL_GATEWAY_SERVICES_H
#define KANAL_GATEWAY_SERVICES_H

#include "gateway/gateway.h"
#include "gateway/site.h"

/* The context of the public listener: begins with what site.h asks for. */
struct services {
    struct site_services site;
    struct gateway *gateway;
    struct limiter *client_guesses; /* unknown IDs and wrong PINs of one client */
    struct limiter *pin_guesses;    /* wrong PINs for one report */
};

void services_init(struct services *services, struct gateway *gateway);
void services_release(struct services *services);

#endif
