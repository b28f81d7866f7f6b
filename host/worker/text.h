/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* White space as the commands of comments know it. */
#ifndef SNEK_WORKER_TEXT_H
#define SNEK_WORKER_TEXT_H

#include <stddef.h>

/* The bytes of the white space (Unicode's, as for Python's split()) that `text` starts with; 0 when
 * it does not, or is empty. */
size_t text_space(const char *text);

#endif
