/* SPDX-License-Identifier: Apache-2.0 */
/* Whole reads, writes and erasures at a place in a file: short ones are continued, interrupted ones
 * repeated. 0 or -1 with errno. */
#ifndef KANAL_QUEUE_BLOB_FILE_H
#define KANAL_QUEUE_BLOB_FILE_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Uses up parts, an array of count. */
int blob_file_write(int file, struct iovec *parts, int count, off_t offset);

/* 1; 0 when the file ends before; -1. */
int blob_file_read(int file, unsigned char *bytes, size_t len, off_t offset);

/* Frees the bytes on the disk where the file system can, else writes zeros; they read as zeros. */
int blob_file_zero(int file, off_t offset, off_t length);

#endif
