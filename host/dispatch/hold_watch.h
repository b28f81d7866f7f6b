/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The holds of the store in this host's memory, at most a few seconds old. Claims obey the store
 * itself. This copy is for runs that go on from memory, and for what the host shows.
 *
 * Threads: the loop's, except hold_watch_render(), which any thread may call. */
#ifndef SNEK_DISPATCH_HOLD_WATCH_H
#define SNEK_DISPATCH_HOLD_WATCH_H

#include "base/buffer.h"
#include "base/mailbox.h"
#include "inbox/deliveries.h"
#include "inbox/holds.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct hold_watch_options {
    struct inbox *inbox;
    struct mailbox *mailbox;
    /* The holds are not the same any more. */
    void (*on_changed)(void *context);
    void *context;
};

struct hold_writer;
TAILQ_HEAD(hold_writer_list, hold_writer);

struct hold_watch {
    struct hold_watch_options options;
    /* Changes that the inbox has, and those that the store could not take. */
    struct hold_writer_list changes;
    struct inbox_holds reading;
    bool is_reading, wanted;
    /* They were read once, or that failed. */
    bool known;
    /* Monotonic. */
    int64_t next_ms;
    /* Protects the list, which only the loop's thread writes. */
    pthread_mutex_t lock;
    struct inbox_hold *holds;
    size_t n_holds;
};

void hold_watch_init(struct hold_watch *watch, const struct hold_watch_options *options);
void hold_watch_finish(struct hold_watch *watch);

/* Another host or a tool may have changed the holds: look soon. */
void hold_watch_want(struct hold_watch *watch);
/* Reads the holds and repeats failed changes, if it is time. */
void hold_watch_tick(struct hold_watch *watch, int64_t now_ms);
/* When the next tick has work. Monotonic. */
int64_t hold_watch_next_ms(const struct hold_watch *watch);

/* Stores a hold, or ends the one with its plugin, scope, value and cause. Nobody waits for it. If
 * it fails, it is logged and repeated until the store takes it, or another change of the same hold
 * follows. */
void hold_watch_change(struct hold_watch *watch, enum inbox_kind kind,
                       const struct inbox_hold *hold);

/* Is the whole plugin quarantined in the store? */
bool hold_watch_quarantines(const struct hold_watch *watch, const char *plugin);
/* Is the whole plugin held? */
bool hold_watch_holds_plugin(const struct hold_watch *watch, const char *plugin);
/* The hold that covers the plugin's run; NULL for none. Valid until the next tick. */
const struct inbox_hold *hold_watch_find(const struct hold_watch *watch, const char *plugin,
                                         const struct inbox_run *run);

/* Appends the plugin's holds as `,"holds":[...]`; nothing when it has none. 0, or -1. */
int hold_watch_render(struct hold_watch *watch, const char *plugin, struct buffer *json);

#endif
