/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of the sqlite engine and the steps from each version to the next. A step, once
 * released, is never changed; a new one is appended. All steps that are missing run in one
 * transaction: a database has the old schema or the new one, never half.
 */
#ifndef KANAL_QUEUE_SQLITE_SCHEMA_H
#define KANAL_QUEUE_SQLITE_SCHEMA_H

#include <stdbool.h>

#include <sqlite3.h>

#include "normalize/err.h"

/*
 * Brings the database to this version's schema; changes nothing unless migrate is set. -1
 * ERR_CONFIG: made by a newer kanal, not a queue at all, or older and migrate not set;
 * ERR_PERMANENT: damaged; ERR_TRANSIENT: the disk. *fresh (may be NULL): it was empty.
 */
int queue_sqlite_migrate(sqlite3 *handle, bool migrate, bool *fresh, struct err *err);

#endif
