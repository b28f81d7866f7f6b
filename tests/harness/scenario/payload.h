/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The webhooks that a scenario delivers: bundled payloads, files of its own, comments; with some
 * fields changed, and with GitHub's URLs leading to the fake. */
#ifndef SNEK_SCENARIO_PAYLOAD_H
#define SNEK_SCENARIO_PAYLOAD_H

#include "scenario/environment.h"

struct payload {
    char event[100];
    char *body; /* the caller's to free() */
    size_t body_bytes;
};

/* For a step with `deliver` or `comment`. A comment also comes to be at the fake. 0 or -1. */
int payload_make(struct environment *environment, const json_t *step, struct payload *payload,
                 struct error *err);

#endif
