/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The Link header (RFC 8288), by which GitHub's lists name their next page. */
#ifndef SNEK_BASE_LINK_H
#define SNEK_BASE_LINK_H

#include <stddef.h>

/* The URL of the first link whose relation is "next", borrowed from `header`, and its length. NULL
 * when there is none, or when the links up to it are malformed. `header` may be NULL when `bytes`
 * is 0. */
const char *link_next(const char *header, size_t bytes, size_t *url_bytes);

#endif
