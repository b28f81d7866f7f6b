/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dispatch/private.h"
#include "dispatch/reach.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_AGAIN_MS 250 /* at a run that is past its deadline but waits for a rate limit */

static int64_t earliest(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* ---- claims ---- */

static bool may_claim(const struct plugin *plugin) {
    bool held = plugin->solitary || (plugin->hold && plugin->n_runs > 0);
    return plugin->state == PLUGIN_RUNNING && !held && plugin->n_runs < plugin->config->concurrency;
}

static void fill_share(struct inbox_claim_share *share, const struct plugin *plugin) {
    uint64_t room = plugin_payload_max(plugin);
    *share = (struct inbox_claim_share){
        .plugin = plugin_name(plugin),
        .runs = may_claim(plugin) ? plugin->config->concurrency - plugin->n_runs : 0,
        .payload_bytes = room > plugin->payload_bytes ? room - plugin->payload_bytes : 0,
        .alone = plugin->n_runs == 0,
    };
    if (share->payload_bytes == 0) {
        share->runs = 0;
    }
}

static void take_run(struct dispatch *dispatch, struct inbox_run *data) {
    struct plugin *plugin = dispatch->sharers[data->share];
    struct run *run = calloc(1, sizeof *run);
    if (!run) {
        inbox_run_finish(data); /* stays leased until that lapses */
        return;
    }
    run->plugin = plugin;
    run->data = *data;
    run->payload_bytes = data->payload_bytes;
    if (journal_load(&run->journal, &run->data) < 0) {
        run_free(run); /* likewise */
        return;
    }
    run_enter(run);
    lease_trust(run, dispatch->claim_asked_ms);
    if (run_is_spent(run)) {
        return;
    }
    if (plugin->state != PLUGIN_RUNNING || dispatch->draining) {
        run_requeue(run, data->suspect, "");
    } else {
        run_begin(run);
    }
}

static void claim_done(struct inbox_operation *operation) {
    struct inbox_claim *claim = CONTAINER_OF(operation, struct inbox_claim, operation);
    struct dispatch *dispatch = CONTAINER_OF(claim, struct dispatch, claim);
    dispatch->claiming = false;
    dispatch->asked--;
    if (operation->result < 0) {
        log_event(SNEK_LEVEL_ERROR, "claim_failed", LOG_TEXT("reason", operation->error.text));
        dispatch->next_due_ms = clock_wall_ms() + FINISH_AGAIN_MS;
        return;
    }
    if (dispatch->closed) {
        inbox_runs_free(claim->runs, claim->n_runs); /* until their leases lapse */
        claim->runs = NULL;
        return;
    }
    int64_t due_ms = earliest(claim->next_due_ms, dispatch->stored_due_ms);
    dispatch->next_due_ms = earliest(due_ms, clock_wall_ms() + POLL_MS);
    for (size_t i = 0; i < claim->n_shares; i++) {
        dispatch->sharers[i]->hold = dispatch->shares[i].suspects_due;
    }
    for (size_t i = 0; i < claim->n_runs; i++) {
        take_run(dispatch, &claim->runs[i]);
    }
    free(claim->runs); /* what the runs own has moved */
    claim->runs = NULL;
}

static void claim_runs(struct dispatch *dispatch) {
    if (dispatch->claiming || dispatch->draining || !dispatch->loaded) {
        return;
    }
    dispatch->claim_wanted = false;
    size_t count = 0;
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        fill_share(&dispatch->shares[count], &dispatch->plugins[i]);
        dispatch->sharers[count] = &dispatch->plugins[i];
        /* The others' due runs would only make next_due_ms say "now" again and again. */
        count += dispatch->shares[count].runs > 0;
    }
    if (count == 0) {
        dispatch->next_due_ms = INT64_MAX; /* whatever ends next asks again */
        return;
    }
    int64_t now_ms = clock_wall_ms();
    dispatch->claim = (struct inbox_claim){
        .operation = {.kind = INBOX_CLAIM, .reply_to = &dispatch->mailbox, .on_result = claim_done},
        .now_ms = now_ms,
        .lease = dispatch->lease,
        .lease_ms = dispatch->options.config->dispatch.lease_ms,
        .shares = dispatch->shares,
        .n_shares = count,
    };
    dispatch->claiming = true;
    dispatch->claim_asked_ms = clock_monotonic_ms();
    dispatch->stored_due_ms = INT64_MAX;
    dispatch->asked++; /* the drain waits for its answer as well */
    inbox_submit(dispatch->options.inbox, &dispatch->claim.operation);
}

