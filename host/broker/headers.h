/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The headers that a plugin adds to a request: "name: value\n" lines, from a worker, which is not
 * trusted. From any thread; nothing is shared. */
#ifndef SNEK_BROKER_HEADERS_H
#define SNEK_BROKER_HEADERS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* `lines` is NULL, or whole lines of names and values. 0 if none of them is the host's own; else
 * -1 with the reason. */
int headers_check(const char *lines, struct error *err);

/* May it be a media type or an entity tag? True for visible ASCII and spaces. */
bool headers_is_value(const char *text);

/* The value of the first header of that name, in any case; its length without the line's end. NULL
 * when there is none. */
const char *headers_find(const char *lines, const char *name, size_t *bytes);

#endif
