/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a secret comes from: "file:PATH", "env:NAME" or "credential:NAME" (a systemd credential).
 * Never from the configuration file itself, which is copied, mailed and checked in by more people
 * than may know the secret. Errors name neither the secret nor its source.
 */
#ifndef KANAL_CONFIG_SECRET_H
#define KANAL_CONFIG_SECRET_H

#include "config/option.h"

enum { SECRET_LEN_MAX = 64 * 1024 };

/*
 * Reads the secret that source names into *out, replacing (and wiping) what was there; an empty
 * source gives none. folder: what a relative PATH starts from; NULL: the working folder. ERR_CONFIG
 * for a literal secret, a file that others may read or change, and anything missing or empty.
 */
int secret_read(const char *source, const char *folder, struct secret *out, struct err *err);

/* Wipes and frees. */
void secret_release(struct secret *secret);

#endif