/* ---- time ---- */

static void tick_deadlines(struct plugin *plugin, int64_t now_ms) {
    bool late = false;
    for (struct run *run = plugin->runs; run; run = run->next) {
        bool waits;
        run->late =
            run->late || (run->deadline_ms <= now_ms &&
                          run->deadline_ms + call_waited_ms(plugin, run, now_ms, &waits) <= now_ms);
        late = late || run->late;
    }
    if (late && plugin->worker_process) {
        worker_process_kill(plugin->worker_process, "was ended: a run passed its deadline");
    }
}

/* When the run is to be looked at: its deadline, which moves on while it waits for a rate limit. */
static int64_t deadline_of(const struct plugin *plugin, const struct run *run, int64_t now_ms) {
    bool waits = false;
    int64_t at_ms = run->deadline_ms;
    if (at_ms <= now_ms) {
        at_ms += call_waited_ms(plugin, run, now_ms, &waits);
        at_ms = waits && at_ms < now_ms + LOOK_AGAIN_MS ? now_ms + LOOK_AGAIN_MS : at_ms;
    }
    return at_ms;
}

static int64_t next_deadline(const struct plugin *plugin, int64_t now_ms) {
    int64_t next_ms = INT64_MAX;
    for (const struct run *run = plugin->runs; run; run = run->next) {
        if (!run->late) {
            next_ms = earliest(next_ms, deadline_of(plugin, run, now_ms));
        }
    }
    return next_ms;
}

int dispatch_tick(struct dispatch *dispatch) {
    int64_t now_ms = clock_monotonic_ms(), next_ms = INT64_MAX;
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        tick_deadlines(&dispatch->plugins[i], now_ms);
        plugin_tick(&dispatch->plugins[i], now_ms);
        plugin_log_withheld(&dispatch->plugins[i], now_ms);
        fresh_tick(&dispatch->plugins[i], now_ms); /* before claims: they are due already */
    }
    run_finish_again(dispatch, now_ms);
    lease_tick(dispatch, now_ms);
    int64_t wall_ms = clock_wall_ms();
    if (dispatch->claim_wanted || dispatch->next_due_ms <= wall_ms) {
        claim_runs(dispatch);
    }
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        next_ms = earliest(next_ms, next_deadline(&dispatch->plugins[i], now_ms));
        next_ms = earliest(next_ms, plugin_next_ms(&dispatch->plugins[i]));
        next_ms = earliest(next_ms, throttle_due_ms(&dispatch->plugins[i].lines));
        next_ms = earliest(next_ms, fresh_next_ms(&dispatch->plugins[i]));
    }
    for (const struct run *run = dispatch->unfinished; run; run = run->next) {
        next_ms = earliest(next_ms, run->finish_again_ms);
    }
    next_ms = earliest(next_ms, lease_next_ms(dispatch));
    int64_t wait_ms = next_ms == INT64_MAX ? INT64_MAX : next_ms - now_ms;
    if (!dispatch->claiming && !dispatch->draining && dispatch->next_due_ms != INT64_MAX) {
        wait_ms = earliest(wait_ms, dispatch->next_due_ms - wall_ms);
    }
    if (wait_ms == INT64_MAX) {
        return -1;
    }
    /* Never long: the wall clock may be set. */
    return wait_ms < 0 ? 0 : (int)earliest(wait_ms, 10000);
}

/* ---- what ingest asks, on its thread ---- */

void dispatch_route(struct dispatch *dispatch, struct inbox_put *put, size_t max) {
    put->lease = dispatch->lease;
    put->routed_ms = clock_monotonic_ms();
    put->lease_ms = dispatch->options.config->dispatch.lease_ms;
    for (size_t i = 0; i < dispatch->n_plugins && put->n_runs < max; i++) {
        struct plugin *plugin = &dispatch->plugins[i];
        if (description_wants(plugin->description, put->event, put->action) &&
            reach_lists(plugin->config->installations, put->installation) &&
            reach_lists(plugin->config->repositories, put->repository)) {
            struct inbox_put_run *run = &put->runs[put->n_runs++];
            *run = (struct inbox_put_run){.plugin = plugin_name(plugin)};
            fresh_promise(dispatch, put, run, plugin);
        }
    }
}

