/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks a request before a page is made: its Host and transport, login and logout, session and
 * rights, form. Ingest's thread. */
#ifndef SNEK_CONSOLE_GATE_H
#define SNEK_CONSOLE_GATE_H

#include "console/task.h"

/* The route's callbacks. */
void gate_on_request(struct http_request *request);
void gate_on_left(struct http_request *request);
void gate_release(struct http_request *request);
/* The task's response is made: responds, and frees the task. */
void gate_on_done(struct mail *mail);

#endif
