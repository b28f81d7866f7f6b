/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A run in this host's memory: how it begins and ends. Each end is one completion in the inbox and
 * one line in the log.
 *
 *   run_new --> run_enter --> run_send --> (result · failure · requeue) --> completion --> freed
 *
 * Only run.c writes these structs; other files read them and call the functions below. Threads: the
 * loop's. */
#ifndef SNEK_DISPATCH_RUN_H
#define SNEK_DISPATCH_RUN_H

#include "base/list.h"
#include "base/log.h"
#include "broker/broker.h"
#include "config/config.h"
#include "dispatch/journal.h"
#include "dispatch/timer_list.h"
#include "inbox/deliveries.h"
#include "metrics/metrics.h"
#include "worker_process/worker_process.h"

#include <stdbool.h>
#include <stdint.h>

/* A run is dead after it has crashed its worker this many times. */
#define RUN_CRASHES_MAX 3
/* A completion that the store could not take is repeated after this. */
#define RUN_FINISH_RETRY_MS 1000
#define RUN_STALE_TEXT "another host has taken this run over"

/* How many of its last claims with effects this host remembers, to know whether an intent was its
 * own. */
#define CLAIMS_REMEMBERED 256

/* A claim under which this host sent effects. */
struct sent_claim {
    /* 0: none. */
    int64_t token;
    /* Monotonic: GitHub has ended all its requests whose responses were lost; 0: none was. */
    int64_t settled_ms;
};

struct run;
TAILQ_HEAD(run_list, run);

/* The phases follow in this order. */
enum run_phase {
    RUN_PHASE_SERVING,
    RUN_PHASE_DRAINING,
    /* The host sends no more requests to GitHub. */
    RUN_PHASE_CLOSING,
    /* The inbox and the broker are gone. */
    RUN_PHASE_CLOSED,
};

struct run_table_options {
    struct inbox *inbox;
    struct mailbox *mailbox;
    /* This host's number in the inbox, positive and random. */
    int64_t host;
    int64_t lease_ms, max_attempts;
    /* dispatch.first_retry_ms. */
    int64_t first_retry_ms;
    /* github.app_id. */
    const char *app_id;
    /* A plugin can take a run again. */
    void (*on_slot_free)(void *context);
    /* A run is due at `due_ms` (wall clock). */
    void (*on_queued)(void *context, int64_t due_ms);
    void *context;
};

/* All runs of this host. */
struct run_table {
    struct run_table_options options;
    enum run_phase phase;
    /* Every run in memory, in whichever list it is. */
    struct run_list all;
    /* Runs that have ended, whose completion waits for their effects or for the store. */
    struct run_list ended;
    /* Completions that are with the inbox. */
    unsigned n_submitted;
    /* The sum over all runs, with n_records; see run_hold(). */
    unsigned n_holds;
    uint64_t last_handle, last_generation;
    /* None of their requests is under way any more; the oldest is replaced first. */
    struct sent_claim sent_here[CLAIMS_REMEMBERED];
    size_t next_sent_here;
};

/* The runs of one plugin, and its worker as they need it. */
struct run_group {
    struct run_table *table;
    const struct config_plugin *config;
    /* NULL until the plugin has described itself. Ingest's thread reads it. */
    _Atomic(const struct description *) description;
    struct metrics_plugin *metrics;
    /* NULL while there is no worker. */
    struct worker_process *worker_process;
    /* The worker's number; 0 while there is none. Dispatch drops a response to an earlier
     * worker. */
    uint64_t generation;
    struct run_list runs;
    uint32_t n_runs;
    uint64_t payload_bytes;
    /* The responses in the memory of their journals. */
    size_t journal_bytes;
    /* The entries of their journals. */
    size_t journal_entries_bytes;
    /* A suspect run is being tried alone. */
    bool isolating;
};

struct run {
    /* In its group's list, or the table's of ended runs. */
    TAILQ_ENTRY(run) link;
    TAILQ_ENTRY(run) link_all;
    struct run_group *group;
    struct inbox_run data;
    /* The run's number in frames. */
    uint64_t handle;
    /* Counted in the group's. */
    size_t payload_bytes;
    bool entered;
    /* The run is in the worker, so it may be the cause of a crash. */
    bool sent;
    /* It is past its deadline. */
    bool late;
    /* Another host took this run when its lease expired, or the inbox gave it to this host anew
     * (discarded by hand, then retried). This handling cannot change anything any more. */
    bool lease_lost;
    /* Monotonic: until then no other host can have taken the run. */
    int64_t trusted_until_ms;
    /* The app is not installed any more, so a failure is final. */
    bool installation_gone;
    /* The installation did not grant a permission: a failure parks the run. */
    bool not_granted;
    /* The broker deferred it: it is requeued for not_before_ms (wall clock), even if the handler
     * returns another result. */
    bool deferred;
    int64_t not_before_ms;
    /* It reached a limit of the plugin: it ends as rejected, even if the handler returns another
     * result. */
    bool rejected;
    /* Why it is deferred or rejected. */
    struct error stopped_reason;
    /* Monotonic; no deadline before it is sent. Waits for rate limits move it. */
    int64_t started_ms, deadline_ms;
    struct journal journal;
    /* Calls that write into the journal: the completion waits for them. */
    unsigned n_holds;
    /* Calls whose records are with the inbox: the completion may follow these there. */
    unsigned n_records;
    /* One of these records failed, so the completion waits for the others from now on. */
    bool waits_for_records;
    /* The same, as the inbox's thread knows it; no other thread may read it. */
    bool record_lost;
    /* This attempt has sent an effect. */
    bool sent_effect;
    /* See sent_claim. */
    int64_t settled_ms;
    /* The length of all that its handlers have logged. */
    uint64_t log_bytes;
    /* The timers that it sets and cancels when it ends well. */
    struct timer_list timers;
    /* It has left its group; its completion is next. */
    bool ended;
    int64_t took_ms;
    struct inbox_finish finish;
    char *reason;
    int64_t finish_at_ms;
};

