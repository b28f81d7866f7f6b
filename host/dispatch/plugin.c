/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Leads one plugin's worker: loads it, hears it, buries it, starts it again.
 *
 * A worker died: with one run in it, that run did it; with several, each is a suspect, and suspects
 * are tried one at a time, so that the culprit is known. A run passed its deadline: the worker is
 * killed, the late run has failed an attempt, the others go back without one. */
#include "dispatch/private.h"

#include "base/clock.h"

#include <snekomatic/types.h>

#include <stdlib.h>
#include <string.h>

const char *plugin_state_name(enum plugin_state state) {
    static const char *const names[] = {"loading", "running", "restarting", "quarantined",
                                        "rejected"};
    return names[state];
}

static void set_state(struct plugin *plugin, enum plugin_state state) {
    (void)pthread_mutex_lock(&plugin->dispatch->lock);
    plugin->state = state;
    (void)pthread_mutex_unlock(&plugin->dispatch->lock);
    if (plugin->metrics) {
        metrics_worker_state(plugin->metrics, plugin_state_name(state));
    }
}

const char *plugin_name(const struct plugin *plugin) {
    return plugin->description ? plugin->description->name : plugin->config->as_written;
}

uint64_t plugin_payload_max(const struct plugin *plugin) {
    /* Half of a worker's memory: design.md, "Sandbox". */
    return (uint64_t)plugin->config->memory_mib * 1048576 / 2;
}

static bool same_text(const char *a, const char *b) {
    return strcmp(a, b) == 0;
}

/* Routing, claims and tokens go by the first description, so a worker that describes itself
 * otherwise (its file was replaced under us) must not run. */
static bool same_description(const struct description *a, const struct description *b) {
    bool same = same_text(a->name, b->name) &&
                same_text(a->permissions_json, b->permissions_json) &&
                a->n_subscriptions == b->n_subscriptions && a->n_commands == b->n_commands;
    for (size_t i = 0; same && i < a->n_subscriptions; i++) {
        same = same_text(a->subscriptions[i].event, b->subscriptions[i].event) &&
               same_text(a->subscriptions[i].action, b->subscriptions[i].action);
    }
    for (size_t i = 0; same && i < a->n_commands; i++) {
        same = same_text(a->commands[i].name, b->commands[i].name);
    }
    return same;
}

static void on_described(void *context, struct description *description) {
    static const char *const levels[] = {"off", "partial", "full"};
    struct plugin *plugin = context;
    const char *level = levels[description->level];
    if (!plugin->description) {
        (void)pthread_mutex_lock(&plugin->dispatch->lock);
        plugin->description = description;
        (void)pthread_mutex_unlock(&plugin->dispatch->lock);
        plugin->metrics = metrics_plugin(description->name);
    } else if (!same_description(plugin->description, description)) {
        description_free(description);
        worker_process_kill(plugin->worker_process,
                            "was ended: its file changed what it subscribes to or needs; "
                            "restart the host to take the new one");
        return;
    } else {
        description_free(description);
    }
    set_state(plugin, PLUGIN_RUNNING);
    plugin->hold = true;
    plugin->dispatch->claim_wanted = true;
    log_event(SNEK_LEVEL_INFO, "worker_started", LOG_TEXT("plugin", plugin_name(plugin)),
              LOG_TEXT("version", plugin->description->version), LOG_TEXT("sandbox", level));
}

static void on_rejected(void *context, const char *why) {
    struct plugin *plugin = context;
    free(plugin->rejection);
    plugin->rejection = strdup(why);
}

static struct run *find_or_kill(struct plugin *plugin, uint64_t handle) {
    struct run *run = run_find(plugin, handle);
    if (!run || !run->sent) {
        worker_process_kill(plugin->worker_process,
                            "was ended: it spoke of a run that it does not have");
        return NULL;
    }
    return run;
}

static const char disowned[] = "this run is not ours any more: it is handled anew";

