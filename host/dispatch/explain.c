/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds the host's own reasons, and asks the workers. */
#include "dispatch/explain.h"

#include "base/clock.h"
#include "base/list.h"
#include "dispatch/explain_desk.h"
#include "dispatch/scope.h"
#include "inbox/limits.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Payloads that wait in the workers' sockets for an explanation. */
#define PENDING_MAX 8

/* ---- the host's own reasons ---- */

/* The timers and schedules of a plugin are for it alone, and its installation is in scope. */
static bool is_of_host(const struct explain_delivery *delivery) {
    return strncmp(delivery->event, INBOX_OWN_EVENTS, strlen(INBOX_OWN_EVENTS)) == 0;
}

enum explain_host explain_host_reason(const struct config_plugin *plugin,
                                      const struct description *description,
                                      const struct explain_delivery *delivery) {
    if (!plugin->enabled) {
        return EXPLAIN_DISABLED;
    }
    if (!description) {
        return EXPLAIN_NOT_LOADED;
    }
    if (!*delivery->installation) {
        return EXPLAIN_NO_INSTALLATION;
    }
    if (!scope_matches(plugin->installations, delivery->installation)) {
        return EXPLAIN_INSTALLATION;
    }
    if (!is_of_host(delivery) && !scope_matches(plugin->repositories, delivery->repository)) {
        return EXPLAIN_REPOSITORY;
    }
    if (!description_wants(description, delivery->event, delivery->action)) {
        return EXPLAIN_EVENT;
    }
    struct command_search payload;
    command_search_init(&payload, delivery->payload, delivery->payload_bytes);
    bool wanted = !delivery->payload || description_wants_payload(description, delivery->event,
                                                                  delivery->action, &payload);
    return wanted ? EXPLAIN_ROUTED : EXPLAIN_COMMAND;
}

const char *explain_host_name(enum explain_host reason) {
    static const char *const names[] = {[EXPLAIN_ROUTED] = "routed",
                                        [EXPLAIN_DISABLED] = "disabled",
                                        [EXPLAIN_NOT_LOADED] = "not loaded",
                                        [EXPLAIN_NO_INSTALLATION] = "no installation",
                                        [EXPLAIN_INSTALLATION] = "installation",
                                        [EXPLAIN_REPOSITORY] = "repository",
                                        [EXPLAIN_EVENT] = "event",
                                        [EXPLAIN_COMMAND] = "command"};
    return names[reason];
}

void explain_host_sentence(enum explain_host reason, const struct explain_delivery *delivery,
                           char out[EXPLAIN_SENTENCE_MAX + 1]) {
    size_t room = EXPLAIN_SENTENCE_MAX + 1;
    const char *repository = *delivery->repository ? delivery->repository : "no repository";
    switch (reason) {
    case EXPLAIN_ROUTED:
        snprintf(out, room, "the host gives such a delivery to the plugin");
        break;
    case EXPLAIN_DISABLED:
        snprintf(out, room, "the plugin is disabled: its enabled = false");
        break;
    case EXPLAIN_NOT_LOADED:
        snprintf(out, room, "the plugin has not loaded");
        break;
    case EXPLAIN_NO_INSTALLATION:
        snprintf(out, room, "the payload names no installation, so no plugin can act on it");
        break;
    case EXPLAIN_INSTALLATION:
        snprintf(out, room, "plugin.installations does not have the installation %s",
                 delivery->installation);
        break;
    case EXPLAIN_REPOSITORY:
        snprintf(out, room, "plugin.repositories does not have %s", repository);
        break;
    case EXPLAIN_EVENT:
        snprintf(out, room, "the plugin subscribes to no event %s%s%s, and reads no command in it",
                 delivery->event, *delivery->action ? "." : "", delivery->action);
        break;
    case EXPLAIN_COMMAND:
        snprintf(out, room, "the payload has none of the plugin's commands");
        break;
    }
}

/* ---- the workers ---- */

