/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The headers that a plugin adds to a request: "name: value\n" lines, from a worker, which is not
 * trusted. From any thread; nothing is shared. */
#ifndef SNEK_BROKER_HEADERS_H
#define SNEK_BROKER_HEADERS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* NULL, or whole lines of names and values that are none of the host's own: 0; else -1 and what is
 * wrong. */
int headers_check(const char *lines, struct error *err);

/* A media type or an entity tag: visible ASCII and spaces. */
bool headers_is_value(const char *text);

/* The value of the first header of that name, in any case; its length without the line's end. NULL
 * when there is none. */
const char *headers_find(const char *lines, const char *name, size_t *bytes);

#endif
