/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the citizens' site asks of the gateway: look up a report, take one in, add to one. Guessing is
 * limited per client and per report here, so that every page and every format has the same limits.
 */
#ifndef KANAL_GATEWAY_SERVICES_H
#define KANAL_GATEWAY_SERVICES_H

#include "gateway/gateway.h"
#include "gateway/site.h"

struct services;

struct services *services_new(struct gateway *gateway);
void services_free(struct services *services);

/* Filled in for the site; context is the services. */
void services_bind(struct services *services, struct site_services *site);

#endif