/* A run of somebody's is due then. */
static void wake(struct dispatch *dispatch, int64_t due_ms) {
    (void)pthread_mutex_lock(&dispatch->lock);
    if (!dispatch->wake_posted) {
        dispatch->wake_posted = true;
        dispatch->wake_due_ms = due_ms;
        mailbox_post(&dispatch->mailbox, &dispatch->wake);
    }
    dispatch->wake_due_ms = earliest(dispatch->wake_due_ms, due_ms);
    (void)pthread_mutex_unlock(&dispatch->lock);
}

void dispatch_stored(struct dispatch *dispatch, const struct inbox_put *put, struct buffer *body) {
    bool all_fresh = fresh_stored(dispatch, put, body);
    if (put->operation.result >= 0 && (!all_fresh || put->unparked > 0)) {
        wake(dispatch, put->due_ms);
    }
}

void dispatch_on_queued(void *context) {
    wake(context, clock_wall_ms());
}

static void open_wake(struct mail *mail) {
    struct dispatch *dispatch = CONTAINER_OF(mail, struct dispatch, wake);
    (void)pthread_mutex_lock(&dispatch->lock);
    dispatch->wake_posted = false;
    dispatch->stored_due_ms = earliest(dispatch->stored_due_ms, dispatch->wake_due_ms);
    (void)pthread_mutex_unlock(&dispatch->lock);
    dispatch->next_due_ms = earliest(dispatch->next_due_ms, dispatch->stored_due_ms);
}

bool dispatch_status(struct dispatch *dispatch, struct buffer *json) {
    (void)pthread_mutex_lock(&dispatch->lock);
    int result = buffer_append_text(json, "\"plugins\":[");
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        const struct plugin *plugin = &dispatch->plugins[i];
        const char *name = plugin_name(plugin);
        result |= buffer_append_text(json, i > 0 ? ",{\"name\":" : "{\"name\":");
        result |= buffer_append_json_string(json, name, strlen(name));
        result |= buffer_printf(json, ",\"state\":\"%s\"}", plugin_state_name(plugin->state));
    }
    result |= buffer_append_text(json, "]");
    (void)pthread_mutex_unlock(&dispatch->lock);
    return result == 0;
}

/* ---- life ---- */

static void mail_ready(struct loop_source *source, uint32_t events) {
    (void)events;
    (void)mailbox_drain(&CONTAINER_OF(source, struct dispatch, mail_source)->mailbox);
}

