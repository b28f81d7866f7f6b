/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of this room share: dispatch.c claims and keeps time, fresh.c holds what need not
 * be claimed, lease.c keeps what was claimed, plugin.c leads the workers, run.c ends runs,
 * call.c carries calls. */
#ifndef SNEK_DISPATCH_PRIVATE_H
#define SNEK_DISPATCH_PRIVATE_H

#include "base/throttle.h"
#include "dispatch/dispatch.h"
#include "dispatch/journal.h"
#include "inbox/deliveries.h"
#include "inbox/leases.h"
#include "metrics/metrics.h"
#include "worker_process/worker_process.h"

#include <pthread.h>

#define CALLS_MAX 1024        /* under way at once from one worker */
#define CRASHES_MAX 3         /* of a run alone, then it is dead: design.md, "Processes" */
#define RESTART_FIRST_MS 100  /* doubled with every death in a row … */
#define RESTART_LAST_MS 30000 /* … up to this … */
#define QUARANTINE_DEATHS 10  /* … and from so many on, quarantined and tried rarely */
#define QUARANTINE_MS 600000
#define LINES_A_SECOND 200   /* of a plugin's log; more are counted */
#define POLL_MS 4000         /* another process may change the inbox, a lease lapse */
#define FINISH_AGAIN_MS 1000 /* a completion that the store could not take is tried again */
#define FRESH_BYTES_MAX (UINT64_C(32) << 20) /* of bodies that wait in memory to be due */
#define SETTLE_MS 2000 /* for the inbox, to write down what was still under way at the end */
#define RUN_STALE "another host has taken this run over"
#define RETRY_DELAY_MAX_MS (7 * INT64_C(86400000)) /* that a plugin may ask for */

enum plugin_state {
    PLUGIN_LOADING,
    PLUGIN_RUNNING,
    PLUGIN_WAITING,     /* its worker died; starts again at restart_at_ms */
    PLUGIN_QUARANTINED, /* likewise, much later: it keeps dying */
    PLUGIN_REJECTED,    /* at the host's start: there is no going on */
};

struct call; /* call.c */

struct plugin {
    struct dispatch *dispatch;
    const struct config_plugin *config;
    struct metrics_plugin *metrics;        /* once it was described */
    struct worker_process *worker_process; /* NULL while there is no worker */
    uint64_t incarnation;            /* of the worker; calls of an earlier one are not answered */
    struct description *description; /* of the first worker; immutable once loaded */
    enum plugin_state state;         /* written under dispatch->lock, for dispatch_status() */
    int64_t load_deadline_ms, restart_at_ms; /* monotonic */
    unsigned deaths;                         /* in a row, without a result in between */
    struct throttle lines;                   /* of its log */
    char *rejection; /* what the present worker said before it died; NULL nothing */

    struct run *runs;
    uint32_t n_runs;
    uint64_t payload_bytes;
    struct call *calls; /* of the present worker */
    unsigned n_calls;
    size_t call_bytes; /* of their bodies; both of the present worker's */
    bool hold; /* suspect runs are due: nothing new until it is idle, then one alone. And so it is
                  assumed of a new worker until a claim knows */
    bool solitary; /* a suspect run is being tried alone */

    struct run *held, **held_last; /* leased by ingest, not due yet, in order */
    uint32_t n_held;
    uint32_t fresh_room;     /* under dispatch->lock: so many more may be promised in all … */
    uint32_t fresh_promised; /* … and so many are, with ingest, the inbox or in our mailbox */
};

struct run {
    struct run *next;
    struct plugin *plugin;
    struct inbox_run data;
    uint64_t handle;      /* in frames */
    size_t payload_bytes; /* counted in the plugin's */
    int64_t due_ms;       /* wall; 0: due already when it came */
    int64_t start_at_ms;  /* monotonic; of one that is held */
    struct mail mail;     /* brings one that ingest leased */
    bool sent;            /* the worker has it: a crash may be its doing */
    bool late;
    bool disowned; /* another host took this run when its lease lapsed, or the inbox gave it to us
                      anew (discarded by hand, then retried): what this handling of it still says
                      counts no more */
    int64_t trusted_until_ms;        /* monotonic: until then nobody else can have taken it */
    bool gone;                       /* its installation is: a failure is final */
    bool not_granted;                /* its installation did not grant a permission: a failure
                                        parks it */
    bool put_off;                    /* the broker did: however it ends, it comes back … */
    int64_t not_before_ms;           /* … then (wall) … */
    struct error put_off_why;        /* … and for this reason */
    int64_t started_ms, deadline_ms; /* monotonic; no deadline before it is sent. Moved by what it
                                        waited for rate limits */
    struct journal journal;
    unsigned holds;  /* calls that write into the journal */
    bool ended;      /* it is out of its plugin's list; its completion is next */
    int64_t took_ms; /* known once it has ended */
    struct inbox_finish finish;
    char *reason;
    int64_t finish_again_ms;
};

