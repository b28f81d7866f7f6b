/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes a checked state complete. */
#ifndef SNEK_HARNESS_FAKE_STATE_FILL_H
#define SNEK_HARNESS_FAKE_STATE_FILL_H

#include "fake/instance.h"

void state_fill(struct fake *fake, json_t *state);
/* The same of a part that a handler adds. */
void state_fill_repository(struct fake *fake, json_t *repository);
void state_fill_issue(struct fake *fake, json_t *repository, json_t *issue);

#endif
