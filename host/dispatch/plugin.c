/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts, supervises and restarts one plugin's worker, and settles the runs of a worker that died.
 */
#include "dispatch/plugin.h"

#include "base/clock.h"
#include "base/text.h"
#include "dispatch/description_file.h"
#include "dispatch/effect.h"
#include "worker_process/usage.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The digits of the file's SHA-256 in a log line. */
#define HASH_SHOWN 12
/* A worker that could not be started is tried again after this. */
#define START_RETRY_MS 5000
/* How long a worker that is replaced may take to end. */
#define REPLACE_MS 5000
/* The host logs this many lines of a plugin. It only counts the others. */
#define LOG_LINES_PER_SECOND 200
/* After so many the worker waits. */
#define LOG_LINES_READ_PER_SECOND 2000
/* A plugin's payloads that its worker has not read, and its journals, have at most this many bytes
 * in the host's memory. One run may have more, alone. */
#define HOST_BYTES_MAX ((uint64_t)16 << 20)
/* With less room than this the plugin gets no run, because most would be passed over. */
#define ROOM_LEAST ((uint64_t)1 << 20)
/* How long other runs overtake a run that does not fit. */
#define PASSED_OVER_MS 10000
/* A run that is past its deadline but waits for a rate limit is looked at again after this. */
#define DEADLINE_RETRY_MS 250

void plugin_init(struct plugin *plugin, const struct plugin_options *options,
                 const struct config_plugin *config) {
    *plugin = (struct plugin){.options = options, .config = config};
    run_group_init(&plugin->runs, options->table, config);
    call_group_init(&plugin->calls, &plugin->runs, options->broker, options->api_url);
}

static void log_withheld(struct plugin *plugin, int64_t now_ms) {
    unsigned more = throttle_take(&plugin->log_lines, now_ms);
    if (more > 0) {
        log_event(SNEK_LEVEL_WARNING, "plugin", LOG_TEXT("plugin", plugin_name(plugin)),
                  LOG_NUMBER("more", more),
                  LOG_TEXT("reason", "it logs too many lines in a second"));
    }
}

void plugin_finish(struct plugin *plugin) {
    log_withheld(plugin, INT64_MAX);
    worker_process_free(plugin->runs.worker_process);
    effects_settle(&plugin->calls);
    run_group_finish(&plugin->runs);
    description_free(atomic_load(&plugin->description));
    description_free(plugin->replaced);
    free(plugin->rejection);
}

enum plugin_state plugin_state(const struct plugin *plugin) {
    return (enum plugin_state)atomic_load(&plugin->state);
}

enum frame_sandbox_level plugin_level(const struct plugin *plugin) {
    return (enum frame_sandbox_level)atomic_load(&plugin->level);
}

const char *plugin_state_name(enum plugin_state state) {
    static const char *const names[] = {"loading", "running", "restarting", "quarantined",
                                        "rejected"};
    assert(state <= PLUGIN_REJECTED);
    return names[state];
}

static void set_state(struct plugin *plugin, enum plugin_state state) {
    atomic_store(&plugin->state, (int)state);
    if (plugin->metrics) {
        metrics_worker_state(plugin->metrics, plugin_state_name(state),
                             state == PLUGIN_RUNNING ? plugin->pid : 0);
    }
}

const char *plugin_name(const struct plugin *plugin) {
    return run_group_name(&plugin->runs);
}

const struct description *plugin_description(const struct plugin *plugin) {
    return atomic_load(&plugin->description);
}

bool plugin_has_loaded(const struct plugin *plugin) {
    return plugin->inherited || plugin->was_ready;
}

static uint64_t left_of(uint64_t most, uint64_t used) {
    return used < most ? most - used : 0;
}

uint64_t plugin_room_bytes(const struct plugin *plugin) {
    const struct run_group *group = &plugin->runs;
    /* Half of the worker's memory. */
    uint64_t worker_max = (uint64_t)plugin->config->memory_mib * 1048576 / 2;
    uint64_t held = group->journal_bytes + group->journal_entries_bytes;
    if (group->worker_process) {
        held += worker_process_waiting_payload_bytes(group->worker_process);
    }
    uint64_t worker = left_of(worker_max, group->payload_bytes);
    uint64_t host = left_of(HOST_BYTES_MAX, held);
    uint64_t room = worker < host ? worker : host;
    uint64_t least = worker_max / 4 < ROOM_LEAST ? worker_max / 4 : ROOM_LEAST;
    return room < least ? 0 : room;
}

