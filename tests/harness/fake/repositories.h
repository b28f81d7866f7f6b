/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which repository a path means. */
#ifndef SNEK_HARNESS_FAKE_REPOSITORIES_H
#define SNEK_HARNESS_FAKE_REPOSITORIES_H

#include "fake/http_exchange.h"

enum reach { REACH_NOTHING, REACH_HERE, REACH_ELSEWHERE };
/* Finds the repository that a route's first two parameters name, and puts it into the exchange.
 * REACH_ELSEWHERE: it was renamed. */
enum reach reach_repository(struct http_exchange *exchange);
void respond_moved(struct http_exchange *exchange);
/* Makes /repositories/ID/... /repos/OWNER/NAME/... */
void find_by_number(struct http_exchange *exchange);
/* Does the token give access to it? */
bool repository_is_reached(const struct http_exchange *exchange, const json_t *repository);

#endif
