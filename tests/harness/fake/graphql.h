/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The scripted responses to GraphQL. */
#ifndef SNEK_HARNESS_FAKE_GRAPHQL_H
#define SNEK_HARNESS_FAKE_GRAPHQL_H

#include "base/error.h"

#include <jansson.h>

/* Checks an entry of the state's list. 0, or -1 with the reason. */
int graphql_check(json_t *entry, struct error *err);

#endif