bool plugin_accepts(const struct plugin *plugin) {
    return plugin_state(plugin) == PLUGIN_RUNNING &&
           plugin->options->table->phase == RUN_PHASE_SERVING &&
           !hold_watch_holds_plugin(plugin->options->holds, plugin_name(plugin));
}

bool plugin_accepts_run(const struct plugin *plugin, const struct inbox_run *run) {
    return plugin_accepts(plugin) &&
           !hold_watch_find(plugin->options->holds, plugin_name(plugin), run);
}

bool plugin_waits_for_idle(const struct plugin *plugin) {
    return plugin->runs.isolating || plugin->suspects_pending || plugin->making_room;
}

/* Small runs overtake a large one for a while, and large ones give the small ones the same time. */
static bool must_make_room(const struct plugin *plugin) {
    return plugin->passed_over != 0 &&
           clock_wall_ms() - plugin->passed_over_due_ms >= PASSED_OVER_MS &&
           clock_monotonic_ms() - plugin->large_taken_ms >= PASSED_OVER_MS;
}

void plugin_note_claim(struct plugin *plugin, const struct inbox_claim_share *share) {
    plugin->suspects_pending = share->suspects_due;
    if (share->first_taken) {
        plugin->large_taken_ms = clock_monotonic_ms();
    }
    plugin->passed_over = share->passed_over;
    plugin->passed_over_due_ms = share->passed_over_due_ms;
    plugin->making_room = must_make_room(plugin);
}

void plugin_begin(struct plugin *plugin, struct run *run) {
    assert(run->group == &plugin->runs);
    bot_user_begin_run(plugin->options->bot_user, &plugin->calls, run);
}

void plugin_close_worker(struct plugin *plugin) {
    if (plugin->runs.worker_process) {
        worker_process_close(plugin->runs.worker_process);
    }
}

/* ---- the worker's messages ---- */

static void kill_worker(struct plugin *plugin, const char *why) {
    assert(plugin->runs.worker_process);
    worker_process_kill(plugin->runs.worker_process, why);
}

static void on_rejected(void *context, const char *why) {
    struct plugin *plugin = context;
    free(plugin->rejection);
    plugin->rejection = strdup(why);
}

static void set_description(struct plugin *plugin, struct description *description) {
    plugin->metrics = metrics_plugin(description->name);
    run_group_set_description(&plugin->runs, description, plugin->metrics);
    atomic_store(&plugin->description, description);
    /* For the metrics, which did not know the plugin's name before. */
    set_state(plugin, plugin_state(plugin));
}

void plugin_inherit(struct plugin *plugin, struct description *description) {
    plugin->inherited = true;
    set_description(plugin, description);
}

static uint32_t index_of(const struct plugin *plugin) {
    return (uint32_t)(plugin->config - plugin->options->configs);
}

/* Keeps the worker's description for the next host. 0, or -1: its worker ends, because the next
 * host would make no runs for the plugin. */
static int keep_description(struct plugin *plugin, struct frame_text body) {
    struct error err;
    if (description_file_append(plugin->options->descriptions_fd, index_of(plugin), body, &err) ==
        0) {
        return 0;
    }
    plugin->may_load_later = err.transient;
    on_rejected(plugin, err.text);
    kill_worker(plugin, "was ended: its description cannot be kept");
    return -1;
}

/* The worker sent another description than an earlier host has kept, which may be forged, because a
 * compromised host can write anything into the file. So the worker's counts. It must have the kept
 * name, by which the store knows the plugin, and conflict with no other plugin. 0, or -1: the
 * worker must not run. */
static int replace_inherited(struct plugin *plugin, struct description *description,
                             struct frame_text body) {
    struct description *kept = atomic_load(&plugin->description);
    struct error err;
    if (strcmp(kept->name, description->name) != 0 ||
        plugin->options->check_conflicts(plugin->options->context, plugin, description, &err) < 0) {
        kill_worker(plugin, "was ended: it declares a name or commands that other plugins have or "
                            "that it had not before; a descriptor must not change");
        return -1;
    }
    if (keep_description(plugin, body) < 0) {
        return -1;
    }
    log_event(SNEK_LEVEL_WARNING, "description_replaced", LOG_TEXT("plugin", plugin_name(plugin)),
              LOG_TEXT("reason", "its worker describes it otherwise than an earlier host has kept: "
                                 "the worker's description counts"));
    plugin->replaced = kept;
    set_description(plugin, description);
    return 0;
}

