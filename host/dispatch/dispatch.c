/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Ties the room together: time, routing, and the life of its parts. */
#include "dispatch/dispatch.h"

#include "base/clock.h"
#include "base/lock.h"
#include "dispatch/claim.h"
#include "dispatch/coalesce.h"
#include "dispatch/description_file.h"
#include "dispatch/effect.h"
#include "dispatch/explain_desk.h"
#include "dispatch/handoff.h"
#include "dispatch/lease.h"
#include "dispatch/scope.h"

#include <snekomatic/plugin.h>

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* How long dispatch_settle() waits for the inbox to record the last results. */
#define SETTLE_MS 2000
/* No step waits longer, because somebody may set the wall clock. */
#define TICK_MAX_MS 10000

struct dispatch {
    struct dispatch_options options;
    struct plugin_options plugin_options;
    struct mailbox mailbox;
    struct loop_source mail_source;
    struct run_table table;
    struct bot_user bot_user;
    struct plugin *plugins;
    size_t n_plugins;
    /* See dispatch_loaded(), dispatch_begin() and dispatch_ready(). */
    bool loaded, begun, ready;
    /* See dispatch_configured(). Set before `loaded` is. */
    char *configured;
    struct claimer claimer;
    struct handoff handoff;
    struct lease_keeper leases;
    struct hold_watch holds;
    struct explain_desk explanations;

    /* Protects the members that other threads write. */
    pthread_mutex_t lock;
    struct mail wake;
    /* Under the lock: dispatch_pass() shall post the mail, or it is posted; and (wall) when the
     * first run is due that was queued since. */
    bool wake_wanted, wake_posted;
    int64_t wake_due_ms;
};

/* ---- time ---- */

static int64_t next_ms(struct dispatch *dispatch, int64_t now_ms) {
    int64_t next = run_table_next_ms(&dispatch->table);
    next = clock_earliest(next, lease_next_ms(&dispatch->leases));
    if (dispatch->begun) {
        next = clock_earliest(next, hold_watch_next_ms(&dispatch->holds));
    }
    next = clock_earliest(next, explain_desk_tick(&dispatch->explanations, now_ms));
    next = clock_earliest(next, handoff_next_ms(&dispatch->handoff, dispatch->claimer.claiming));
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        /* After all that queues frames, and before the wait is known: if a worker turns out to have
         * closed its socket, the host must look at it again. */
        plugin_flush(&dispatch->plugins[i]);
        next = clock_earliest(next, plugin_next_ms(&dispatch->plugins[i], now_ms));
    }
    return next;
}

int dispatch_tick(struct dispatch *dispatch) {
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        plugin_tick(&dispatch->plugins[i], now_ms);
    }
    /* Before the claim, because these runs are due already. */
    handoff_tick(&dispatch->handoff, now_ms, dispatch->claimer.claiming);
    run_table_tick(&dispatch->table, now_ms);
    lease_tick(&dispatch->leases, now_ms);
    if (dispatch->begun && dispatch->table.phase == RUN_PHASE_SERVING) {
        hold_watch_tick(&dispatch->holds, now_ms);
    }
    int64_t wall_ms = clock_wall_ms();
    if (dispatch->ready) {
        claim_tick(&dispatch->claimer, wall_ms);
    }
    int64_t next = next_ms(dispatch, now_ms);
    int64_t claim_ms = dispatch->ready ? claim_next_ms(&dispatch->claimer) : INT64_MAX;
    int64_t wait_ms = next == INT64_MAX ? INT64_MAX : next - now_ms;
    if (claim_ms != INT64_MAX) {
        wait_ms = clock_earliest(wait_ms, claim_ms - wall_ms);
    }
    if (wait_ms == INT64_MAX) {
        return -1;
    }
    return wait_ms < 0 ? 0 : (int)clock_earliest(wait_ms, TICK_MAX_MS);
}

/* ---- on ingest's thread ---- */

