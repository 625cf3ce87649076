/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operators' side: health, readiness and metrics on the admin listener, and the control socket
 * (state/control.sock, mode 0600) by which `kanal queue` and `kanal quarantine` change what a
 * running gateway alone may write.
 */
#ifndef KANAL_GATEWAY_ADMIN_H
#define KANAL_GATEWAY_ADMIN_H

#include "gateway/http.h"

/* GET /healthz, /readyz, /metrics; the context is the gateway. */
extern const struct http_route admin_routes[];

/* POST /queue/revive {"id": n}, POST /quarantine/replay {"id": "..."}; the context is the gateway.
 */
extern const struct http_route control_routes[];

#endif