/* The first description that a worker of this host sends. 0: it is the plugin's now; -1. */
static int describe_first(struct plugin *plugin, struct description *description,
                          struct frame_text body) {
    int result;
    if (plugin->inherited) {
        result = replace_inherited(plugin, description, body);
    } else {
        result = keep_description(plugin, body);
        if (result == 0) {
            set_description(plugin, description);
        }
    }
    plugin->described = result == 0;
    return result;
}

static bool is_kept(const struct plugin *plugin, struct frame_text body) {
    return plugin->inherited &&
           description_file_has(plugin->options->descriptions_fd, index_of(plugin), body);
}

static void on_described(void *context, struct description *description, struct frame_text body) {
    struct plugin *plugin = context;
    struct error err;
    const char *why;
    atomic_store(&plugin->level, (int)worker_process_level(plugin->runs.worker_process, &why));
    if (description_permit(description, plugin->config->permissions, &err) < 0) {
        on_rejected(plugin, err.text);
        kill_worker(plugin, "was ended: plugin.permissions does not allow what it declares");
    } else if (!plugin->described && !is_kept(plugin, body)) {
        if (describe_first(plugin, description, body) == 0) {
            return;
        }
    } else if (!description_routes_alike(plugin_description(plugin), description)) {
        kill_worker(plugin,
                    "was ended: it declares other subscriptions, commands or permissions than its "
                    "first worker did; a descriptor must not change");
    } else {
        plugin->described = true;
    }
    description_free(description);
}

void plugin_note_start(struct plugin *plugin) {
    struct inbox_hold hold = {.scope = INBOX_HOLD_PLUGIN, .cause = INBOX_HOLD_QUARANTINED};
    snprintf(hold.plugin, sizeof hold.plugin, "%s", plugin_name(plugin));
    if (!plugin->inherited) {
        hold_watch_change(plugin->options->holds, INBOX_HOLD_END, &hold);
    }
}

static void on_ready(void *context) {
    struct plugin *plugin = context;
    const char *why;
    enum frame_sandbox_level level = worker_process_level(plugin->runs.worker_process, &why);
    if (!plugin_description(plugin) || (plugin->inherited && !plugin->described)) {
        /* Its description was rejected, and its worker is being ended. */
        return;
    }
    if (!plugin->was_ready) {
        /* Failed loads after a restart of the host are no deaths. */
        restart_reset(&plugin->restart);
    }
    plugin->was_ready = true;
    plugin->pid = worker_process_pid(plugin->runs.worker_process);
    set_state(plugin, PLUGIN_RUNNING);
    plugin->suspects_pending = true;
    const struct run_table_options *table = &plugin->options->table->options;
    table->on_slot_free(table->context);
    log_event(
        SNEK_LEVEL_INFO, "worker_started", LOG_TEXT("plugin", plugin_name(plugin)),
        LOG_TEXT("version", plugin_description(plugin)->version),
        LOG_BYTES("sha256", worker_process_file_hash(plugin->runs.worker_process), HASH_SHOWN),
        LOG_NUMBER("pid", plugin->pid), LOG_TEXT("sandbox", frame_level_name(level)),
        LOG_TEXT("sandbox_reason", text_or_null(why)));
}

static struct run *find_or_kill(struct plugin *plugin, uint64_t handle) {
    struct run *run = run_group_find(&plugin->runs, handle);
    if (!run || !run->sent) {
        kill_worker(plugin, "was ended: it named a run that it does not have");
        return NULL;
    }
    return run;
}

static const char lease_lost_text[] =
    "this run is handled anew: this handling of it has lost its lease";

static void cancel_call(struct plugin *plugin, const struct run *run, uint64_t request) {
    static const struct buffer nothing = BUFFER_INIT(0);
    worker_process_send_http_response(plugin->runs.worker_process, run->handle, request,
                                      SNEK_E_CANCELLED, 0, lease_lost_text, &nothing, &nothing);
}