static int start_plugins(struct dispatch *dispatch, struct error *err) {
    const struct config *config = dispatch->options.config;
    dispatch->plugins = calloc(config->n_plugins + 1, sizeof *dispatch->plugins);
    dispatch->shares = calloc(config->n_plugins + 1, sizeof *dispatch->shares);
    dispatch->sharers = calloc(config->n_plugins + 1, sizeof(struct plugin *));
    if (!dispatch->plugins || !dispatch->shares || !dispatch->sharers) {
        return error_set(err, "out of memory");
    }
    for (size_t i = 0; i < config->n_plugins; i++) {
        if (!config->plugins[i].enabled) {
            continue;
        }
        struct plugin *plugin = &dispatch->plugins[dispatch->n_plugins++];
        plugin->dispatch = dispatch;
        plugin->config = &config->plugins[i];
        plugin->held_last = &plugin->held;
        if (plugin_start(plugin, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int dispatch_new(const struct dispatch_options *options, struct dispatch **dispatch,
                 struct error *err) {
    struct dispatch *new = calloc(1, sizeof *new);
    if (!new || mailbox_init(&new->mailbox) < 0) {
        free(new);
        return error_set(err, "out of memory or descriptors");
    }
    new->options = *options;
    new->next_due_ms = 0;
    new->stored_due_ms = INT64_MAX;
    new->wake.open = open_wake;
    (void)pthread_mutex_init(&new->lock, NULL);
    arc4random_buf(&new->lease, sizeof new->lease);
    new->lease &= INT64_MAX;
    new->mail_source = (struct loop_source){new->mailbox.event_fd, mail_ready};
    if (loop_add(options->loop, &new->mail_source, EPOLLIN) < 0) {
        (void)error_set(err, "cannot watch a mailbox: %s", strerror(errno));
        dispatch_free(new);
        return -1;
    }
    if (start_plugins(new, err) < 0) {
        dispatch_free(new);
        return -1;
    }
    *dispatch = new;
    return 0;
}

static bool conflict(struct dispatch *dispatch) {
    const struct description **all = calloc(dispatch->n_plugins + 1, sizeof *all);
    struct error err = {"out of memory"};
    for (size_t i = 0; all && i < dispatch->n_plugins; i++) {
        all[i] = dispatch->plugins[i].description;
    }
    bool found = !all || descriptions_conflict(all, dispatch->n_plugins, &err) < 0;
    if (found) {
        log_event(SNEK_LEVEL_ERROR, "plugins_rejected", LOG_TEXT("reason", err.text));
    }
    free(all);
    return found;
}

enum dispatch_load dispatch_load_state(struct dispatch *dispatch) {
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        if (dispatch->plugins[i].state == PLUGIN_REJECTED) {
            return DISPATCH_REJECTED;
        }
    }
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        if (dispatch->plugins[i].state == PLUGIN_LOADING && !dispatch->loaded) {
            return DISPATCH_LOADING;
        }
    }
    if (!dispatch->loaded) {
        if (conflict(dispatch)) {
            return DISPATCH_REJECTED;
        }
        dispatch->loaded = true;
    }
    return DISPATCH_LOADED;
}

void dispatch_drain(struct dispatch *dispatch) {
    dispatch->draining = true;
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        fresh_tick(&dispatch->plugins[i], 0); /* promises no more, and gives back what is held */
    }
    broker_drain(dispatch->options.broker);
}

bool dispatch_idle(struct dispatch *dispatch) {
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        if (dispatch->plugins[i].n_runs > 0 || !fresh_idle(&dispatch->plugins[i])) {
            return false;
        }
    }
    return dispatch->asked == 0 && !dispatch->unfinished;
}

void dispatch_cancel(struct dispatch *dispatch) {
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        const struct plugin *plugin = &dispatch->plugins[i];
        for (const struct run *run = plugin->runs; run && plugin->worker_process; run = run->next) {
            if (run->sent) {
                worker_process_send_cancel(plugin->worker_process, run->handle);
            }
        }
    }
}

void dispatch_requeue(struct dispatch *dispatch) {
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        struct plugin *plugin = &dispatch->plugins[i];
        while (plugin->runs) {
            run_requeue(plugin->runs, plugin->runs->data.suspect, "the host stopped");
        }
        if (plugin->worker_process) {
            worker_process_close(plugin->worker_process);
        }
    }
}

bool dispatch_workers_gone(const struct dispatch *dispatch) {
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        if (dispatch->plugins[i].worker_process) {
            return false;
        }
    }
    return true;
}

void dispatch_settle(struct dispatch *dispatch) {
    if (!dispatch) {
        return;
    }
    dispatch->closing = true;
    int64_t deadline_ms = clock_monotonic_ms() + SETTLE_MS;
    (void)mailbox_drain(&dispatch->mailbox);
    while (dispatch->holds > 0 && clock_monotonic_ms() < deadline_ms) {
        struct pollfd mail = {.fd = dispatch->mailbox.event_fd, .events = POLLIN};
        (void)poll(&mail, 1, 50);
        (void)mailbox_drain(&dispatch->mailbox);
    }
}

static void free_runs(struct run *runs) {
    while (runs) {
        struct run *next = runs->next;
        run_free(runs);
        runs = next;
    }
}

void dispatch_free(struct dispatch *dispatch) {
    if (!dispatch) {
        return;
    }
    dispatch->closing = dispatch->closed = true;
    (void)mailbox_drain(&dispatch->mailbox);
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        struct plugin *plugin = &dispatch->plugins[i];
        plugin_log_withheld(plugin, INT64_MAX);
        worker_process_free(plugin->worker_process);
        description_free(plugin->description);
        free(plugin->rejection);
        free_runs(plugin->runs);
        free_runs(plugin->held);
    }
    free_runs(dispatch->unfinished);
    loop_remove(dispatch->options.loop, &dispatch->mail_source);
    mailbox_finish(&dispatch->mailbox);
    (void)pthread_mutex_destroy(&dispatch->lock);
    free(dispatch->plugins);
    free(dispatch->shares);
    free(dispatch->sharers);
    free(dispatch);
}
