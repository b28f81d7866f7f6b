/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One plugin: starts, supervises and restarts its worker, and passes the worker's messages to its
 * runs and calls.
 *
 * When a worker dies with one run in it, that run counts as the cause. When several runs were in
 * it, each is a suspect. The host tries suspects one at a time, which shows the run that crashes
 * the worker. When a run passes its deadline, the worker is killed: the late run has failed an
 * attempt, and the other runs are requeued without losing one.
 *
 * A dead worker restarts with backoff. Too many deaths in a minute quarantine the plugin: it has no
 * worker and keeps its runs until plugin_release(). Ingest still makes runs for it. After a restart
 * of the host by the supervisor, the plugin is known from the file of descriptions. Its worker then
 * starts again until it has loaded, and no failure before that quarantines it.
 *
 * Only plugin.c writes struct plugin. Threads: the loop's, except plugin_state(), plugin_name() and
 * plugin_description(). */
#ifndef SNEK_DISPATCH_PLUGIN_H
#define SNEK_DISPATCH_PLUGIN_H

#include "base/loop.h"
#include "base/throttle.h"
#include "dispatch/bot_user.h"
#include "dispatch/calls.h"
#include "dispatch/hold_watch.h"
#include "dispatch/restart.h"
#include "dispatch/usage_watch.h"

#include <stdatomic.h>

enum plugin_state {
    PLUGIN_LOADING,
    PLUGIN_RUNNING,
    /* Its worker died, and starts again at restart_at_ms. */
    PLUGIN_WAITING,
    /* Its worker keeps dying, so it has none until plugin_release(). */
    PLUGIN_QUARANTINED,
    /* It did not load at the host's start: the host cannot start. */
    PLUGIN_REJECTED,
};

struct plugin;

/* Options that all plugins share; borrowed until plugin_finish(). */
struct plugin_options {
    struct loop *loop;
    struct worker_starter *starter;
    /* The array that plugin->config is in; its index names the plugin to the supervisor. */
    const struct config_plugin *configs;
    enum log_level log_level;
    struct broker *broker;
    const char *api_url;
    struct run_table *table;
    struct bot_user *bot_user;
    struct hold_watch *holds;
    /* See dispatch_options. */
    int descriptions_fd;
    /* Would the description conflict with another plugin's, if `plugin` had it? 0: no; -1. */
    int (*check_conflicts)(void *context, const struct plugin *plugin,
                           const struct description *description, struct error *err);
    /* See worker_process_handlers. */
    bool (*on_explained)(void *context, const struct plugin *plugin, uint64_t question,
                         struct explained *items, size_t n_items);
    void *context;
};

struct plugin {
    const struct plugin_options *options;
    const struct config_plugin *config;
    /* The first worker sent it, and it never changes. NULL until then, or the one that an earlier
     * host has kept. Ingest's thread reads it. */
    _Atomic(struct description *) description;
    /* The kept one that the first worker's has replaced, which ingest's thread may still read. */
    struct description *replaced;
    /* NULL before it described itself. */
    struct metrics_plugin *metrics;
    /* PLUGIN_REJECTED, but for a cause that may pass: no process could be started. */
    bool may_load_later;
    /* An earlier host has loaded this plugin from the same file. So the host starts without it, and
     * its worker starts again until it loads. */
    bool inherited;
    /* A worker of this host has described the plugin. */
    bool described;
    /* A worker has loaded the plugin completely since the host's start. */
    bool was_ready;
    /* enum plugin_state. */
    atomic_int state;
    /* enum frame_sandbox_level of the last worker that loaded. */
    atomic_int level;
    /* Monotonic clock. */
    int64_t load_deadline_ms, restart_at_ms;
    struct restart restart;
    struct usage_watch usage;
    /* The present worker ends in order, and a new one takes its place. It is killed at this time
     * (monotonic); 0: it stays. */
    int64_t replace_until_ms;
    /* The present or the last worker. */
    pid_t pid;
    struct throttle log_lines;
    /* The reason that the present worker itself reported before it died; NULL for none. When the
     * plugin is PLUGIN_REJECTED, the reason of that. */
    char *rejection;
    /* Suspect runs are due. No new run starts until the plugin is idle; then one suspect runs
     * alone. It is true for a new worker until a claim finds no suspect. */
    bool suspects_pending;
    /* Its quarantine is in the store. */
    bool quarantine_stored;
    /* A due run that did not fit beside the plugin's other runs, and since when it is due (wall
     * clock); 0: none. */
    int64_t passed_over, passed_over_due_ms;
    /* When such a run was taken; monotonic clock. */
    int64_t large_taken_ms;
    /* No new run starts until the plugin is idle; then the run that was passed over goes first. */
    bool making_room;
    struct run_group runs;
    struct call_group calls;
};

void plugin_init(struct plugin *plugin, const struct plugin_options *options,
                 const struct config_plugin *config);
void plugin_finish(struct plugin *plugin);

/* Before plugin_start(): an earlier host has loaded this plugin. Takes the description over. */
void plugin_inherit(struct plugin *plugin, struct description *description);
int plugin_start(struct plugin *plugin, struct error *err);
/* Does what is due: deadlines, restarts, withheld lines of the log. */
void plugin_tick(struct plugin *plugin, int64_t now_ms);
/* Sends the worker what the plugin's runs have queued for it. Call it before every loop_step(). */
void plugin_flush(struct plugin *plugin);
/* When something is due; INT64_MAX: nothing is. Monotonic. */
int64_t plugin_next_ms(const struct plugin *plugin, int64_t now_ms);

enum plugin_state plugin_state(const struct plugin *plugin);
/* The level of its last worker's sandbox; off before the first has loaded. Any thread. */
enum frame_sandbox_level plugin_level(const struct plugin *plugin);
const char *plugin_state_name(enum plugin_state state);
const char *plugin_name(const struct plugin *plugin);
/* True when the host may serve: a worker has loaded the plugin, in this host or an earlier one. */
bool plugin_has_loaded(const struct plugin *plugin);
/* NULL until the plugin has described itself. */
const struct description *plugin_description(const struct plugin *plugin);
/* Bytes of payloads and journals that the plugin has room for, in its worker and in the host's
 * memory. 0 when it has so little left that most runs would be passed over. */
uint64_t plugin_room_bytes(const struct plugin *plugin);
/* True when the plugin may take new runs, apart from its free slots. */
bool plugin_accepts(const struct plugin *plugin);
/* True when the plugin may take this run: no hold covers it. */
bool plugin_accepts_run(const struct plugin *plugin, const struct inbox_run *run);
/* True when no new run may begin before the present ones have ended, because a suspect run or one
 * that was passed over must be the only one. */
bool plugin_waits_for_idle(const struct plugin *plugin);

/* A claim has found whether suspect runs are due, and which run did not fit. */
void plugin_note_claim(struct plugin *plugin, const struct inbox_claim_share *share);
/* The store is open: ends the quarantine that an earlier start of the service left, unless a host
 * of this supervisor has loaded the plugin before. A person who starts the service, or reloads it,
 * has removed the cause. */
void plugin_note_start(struct plugin *plugin);
/* Starts a run that has entered the plugin's group. */
void plugin_begin(struct plugin *plugin, struct run *run);
/* The holds have changed: ends its quarantine when its hold was ended. */
void plugin_note_holds(struct plugin *plugin);
/* Ends its quarantine: forgets the deaths of its workers and starts one at the next tick. Does
 * nothing in other states. */
void plugin_release(struct plugin *plugin);
/* No more frames to the worker: it ends when no handler runs. */
void plugin_close_worker(struct plugin *plugin);

#endif