static bool on_http_call(void *context, const struct http_call *request) {
    struct plugin *plugin = context;
    struct run *run = find_or_kill(plugin, request->run);
    if (run && run->lease_lost) {
        cancel_call(plugin, run, request->request);
    } else if (run && !call_group_has_room(&plugin->calls, request->body.bytes)) {
        return false;
    } else if (run) {
        calls_http(&plugin->calls, run, request);
    }
    return true;
}

static bool on_app_call(void *context, const struct app_call *request) {
    struct plugin *plugin = context;
    struct run *run = find_or_kill(plugin, request->run);
    if (run && run->lease_lost) {
        cancel_call(plugin, run, request->request);
    } else if (run && !call_group_has_room(&plugin->calls, 0)) {
        return false;
    } else if (run) {
        calls_app(&plugin->calls, run, request);
    }
    return true;
}

static bool on_store_call(void *context, const struct store_call *request) {
    struct plugin *plugin = context;
    struct run *run = find_or_kill(plugin, request->run);
    if (run && run->lease_lost) {
        worker_process_send_store_result(plugin->runs.worker_process, request->run,
                                         request->request, SNEK_E_CANCELLED, lease_lost_text,
                                         sizeof lease_lost_text - 1);
    } else if (run && !call_group_has_room(&plugin->calls, request->value.bytes)) {
        return false;
    } else if (run) {
        calls_store(&plugin->calls, run, request);
    }
    return true;
}

static bool on_log(void *context, uint64_t handle, enum log_level level, struct frame_text text) {
    struct plugin *plugin = context;
    int64_t now_ms = clock_monotonic_ms();
    log_withheld(plugin, now_ms);
    if (plugin->log_lines.withheld >= LOG_LINES_READ_PER_SECOND) {
        /* A flood stops the worker that sends it, until the next second. */
        return false;
    }
    if (!throttle_pass(&plugin->log_lines, now_ms, LOG_LINES_PER_SECOND)) {
        return true;
    }
    struct run *run = run_group_find(&plugin->runs, handle);
    struct log_field field = LOG_BYTES("text", text.data, text.bytes);
    if (run && run_note_log(run, text.bytes)) {
        run_log(run, level, "plugin", field);
    } else if (!run) {
        log_event(level, "plugin", LOG_TEXT("plugin", plugin_name(plugin)), field);
    }
    return true;
}

static void on_output(void *context, const char *stream, const char *text, size_t bytes) {
    const struct plugin *plugin = context;
    log_event(SNEK_LEVEL_INFO, "worker_output", LOG_TEXT("plugin", plugin_name(plugin)),
              LOG_TEXT("stream", stream), LOG_BYTES("text", text, bytes));
}

static void on_output_dropped(void *context, uint64_t bytes) {
    const struct plugin *plugin = context;
    log_event(SNEK_LEVEL_WARNING, "worker_output", LOG_TEXT("plugin", plugin_name(plugin)),
              LOG_NUMBER("dropped_bytes", bytes),
              LOG_TEXT("reason", "it prints too much in a second, or too long a line"));
}

static bool on_timer(void *context, uint64_t handle, int64_t delay_ms, struct frame_text key,
                     struct frame_text payload) {
    struct plugin *plugin = context;
    struct run *run = find_or_kill(plugin, handle);
    return !run || run_set_timer(run, delay_ms, key, payload);
}

static void on_result(void *context, uint64_t handle, int64_t result, int64_t delay_ms,
                      struct frame_text reason, struct frame_text paths) {
    struct plugin *plugin = context;
    struct run *run = find_or_kill(plugin, handle);
    if (run) {
        run_log_paths(run, paths);
        restart_reset(&plugin->restart);
        usage_watch_note_result(&plugin->usage);
        run_result(run, result, delay_ms, reason);
    }
}

/* ---- a worker's death ---- */

/* Ends a run that was in the dead worker; `alone`: no other was. */
static void settle(struct run *run, bool alone, bool any_late, const char *how) {
    struct error reason;
    error_set(&reason, "the worker %s", how);
    if (!run->sent) {
        run_requeue(run, run->data.suspect, "");
    } else if (run->late) {
        error_set(&reason, "it ran longer than deadline_ms, %lld",
                  (long long)run->group->config->deadline_ms);
        run_failed(run, reason.text, run->data.suspect, run->data.crashes);
    } else if (any_late) {
        run_requeue(run, run->data.suspect, "");
    } else if (!alone) {
        run_requeue(run, true, reason.text);
    } else if (run->data.crashes + 1 >= RUN_CRASHES_MAX) {
        run_dead(run, run->data.crashes + 1, reason.text);
    } else {
        run_failed(run, reason.text, true, run->data.crashes + 1);
    }
}

