/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Explains which handlers a delivery would call, and why the others would not be called. It calls
 * none, and asks GitHub nothing. */
#ifndef SNEK_WORKER_EXPLAIN_H
#define SNEK_WORKER_EXPLAIN_H

struct wire_frame;
struct worker;

/* EXPLAIN: sends the EXPLAINED frame. Takes over the frame's body. 0, or -1 when the host broke the
 * protocol: the worker must end. The main thread. */
int explain_delivery(struct worker *worker, struct wire_frame *frame);

#endif
