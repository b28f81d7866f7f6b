/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds the issue, pull request or comment that a path names. */
#ifndef SNEK_HARNESS_FAKE_ITEMS_H
#define SNEK_HARNESS_FAKE_ITEMS_H

#include "fake/http_exchange.h"

/* The issue or pull request that the route's third parameter names, created when the settings say
 * so; NULL when it responded with an error. */
json_t *find_issue(struct http_exchange *exchange, bool must_be_pull);
/* A comment of the repository by its id, likewise; `list` is "comments" or "review_comments". */
json_t *find_comment(struct http_exchange *exchange, const char *list, const char *id);

#endif