static void settle_runs(struct plugin *plugin, const char *how) {
    unsigned sent = 0;
    bool any_late = false;
    struct run *run;
    TAILQ_FOREACH(run, &plugin->runs.runs, link) {
        sent += run->sent;
        any_late = any_late || run->late;
    }
    while ((run = TAILQ_FIRST(&plugin->runs.runs))) {
        settle(run, sent == 1, any_late, how);
    }
}

static void quarantine(struct plugin *plugin) {
    struct error reason;
    set_state(plugin, PLUGIN_QUARANTINED);
    plugin->restart_at_ms = INT64_MAX;
    error_set(
        &reason,
        "its worker died too often in a minute without a finished run; its runs wait. Fix the "
        "plugin and reload it (SIGHUP), or try this build again: snekomatic plugins release %s",
        plugin_name(plugin));
    log_event(SNEK_LEVEL_ERROR, "plugin_quarantined", LOG_TEXT("plugin", plugin_name(plugin)),
              LOG_NUMBER("deaths", plugin->restart.deaths), LOG_TEXT("reason", reason.text));
    struct inbox_hold hold = {.scope = INBOX_HOLD_PLUGIN, .cause = INBOX_HOLD_QUARANTINED};
    snprintf(hold.plugin, sizeof hold.plugin, "%s", plugin_name(plugin));
    snprintf(hold.reason, sizeof hold.reason,
             "its worker died %u times in a minute without a finished run", plugin->restart.deaths);
    hold_watch_change(plugin->options->holds, INBOX_HOLD_PUT, &hold);
}

void plugin_note_holds(struct plugin *plugin) {
    bool stored = hold_watch_quarantines(plugin->options->holds, plugin_name(plugin));
    bool ended = plugin->quarantine_stored && !stored;
    plugin->quarantine_stored = stored;
    if (ended) {
        plugin_release(plugin);
    }
}

/* The delivery of the only run that was in the worker; "": there was none, or several. */
static void copy_only_delivery(const struct plugin *plugin, char guid[INBOX_GUID_MAX + 1]) {
    const struct run *run, *only = NULL;
    unsigned sent = 0;
    TAILQ_FOREACH(run, &plugin->runs.runs, link) {
        sent += run->sent;
        only = run->sent ? run : only;
    }
    snprintf(guid, INBOX_GUID_MAX + 1, "%s", sent == 1 ? only->data.guid : "");
}

static void on_death(struct plugin *plugin, const struct worker_death *death,
                     const char *delivery) {
    int64_t now_ms = clock_monotonic_ms();
    int64_t wait_ms = restart_note_death(&plugin->restart, now_ms);
    metrics_worker_died(plugin->metrics);
    set_state(plugin, PLUGIN_WAITING);
    plugin->restart_at_ms = now_ms + wait_ms;
    log_event(SNEK_LEVEL_ERROR, "worker_died", LOG_TEXT("plugin", plugin_name(plugin)),
              LOG_TEXT("version", plugin_description(plugin)->version),
              LOG_NUMBER("pid", plugin->pid), LOG_TEXT("delivery", text_or_null(delivery)),
              LOG_TEXT("how", death->how), LOG_TEXT("signal", text_or_null(death->signal)),
              LOG_TEXT("meaning", text_or_null(death->meaning)),
              LOG_TEXT("reason", plugin->rejection), LOG_NUMBER("deaths", plugin->restart.deaths),
              LOG_NUMBER("restart_ms", wait_ms),
              LOG_TEXT("backtrace", text_or_null(death->backtrace)),
              LOG_TEXT("build_ids", text_or_null(death->build_ids)),
              LOG_TEXT("symbolize", text_or_null(death->symbolize)));
    /* After a restart of the host the worker is tried again until it loads: the cause may pass. */
    if (plugin->was_ready && restart_quarantines(&plugin->restart)) {
        quarantine(plugin);
    }
}

