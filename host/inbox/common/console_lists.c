/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Short lists for the console: plugins with their runs, recovery, and the actions of persons. */
#include "inbox/common/console_parts.h"

#include "base/array.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS INT64_C(3600000)
/* Hours of inbox_plugin_runs. */
#define HOURS 24

/* ---- plugins ---- */

#define WHAT_PLUGINS "counting the runs of plugins"

static struct inbox_plugin_runs *find_plugin(struct inbox_plugins *list, const char *name) {
    for (size_t i = 0; i < list->n_plugins; i++) {
        if (strcmp(list->plugins[i].plugin, name) == 0) {
            return &list->plugins[i];
        }
    }
    struct inbox_plugin_runs *plugin = ARRAY_ADD(list->plugins, list->n_plugins);
    if (plugin) {
        snprintf(plugin->plugin, sizeof plugin->plugin, "%s", name);
    }
    return plugin;
}

/* plugin, state ("" for a configured plugin), count. Those that wait are among the queued and the
 * blocked ones too. The order of the rows does not matter. */
static int on_plugin(void *context, const struct console_row *row) {
    struct inbox_plugin_runs *plugin = find_plugin(context, console_text(row, 0));
    if (!plugin) {
        return -1;
    }
    const struct {
        const char *state;
        int64_t *count, *less;
    } counts[] = {{"queued", &plugin->queued, NULL},
                  {"blocked", &plugin->blocked, NULL},
                  {"held", &plugin->held, NULL},
                  {"running", &plugin->running, NULL},
                  {"parked", &plugin->parked, NULL},
                  {"dead", &plugin->dead, NULL},
                  {"queued waiting", &plugin->waiting, &plugin->queued},
                  {"blocked waiting", &plugin->waiting, &plugin->blocked}};
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        if (strcmp(counts[i].state, console_text(row, 1)) != 0) {
            continue;
        }
        *counts[i].count += console_number(row, 2);
        if (counts[i].less) {
            *counts[i].less -= console_number(row, 2);
        }
    }
    return 0;
}

/* A count ends at a limit, so more runs may wait than were counted as queued. */
static void raise_to_zero(struct inbox_plugins *list) {
    for (size_t i = 0; i < list->n_plugins; i++) {
        struct inbox_plugin_runs *plugin = &list->plugins[i];
        plugin->queued = plugin->queued > 0 ? plugin->queued : 0;
        plugin->blocked = plugin->blocked > 0 ? plugin->blocked : 0;
    }
}

static int64_t first_hour_ms(const struct inbox_plugins *list) {
    return (list->now_ms / HOUR_MS - (HOURS - 1)) * HOUR_MS;
}

/* plugin, start of the hour, count. */
static int on_hour(void *context, const struct console_row *row) {
    struct inbox_plugins *list = context;
    int64_t nth = (console_number(row, 1) - first_hour_ms(list)) / HOUR_MS;
    struct inbox_plugin_runs *plugin = find_plugin(list, console_text(row, 0));
    if (plugin && nth >= 0 && nth < HOURS) {
        plugin->hours[nth] = console_number(row, 2);
    }
    return plugin ? 0 : -1;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct inbox_plugin_runs *)a)->plugin,
                  ((const struct inbox_plugin_runs *)b)->plugin);
}

int console_plugins(struct console_store *store, struct inbox_plugins *list, struct error *err) {
    const struct console_value now = console_value_number(list->now_ms);
    const struct console_value first = console_value_number(first_hour_ms(list));
    if (store->methods->ask(store, CONSOLE_PLUGIN_COUNTS, &now, 1, on_plugin, list, err,
                            WHAT_PLUGINS) < 0 ||
        store->methods->ask(store, CONSOLE_PLUGIN_HOURS, &first, 1, on_hour, list, err,
                            WHAT_PLUGINS) < 0) {
        return -1;
    }
    raise_to_zero(list);
    if (list->n_plugins > 0) {
        qsort(list->plugins, list->n_plugins, sizeof *list->plugins, by_name);
    }
    return 0;
}

