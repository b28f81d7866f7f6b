/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* White space between the words of a command. */
#ifndef SNEK_WORKER_WORDS_H
#define SNEK_WORKER_WORDS_H

#include <stddef.h>

/* The bytes of the white-space character (Unicode's) that `text` starts with; 0 when it starts with
 * another character or is empty. */
size_t words_space(const char *text);

#endif