/* No host has loaded it from this file, so this one cannot start. */
static void on_failed_load(struct plugin *plugin, const struct worker_death *death) {
    set_state(plugin, PLUGIN_REJECTED);
    log_event(SNEK_LEVEL_ERROR, "plugin_rejected", LOG_TEXT("plugin", plugin->config->as_written),
              LOG_TEXT("path", plugin->config->path), LOG_TEXT("reason", plugin->rejection),
              LOG_TEXT("how", plugin->rejection ? NULL : death->how),
              LOG_TEXT("backtrace", text_or_null(death->backtrace)),
              LOG_TEXT("symbolize", text_or_null(death->symbolize)));
    if (!plugin->rejection) {
        struct error why;
        error_set(&why, "its worker %s", death->how);
        on_rejected(plugin, why.text);
    }
}

void plugin_release(struct plugin *plugin) {
    if (plugin_state(plugin) == PLUGIN_QUARANTINED) {
        restart_reset(&plugin->restart);
        set_state(plugin, PLUGIN_WAITING);
        plugin->restart_at_ms = clock_monotonic_ms();
        log_event(SNEK_LEVEL_INFO, "plugin_released", LOG_TEXT("plugin", plugin_name(plugin)));
    }
}

static void on_exit_of_worker(void *context, const struct worker_death *death) {
    struct plugin *plugin = context;
    char delivery[INBOX_GUID_MAX + 1];
    copy_only_delivery(plugin, delivery);
    plugin->pid = worker_process_pid(plugin->runs.worker_process);
    worker_process_free(plugin->runs.worker_process);
    run_group_set_worker(&plugin->runs, NULL, 0);
    settle_runs(plugin, death->how);
    if (!plugin_has_loaded(plugin)) {
        on_failed_load(plugin, death);
    } else if (plugin->replace_until_ms > 0) {
        plugin->replace_until_ms = 0;
        plugin->restart_at_ms = clock_monotonic_ms();
    } else if (plugin->options->table->phase != RUN_PHASE_SERVING) {
        /* It is not loading any more, and a drain starts no worker. */
        set_state(plugin, PLUGIN_WAITING);
    } else {
        on_death(plugin, death, delivery);
    }
}

/* The system lacks something, so the quarantine does not count it. */
static void retry_start(struct plugin *plugin, const char *why) {
    plugin->restart_at_ms = clock_monotonic_ms() + START_RETRY_MS;
    set_state(plugin, PLUGIN_WAITING);
    log_event(SNEK_LEVEL_ERROR, "worker_not_started", LOG_TEXT("plugin", plugin_name(plugin)),
              LOG_TEXT("reason", why), LOG_NUMBER("restart_ms", START_RETRY_MS));
}

static void on_start_failed(void *context, const struct error *why) {
    static const struct worker_death none = {.how = ""};
    struct plugin *plugin = context;
    worker_process_free(plugin->runs.worker_process);
    run_group_set_worker(&plugin->runs, NULL, 0);
    settle_runs(plugin, why->text);
    if (plugin_has_loaded(plugin)) {
        retry_start(plugin, why->text);
    } else {
        plugin->may_load_later = why->transient;
        on_rejected(plugin, why->text);
        on_failed_load(plugin, &none);
    }
}

static bool on_explained(void *context, uint64_t question, struct explained *items,
                         size_t n_items) {
    const struct plugin *by = context;
    return by->options->on_explained(by->options->context, by, question, items, n_items);
}

static const struct worker_process_handlers handlers = {.on_described = on_described,
                                                        .on_ready = on_ready,
                                                        .on_rejected = on_rejected,
                                                        .on_http_call = on_http_call,
                                                        .on_store_call = on_store_call,
                                                        .on_app_call = on_app_call,
                                                        .on_log = on_log,
                                                        .on_timer = on_timer,
                                                        .on_result = on_result,
                                                        .on_explained = on_explained,
                                                        .on_output = on_output,
                                                        .on_output_dropped = on_output_dropped,
                                                        .on_exit = on_exit_of_worker,
                                                        .on_start_failed = on_start_failed};

