/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The checks of JSON that the plugin made. */
#ifndef SNEK_WORKER_JSON_BODY_H
#define SNEK_WORKER_JSON_BODY_H

#include <stddef.h>
#include <stdint.h>

struct run;

/* 0, or SNEK_E_INVALID with a reason left. */
int32_t json_body_check(struct run *run, const char *body, size_t bytes);
/* Leaves the reason. Always SNEK_E_TOO_LARGE. */
int32_t json_body_too_large(struct run *run);

#endif
