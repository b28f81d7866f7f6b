/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whole reads and writes, and files with a mandatory maximum. */
#ifndef SNEK_BASE_IO_H
#define SNEK_BASE_IO_H

#include "base/buffer.h"
#include "base/error.h"

#include <stddef.h>

/* On a blocking descriptor. 0; 1 at the end of input before the first byte; -1 with errno (EPIPE
 * when the input ended in between). */
int io_read_full(int fd, void *data, size_t bytes);
int io_write_full(int fd, const void *data, size_t bytes); /* 0, or -1 with errno; no SIGPIPE */

/* Appends the file's content to `out`, at most out->max bytes. 0, or -1 with what is wrong.
 * io_read_rest() does so for what is left of `fd`, which `name` names in sentences. */
int io_read_file(const char *path, struct buffer *out, struct error *err);
int io_read_rest(int fd, const char *name, struct buffer *out, struct error *err);

#endif
