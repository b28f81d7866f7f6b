/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The webhooks that a scenario delivers: bundled payloads, files of its own, and comments. Some
 * fields are changed, and GitHub's URLs lead to the fake. */
#ifndef SNEK_SCENARIO_PAYLOAD_H
#define SNEK_SCENARIO_PAYLOAD_H

#include "scenario/environment.h"

struct payload {
    char event[100];
    /* The caller frees it. */
    char *body;
    size_t body_bytes;
};

/* For a step with `deliver` or `comment`. A comment is also created at the fake. 0 or -1. */
int payload_make(struct environment *environment, const json_t *step, struct payload *payload,
                 struct error *err);

#endif
