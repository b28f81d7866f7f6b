/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whole reads and writes, and files with a mandatory maximum. */
#ifndef SNEK_BASE_IO_H
#define SNEK_BASE_IO_H

#include "base/buffer.h"
#include "base/error.h"

#include <stddef.h>

/* Reads all bytes from a blocking descriptor. Returns 0; 1 when the input ended before the first
 * byte; or -1 with errno (EPIPE when the input ended after it). */
int io_read_full(int fd, void *data, size_t bytes);
/* Writes all bytes to a blocking descriptor, without SIGPIPE. Returns 0, or -1 with errno. */
int io_write_full(int fd, const void *data, size_t bytes);

/* Appends the content of a file to `out`, at most out->max bytes. Returns 0, or -1. io_read_rest()
 * reads `fd` to its end; `name` names it in errors. */
int io_read_file(const char *path, struct buffer *out, struct error *err);
int io_read_rest(int fd, const char *name, struct buffer *out, struct error *err);

#endif
