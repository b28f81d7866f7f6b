/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Merges a change into the state. */
#ifndef SNEK_HARNESS_FAKE_STATE_MERGE_H
#define SNEK_HARNESS_FAKE_STATE_MERGE_H

#include "base/error.h"

#include <jansson.h>

/* Merges `changes` into `into`. 0, or -1 with the reason. */
int state_merge(json_t *into, const json_t *changes, struct error *err);

#endif