static_assert((int)CONFIG_SANDBOX_BEST == (int)FRAME_SANDBOX_BEST &&
                  (int)CONFIG_SANDBOX_STRICT == (int)FRAME_SANDBOX_STRICT &&
                  (int)CONFIG_SANDBOX_OFF == (int)FRAME_SANDBOX_OFF,
              "the configuration's levels are the protocol's");

static int64_t load_ms(const struct config_plugin *config) {
    bool debugged = config->sandbox == CONFIG_SANDBOX_OFF;
    return debugged ? WORKER_SPAWN_DEBUG_DEADLINE_MS : WORKER_SPAWN_LOAD_DEADLINE_MS;
}

int plugin_start(struct plugin *plugin, struct error *err) {
    const struct plugin_options *options = plugin->options;
    const struct config_plugin *config = plugin->config;
    struct worker_process *worker_process = NULL;
    assert(!plugin->runs.worker_process);
    free(plugin->rejection);
    plugin->rejection = NULL;
    struct worker_process_spec spec = {.plugin = index_of(plugin),
                                       .plugin_path = config->path,
                                       .plugin_shown = config->path,
                                       .config_json = config->config_json,
                                       .concurrency = config->concurrency,
                                       .memory_mib = config->memory_mib,
                                       .sandbox = (enum frame_sandbox)config->sandbox,
                                       .log_level = options->log_level};
    if (worker_process_start(options->loop, options->starter, &spec, &handlers, plugin,
                             &worker_process, err) < 0) {
        return -1;
    }
    run_group_set_worker(&plugin->runs, worker_process, run_table_next_generation(options->table));
    usage_watch_start(&plugin->usage, clock_monotonic_ms());
    plugin->load_deadline_ms = clock_monotonic_ms() + load_ms(config);
    set_state(plugin, PLUGIN_LOADING);
    return 0;
}

/* ---- time ---- */

static void kill_if_late(struct plugin *plugin, int64_t now_ms) {
    bool late = false;
    struct run *run;
    TAILQ_FOREACH(run, &plugin->runs.runs, link) {
        bool waits;
        if (!run->late && run->deadline_ms <= now_ms &&
            run->deadline_ms + call_waited_ms(&plugin->calls, run, now_ms, &waits) <= now_ms) {
            run_set_late(run);
        }
        late = late || run->late;
    }
    if (late && plugin->runs.worker_process) {
        kill_worker(plugin, "was ended: a run passed its deadline");
    }
}

/* It has no run, so nothing waits for its end. */
static void replace_worker(struct plugin *plugin, int64_t now_ms, int64_t cpu_ms) {
    assert(plugin->runs.n_runs == 0);
    log_event(SNEK_LEVEL_INFO, "worker_replaced", LOG_TEXT("plugin", plugin_name(plugin)),
              LOG_NUMBER("pid", plugin->pid), LOG_NUMBER("cpu_ms", cpu_ms),
              LOG_TEXT("reason", "it has used more than half of plugin.cpu_seconds"));
    set_state(plugin, PLUGIN_WAITING);
    plugin->restart_at_ms = INT64_MAX;
    plugin->replace_until_ms = now_ms + REPLACE_MS;
    worker_process_close(plugin->runs.worker_process);
}

static void slow_down_worker(const struct plugin *plugin) {
    int result = usage_slow_down(plugin->pid);
    log_event(SNEK_LEVEL_WARNING, "worker_slowed", LOG_TEXT("plugin", plugin_name(plugin)),
              LOG_NUMBER("pid", plugin->pid),
              LOG_TEXT("reason", "it has used a whole processor for 10 s without a result"),
              LOG_TEXT("failed", result < 0 ? strerror(errno) : NULL));
}

static void look_at_usage(struct plugin *plugin, int64_t now_ms) {
    if (plugin->pid == 0) {
        /* It is being started. The kernel would take 0 for this process. */
        usage_watch_start(&plugin->usage, now_ms);
        return;
    }
    const struct usage_limits limits = {.cpu_seconds = plugin->config->cpu_seconds,
                                        .concurrency = plugin->config->concurrency};
    const struct usage usage = {.cpu_ms = usage_cpu_ms(plugin->pid),
                                .threads = worker_process_threads(plugin->runs.worker_process),
                                .has_runs = plugin->runs.n_runs > 0};
    char why[256];
    switch (usage_watch_look(&plugin->usage, &limits, &usage, now_ms, why, sizeof why)) {
    case USAGE_FINE:
        break;
    case USAGE_KILL:
        kill_worker(plugin, why);
        break;
    case USAGE_SLOW_DOWN:
        slow_down_worker(plugin);
        break;
    case USAGE_REPLACE:
        if (plugin_state(plugin) == PLUGIN_RUNNING) {
            replace_worker(plugin, now_ms, usage.cpu_ms);
        }
        break;
    }
}

