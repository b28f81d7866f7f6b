/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Check runs and check suites of exchange->repository, for webhooks. */
#ifndef SNEK_HARNESS_FAKE_CHECKS_H
#define SNEK_HARNESS_FAKE_CHECKS_H

#include "fake/http_exchange.h"

/* GitHub's shape, new. */
json_t *shape_check_run(struct http_exchange *exchange, json_t *run);
json_t *shape_check_suite(struct http_exchange *exchange, json_t *suite);
/* The open pull requests whose head is the commit, and the commit itself, as check suites and
 * workflow runs show them; new. */
json_t *shape_pulls_at(struct http_exchange *exchange, const char *sha);
json_t *shape_head_commit(const char *sha, json_t *timestamp);
/* The suite of a commit and an app, made if need be; borrowed. */
json_t *check_suite_of(struct http_exchange *exchange, const char *sha, const char *app);
/* A new check run of an app; borrowed. */
json_t *check_run_add(struct http_exchange *exchange, const char *name, const char *sha,
                      const char *app);

#endif