/* ---- the table and the groups ---- */

void run_table_init(struct run_table *table, const struct run_table_options *options);
void run_table_set_phase(struct run_table *table, enum run_phase phase);
/* Submits the completions that are due. */
void run_table_tick(struct run_table *table, int64_t now_ms);
/* When a completion is due; INT64_MAX: none is. Monotonic. */
int64_t run_table_next_ms(const struct run_table *table);
/* True when no completion is under way or waits. */
bool run_table_idle(const struct run_table *table);
/* A number for a new worker. */
uint64_t run_table_next_generation(struct run_table *table);
/* Frees the runs that have ended. */
void run_table_finish(struct run_table *table);

void run_group_init(struct run_group *group, struct run_table *table,
                    const struct config_plugin *config);
void run_group_set_description(struct run_group *group, const struct description *description,
                               struct metrics_plugin *metrics);
/* NULL and 0: the worker is gone. */
void run_group_set_worker(struct run_group *group, struct worker_process *worker_process,
                          uint64_t generation);
/* The plugin's name; before it was loaded, its path as the configuration has it. */
const char *run_group_name(const struct run_group *group);
struct run *run_group_find(const struct run_group *group, uint64_t handle);
/* Asks the handlers of all runs in the worker to return, because the host stops. */
void run_group_cancel(struct run_group *group);
/* Gives all runs back to the inbox. */
void run_group_requeue(struct run_group *group, const char *reason);
/* Frees the runs in the group. */
void run_group_finish(struct run_group *group);

/* ---- a run ---- */

/* Takes `data` over, also on failure. NULL when memory is short: the inbox gives the run out again
 * when its lease has expired. */
struct run *run_new(struct run_group *group, struct inbox_run *data);
void run_free(struct run *run);

/* True when this host has another handling of the same run in memory. */
bool run_is_handled(const struct run *run);
/* Joins its group. Earlier handlings of the same run lose their lease. */
void run_enter(struct run *run);
/* Ends a run whose host died in each of its last attempts. True when it did: the run is gone. */
bool run_fail_if_exhausted(struct run *run);
/* Gives it to the worker. Ends it when its body is damaged. `bot_user`: the id of the app's bot
 * user if the sender may be it, else 0. */
void run_send(struct run *run, int64_t bot_user);

/* No other host can have taken the run for `lease_ms` from `asked_ms` (monotonic clock). */
void run_trust(struct run *run, int64_t asked_ms, int64_t lease_ms);
/* Another host, or another handling in this host, has the run now. */
void run_set_lease_lost(struct run *run);
void run_set_late(struct run *run);
/* Its handler logs so many bytes. False: drop them, because plugin.log_bytes_per_run is used up.
 * The first time the function logs that. */
bool run_note_log(struct run *run, size_t bytes);
/* The attempt sets a timer if it ends well; a payload of 0 bytes cancels it. A dry run only logs
 * it. False: it has set too many, or memory is short. */
bool run_set_timer(struct run *run, int64_t delay_ms, struct frame_text key,
                   struct frame_text payload);
/* This attempt sends an effect. */
void run_note_effect(struct run *run);
/* The response to an effect was lost. GitHub ends the request before `settled_ms` (monotonic). */
void run_note_lost_response(struct run *run, int64_t settled_ms);
/* True when this host itself sent the effect of the claim with this token, as far as it remembers,
 * and no request of that claim is under way any more; or the claim is this run's own. Then
 * `*settled_ms` is that of sent_claim. */
bool run_sent_here(const struct run *run, int64_t token, int64_t *settled_ms);
/* Records what a response of the broker says about the run. */
void run_note_response(struct run *run, const struct broker_request *request);

/* Defers the run to `not_before_ms` (wall clock). The host does nothing more for it in this
 * attempt, and it loses no attempt. */
void run_defer(struct run *run, int64_t not_before_ms, const char *reason);

/* The host does nothing more for the run, and it ends as rejected. */
void run_reject(struct run *run, const char *reason);

/* While a run is held, its completion waits. So no retry begins while an effect of the attempt
 * before it is still under way. */
void run_hold(struct run *run);
void run_release(struct run *run);
/* The caller, who holds the run, has submitted a COMPLETE with `lost` = &run->record_lost. Until
 * its result the caller does not hold the run any more, but the run stays in memory: its completion
 * may be submitted behind the COMPLETE, and fails if that fails. */
void run_begin_record(struct run *run);
/* The result: the caller holds the run again. If it was not `stored`, it is to be recorded again
 * before the hold ends. */
void run_end_record(struct run *run, bool stored);

/* The ends. The run has left its group afterwards, and the caller must not touch it. */
void run_result(struct run *run, int64_t result, int64_t delay_ms, struct frame_text reason);
void run_failed(struct run *run, const char *reason, bool suspect, int64_t crashes);
void run_requeue(struct run *run, bool suspect, const char *reason);
void run_requeue_at(struct run *run, int64_t due_ms, const char *reason);
void run_dead(struct run *run, int64_t crashes, const char *reason);

/* ---- the log ---- */

#define RUN_LOG_FIELDS_MAX 10

/* Logs an event of a run: its delivery, plugin, installation and attempt, then the given fields. */
void run_log_fields(const struct run *run, enum log_level level, const char *message,
                    const struct log_field *fields);
#define run_log(run, level, message, ...)                                                          \
    run_log_fields((run), (level), (message),                                                      \
                   (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
/* The paths of the payload that the run read, at level debug. */
void run_log_paths(const struct run *run, struct frame_text paths);

#endif