/* ---- recovery ---- */

#define WHAT_RECOVERY "reading the state of the recovery"

static int on_recovery(void *context, const struct console_row *row) {
    struct inbox_recovery *recovery = context;
    recovery->missing = console_number(row, 0);
    recovery->asked = console_number(row, 1);
    recovery->requests = console_number(row, 2);
    recovery->fetched = console_number(row, 3);
    recovery->given_up = console_number(row, 4);
    recovery->last_request_ms = console_number(row, 5);
    return 1;
}

/* The columns of SHARED_PULL_PLACE. */
static int on_pull_place(void *context, const struct console_row *row) {
    struct inbox_recovery *recovery = context;
    recovery->pulls = true;
    recovery->place_ms = console_number(row, 2);
    recovery->full_ms = console_number(row, 3);
    return 1;
}

static int on_pull_waiting(void *context, const struct console_row *row) {
    struct inbox_recovery *recovery = context;
    recovery->waiting = console_number(row, 0);
    recovery->oldest_waiting_ms = console_number(row, 1);
    return 1;
}

int console_recovery(struct console_store *store, struct inbox_recovery *recovery,
                     struct error *err) {
    static const struct {
        enum console_sql sql;
        int (*on_row)(void *context, const struct console_row *row);
    } parts[] = {{CONSOLE_RECOVERY, on_recovery},
                 {CONSOLE_PULL_PLACE, on_pull_place},
                 {CONSOLE_PULL_WAITING, on_pull_waiting}};
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        if (store->methods->ask(store, parts[i].sql, NULL, 0, parts[i].on_row, recovery, err,
                                WHAT_RECOVERY) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- actions ---- */

#define WHAT_ACTIONS "listing actions"

static int on_id(void *context, const struct console_row *row) {
    ((struct inbox_action *)context)->id = console_number(row, 0);
    return 1;
}

int console_action_put(struct console_store *store, struct inbox_action_put *put,
                       struct error *err) {
    struct inbox_action *action = &put->action;
    const struct console_value values[] = {
        console_value_number(action->at_ms), console_value_text(action->who),
        console_value_text(action->what), console_value_text(action->target),
        console_value_text(action->result)};
    return store->methods->ask(store, CONSOLE_ACTION_ADD, values, ARRAY_LENGTH(values), on_id,
                               action, err, "storing an action");
}

static int on_action(void *context, const struct console_row *row) {
    struct inbox_actions *list = context;
    if (list->n_actions == list->most) {
        list->more = true;
        return 1;
    }
    struct inbox_action *action = ARRAY_ADD(list->actions, list->n_actions);
    if (!action) {
        return -1;
    }
    action->id = console_number(row, 0);
    action->at_ms = console_number(row, 1);
    console_copy(row, 2, action->who, sizeof action->who);
    console_copy(row, 3, action->what, sizeof action->what);
    console_copy(row, 4, action->target, sizeof action->target);
    console_copy(row, 5, action->result, sizeof action->result);
    return 0;
}

int console_actions(struct console_store *store, struct inbox_actions *list, struct error *err) {
    assert(list->most > 0 && list->most <= INBOX_ACTIONS_MOST_MAX);
    const struct console_value before =
        console_value_number(list->before > 0 ? list->before : INT64_MAX);
    const struct console_value most = console_value_number((int64_t)list->most + 1);
    const struct console_value all[] = {before, most};
    const struct console_value of_target[] = {before, console_value_text(list->target), most};
    return list->target ? store->methods->ask(store, CONSOLE_ACTIONS_OF_TARGET, of_target, 3,
                                              on_action, list, err, WHAT_ACTIONS)
                        : store->methods->ask(store, CONSOLE_ACTIONS, all, 2, on_action, list, err,
                                              WHAT_ACTIONS);
}
