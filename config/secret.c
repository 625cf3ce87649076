/* SPDX-License-Identifier: Apache-2.0 */
#include "config/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/path.h"
#include "normalize/mem.h"

static int secret_take(struct secret *out, const char *data, size_t len, struct err *err)
{
    if (len > 0 && data[len - 1] == '\n')
        len--;
    if (len > 0 && data[len - 1] == '\r')
        len--;
    if (len == 0)
        return err_set(err, ERR_CONFIG, "the secret is empty, expected at least one character");
    if (memchr(data, '\0', len) != NULL)
        return err_set(err, ERR_CONFIG, "the secret holds a NUL byte, expected text");
    out->data = mem_strndup(data, len);
    out->len = len;
    return 0;
}

/* The whole file through one descriptor, so that what was checked is what is read. */
static int secret_slurp(int fd, struct secret *out, struct err *err)
{
    char data[SECRET_LEN_MAX + 1];
    size_t len = 0;
    ssize_t got = 0;
    do {
        got = read(fd, data + len, sizeof data - len);
        if (got > 0)
            len += (size_t)got;
    } while (got > 0 || (got < 0 && errno == EINTR));
    int result = -1;
    if (got < 0)
        err_set(err, ERR_CONFIG, "cannot read the secret: %s", strerror(errno));
    else if (len == sizeof data)
        err_set(err, ERR_CONFIG, "the secret is too long, expected at most %d bytes",
                SECRET_LEN_MAX);
    else
        result = secret_take(out, data, len, err);
    explicit_bzero(data, sizeof data);
    return result;
}

static int secret_file_check(int fd, bool guarded, struct err *err)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return err_set(err, ERR_CONFIG, "cannot read the secret: %s", strerror(errno));
    if (!S_ISREG(facts.st_mode))
        return err_set(err, ERR_CONFIG, "the secret is not in a regular file, expected one");
    if (!guarded && (facts.st_mode & (S_IRWXO | S_IWGRP)) != 0)
        return err_set(err, ERR_CONFIG,
                       "the secret's file is open to others (mode %03o), expected at most 640: "
                       "chmod 600 it",
                       (unsigned)(facts.st_mode & 0777));
    return 0;
}

/* guarded: the file's folder already keeps others out, whatever the file's own mode. */
static int secret_read_file(const char *path, bool guarded, struct secret *out, struct err *err)
{
    /* Not blocking: a named pipe must not hang a start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(err, ERR_CONFIG, "cannot open the secret's file: %s", strerror(errno));
    int result = secret_file_check(fd, guarded, err);
    if (result == 0)
        result = secret_slurp(fd, out, err);
    close(fd);
    return result;
}

static int secret_from_file(const char *path, const char *folder, struct secret *out,
                            struct err *err)
{
    if (*path == '\0')
        return err_set(err, ERR_CONFIG, "file: is followed by no path, expected file:PATH");
    char *full = path_below(folder, path);
    int result = secret_read_file(full, false, out, err);
    free(full);
    return result;
}

static int secret_from_env(const char *name, struct secret *out, struct err *err)
{
    const char *value = getenv(name);
    if (value == NULL)
        return err_set(err, ERR_CONFIG,
                       "the environment variable is not set, expected env:NAME "
                       "of one that is");
    return secret_take(out, value, strlen(value), err);
}

static int secret_from_credential(const char *name, struct secret *out, struct err *err)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    if (folder == NULL)
        return err_set(err, ERR_CONFIG,
                       "no credentials were passed by systemd, expected "
                       "LoadCredential= in the unit");
    if (*name == '\0' || *name == '.' || strchr(name, '/') != NULL)
        return err_set(err, ERR_CONFIG,
                       "credential: is followed by no plain name, expected "
                       "credential:NAME");
    char *path = path_below(folder, name);
    int result = secret_read_file(path, true, out, err);
    free(path);
    return result;
}

/* What follows prefix in text, or NULL. */
static const char *secret_after(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

int secret_read(const char *source, const char *folder, struct secret *out, struct err *err)
{
    secret_release(out);
    if (*source == '\0')
        return 0;
    const char *rest = secret_after(source, "file:");
    if (rest != NULL)
        return secret_from_file(rest, folder, out, err);
    rest = secret_after(source, "env:");
    if (rest != NULL)
        return secret_from_env(rest, out, err);
    rest = secret_after(source, "credential:");
    if (rest != NULL)
        return secret_from_credential(rest, out, err);
    return err_set(err, ERR_CONFIG,
                   "a secret stands in the configuration itself, where too many can read it; "
                   "expected file:PATH, env:NAME or credential:NAME");
}

void secret_release(struct secret *secret)
{
    if (secret->data != NULL)
        explicit_bzero(secret->data, secret->len);
    free(secret->data);
    *secret = (struct secret){0};
}
