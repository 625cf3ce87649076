/* SPDX-License-Identifier: Apache-2.0 */
/* What one option alone cannot show: options that need each other, files that must be there,
 * adapters' own checks. */
#ifndef KANAL_GATEWAY_SETTINGS_CHECK_H
#define KANAL_GATEWAY_SETTINGS_CHECK_H

#include "config/config.h"
#include "config/mistake.h"

/* Adds everything wrong with config to *mistakes, at the line of its section. */
void settings_check(const struct config *config, struct mistakes *mistakes);

#endif