static_assert((int)INBOX_ORDER_NONE == (int)SNEK_ORDER_NONE &&
                  (int)INBOX_ORDER_ITEM == (int)SNEK_ORDER_ITEM &&
                  (int)INBOX_ORDER_REPOSITORY == (int)SNEK_ORDER_REPOSITORY &&
                  (int)INBOX_ORDER_INSTALLATION == (int)SNEK_ORDER_INSTALLATION,
              "the inbox's orders are the SDK's");

static bool is_in_scope(const struct plugin *plugin, const char *installation) {
    return scope_matches(plugin->config->installations, installation);
}

bool dispatch_wants(const struct dispatch *dispatch, const char *event, const char *action,
                    const char *installation) {
    assert(dispatch->loaded);
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        const struct plugin *plugin = &dispatch->plugins[i];
        if (description_wants(plugin_description(plugin), event, action) &&
            is_in_scope(plugin, installation)) {
            return true;
        }
    }
    return false;
}

/* Also a plugin that is quarantined, or has not loaded since a restart of the host, gets its runs.
 */
static bool gets_run(const struct plugin *plugin, const struct inbox_put *put,
                     struct command_search *payload) {
    const struct description *description = plugin_description(plugin);
    assert(description);
    if (put->only_plugin && strcmp(put->only_plugin, plugin_name(plugin)) != 0) {
        return false;
    }
    return is_in_scope(plugin, put->installation) &&
           scope_matches(plugin->config->repositories, put->repository) &&
           description_wants_payload(description, put->event, put->action, payload);
}

void dispatch_route(struct dispatch *dispatch, struct inbox_put *put, size_t max) {
    assert(dispatch->ready);
    struct command_search payload;
    command_search_init(&payload, put->body, put->body_bytes);
    put->host = dispatch->table.options.host;
    put->configured = dispatch->configured;
    put->routed_ms = clock_monotonic_ms();
    put->lease_ms = dispatch->table.options.lease_ms;
    for (size_t i = 0; i < dispatch->n_plugins && put->n_runs < max; i++) {
        const struct plugin *plugin = &dispatch->plugins[i];
        if (gets_run(plugin, put, &payload)) {
            const struct description *description = plugin_description(plugin);
            struct inbox_put_run *run = &put->runs[put->n_runs++];
            *run = (struct inbox_put_run){.plugin = plugin_name(plugin),
                                          .order = (enum inbox_order)description->order};
            coalesce_run(description, put, run);
            handoff_reserve(&dispatch->handoff, i, put, run);
        }
    }
}

static void wake(struct dispatch *dispatch, int64_t due_ms) {
    SCOPED_LOCK(&dispatch->lock);
    if (!dispatch->wake_wanted && !dispatch->wake_posted) {
        dispatch->wake_wanted = true;
        dispatch->wake_due_ms = due_ms;
    }
    dispatch->wake_due_ms = clock_earliest(dispatch->wake_due_ms, due_ms);
}

static bool take_wake(struct dispatch *dispatch) {
    SCOPED_LOCK(&dispatch->lock);
    bool wanted = dispatch->wake_wanted;
    dispatch->wake_wanted = false;
    dispatch->wake_posted = dispatch->wake_posted || wanted;
    return wanted;
}

static void log_superseded(const struct dispatch *dispatch, const struct inbox_put *put) {
    for (size_t i = 0; i < put->n_superseded; i++) {
        const struct inbox_superseded *old = &put->superseded[i];
        const char *name = put->runs[old->run].plugin;
        log_event(SNEK_LEVEL_INFO, "superseded", LOG_TEXT("delivery", old->guid),
                  LOG_TEXT("plugin", name), LOG_TEXT("installation", put->installation),
                  LOG_NUMBER("attempt", old->attempt), LOG_TEXT("event", put->event),
                  LOG_TEXT("by", put->guid));
        for (size_t j = 0; j < dispatch->n_plugins; j++) {
            const struct plugin *plugin = &dispatch->plugins[j];
            if (plugin_name(plugin) == name) {
                metrics_run_ended(plugin->metrics, "superseded", 0);
            }
        }
    }
}

