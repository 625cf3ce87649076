/* SPDX-License-Identifier: Apache-2.0 */
/* An SQLite VFS that passes everything on and fails one chosen write, sync or truncation: the n-th
 * of its kind since fault_arm(), once or from then on. Becomes the default VFS. */
#ifndef KANAL_TESTS_QUEUE_FAULT_VFS_H
#define KANAL_TESTS_QUEUE_FAULT_VFS_H

#include <stdbool.h>

enum fault_kind { FAULT_NONE, FAULT_WRITE, FAULT_SYNC };

void fault_install(void);

/* The n-th (from 1) call of that kind gives the SQLite result code; those behind it too when
 * lasting. FAULT_NONE: no more faults. */
void fault_arm(enum fault_kind kind, int n, int result, bool lasting);

/* Whether the fault has happened. */
bool fault_hit(void);

#endif
