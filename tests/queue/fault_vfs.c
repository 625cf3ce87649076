/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/queue/fault_vfs.h"

#include <stddef.h>

#include <sqlite3.h>

/* SQLite allocates szOsFile bytes: ours, then the real file's. */
struct fault_file {
    sqlite3_file base;
    sqlite3_file *real;
};

static struct {
    sqlite3_vfs vfs, *real;
    enum fault_kind kind;
    int countdown, result;
    bool lasting, hit;
} fault;

static sqlite3_file *fault_real(sqlite3_file *file)
{
    return ((struct fault_file *)file)->real;
}

/* The code the call must give, or SQLITE_OK to go on. */
static int fault_now(enum fault_kind kind)
{
    if (fault.kind != kind)
        return SQLITE_OK;
    if (fault.hit)
        return fault.lasting ? fault.result : SQLITE_OK;
    if (--fault.countdown > 0)
        return SQLITE_OK;
    fault.hit = true;
    return fault.result;
}

static int fault_close(sqlite3_file *file)
{
    return fault_real(file)->pMethods->xClose(fault_real(file));
}

static int fault_read(sqlite3_file *file, void *bytes, int len, sqlite3_int64 offset)
{
    return fault_real(file)->pMethods->xRead(fault_real(file), bytes, len, offset);
}

static int fault_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset)
{
    int rc = fault_now(FAULT_WRITE);
    if (rc == SQLITE_OK)
        rc = fault_real(file)->pMethods->xWrite(fault_real(file), bytes, len, offset);
    return rc;
}

static int fault_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return fault_real(file)->pMethods->xTruncate(fault_real(file), size);
}

static int fault_sync(sqlite3_file *file, int flags)
{
    int rc = fault_now(FAULT_SYNC);
    return rc == SQLITE_OK ? fault_real(file)->pMethods->xSync(fault_real(file), flags) : rc;
}

static int fault_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return fault_real(file)->pMethods->xFileSize(fault_real(file), size);
}

static int fault_lock(sqlite3_file *file, int level)
{
    return fault_real(file)->pMethods->xLock(fault_real(file), level);
}

static int fault_unlock(sqlite3_file *file, int level)
{
    return fault_real(file)->pMethods->xUnlock(fault_real(file), level);
}

static int fault_reserved(sqlite3_file *file, int *held)
{
    return fault_real(file)->pMethods->xCheckReservedLock(fault_real(file), held);
}

static int fault_control(sqlite3_file *file, int op, void *arg)
{
    return fault_real(file)->pMethods->xFileControl(fault_real(file), op, arg);
}

static int fault_sector(sqlite3_file *file)
{
    return fault_real(file)->pMethods->xSectorSize(fault_real(file));
}

static int fault_device(sqlite3_file *file)
{
    return fault_real(file)->pMethods->xDeviceCharacteristics(fault_real(file));
}

static int fault_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **map)
{
    return fault_real(file)->pMethods->xShmMap(fault_real(file), page, size, extend, map);
}

static int fault_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return fault_real(file)->pMethods->xShmLock(fault_real(file), offset, n, flags);
}

static void fault_shm_barrier(sqlite3_file *file)
{
    fault_real(file)->pMethods->xShmBarrier(fault_real(file));
}

static int fault_shm_unmap(sqlite3_file *file, int remove)
{
    return fault_real(file)->pMethods->xShmUnmap(fault_real(file), remove);
}

static int fault_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                      int *out)
{
    static const sqlite3_io_methods methods = {
        .iVersion = 2,
        .xClose = fault_close,
        .xRead = fault_read,
        .xWrite = fault_write,
        .xTruncate = fault_truncate,
        .xSync = fault_sync,
        .xFileSize = fault_size,
        .xLock = fault_lock,
        .xUnlock = fault_unlock,
        .xCheckReservedLock = fault_reserved,
        .xFileControl = fault_control,
        .xSectorSize = fault_sector,
        .xDeviceCharacteristics = fault_device,
        .xShmMap = fault_shm_map,
        .xShmLock = fault_shm_lock,
        .xShmBarrier = fault_shm_barrier,
        .xShmUnmap = fault_shm_unmap,
    };
    (void)vfs;
    struct fault_file *ours = (struct fault_file *)file;
    ours->real = (sqlite3_file *)(ours + 1);
    int rc = fault.real->xOpen(fault.real, name, ours->real, flags, out);
    ours->base.pMethods = ours->real->pMethods == NULL ? NULL : &methods;
    return rc;
}

void fault_install(void)
{
    fault.real = sqlite3_vfs_find(NULL);
    fault.vfs = *fault.real;
    fault.vfs.zName = "fault";
    fault.vfs.pNext = NULL;
    fault.vfs.szOsFile += (int)sizeof(struct fault_file);
    fault.vfs.xOpen = fault_open;
    sqlite3_vfs_register(&fault.vfs, 1);
}

void fault_arm(enum fault_kind kind, int n, int result, bool lasting)
{
    fault.kind = kind;
    fault.countdown = n;
    fault.result = result;
    fault.lasting = lasting;
    fault.hit = false;
}

bool fault_hit(void)
{
    return fault.hit;
}