void dispatch_stored(struct dispatch *dispatch, const struct inbox_put *put, struct buffer *body) {
    log_superseded(dispatch, put);
    bool all = handoff_stored(&dispatch->handoff, put, body);
    if (put->operation.result >= 0 && (!all || put->unparked > 0)) {
        wake(dispatch, put->due_ms);
    }
}

void dispatch_pass(struct dispatch *dispatch) {
    handoff_pass(&dispatch->handoff);
    if (take_wake(dispatch)) {
        /* Not under a lock that the woken thread takes at once. */
        mailbox_post(&dispatch->mailbox, &dispatch->wake);
    }
}

void dispatch_on_queued(void *context) {
    wake(context, clock_wall_ms());
    dispatch_pass(context);
}

static void on_wake(struct mail *mail) {
    struct dispatch *dispatch = CONTAINER_OF(mail, struct dispatch, wake);
    SCOPED_LOCK(&dispatch->lock);
    assert(dispatch->wake_posted);
    dispatch->wake_posted = false;
    claim_note_stored(&dispatch->claimer, dispatch->wake_due_ms);
    hold_watch_want(&dispatch->holds);
}

bool dispatch_status(struct dispatch *dispatch, struct buffer *json) {
    int result = buffer_append_text(json, "\"plugins\":[");
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        const struct plugin *plugin = &dispatch->plugins[i];
        const char *name = plugin_name(plugin);
        result |= buffer_append_text(json, i > 0 ? ",{\"name\":" : "{\"name\":");
        result |= buffer_append_json_string(json, name, strlen(name));
        result |= buffer_printf(json, ",\"state\":\"%s\",\"sandbox\":\"%s\"",
                                plugin_state_name(plugin_state(plugin)),
                                frame_level_name(plugin_level(plugin)));
        result |= hold_watch_render(&dispatch->holds, name, json);
        result |= buffer_append_text(json, "}");
    }
    return (result | buffer_append_text(json, "]")) == 0;
}

/* ---- explanations ---- */

static void on_explain(struct mail *mail) {
    struct explain *explain = CONTAINER_OF(mail, struct explain, mail);
    explain_desk_take(explain->desk, explain);
}

void dispatch_explain(struct dispatch *dispatch, struct explain *explain) {
    explain->result = (struct explain_result){.items = NULL};
    explain->desk = &dispatch->explanations;
    explain->mail.open = on_explain;
    mailbox_post(&dispatch->mailbox, &explain->mail);
}

void dispatch_close_explanations(struct dispatch *dispatch) {
    if (dispatch) {
        explain_desk_close(&dispatch->explanations);
    }
}

static bool on_explained(void *context, const struct plugin *plugin, uint64_t question,
                         struct explained *items, size_t n_items) {
    struct dispatch *dispatch = context;
    return explain_desk_note(&dispatch->explanations, plugin, question, items, n_items);
}

/* ---- life ---- */

static void on_mail(struct loop_source *source, uint32_t events) {
    (void)events;
    mailbox_drain(&CONTAINER_OF(source, struct dispatch, mail_source)->mailbox);
}

static void on_slot_free(void *context) {
    claim_want(&((struct dispatch *)context)->claimer);
}

static void on_holds_changed(void *context) {
    struct dispatch *dispatch = context;
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        plugin_note_holds(&dispatch->plugins[i]);
    }
    claim_want(&dispatch->claimer);
}

static void on_run_queued(void *context, int64_t due_ms) {
    claim_note_due(&((struct dispatch *)context)->claimer, due_ms);
}

static int64_t random_host(void) {
    int64_t lease;
    arc4random_buf(&lease, sizeof lease);
    return lease & INT64_MAX;
}

/* Do names of two plugins conflict, if `plugin` had that description? 0, or -1. */
static int check_conflicts(void *context, const struct plugin *plugin,
                           const struct description *description, struct error *err) {
    const struct dispatch *dispatch = context;
    AUTO_FREE const struct description **all = calloc(dispatch->n_plugins + 1, sizeof *all);
    if (!all) {
        error_set(err, "out of memory");
        return error_mark_transient(err);
    }
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        const struct plugin *other = &dispatch->plugins[i];
        all[i] = other == plugin ? description : plugin_description(other);
    }
    return descriptions_conflict(all, dispatch->n_plugins, err);
}

