/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A payload as a tree that folds without scripts. Numbers stay as they were sent, digit by digit.
 * Any thread. */
#ifndef SNEK_CONSOLE_PAYLOAD_TREE_H
#define SNEK_CONSOLE_PAYLOAD_TREE_H

#include "base/buffer.h"

/* Shows at most so many values and bytes of HTML, however large the payload is. */
#define PAYLOAD_TREE_VALUES_MAX 20000
#define PAYLOAD_TREE_BYTES_MAX ((size_t)4 << 20)
/* Deeper values are shown as text. */
#define PAYLOAD_TREE_DEPTH_MAX 40
/* Bytes of one string that are shown. */
#define PAYLOAD_TREE_STRING_MAX ((size_t)1 << 20)

void payload_tree_put(struct buffer *page, const char *json, size_t bytes);

#endif
