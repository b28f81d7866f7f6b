/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Questions about the app, which the host answers: its slug, and the permissions of the plugin's
 * token. */
#ifndef SNEK_WORKER_APP_CALL_H
#define SNEK_WORKER_APP_CALL_H

#include "protocol/frames.h"

struct run;

/* Blocks until the host responds. 0 and `*answer`, which lives as long as the run; or a negative
 * enum snek_error with a reason left. */
int32_t app_call_send(struct run *run, enum frame_app_question question, struct frame_text *answer);

#endif