static void init(struct dispatch *dispatch, const struct dispatch_options *options) {
    const struct config *config = options->config;
    dispatch->options = *options;
    struct run_table_options table = {.inbox = options->inbox,
                                      .mailbox = &dispatch->mailbox,
                                      .host = random_host(),
                                      .lease_ms = config->dispatch.lease_ms,
                                      .max_attempts = config->dispatch.max_attempts,
                                      .first_retry_ms = config->dispatch.first_retry_ms,
                                      .app_id = config->github.app_id,
                                      .on_slot_free = on_slot_free,
                                      .on_queued = on_run_queued,
                                      .context = dispatch};
    run_table_init(&dispatch->table, &table);
    lease_init(&dispatch->leases, &dispatch->table);
    hold_watch_init(&dispatch->holds, &(struct hold_watch_options){.inbox = options->inbox,
                                                                   .mailbox = &dispatch->mailbox,
                                                                   .on_changed = on_holds_changed,
                                                                   .context = dispatch});
    dispatch->plugin_options = (struct plugin_options){.loop = options->loop,
                                                       .starter = options->starter,
                                                       .configs = config->plugins,
                                                       .log_level = config->log.level,
                                                       .broker = options->broker,
                                                       .api_url = config->github.api_url,
                                                       .table = &dispatch->table,
                                                       .bot_user = &dispatch->bot_user,
                                                       .holds = &dispatch->holds,
                                                       .descriptions_fd = options->descriptions_fd,
                                                       .check_conflicts = check_conflicts,
                                                       .on_explained = on_explained,
                                                       .context = dispatch};
    dispatch->wake.open = on_wake;
    pthread_mutex_init(&dispatch->lock, NULL);
}

/* Reads the kept descriptions. If they conflict, they are none of the plugins', which have loaded
 * together: each must describe itself anew. 0, or -1. */
static int read_kept(int fd, struct description **kept, size_t count, struct error *err) {
    struct error conflict;
    if (description_file_read(fd, kept, count, err) < 0) {
        return -1;
    }
    if (descriptions_conflict((const struct description *const *)kept, count, &conflict) == 0) {
        return 0;
    }
    log_event(SNEK_LEVEL_WARNING, "descriptions_discarded", LOG_TEXT("reason", conflict.text));
    for (size_t i = 0; i < count; i++) {
        description_free(kept[i]);
        kept[i] = NULL;
    }
    return description_file_discard(fd, err);
}

/* The descriptions that an earlier host has kept. */
static int inherit(struct dispatch *dispatch, struct error *err) {
    const struct config *config = dispatch->options.config;
    AUTO_FREE struct description **kept = calloc(config->n_plugins + 1, sizeof *kept);
    if (!kept) {
        return error_set(err, "out of memory");
    }
    int result = read_kept(dispatch->options.descriptions_fd, kept, config->n_plugins, err);
    for (size_t i = 0; result == 0 && i < dispatch->n_plugins; i++) {
        struct description **description = &kept[dispatch->plugins[i].config - config->plugins];
        struct error ignored;
        /* One that is not permitted is not used: the worker describes the plugin again. */
        if (*description &&
            description_permit(*description, dispatch->plugins[i].config->permissions, &ignored) ==
                0) {
            plugin_inherit(&dispatch->plugins[i], STEAL(*description));
        }
    }
    for (size_t i = 0; i < config->n_plugins; i++) {
        description_free(kept[i]);
    }
    return result;
}