static void watch_worker(struct plugin *plugin, int64_t now_ms) {
    worker_process_tick(plugin->runs.worker_process, now_ms);
    plugin->pid = worker_process_pid(plugin->runs.worker_process);
    if (plugin->runs.n_runs > 0) {
        usage_watch_hasten(&plugin->usage, now_ms);
    }
    bool many_threads = worker_process_take_many_threads(plugin->runs.worker_process);
    if (plugin->usage.next_ms <= now_ms || many_threads) {
        look_at_usage(plugin, now_ms);
    }
    if (plugin->replace_until_ms > 0 && plugin->replace_until_ms <= now_ms) {
        plugin->replace_until_ms = INT64_MAX;
        kill_worker(plugin, "was ended: its destroy() did not return");
    }
}

/* When the run is to be looked at: its deadline, which moves while it waits for a rate limit. */
static int64_t deadline_of(const struct plugin *plugin, const struct run *run, int64_t now_ms) {
    bool waits = false;
    int64_t at_ms = run->deadline_ms;
    if (at_ms <= now_ms) {
        at_ms += call_waited_ms(&plugin->calls, run, now_ms, &waits);
        int64_t again_ms = now_ms + DEADLINE_RETRY_MS;
        at_ms = waits && at_ms < again_ms ? again_ms : at_ms;
    }
    return at_ms;
}

static bool waits_for_restart(const struct plugin *plugin) {
    return plugin_state(plugin) == PLUGIN_WAITING &&
           plugin->options->table->phase == RUN_PHASE_SERVING;
}

void plugin_tick(struct plugin *plugin, int64_t now_ms) {
    kill_if_late(plugin, now_ms);
    if (plugin->runs.worker_process && call_group_has_room(&plugin->calls, 0)) {
        worker_process_resume(plugin->runs.worker_process);
    }
    if (plugin->runs.worker_process) {
        watch_worker(plugin, now_ms);
    }
    effects_tick(&plugin->calls, now_ms);
    log_withheld(plugin, now_ms);
    if (plugin_state(plugin) == PLUGIN_LOADING && plugin->load_deadline_ms <= now_ms) {
        plugin->load_deadline_ms = INT64_MAX;
        char why[64];
        snprintf(why, sizeof why, "was ended: it took longer than %lld s to load",
                 (long long)load_ms(plugin->config) / 1000);
        kill_worker(plugin, why);
    } else if (waits_for_restart(plugin) && plugin->restart_at_ms <= now_ms) {
        struct error err;
        if (plugin_start(plugin, &err) < 0) {
            retry_start(plugin, err.text);
        }
    }
}

void plugin_flush(struct plugin *plugin) {
    if (plugin->runs.worker_process) {
        worker_process_flush(plugin->runs.worker_process);
    }
}

int64_t plugin_next_ms(const struct plugin *plugin, int64_t now_ms) {
    int64_t next_ms =
        clock_earliest(throttle_due_ms(&plugin->log_lines), effects_next_ms(&plugin->calls));
    if (plugin->runs.worker_process) {
        next_ms = clock_earliest(next_ms, worker_process_next_ms(plugin->runs.worker_process));
        next_ms = clock_earliest(next_ms, plugin->usage.next_ms);
        if (plugin->replace_until_ms > 0) {
            next_ms = clock_earliest(next_ms, plugin->replace_until_ms);
        }
    }
    const struct run *run;
    TAILQ_FOREACH(run, &plugin->runs.runs, link) {
        if (!run->late) {
            next_ms = clock_earliest(next_ms, deadline_of(plugin, run, now_ms));
        }
    }
    if (plugin_state(plugin) == PLUGIN_LOADING) {
        next_ms = clock_earliest(next_ms, plugin->load_deadline_ms);
    } else if (waits_for_restart(plugin)) {
        next_ms = clock_earliest(next_ms, plugin->restart_at_ms);
    }
    return next_ms;
}