static void on_http(void *context, const struct http_call *request) {
    struct plugin *plugin = context;
    struct run *run = find_or_kill(plugin, request->run);
    if (run && (run->disowned || !lease_is_trusted(run))) {
        const struct buffer none = BUFFER_INIT(0);
        worker_process_send_http_response(plugin->worker_process, request->run, request->request,
                                          SNEK_E_CANCELLED, 0, disowned, &none, &none);
    } else if (run) {
        call_http(plugin, run, request);
    }
}

static void on_store(void *context, const struct store_call *request) {
    struct plugin *plugin = context;
    struct run *run = find_or_kill(plugin, request->run);
    if (run && (run->disowned || !lease_is_trusted(run))) {
        worker_process_send_store_result(plugin->worker_process, request->run, request->request,
                                         SNEK_E_CANCELLED, disowned, sizeof disowned - 1);
    } else if (run) {
        call_store(plugin, run, request);
    }
}

void plugin_log_withheld(struct plugin *plugin, int64_t now_ms) {
    unsigned more = throttle_take(&plugin->lines, now_ms);
    if (more > 0) {
        log_event(SNEK_LEVEL_WARNING, "plugin", LOG_TEXT("plugin", plugin_name(plugin)),
                  LOG_NUMBER("more", more),
                  LOG_TEXT("reason", "it logs too many lines in a second"));
    }
}

static void on_log(void *context, uint64_t handle, enum log_level level, struct frame_text text) {
    struct plugin *plugin = context;
    int64_t now_ms = clock_monotonic_ms();
    plugin_log_withheld(plugin, now_ms);
    if (!throttle_pass(&plugin->lines, now_ms, LINES_A_SECOND)) {
        return;
    }
    const struct run *run = run_find(plugin, handle);
    log_event(level, "plugin", LOG_TEXT("plugin", plugin_name(plugin)),
              LOG_TEXT("delivery", run ? run->data.guid : NULL),
              LOG_TEXT("installation", run ? run->data.installation : NULL),
              run ? LOG_NUMBER("attempt", run->data.attempt) : (struct log_field){.key = "attempt"},
              LOG_BYTES("text", text.data, text.bytes));
}

static void on_result(void *context, uint64_t handle, int64_t result, int64_t delay_ms,
                      struct frame_text reason) {
    struct plugin *plugin = context;
    struct run *run = find_or_kill(plugin, handle);
    if (run) {
        plugin->deaths = 0;
        run_result(run, result, delay_ms, reason);
    }
}

/* A run that was in the dead worker; `alone` when no other was. */
static void settle(struct run *run, bool alone, bool any_late, const char *how) {
    struct error reason;
    (void)error_set(&reason, "the worker %s", how);
    if (!run->sent) {
        run_requeue(run, run->data.suspect, "");
    } else if (run->late) {
        (void)error_set(&reason, "it ran longer than deadline_ms, %lld",
                        (long long)run->plugin->config->deadline_ms);
        run_failed(run, reason.text, run->data.suspect, run->data.crashes);
    } else if (any_late) {
        run_requeue(run, run->data.suspect, "");
    } else if (!alone) {
        run_requeue(run, true, reason.text);
    } else if (run->data.crashes + 1 >= CRASHES_MAX) {
        run_dead(run, run->data.crashes + 1, reason.text);
    } else {
        run_failed(run, reason.text, true, run->data.crashes + 1);
    }
}

static void settle_runs(struct plugin *plugin, const char *how) {
    unsigned sent = 0;
    bool any_late = false;
    for (const struct run *run = plugin->runs; run; run = run->next) {
        sent += run->sent;
        any_late = any_late || run->late;
    }
    while (plugin->runs) {
        settle(plugin->runs, sent == 1, any_late, how);
    }
}

