/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A program's log file, read line by line as it grows, as logfmt. */
#ifndef SNEK_SCENARIO_LINES_H
#define SNEK_SCENARIO_LINES_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes of one log, and of one field's value. Longer values are cut. */
#define LINES_MAX (64u << 20)
#define FIELD_MAX 8192

struct lines {
    /* Ours; -1: it is not open. */
    int fd;
    struct buffer text;
};

/* 0, or -1 with errno. */
int lines_open(struct lines *lines, const char *path);
/* Also accepts one that was never opened. */
void lines_finish(struct lines *lines);

/* Reads what the program has added. */
void lines_read(struct lines *lines);

/* The next whole line at or after `*at`, without its line break; moves `*at` behind it. NULL when
 * there is none yet. Borrowed until lines_read(). */
const char *lines_next(const struct lines *lines, size_t *at, size_t *bytes);

/* The value of the line's field `name`, unquoted; false when it has none. */
bool line_field(const char *line, size_t bytes, const char *name, char out[FIELD_MAX]);
bool line_is(const char *line, size_t bytes, const char *name, const char *value);

#endif
