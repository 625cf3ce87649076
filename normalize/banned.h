/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that invite overflows, truncation or shared state become compile errors. Included into
 * every file by the build (-include). Use buf, snprintf, strtoll, gmtime_r, strtok_r instead.
 */
#ifndef KANAL_NORMALIZE_BANNED_H
#define KANAL_NORMALIZE_BANNED_H

/* The headers that declare them come first: poisoning after the declaration is allowed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf vsprintf strtok gmtime localtime atoi atol gets

#endif
