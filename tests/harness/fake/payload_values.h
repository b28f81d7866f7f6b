/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the payloads of several events have: the values that a scenario gives, and parts in GitHub's
 * shape. */
#ifndef SNEK_HARNESS_FAKE_PAYLOAD_VALUES_H
#define SNEK_HARNESS_FAKE_PAYLOAD_VALUES_H

#include "fake/http_exchange.h"

struct payload_build {
    /* Its repository is the payload's. */
    struct http_exchange *exchange;
    const char *action;
    /* The scenario's; NULL: none. */
    const json_t *values;
    /* The login of the sender. Borrowed, like the installation. */
    const char *by;
    json_t *installation;
    /* Ours. */
    json_t *payload;
    struct error *err;
};

/* Checks the values, and makes a payload with action, repository, organization, installation and
 * sender. 0, or -1 with the reason. */
int payload_begin(struct payload_build *build);
/* The commit that `sha`, `pull` or `branch` names, else the head of the default branch. Borrowed;
 * NULL with the reason. */
const char *payload_sha(struct payload_build *build);
/* The pull request `pull`; NULL with the reason. */
json_t *payload_pull(struct payload_build *build);
/* The commit in the state's form, new. */
json_t *payload_commit(const struct payload_build *build, const char *sha);
/* The commit as events have it, new. */
json_t *payload_simple_commit(const struct payload_build *build, const char *sha,
                              const char *message);
/* The branches whose head is the commit, new. */
json_t *payload_branches(const struct payload_build *build, const char *sha);
json_t *payload_discussion(const struct payload_build *build, const json_t *discussion);
/* A copy of a text that may be NULL. */
char *payload_copy(const char *text);

#endif