static int start_plugins(struct dispatch *dispatch, struct error *err) {
    const struct config *config = dispatch->options.config;
    if (bot_user_init(&dispatch->bot_user, dispatch->options.inbox, config->github.api_url,
                      config->github.app_id) < 0) {
        return error_set(err, "out of memory");
    }
    dispatch->plugins = calloc(config->n_plugins + 1, sizeof *dispatch->plugins);
    if (!dispatch->plugins) {
        return error_set(err, "out of memory");
    }
    for (size_t i = 0; i < config->n_plugins; i++) {
        if (config->plugins[i].enabled) {
            plugin_init(&dispatch->plugins[dispatch->n_plugins++], &dispatch->plugin_options,
                        &config->plugins[i]);
        }
    }
    dispatch->explanations = (struct explain_desk){.plugins = dispatch->plugins,
                                                   .n_plugins = dispatch->n_plugins,
                                                   .configs = config->plugins,
                                                   .n_configs = config->n_plugins,
                                                   .bot_user = &dispatch->bot_user,
                                                   .app_id = config->github.app_id};
    if (inherit(dispatch, err) < 0) {
        return -1;
    }
    if (claim_init(&dispatch->claimer, &dispatch->table, dispatch->plugins, dispatch->n_plugins) <
            0 ||
        handoff_init(&dispatch->handoff, &dispatch->table, dispatch->plugins, dispatch->n_plugins) <
            0) {
        return error_set(err, "out of memory");
    }
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        if (plugin_start(&dispatch->plugins[i], err) < 0) {
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
        return error_set(err, "cannot start the dispatch: " ERROR_FIX_FILES_OR_MEMORY);
    }
    init(new, options);
    new->mail_source = (struct loop_source){new->mailbox.event_fd, on_mail};
    if (loop_add(options->loop, &new->mail_source, EPOLLIN) < 0) {
        error_set(err, "cannot watch a mailbox: %s", strerror(errno));
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

/* The plugin whose rejection keeps the host from its start; NULL: none. Another start does not help
 * such a plugin, if there is one. */
static const struct plugin *find_rejected(const struct dispatch *dispatch) {
    const struct plugin *found = NULL;
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        const struct plugin *plugin = &dispatch->plugins[i];
        if (plugin_state(plugin) == PLUGIN_REJECTED && (!found || found->may_load_later)) {
            found = plugin;
        }
    }
    return found;
}

static bool all_have_loaded(const struct dispatch *dispatch) {
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        if (!plugin_has_loaded(&dispatch->plugins[i])) {
            return false;
        }
    }
    return true;
}

/* The name of a disabled plugin is not known: its file's name stands for it. */
static int append_file_name(struct buffer *names, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    int result = buffer_append(names, name, dot ? (size_t)(dot - name) : strlen(name));
    return buffer_append_text(names, "\n") | result;
}

/* NULL when memory is short. */
static char *list_configured(const struct dispatch *dispatch) {
    const struct config *config = dispatch->options.config;
    AUTO_BUFFER struct buffer names =
        BUFFER_INIT((config->n_plugins + 1) * (PATH_MAX + INBOX_NAME_MAX));
    int result = buffer_append_text(&names, "\n");
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        result |= buffer_append_text(&names, plugin_name(&dispatch->plugins[i]));
        result |= buffer_append_text(&names, "\n");
    }
    for (size_t i = 0; i < config->n_plugins; i++) {
        if (!config->plugins[i].enabled) {
            result |= append_file_name(&names, config->plugins[i].path);
        }
    }
    return result == 0 ? buffer_steal(&names) : NULL;
}

const char *dispatch_configured(const struct dispatch *dispatch) {
    assert(dispatch->loaded);
    return dispatch->configured;
}

int dispatch_loaded(struct dispatch *dispatch, struct error *err) {
    const struct plugin *rejected = find_rejected(dispatch);
    if (rejected) {
        const char *reason = rejected->rejection;
        error_set(err, "plugin %s: %s", rejected->config->as_written,
                  reason ? reason : "out of memory");
        return rejected->may_load_later ? error_mark_transient(err) : -1;
    }
    if (dispatch->loaded || !all_have_loaded(dispatch)) {
        return dispatch->loaded;
    }
    if (check_conflicts(dispatch, NULL, NULL, err) < 0) {
        return -1;
    }
    dispatch->configured = list_configured(dispatch);
    if (!dispatch->configured) {
        error_set(err, "out of memory");
        return error_mark_transient(err);
    }
    dispatch->loaded = true;
    return 1;
}

