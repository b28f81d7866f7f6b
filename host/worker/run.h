/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One run: the delivery that its handlers see, the memory that they get, and the reason for its
 * result. Only run.c writes struct run.
 *
 * Any thread of the plugin may call these functions while a handler of the run has not returned,
 * unless a comment says otherwise. */
#ifndef SNEK_WORKER_RUN_H
#define SNEK_WORKER_RUN_H

#include "base/list.h"
#include "protocol/frames.h"
#include "worker/arena.h"

#include <snekomatic/event.h>

#include <stdbool.h>
#include <stdint.h>

struct role_facts;
struct run;
struct worker;

/* ---- its life; the pool's threads ---- */

/* From the body of a RUN frame, which is taken over. 0 and `*run`; 1 when memory is short; -1 when
 * the frame is malformed. `body` is freed unless the result is 0. */
int run_new(struct worker *worker, uint64_t handle, char *body, size_t body_bytes,
            struct run **run);

/* Frees the resources that the run still has, then the run. */
void run_free(struct run *run);

/* ---- what it is ---- */

struct run *run_of(struct snek_run *shown);
/* The handlers' view of it. */
struct snek_run *run_shown(struct run *run);
struct worker *run_worker(const struct run *run);
/* The host's handle. */
uint64_t run_handle(const struct run *run);
/* All four are terminated and never NULL. */
const char *run_event(const struct run *run);
const char *run_action(const struct run *run);
const char *run_delivery(const struct run *run);
const char *run_installation(const struct run *run);
/* From 1. */
int64_t run_attempt(const struct run *run);
/* The id of the app's bot user; 0: the sender is another. */
uint64_t run_bot_user(const struct run *run);
/* The id of the app, or its client id, terminated. */
const char *run_app(const struct run *run);
/* The delivery's arrival: wall, the same in every attempt. */
int64_t run_received_ms(const struct run *run);

struct snek_text run_payload(const struct run *run);
/* Works like the event service's find(); texts live as long as the run. */
uint32_t run_find(struct run *run, const char *path, struct snek_value *value);
/* A handler, or a filter of the plugin, reads the path of the payload. */
void run_note_read(struct run *run, bool is_filter, const char *path);
/* Those paths, as FRAME_RESULT has them, the caller's; NULL when there are none, or nobody wants
 * them. */
char *run_steal_read_paths(struct run *run);
/* The string at `path` of the payload; NULL when there is none, or a NUL that would cut it. */
const char *run_find_text(struct run *run, const char *path);
/* The integer at `path` of the payload; 0 when there is none. */
int64_t run_find_integer(struct run *run, const char *path);
struct arena *run_arena(struct run *run);

/* ---- the command that is being handled ---- */

/* Between handlers only. `words` is borrowed until the next call; NULL and 0 when the next handler
 * handles no command. */
void run_set_words(struct run *run, const char *const *words, uint32_t count);
/* The n-th word; NULL past the last. */
const char *run_word(const struct run *run, uint32_t n);

/* Counts a timer that the run sets or cancels, with the bytes of its payload. False: too many. */
bool run_count_timer(struct run *run, size_t bytes);

/* How many comments that are kept up to date this attempt has removed: the next one of the same key
 * is another effect. */
void run_count_comment_removed(struct run *run);
unsigned run_comments_removed(struct run *run);

/* Only roles.c uses it. */
struct role_facts *run_role_facts(struct run *run);

/* ---- cancelling ---- */

void run_cancel(struct run *run);
bool run_is_cancelled(const struct run *run);

/* ---- the reason ---- */

struct reason {
    char text[FRAME_REASON_MAX + 1];
    /* A failing call left the text, not the plugin. */
    bool of_call;
    /* The code of that call when no retry can succeed, else 0: a handler that returns it is
     * rejected. */
    int32_t permanent_code;
    int64_t delay_ms;
};

/* A failing call leaves its sentence. run_fail() returns `code`. */
void run_leave_reason(struct run *run, const char *text, size_t bytes);
int32_t run_fail(struct run *run, int32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Leaves a reason with the time after which the handler is called again, if it returns SNEK_E_BUSY,
 * which run_fail_busy() returns. */
int32_t run_fail_busy(struct run *run, int64_t delay_ms, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Marks the reason that the latest failing call left, with its code. */
void run_mark_permanent(struct run *run, int32_t code);

/* A call that builds a text failed, and returns NULL. Leaves the reason, and keeps it for the call
 * that gets the NULL. */
void run_fail_text(struct run *run, int32_t code, const char *sentence);
/* 0; or the code of the latest text that could not be built and that no call got, with its reason.
 */
int32_t run_take_text_failure(struct run *run);
/* A call got NULL for a text that it needs. Returns the code of the text that could not be built,
 * with its reason; SNEK_E_INVALID with `sentence` when none failed. */
int32_t run_fail_null(struct run *run, const char *sentence);
/* The plugin explains; a delay below 0 counts as 0. */
void run_explain(struct run *run, const char *text, size_t bytes, int64_t delay_ms);

/* The text that run_fail() or run_leave_reason() left last. */
void run_copy_reason(struct run *run, char text[FRAME_REASON_MAX + 1]);

/* Only for the thread of the pool that handles this run, while no handler runs. */
struct reason *run_reason(struct run *run);

/* ---- what ends with the run, unless it ends before ---- */

struct run_resource {
    TAILQ_ENTRY(run_resource) entry;
    struct run *run;
    /* Must call run_detach(). */
    void (*on_run_end)(struct run_resource *resource);
};

/* The oldest is ended first, so that a list ends before the response that it holds. */
void run_attach(struct run *run, struct run_resource *resource);
void run_detach(struct run_resource *resource);

#endif
