/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The levels of GitHub's permissions, in their order. Any thread. */
#ifndef SNEK_PROTOCOL_ACCESS_H
#define SNEK_PROTOCOL_ACCESS_H

#include <stddef.h>

/* "read" 1, "write" 2, "admin" 3, any other text 0. A level includes the lower ones. */
int access_rank(const char *access, size_t bytes);

#endif
