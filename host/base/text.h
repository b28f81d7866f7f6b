/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The one cleaner of texts from strangers (GitHub, plugins, files, the network) for logs, error
 * messages, terminals and the store. base/utf8.h has the encoding itself. */
#ifndef SNEK_BASE_TEXT_H
#define SNEK_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code of the unsafe character that `text` starts with, or 0 for a safe one. A terminal or a
 * pager obeys unsafe characters instead of showing them: control characters (C0, DEL, C1), line and
 * paragraph separators, overrides and isolates of the writing direction. A byte that is not UTF-8
 * counts as U+FFFD, NUL too. `bytes` is at least 1. */
uint32_t text_unsafe(const char *text, size_t bytes);

/* Copies `text` into `out` as one safe line: a tab or line break becomes a space, any other unsafe
 * character a '?'. A text that does not fit is cut between characters and ends with "...". `room`
 * is at least 4 and counts the NUL. */
void text_clean(char *out, size_t room, const char *text, size_t bytes);

/* Does the same in place; the result is never longer. */
void text_clean_in_place(char *text);

/* Copies `text` into `out` as UTF-8 without NUL; each other byte becomes '?'. Line breaks and other
 * control characters stay. A text that does not fit is cut between characters. */
void text_repair(char *out, size_t room, const char *text, size_t bytes);

/* Is all of `text` UTF-8? NUL is. */
bool text_is_utf8(const char *text, size_t bytes);

/* Changes the letters A to Z to lower case, as GitHub compares names. */
void text_to_lower(char *text);

/* `text`, or NULL when it is empty: a log field that is NULL is left out. */
const char *text_or_null(const char *text);

/* Is `text` not NULL, 1 to `max` bytes long, and without unsafe characters? */
bool text_is_line(const char *text, size_t max);

#endif
