/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds the issue, pull request or comment that a path names. */
#ifndef SNEK_HARNESS_FAKE_ITEMS_H
#define SNEK_HARNESS_FAKE_ITEMS_H

#include "fake/http_exchange.h"

/* Reads a positive number of a path. */
bool parse_number(const char *text, json_int_t *number);
/* The issue or pull request that the route's third parameter names, created when the settings say
 * so; NULL when it responded with an error. */
json_t *find_issue(struct http_exchange *exchange, bool must_be_pull);
/* Opens or closes it; `reason` may be NULL. */
void issue_set_state(struct fake *fake, json_t *issue, const char *state, const char *reason);
/* The commit of a branch of a pull request, or the text itself. Borrowed. */
const char *commit_of_ref(const json_t *repository, const char *ref);

/* In a list of names, whose case does not count: SIZE_MAX when it is not there; once at most. */
size_t names_find(const json_t *names, const char *name);
void names_add(json_t *names, const char *name);

/* A comment of the repository by its id, likewise; `list` is "comments" or "review_comments". */
json_t *find_comment(struct http_exchange *exchange, const char *list, const char *id);

/* Reads ?since=: "" when it is absent. False when it responded with an error. */
bool query_since(struct http_exchange *exchange, const char *resource, char since[FAKE_TIME_MAX]);
/* Orders issues in GitHub's shape by "created", "updated" or "comments", then by number. */
struct issue_order {
    const char *key;
    bool ascending;
};
bool comes_before(const json_t *a, const json_t *b, const struct issue_order *order);

#endif
