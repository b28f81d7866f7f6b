/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Claims due runs and begins them. */
#include "dispatch/claim.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>

/* The longest time between two claims, because another process may change the inbox, or a lease may
 * expire. */
#define POLL_MS 4000
/* A claim that failed, or that took none of the runs that are due, is repeated after this. */
#define CLAIM_RETRY_MS 1000

int claim_init(struct claimer *claimer, struct run_table *table, struct plugin *plugins,
               size_t n_plugins) {
    *claimer = (struct claimer){
        .table = table, .plugins = plugins, .n_plugins = n_plugins, .stored_due_ms = INT64_MAX};
    claimer->shares = calloc(n_plugins + 1, sizeof *claimer->shares);
    claimer->sharers = calloc(n_plugins + 1, sizeof(struct plugin *));
    return claimer->shares && claimer->sharers ? 0 : -1;
}

void claim_finish(struct claimer *claimer) {
    free(claimer->shares);
    free(claimer->sharers);
    free(claimer->live);
}

void claim_want(struct claimer *claimer) {
    claimer->wanted = true;
}

void claim_note_due(struct claimer *claimer, int64_t due_ms) {
    claimer->next_due_ms = clock_earliest(claimer->next_due_ms, due_ms);
}

void claim_note_stored(struct claimer *claimer, int64_t due_ms) {
    claimer->stored_due_ms = clock_earliest(claimer->stored_due_ms, due_ms);
    claim_note_due(claimer, due_ms);
}

static bool may_claim(const struct plugin *plugin) {
    const struct run_group *group = &plugin->runs;
    bool waits = group->n_runs > 0 && plugin_waits_for_idle(plugin);
    return plugin_accepts(plugin) && !waits && group->n_runs < plugin->config->concurrency;
}

static struct inbox_claim_share share_of(const struct plugin *plugin) {
    struct inbox_claim_share share = {.plugin = plugin_name(plugin),
                                      .most_bytes = plugin_room_bytes(plugin),
                                      .alone = plugin->runs.n_runs == 0,
                                      .first = plugin->passed_over};
    if (may_claim(plugin) && (share.alone || share.most_bytes > 0)) {
        share.runs = plugin->config->concurrency - plugin->runs.n_runs;
    }
    return share;
}

static void take_run(struct claimer *claimer, struct inbox_run *data) {
    assert(data->share < claimer->claim.n_shares);
    struct plugin *plugin = claimer->sharers[data->share];
    struct run *run = run_new(&plugin->runs, data);
    if (!run) {
        return;
    }
    run_enter(run);
    run_trust(run, claimer->asked_ms, claimer->table->options.lease_ms);
    if (run_fail_if_exhausted(run)) {
        return;
    }
    if (plugin_accepts(plugin)) {
        plugin_begin(plugin, run);
    } else {
        run_requeue(run, run->data.suspect, "");
    }
}

static void take_runs(struct claimer *claimer) {
    struct inbox_claim *claim = &claimer->claim;
    for (size_t i = 0; i < claim->n_shares; i++) {
        plugin_note_claim(claimer->sharers[i], &claimer->shares[i]);
    }
    for (size_t i = 0; i < claim->n_runs; i++) {
        take_run(claimer, &claim->runs[i]);
    }
    /* The runs have moved. */
    free(STEAL(claim->runs));
}

static void on_claimed(struct inbox_operation *operation) {
    struct inbox_claim *claim = CONTAINER_OF(operation, struct inbox_claim, operation);
    struct claimer *claimer = CONTAINER_OF(claim, struct claimer, claim);
    assert(claimer->claiming);
    claimer->claiming = false;
    free(STEAL(claimer->live));
    if (operation->result < 0) {
        log_event(SNEK_LEVEL_ERROR, "claim_failed", LOG_TEXT("reason", operation->error.text));
        claimer->next_due_ms = clock_wall_ms() + CLAIM_RETRY_MS;
    } else if (claimer->table->phase == RUN_PHASE_CLOSED) {
        /* The inbox gives them out again when their leases have expired. */
        inbox_runs_free(STEAL(claim->runs), claim->n_runs);
    } else {
        int64_t due_ms = claim->next_due_ms, now_ms = clock_wall_ms();
        if (claim->set_aside > 0) {
            /* Others may be due behind them. */
            due_ms = now_ms;
        } else if (claim->n_runs == 0 && due_ms <= now_ms) {
            /* It was not taken: its body does not fit now, or another host is taking it. */
            due_ms = now_ms + CLAIM_RETRY_MS;
        }
        due_ms = clock_earliest(due_ms, claimer->stored_due_ms);
        claimer->next_due_ms = clock_earliest(due_ms, now_ms + POLL_MS);
        take_runs(claimer);
    }
}

/* Asks only for plugins with free slots. The due runs of the others would make the inbox name "now"
 * as the next due time again and again. */
static size_t list_shares(struct claimer *claimer) {
    size_t n = 0;
    for (size_t i = 0; i < claimer->n_plugins; i++) {
        claimer->shares[n] = share_of(&claimer->plugins[i]);
        claimer->sharers[n] = &claimer->plugins[i];
        n += claimer->shares[n].runs > 0;
    }
    return n;
}

/* A run in memory is live: its lease may have expired while this host was stopped or the store was
 * away, and the run goes on all the same. -1 when memory is short. */
static int list_live(struct claimer *claimer, size_t *n) {
    assert(!claimer->live);
    *n = 0;
    const struct run *run;
    TAILQ_FOREACH(run, &claimer->table->all, link_all) {
        *n += !run->lease_lost;
    }
    claimer->live = calloc(*n + 1, sizeof *claimer->live);
    if (!claimer->live) {
        return -1;
    }
    size_t i = 0;
    TAILQ_FOREACH(run, &claimer->table->all, link_all) {
        if (!run->lease_lost) {
            claimer->live[i++] = run->data.token;
        }
    }
    assert(i == *n);
    return 0;
}

static void submit(struct claimer *claimer, int64_t wall_ms) {
    const struct run_table_options *table = &claimer->table->options;
    size_t n_live;
    size_t n = list_shares(claimer);
    if (n == 0) {
        /* All slots are taken. The end of any run starts the next claim. */
        claimer->next_due_ms = INT64_MAX;
        return;
    }
    if (list_live(claimer, &n_live) < 0) {
        claimer->next_due_ms = wall_ms + CLAIM_RETRY_MS;
        return;
    }
    claimer->claim = (struct inbox_claim){
        .operation = {.kind = INBOX_CLAIM, .reply_to = table->mailbox, .on_result = on_claimed},
        .now_ms = wall_ms,
        .host = table->host,
        .lease_ms = table->lease_ms,
        .live = claimer->live,
        .n_live = n_live,
        .shares = claimer->shares,
        .n_shares = n,
    };
    claimer->claiming = true;
    claimer->asked_ms = clock_monotonic_ms();
    claimer->stored_due_ms = INT64_MAX;
    inbox_submit(table->inbox, &claimer->claim.operation);
}

static bool may_submit(const struct claimer *claimer) {
    return !claimer->claiming && claimer->table->phase == RUN_PHASE_SERVING;
}

void claim_tick(struct claimer *claimer, int64_t wall_ms) {
    if (may_submit(claimer) && (claimer->wanted || claimer->next_due_ms <= wall_ms)) {
        claimer->wanted = false;
        submit(claimer, wall_ms);
    }
}

int64_t claim_next_ms(const struct claimer *claimer) {
    return may_submit(claimer) ? claimer->next_due_ms : INT64_MAX;
}
