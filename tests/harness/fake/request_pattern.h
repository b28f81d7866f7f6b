/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which requests a text of a scenario means: a path with * and ?, and values of the query. */
#ifndef SNEK_HARNESS_FAKE_REQUEST_PATTERN_H
#define SNEK_HARNESS_FAKE_REQUEST_PATTERN_H

#include <jansson.h>
#include <stdbool.h>

/* Does the whole path fit the pattern? A pattern with a ? must fit the path with its query. `query`
 * may be NULL. */
bool request_pattern_fits(const char *pattern, const char *path, const char *query);

/* The value of `name` in "a=1&b=2", unescaped, the caller's to free; NULL when it is absent. */
char *request_query_value(const char *query, const char *name);
/* Does the query have each name of `wanted` with its value, a text or a number? */
bool request_query_has(const char *query, const json_t *wanted);

#endif
