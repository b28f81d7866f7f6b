/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One request that the fake recorded: whose it is, whether it is the expected one, and as text. */
#ifndef SNEK_SCENARIO_REQUEST_H
#define SNEK_SCENARIO_REQUEST_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

/* The host's own requests: as the app, and for the repositories that have a schedule. */
bool request_is_of_host(const json_t *request);
/* The host looks something up for a plugin's call: a person's permission for a role, the bot's own
 * user, a comment in doubt. A scenario may expect such a request, and need not. */
bool request_is_lookup(const json_t *request);

/* The text of an expected request, which is a text or a table. Borrowed. */
const char *request_wanted(const json_t *wanted);
/* 1: it is another request. -1: it is that request but differs. 0: it is as expected. */
int request_compare(const json_t *request, const json_t *wanted, struct error *err);
/* Does the extended regular expression match somewhere in the text? */
bool request_text_fits(const char *pattern, const char *text, size_t bytes);

/* "METHOD PATH?QUERY -> STATUS", then GitHub's reason if it is an error. */
void request_show(const json_t *request, char *out, size_t bytes);

#endif