static void plan_restart(struct plugin *plugin, const char *how) {
    int64_t wait_ms = RESTART_FIRST_MS;
    for (unsigned i = 0; i < plugin->deaths && wait_ms < RESTART_LAST_MS; i++) {
        wait_ms *= 2;
    }
    wait_ms = wait_ms > RESTART_LAST_MS ? RESTART_LAST_MS : wait_ms;
    plugin->deaths++;
    metrics_worker_died(plugin->metrics);
    bool quarantine = plugin->deaths >= QUARANTINE_DEATHS;
    if (quarantine) {
        wait_ms = QUARANTINE_MS;
    }
    set_state(plugin, quarantine ? PLUGIN_QUARANTINED : PLUGIN_WAITING);
    plugin->restart_at_ms = clock_monotonic_ms() + wait_ms;
    log_event(SNEK_LEVEL_ERROR, quarantine ? "plugin_quarantined" : "worker_died",
              LOG_TEXT("plugin", plugin_name(plugin)), LOG_TEXT("how", how),
              LOG_TEXT("reason", plugin->rejection), LOG_NUMBER("deaths", plugin->deaths),
              LOG_NUMBER("restart_ms", wait_ms));
}

static void on_died(void *context, const char *how) {
    struct plugin *plugin = context;
    worker_process_free(plugin->worker_process);
    plugin->worker_process = NULL;
    plugin->incarnation = 0;
    plugin->n_calls = 0;
    plugin->calls = NULL;
    plugin->call_bytes = 0;
    plugin->solitary = false;
    settle_runs(plugin, how);
    if (!plugin->description) {
        /* At the host's start: it never loaded. */
        set_state(plugin, PLUGIN_REJECTED);
        log_event(SNEK_LEVEL_ERROR, "plugin_rejected",
                  LOG_TEXT("plugin", plugin->config->as_written),
                  LOG_TEXT("path", plugin->config->path), LOG_TEXT("reason", plugin->rejection),
                  LOG_TEXT("how", plugin->rejection ? NULL : how));
    } else if (plugin->dispatch->draining) {
        set_state(plugin, PLUGIN_WAITING); /* not LOADING any more; a drain starts none */
    } else {
        plan_restart(plugin, how);
    }
}

static const struct worker_process_handlers handlers = {.described = on_described,
                                                        .rejected = on_rejected,
                                                        .http = on_http,
                                                        .store = on_store,
                                                        .log = on_log,
                                                        .result = on_result,
                                                        .died = on_died};

int plugin_start(struct plugin *plugin, struct error *err) {
    struct dispatch *dispatch = plugin->dispatch;
    free(plugin->rejection);
    plugin->rejection = NULL;
    struct worker_process_options options = {.loop = dispatch->options.loop,
                                             .worker_path = dispatch->options.worker_path,
                                             .plugin = plugin->config,
                                             .log_level = dispatch->options.config->log.level,
                                             .handlers = &handlers,
                                             .context = plugin};
    if (worker_process_start(&options, &plugin->worker_process, err) < 0) {
        return -1;
    }
    plugin->incarnation = ++dispatch->last_incarnation;
    plugin->load_deadline_ms = clock_monotonic_ms() + WORKER_PROCESS_LOAD_DEADLINE_MS;
    set_state(plugin, PLUGIN_LOADING);
    return 0;
}

void plugin_tick(struct plugin *plugin, int64_t now_ms) {
    bool waits = plugin->state == PLUGIN_WAITING || plugin->state == PLUGIN_QUARANTINED;
    if (plugin->state == PLUGIN_LOADING && plugin->load_deadline_ms <= now_ms) {
        plugin->load_deadline_ms = INT64_MAX;
        worker_process_kill(plugin->worker_process, "was ended: it took longer than 20 s to load");
    } else if (waits && plugin->restart_at_ms <= now_ms && !plugin->dispatch->draining) {
        struct error err;
        if (plugin_start(plugin, &err) < 0) {
            plan_restart(plugin, err.text);
        }
    }
}

int64_t plugin_next_ms(const struct plugin *plugin) {
    switch (plugin->state) {
    case PLUGIN_LOADING:
        return plugin->load_deadline_ms;
    case PLUGIN_WAITING:
    case PLUGIN_QUARANTINED:
        return plugin->dispatch->draining ? INT64_MAX : plugin->restart_at_ms;
    default:
        return INT64_MAX;
    }
}
