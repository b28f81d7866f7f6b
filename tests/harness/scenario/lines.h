/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a program has said so far: its log file, read as it grows, line by line, as logfmt. */
#ifndef SNEK_SCENARIO_LINES_H
#define SNEK_SCENARIO_LINES_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

#define LINES_MAX (64u << 20) /* bytes of one log */
#define FIELD_MAX 1024        /* bytes of one field's value; longer ones are cut */

struct lines {
    int fd; /* ours */
    struct buffer text;
};

int lines_open(struct lines *lines, const char *path); /* 0, or -1 with errno */
void lines_finish(struct lines *lines);                /* takes one that never opened (fd -1) */

void lines_read(struct lines *lines); /* takes in what is new */

/* The next whole line at or after `*at`, without its line break, and moves `*at` behind it; NULL
 * when there is none yet. Borrowed until lines_read(). */
const char *lines_next(const struct lines *lines, size_t *at, size_t *bytes);

/* The value of the line's field `name`, unquoted; false when it has none. */
bool line_field(const char *line, size_t bytes, const char *name, char out[FIELD_MAX]);
bool line_is(const char *line, size_t bytes, const char *name, const char *value);

#endif