static void on_reply(struct mail *mail) {
    struct explain *explain = CONTAINER_OF(mail, struct explain, mail);
    explain->on_result(explain);
}

static void reply(struct explain *explain) {
    explain->payload = payload_unref(explain->payload);
    explain->mail.open = on_reply;
    mailbox_post(explain->reply_to, &explain->mail);
}

static struct plugin *find_plugin(const struct explain_desk *desk, size_t config_index) {
    for (size_t i = 0; i < desk->n_plugins; i++) {
        if (desk->plugins[i].config == &desk->configs[config_index]) {
            return &desk->plugins[i];
        }
    }
    return NULL;
}

static size_t count_pending(const struct explain_desk *desk) {
    size_t n = 0;
    for (const struct explain *explain = desk->pending; explain; explain = explain->next) {
        n++;
    }
    return n;
}

/* Sends the delivery to the worker. False: there is none that could take it. */
static bool ask(struct explain_desk *desk, const struct plugin *plugin, struct explain *explain) {
    const struct explain_delivery *delivery = &explain->delivery;
    if (!plugin || plugin_state(plugin) != PLUGIN_RUNNING || !plugin->runs.worker_process ||
        !explain->payload || count_pending(desk) >= PENDING_MAX) {
        return false;
    }
    explain->id = ++desk->last_id;
    struct worker_process_run frame = {.run = explain->id,
                                       .event = delivery->event,
                                       .action = delivery->action,
                                       .guid = delivery->guid,
                                       .installation = delivery->installation,
                                       .attempt = 1,
                                       .received_ms = delivery->received_ms,
                                       .bot_user = desk->bot_user->id,
                                       .app = desk->app_id,
                                       .payload = payload_ref(explain->payload)};
    worker_process_send_explain(plugin->runs.worker_process, &frame);
    explain->until_ms = clock_monotonic_ms() + EXPLAIN_TIMEOUT_MS;
    explain->next = desk->pending;
    desk->pending = explain;
    return true;
}

void explain_desk_take(struct explain_desk *desk, struct explain *explain) {
    assert(explain->plugin < desk->n_configs);
    if (desk->closed) {
        explain->on_dropped(explain);
        return;
    }
    const struct plugin *plugin = find_plugin(desk, explain->plugin);
    if (explain->payload) {
        explain->delivery.payload = explain->payload->data;
        explain->delivery.payload_bytes = explain->payload->bytes;
    }
    explain->result.host =
        explain_host_reason(&desk->configs[explain->plugin],
                            plugin ? plugin_description(plugin) : NULL, &explain->delivery);
    if (!ask(desk, plugin, explain)) {
        reply(explain);
    }
}

bool explain_desk_note(struct explain_desk *desk, const struct plugin *plugin, uint64_t id,
                       struct explained *items, size_t n_items) {
    for (struct explain **at = &desk->pending; *at; at = &(*at)->next) {
        struct explain *explain = *at;
        if (explain->id == id) {
            if (find_plugin(desk, explain->plugin) != plugin) {
                free(items);
                return false;
            }
            *at = explain->next;
            explain->result.items = items;
            explain->result.n_items = n_items;
            reply(explain);
            return true;
        }
    }
    free(items);
    /* The worker may be late. */
    return id <= desk->last_id;
}

int64_t explain_desk_tick(struct explain_desk *desk, int64_t now_ms) {
    int64_t next_ms = INT64_MAX;
    for (struct explain **at = &desk->pending; *at;) {
        struct explain *explain = *at;
        if (explain->until_ms <= now_ms) {
            *at = explain->next;
            reply(explain);
            continue;
        }
        next_ms = explain->until_ms < next_ms ? explain->until_ms : next_ms;
        at = &explain->next;
    }
    return next_ms;
}

void explain_desk_close(struct explain_desk *desk) {
    desk->closed = true;
    while (desk->pending) {
        struct explain *explain = desk->pending;
        desk->pending = explain->next;
        explain->on_dropped(explain);
    }
}
