/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Is a state sound, so that all other modules can rely on it? */
#ifndef SNEK_HARNESS_FAKE_STATE_CHECK_H
#define SNEK_HARNESS_FAKE_STATE_CHECK_H

#include "base/error.h"

#include <jansson.h>

/* 0, or -1 with the reason. */
int state_check(const json_t *state, struct error *err);
/* The same of some settings. */
int state_check_settings(const json_t *settings, struct error *err);

#endif