void dispatch_begin(struct dispatch *dispatch) {
    assert(dispatch->loaded && !dispatch->begun);
    dispatch->begun = true;
    bot_user_read(&dispatch->bot_user, &dispatch->mailbox);
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        plugin_note_start(&dispatch->plugins[i]);
    }
}

bool dispatch_ready(struct dispatch *dispatch) {
    dispatch->ready = dispatch->ready || (dispatch->begun && dispatch->holds.known);
    return dispatch->ready;
}

const struct description *dispatch_description(const struct dispatch *dispatch, size_t index,
                                               bool *more) {
    *more = index < dispatch->n_plugins;
    return *more ? plugin_description(&dispatch->plugins[index]) : NULL;
}

int dispatch_release(struct dispatch *dispatch, const char *name) {
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        if (strcmp(plugin_name(&dispatch->plugins[i]), name) == 0) {
            plugin_release(&dispatch->plugins[i]);
            return 0;
        }
    }
    return 1;
}

void dispatch_drain(struct dispatch *dispatch) {
    run_table_set_phase(&dispatch->table, RUN_PHASE_DRAINING);
    /* Ends the reservations, and gives back the runs that wait. */
    handoff_tick(&dispatch->handoff, 0, dispatch->claimer.claiming);
    broker_drain(dispatch->options.broker);
}

bool dispatch_idle(struct dispatch *dispatch) {
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        if (dispatch->plugins[i].runs.n_runs > 0) {
            return false;
        }
    }
    return handoff_idle(&dispatch->handoff) && !dispatch->claimer.claiming &&
           run_table_idle(&dispatch->table);
}

void dispatch_cancel(struct dispatch *dispatch) {
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        run_group_cancel(&dispatch->plugins[i].runs);
    }
}

void dispatch_requeue(struct dispatch *dispatch) {
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        run_group_requeue(&dispatch->plugins[i].runs, "the host stopped");
        plugin_close_worker(&dispatch->plugins[i]);
    }
}

bool dispatch_workers_gone(const struct dispatch *dispatch) {
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        if (dispatch->plugins[i].runs.worker_process) {
            return false;
        }
    }
    return true;
}

void dispatch_settle(struct dispatch *dispatch) {
    if (!dispatch) {
        return;
    }
    run_table_set_phase(&dispatch->table, RUN_PHASE_CLOSING);
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        effects_settle(&dispatch->plugins[i].calls);
    }
    int64_t deadline_ms = clock_monotonic_ms() + SETTLE_MS;
    mailbox_drain(&dispatch->mailbox);
    while (dispatch->table.n_holds > 0 && clock_monotonic_ms() < deadline_ms) {
        struct pollfd mail = {.fd = dispatch->mailbox.event_fd, .events = POLLIN};
        poll(&mail, 1, 50);
        mailbox_drain(&dispatch->mailbox);
    }
}

void dispatch_free(struct dispatch *dispatch) {
    if (!dispatch) {
        return;
    }
    explain_desk_close(&dispatch->explanations);
    run_table_set_phase(&dispatch->table, RUN_PHASE_CLOSED);
    mailbox_drain(&dispatch->mailbox);
    for (size_t i = 0; i < dispatch->n_plugins; i++) {
        plugin_finish(&dispatch->plugins[i]);
    }
    handoff_finish(&dispatch->handoff);
    hold_watch_finish(&dispatch->holds);
    run_table_finish(&dispatch->table);
    claim_finish(&dispatch->claimer);
    loop_remove(dispatch->options.loop, &dispatch->mail_source);
    mailbox_finish(&dispatch->mailbox);
    bot_user_finish(&dispatch->bot_user);
    pthread_mutex_destroy(&dispatch->lock);
    free(dispatch->plugins);
    free(dispatch->configured);
    free(dispatch);
}
