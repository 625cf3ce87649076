/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target once over every file of the folders named as arguments. */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "normalize/buf.h"
#include "tests/fuzz/fuzz.h"

enum { REPLAY_BYTES_MAX = 64 * 1024 * 1024 };

static int replay_file(const char *path)
{
    struct stat info;
    FILE *stream = stat(path, &info) == 0 && S_ISREG(info.st_mode) ? fopen(path, "rb") : NULL;
    if (stream == NULL)
        return 0;
    struct buf input = BUF_INIT(REPLAY_BYTES_MAX);
    char chunk[65536];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, stream)) > 0)
        buf_add(&input, chunk, n);
    (void)fclose(stream);
    LLVMFuzzerTestOneInput((const uint8_t *)input.data, input.len);
    buf_release(&input);
    return 1;
}

static int replay_folder(const char *folder)
{
    DIR *entries = opendir(folder);
    int count = 0;
    if (entries == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        struct buf path = BUF_INIT(4096);
        buf_addf(&path, "%s/%s", folder, entry->d_name);
        count += replay_file(path.data);
        buf_release(&path);
    }
    (void)closedir(entries);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    (void)printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
