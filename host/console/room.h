/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console inside this room: its threads and what they share. */
#ifndef SNEK_CONSOLE_ROOM_H
#define SNEK_CONSOLE_ROOM_H

#include "console/app_view.h"
#include "console/budget.h"
#include "console/waiting.h"
#include "dispatch/explain.h"

#include <pthread.h>
#include <stdatomic.h>

struct console {
    struct console_options options;
    struct http_route route;
    /* Only ingest's thread uses these two. `large_bytes`: of large responses. */
    struct console_access access;
    size_t large_bytes;

    pthread_t thread;
    /* For tasks. */
    struct mailbox mailbox;
    struct mail stop_mail;
    /* The host stops, so nobody responds to explanations. */
    atomic_bool closing;
    /* Nothing waits for the budget any more. */
    atomic_bool quiesced;
    struct mail quiesce_mail;
    /* Monotonic clock. */
    int64_t started_ms;

    /* Only the console's thread uses the members below. */
    bool stopping;
    struct console_waiting waiting;
    struct console_budget budget;
    /* Monotonic: when a task last had to wait for the budget. */
    int64_t held_us;
    /* Results of the inboxes. */
    struct mailbox results;
    /* NULL until the first page that reads. */
    struct inbox *reads;
    struct app_view app_view;
};

/* The console's thread. Both run an operation to its end and return its result; `err` says why it
 * was negative. room_read() reads through the console's own inbox, room_change() goes to the
 * host's.
 */
int room_read(struct console *console, struct inbox_operation *operation, struct error *err);
int room_change(struct console *console, struct inbox_operation *operation, struct error *err);

/* Asks dispatch about the plugin with this index in the configuration. `payload` is borrowed, and
 * may be NULL. The caller frees `result->items`. */
void room_explain(struct console *console, const struct explain_delivery *delivery, size_t plugin,
                  struct payload *payload, struct explain_result *result);

/* Stores what a person did. `count` is -1 without a number; `err` counts if `result` is negative.
 */
void room_note_action(struct console_task *task, const char *what, const char *target, int result,
                      const struct error *err, int64_t count);

/* Any thread. */
void room_submit(struct console_task *task);

#endif
