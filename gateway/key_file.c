/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/key_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "normalize/buf.h"
#include "normalize/mem.h"

enum {
    KEY_HEX_LEN = 2 * KEY_SIZE,
    KEY_TEXT_MAX = KEY_HEX_LEN + 64, /* room for blanks a person's editor leaves */
    KEY_PATH_MAX = 4096,
};

int key_parse(const char *text, size_t len, unsigned char key[static KEY_SIZE])
{
    size_t bytes = 0;
    if (len < KEY_HEX_LEN || sodium_hex2bin(key, KEY_SIZE, text, KEY_HEX_LEN, NULL, &bytes, NULL) ||
        bytes != KEY_SIZE)
        return -1;
    for (size_t i = KEY_HEX_LEN; i < len; i++) {
        if (!isspace((unsigned char)text[i]))
            return -1;
    }
    return 0;
}

static int key_file_read(int fd, const char *path, unsigned char key[static KEY_SIZE],
                         struct err *err)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return err_set(err, ERR_CONFIG, "cannot read '%s': %s", path, strerror(errno));
    if (!S_ISREG(facts.st_mode) || (facts.st_mode & 077) != 0)
        return err_set(err, ERR_CONFIG, "cannot use '%s': others may read it (mode %04o, not 0600)",
                       path, (unsigned)facts.st_mode & 07777);
    char text[KEY_TEXT_MAX];
    ssize_t len = read(fd, text, sizeof text);
    int result = len < 0 ? -1 : key_parse(text, (size_t)len, key);
    sodium_memzero(text, sizeof text);
    if (result != 0)
        return err_set(err, ERR_CONFIG, "cannot read '%s': it must hold 64 hex digits", path);
    return 0;
}

static int key_file_sync_folder(const char *path)
{
    char *copy = mem_strdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd >= 0 && fsync(fd) == 0 ? 0 : -1;
    if (fd >= 0)
        close(fd);
    free(copy);
    return result;
}

static int key_file_write(int fd, const unsigned char key[static KEY_SIZE])
{
    char text[KEY_HEX_LEN + 2];
    sodium_bin2hex(text, sizeof text, key, KEY_SIZE);
    text[KEY_HEX_LEN] = '\n';
    ssize_t written = write(fd, text, KEY_HEX_LEN + 1);
    sodium_memzero(text, sizeof text);
    return written == KEY_HEX_LEN + 1 && fsync(fd) == 0 ? 0 : -1;
}

/* Written aside and linked into place: a crash leaves no half key, a rival's key is not replaced.
 */
static int key_file_make(const char *path, unsigned char key[static KEY_SIZE], struct err *err)
{
    struct buf aside = BUF_INIT(KEY_PATH_MAX);
    buf_addf(&aside, "%s.%ld.new", path, (long)getpid());
    randombytes_buf(key, KEY_SIZE);
    int fd = open(aside.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int result = fd >= 0 ? key_file_write(fd, key) : -1;
    if (result == 0)
        result = link(aside.data, path);
    if (result == 0)
        result = key_file_sync_folder(path);
    if (result != 0)
        err_set(err, ERR_CONFIG, "cannot make '%s': %s", path, strerror(errno));
    if (fd >= 0) {
        unlink(aside.data);
        close(fd);
    }
    buf_release(&aside);
    return result;
}

int key_file_open(const char *path, bool may_create, unsigned char key[static KEY_SIZE],
                  bool *created, struct err *err)
{
    int result;
    *created = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0) {
        result = key_file_read(fd, path, key, err);
        close(fd);
    } else if (errno == ENOENT && may_create) {
        result = key_file_make(path, key, err);
        *created = result == 0;
    } else {
        result = err_set(err, ERR_CONFIG, "cannot open '%s': %s", path, strerror(errno));
    }
    if (result != 0)
        sodium_memzero(key, KEY_SIZE);
    return result;
}
