/* SPDX-License-Identifier: Apache-2.0 */
#include "config/path.h"

#include <limits.h>
#include <string.h>

#include "normalize/buf.h"
#include "normalize/mem.h"

char *path_below(const char *folder, const char *path)
{
    if (folder == NULL || *path == '/')
        return mem_strdup(path);
    struct buf full = BUF_INIT(2 * PATH_MAX);
    buf_addf(&full, "%s/%s", folder, path);
    return buf_detach(&full, NULL);
}

char *path_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return mem_strdup(".");
    return slash == path ? mem_strdup("/") : mem_strndup(path, (size_t)(slash - path));
}
