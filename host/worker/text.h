/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Texts on their way between a plugin and the host. */
#ifndef SNEK_WORKER_TEXT_H
#define SNEK_WORKER_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Copies text into `out` as terminated UTF-8: what is not UTF-8 becomes '?', and what does not fit
 * is cut between characters. A plugin's sentences go through this before the host stores them. */
void text_clean(char *out, size_t room, const char *text, size_t bytes);

bool text_is_utf8(const char *text, size_t bytes);

/* Not NULL, 1 to `max` bytes, UTF-8 and without control characters. */
bool text_is_line(const char *text, size_t max);

/* The bytes of the white space (Unicode's, as for Python's split()) that `text` starts with; 0 when
 * it does not, or is empty. */
size_t text_space(const char *text);

#endif