struct dispatch {
    struct dispatch_options options;
    struct mailbox mailbox;
    struct loop_source mail_source;
    struct plugin *plugins;
    size_t n_plugins;
    bool loaded, draining;
    bool closing; /* nothing is asked of GitHub any more */
    bool closed;  /* inbox and broker are gone */
    int64_t lease;
    uint64_t last_handle, last_incarnation;

    struct inbox_claim claim;
    struct inbox_claim_share *shares; /* of the plugins that can take runs now … */
    struct plugin **sharers;          /* … these */
    bool claiming, claim_wanted;
    int64_t next_due_ms;   /* wall; INT64_MAX none is known of */
    int64_t stored_due_ms; /* likewise, of what was stored since the last claim was asked for */

    unsigned holds; /* of all runs */
    struct inbox_renew renew;
    bool renewing;
    int64_t renew_asked_ms, renew_next_ms; /* monotonic */
    int64_t claim_asked_ms;                /* likewise */

    unsigned asked;         /* the claim and the completions that are with the inbox */
    struct run *unfinished; /* whose completion waits for what it wrote, or for the store */

    pthread_mutex_t lock; /* over what ingest's thread reads and writes */
    struct mail wake;
    bool wake_posted;     /* under the lock … */
    int64_t wake_due_ms;  /* … wall: the first of the runs that were queued since */
    uint64_t fresh_bytes; /* … of all runs that were promised or are held */
};

/* plugin.c */
int plugin_start(struct plugin *plugin, struct error *err);
void plugin_tick(struct plugin *plugin, int64_t now_ms);
void plugin_log_withheld(struct plugin *plugin, int64_t now_ms); /* INT64_MAX: in any case */
int64_t plugin_next_ms(const struct plugin *plugin); /* INT64_MAX: nothing to wait for */
const char *plugin_state_name(enum plugin_state state);
const char *plugin_name(const struct plugin *plugin);
uint64_t plugin_payload_max(const struct plugin *plugin); /* of the runs in its worker */

/* fresh.c; the first two on ingest's thread. */
void fresh_promise(struct dispatch *dispatch, struct inbox_put *put, struct inbox_put_run *run,
                   struct plugin *plugin);
bool fresh_stored(struct dispatch *dispatch, const struct inbox_put *put,
                  struct buffer *body); /* all */
void fresh_tick(struct plugin *plugin, int64_t now_ms);
int64_t fresh_next_ms(const struct plugin *plugin);
bool fresh_idle(struct plugin *plugin); /* none is held, and none will come */

/* lease.c */
void lease_tick(struct dispatch *dispatch, int64_t now_ms);
int64_t lease_next_ms(const struct dispatch *dispatch);
void lease_trust(struct run *run, int64_t asked_ms); /* it was leased by what was asked then */
bool lease_is_trusted(const struct run *run);        /* else the inbox is to be asked first */
void lease_lost(struct run *run);                    /* another host has it */

/* run.c; a run that was ended is gone from its plugin, and must not be touched. */
struct run *run_find(struct plugin *plugin, uint64_t handle);
void run_enter(struct run *run);                    /* joins its plugin's */
void run_disown(struct plugin *plugin, int64_t id); /* earlier handlings of the inbox's run `id` */
bool run_is_spent(struct run *run); /* the host died in its last try: it was ended */
void run_begin(struct run *run);    /* asks what must be known first, then hands it to the worker */
void run_send(struct run *run, bool from_self); /* may end it: its body can be damaged */
void run_result(struct run *run, int64_t result, int64_t delay_ms, struct frame_text reason);
void run_failed(struct run *run, const char *reason, bool suspect, int64_t crashes);
void run_requeue(struct run *run, bool suspect, const char *reason);
void run_dead(struct run *run, int64_t crashes, const char *reason);
void run_release(struct run *run); /* of run->holds */
void run_finish_again(struct dispatch *dispatch, int64_t now_ms);
void run_free(struct run *run);

/* backoff.c: after the attempt of that number (from 1) has failed. */
int64_t run_backoff_ms(int64_t attempt);

/* call.c */
void call_http(struct plugin *plugin, struct run *run, const struct http_call *request);
void call_store(struct plugin *plugin, struct run *run, const struct store_call *request);
void call_slug(struct plugin *plugin, struct run *run);
/* How long the run's calls that are under way have waited for rate limits, which does not count
 * towards its deadline; `*waits`: one does now. */
int64_t call_waited_ms(const struct plugin *plugin, const struct run *run, int64_t now_ms,
                       bool *waits);

#endif
