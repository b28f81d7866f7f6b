/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The plugins: their state, what they declare and what they have to do; pause, resume and release.
 */
#include "console/plugins.h"
#include "base/clock.h"
#include "console/pages.h"
#include "console/room.h"
#include "console/search.h"
#include "console/status.h"
#include "console/view.h"
#include "inbox/console.h"
#include "inbox/holds.h"
#include "metrics/metrics.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOURS 24

struct plugins {
    struct status status;
    struct inbox_plugins runs;
    struct inbox_holds holds;
};

static int load(struct console_task *task, struct plugins *plugins, struct error *err) {
    plugins->runs =
        (struct inbox_plugins){.operation = {.kind = INBOX_PLUGINS}, .now_ms = task->now_ms};
    plugins->holds =
        (struct inbox_holds){.operation = {.kind = INBOX_HOLDS}, .now_ms = task->now_ms};
    status_read(task, &plugins->status);
    return room_read(task->console, &plugins->runs.operation, err) < 0 ||
                   room_read(task->console, &plugins->holds.operation, err) < 0
               ? -1
               : 0;
}

static void finish(struct plugins *plugins) {
    status_finish(&plugins->status);
    free(plugins->runs.plugins);
    free(plugins->holds.holds);
}

static const struct inbox_plugin_runs *runs_of(const struct plugins *plugins, const char *name) {
    for (size_t i = 0; i < plugins->runs.n_plugins; i++) {
        if (strcmp(plugins->runs.plugins[i].plugin, name) == 0) {
            return &plugins->runs.plugins[i];
        }
    }
    return NULL;
}

/* The configuration of the plugin with this index among the enabled ones. */
static const struct config_plugin *config_of(const struct console_task *task, size_t index) {
    const struct config *config = task->console->options.config;
    for (size_t i = 0; i < config->n_plugins; i++) {
        if (config->plugins[i].enabled && index-- == 0) {
            return &config->plugins[i];
        }
    }
    return NULL;
}

/* ---- HTML ---- */

static void put_sparkline(struct buffer *page, const struct inbox_plugin_runs *runs) {
    int64_t most = 1, sum = 0;
    for (size_t i = 0; i < HOURS; i++) {
        most = runs->hours[i] > most ? runs->hours[i] : most;
        sum += runs->hours[i];
    }
    if (sum == 0) {
        http_page_html(page,
                       "<p class=\"hint\">The chart of the last 24 hours has no run yet. A run "
                       "comes into it two minutes after its delivery.</p>\n");
        return;
    }
    http_page_put(page,
                  "<svg class=\"spark\" viewBox=\"0 0 %d 30\" preserveAspectRatio=\"none\" "
                  "role=\"img\" aria-label=\"%lld run%s in 24 hours, at most %lld in one hour\">",
                  HOURS * 5, (long long)sum, sum == 1 ? "" : "s", (long long)most);
    for (size_t i = 0; i < HOURS; i++) {
        long long height = (long long)(runs->hours[i] * 28 / most);
        http_page_put(page, "<rect x=\"%zu\" y=\"%lld\" width=\"4\" height=\"%lld\"/>", i * 5,
                      29 - height, height + 1);
    }
    http_page_put(page, "</svg> <span class=\"hint\">%lld run%s in 24 hours</span>\n",
                  (long long)sum, sum == 1 ? "" : "s");
}

static void put_counts(struct buffer *page, const struct inbox_plugin_runs *runs) {
    const struct {
        const char *state;
        int64_t count;
    } counts[] = {{"queued", runs->queued},   {"blocked", runs->blocked}, {"held", runs->held},
                  {"running", runs->running}, {"waiting", runs->waiting}, {"parked", runs->parked},
                  {"dead", runs->dead}};
    bool any = false;
    http_page_html(page, "<p>");
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (counts[i].count > 0) {
            http_page_html(page, "<a href=\"" CONSOLE_PATH "/deliveries?plugin=");
            view_put_part(page, runs->plugin);
            http_page_put(page, "&amp;state=%s\">%lld %s</a> ", counts[i].state,
                          (long long)counts[i].count, counts[i].state);
            any = true;
        }
    }
    http_page_html(page, any ? "· " : "No run waits or failed. ");
    http_page_html(page, "<a href=\"" CONSOLE_PATH "/deliveries?plugin=");
    view_put_part(page, runs->plugin);
    http_page_html(page, "\">All its runs</a></p>\n");
}

static void put_permissions(struct buffer *page, const struct description *description) {
    http_page_html(page, "<dt>Permissions</dt><dd>");
    for (size_t i = 0; i < description->n_permissions; i++) {
        const struct described_permission *permission = &description->permissions[i];
        http_page_put(page, "%s<code>%s: %s</code>%s", i > 0 ? ", " : "", permission->name,
                      permission->access, permission->optional ? " (optional)" : "");
    }
    http_page_html(page, description->n_permissions > 0 ? "</dd>\n" : "metadata: read</dd>\n");
}

/* The events in whose texts commands are read. */
static void put_command_events(struct buffer *page, const struct description *description) {
    const char *events[DESCRIPTION_COMMAND_EVENTS_MAX];
    size_t count = description_command_events(description, events);
    http_page_html(page,
                   description->n_subscriptions > 0 ? "; for its commands " : "for its commands ");
    for (size_t i = 0; i < count; i++) {
        http_page_put(page, "%s<code>%s</code>", i > 0 ? ", " : "", events[i]);
    }
}

static void put_subscriptions(struct buffer *page, const struct description *description) {
    http_page_html(page, "<dt>Events</dt><dd>");
    for (size_t i = 0; i < description->n_subscriptions; i++) {
        const struct described_subscription *one = &description->subscriptions[i];
        http_page_put(page, "%s<code>%s%s%s</code>", i > 0 ? ", " : "", one->event,
                      *one->action ? "." : "", one->action);
        if (*one->filters) {
            http_page_put(page, " where <code>%s</code>", one->filters);
        }
    }
    if (description->n_commands > 0) {
        put_command_events(page, description);
    } else if (description->n_subscriptions == 0) {
        http_page_html(page, "none");
    }
    http_page_html(page, "</dd>\n");
    if (description->n_commands > 0) {
        http_page_html(page, "<dt>Commands</dt><dd>");
        for (size_t i = 0; i < description->n_commands; i++) {
            const struct described_command *command = &description->commands[i];
            char roles[DESCRIPTION_ROLES_MAX];
            description_roles(command->roles, roles);
            http_page_html(page, i > 0 ? "<br>" : "");
            http_page_put(page, "<code>%s</code> <span class=\"soft\">(%s)</span>",
                          *command->usage ? command->usage : command->name, roles);
        }
        http_page_html(page, "</dd>\n");
    }
}

static void put_check_actions(struct buffer *page, const struct description *description) {
    http_page_html(page, description->n_check_actions > 0 ? "<dt>Check runs</dt><dd>" : "");
    for (size_t i = 0; i < description->n_check_actions; i++) {
        const struct described_check_action *action = &description->check_actions[i];
        char roles[DESCRIPTION_ROLES_MAX];
        description_roles(action->roles, roles);
        http_page_html(page, i > 0 ? "<br>" : "");
        if (*action->identifier) {
            http_page_put(page, "button <code>%s</code>", action->identifier);
        } else {
            http_page_html(page, "re-run");
        }
        http_page_put(page, " of %s <span class=\"soft\">(%s)</span>",
                      *action->check ? action->check : "any check run", roles);
    }
    http_page_html(page, description->n_check_actions > 0 ? "</dd>\n" : "");
}

static void put_description(struct console_task *task, size_t index,
                            const struct description *description) {
    struct buffer *page = &task->page;
    const struct config_plugin *config = config_of(task, index);
    http_page_html(page, "<dl class=\"facts\">\n");
    put_subscriptions(page, description);
    put_check_actions(page, description);
    put_permissions(page, description);
    if (config) {
        http_page_put(
            page,
            "<dt>Limits</dt><dd>%u runs at once, %u MiB, %lld ms a run, %u effects an hour"
            "</dd>\n",
            config->concurrency, config->memory_mib, (long long)config->deadline_ms,
            config->effects_per_hour);
        http_page_put(page, "<dt>File</dt><dd><code>%s</code>%s</dd>\n", config->as_written,
                      config->dry_run ? ", dry run: its effects are recorded, not sent" : "");
    }
    http_page_html(page, "</dl>\n");
}

static void put_hold_form(struct console_task *task, const char *plugin, const char *action,
                          const struct inbox_hold *hold, const char *text, const char *style) {
    char path[CONSOLE_PATH_MAX];
    snprintf(path, sizeof path, "/plugins/%s/%s", plugin, action);
    if (!view_form_begin(task, path)) {
        return;
    }
    if (hold) {
        view_hidden(&task->page, "scope", inbox_hold_scope_name(hold->scope));
        view_hidden(&task->page, "value", hold->value);
    }
    http_page_put(&task->page,
                  "<button class=\"%s\">%s<span class=\"hidden\"> %s</span></button>\n", style,
                  text, plugin);
    view_form_end(&task->page);
}

static void put_hold(struct console_task *task, const struct inbox_hold *hold) {
    struct buffer *page = &task->page;
    bool paused = hold->cause == INBOX_HOLD_PAUSED;
    /* The verb's reason would repeat the badge. */
    bool by_operator = strcmp(hold->reason, "paused by an operator") == 0;
    http_page_html(page, "<div class=\"actions\">");
    view_state(page, inbox_hold_cause_name(hold->cause));
    http_page_put(page, hold->scope == INBOX_HOLD_PLUGIN ? " <span>%s" : " <span>%s %s",
                  hold->scope == INBOX_HOLD_PLUGIN ? "the whole plugin"
                                                   : inbox_hold_scope_name(hold->scope),
                  hold->value);
    http_page_html(page, by_operator ? ", by an operator, since " : " since ");
    view_time(page, hold->since_ms, task->now_ms);
    if (hold->until_ms > 0) {
        http_page_html(page, ", ends ");
        view_time(page, hold->until_ms, task->now_ms);
    }
    http_page_put(page, by_operator ? "</span>\n" : ": %s</span>\n", hold->reason);
    put_hold_form(task, hold->plugin, paused ? "resume" : "release", hold,
                  paused ? "Resume" : "Release", "quiet");
    http_page_html(page, "</div>\n");
}

/* The whole plugin's pause needs no second one. */
static bool put_holds(struct console_task *task, const struct plugins *plugins, const char *name) {
    bool is_paused = false;
    for (size_t i = 0; i < plugins->holds.n_holds; i++) {
        const struct inbox_hold *hold = &plugins->holds.holds[i];
        if (strcmp(hold->plugin, name) == 0) {
            put_hold(task, hold);
            is_paused =
                is_paused || (hold->scope == INBOX_HOLD_PLUGIN && hold->cause == INBOX_HOLD_PAUSED);
        }
    }
    return is_paused;
}

/* The worker on this host. */
static void put_worker(struct buffer *page, const char *plugin, const struct config_plugin *config,
                       int64_t host_ms) {
    struct metrics_worker worker;
    char ran[VIEW_DURATION_MAX];
    if (!metrics_read_worker(plugin, &worker)) {
        return;
    }
    view_duration(worker.ran_ms, ran);
    http_page_html(page, "<dl class=\"facts\"><dt>Worker on this host</dt><dd>");
    if (worker.memory_bytes > 0) {
        http_page_put(page, "%lld of at most %u MiB of memory<br>",
                      (long long)(worker.memory_bytes >> 20), config->memory_mib);
    }
    http_page_put(page,
                  "%lld of at most %u runs at once<br>its runs took %s since the host's start",
                  (long long)worker.runs_now, config->concurrency, ran);
    if (host_ms > 0) {
        int64_t use = worker.ran_ms * 1000 / (host_ms * config->concurrency);
        http_page_put(page, " (%lld.%lld %% of the time that it had for %u runs at once)",
                      (long long)(use / 10), (long long)(use % 10), config->concurrency);
    }
    if (worker.deaths > 0) {
        http_page_put(page, "<br><strong>it died %lld time%s since the host's start</strong>",
                      (long long)worker.deaths, worker.deaths == 1 ? "" : "s");
    }
    http_page_html(page, "</dd></dl>\n");
}

/* A worker that runs gets no run of a plugin that is held as a whole. */
static void put_state(struct buffer *page, const struct plugins *plugins, const char *name,
                      const char *state) {
    for (size_t i = 0; strcmp(state, "running") == 0 && i < plugins->holds.n_holds; i++) {
        const struct inbox_hold *hold = &plugins->holds.holds[i];
        if (strcmp(hold->plugin, name) == 0 && hold->scope == INBOX_HOLD_PLUGIN) {
            state = inbox_hold_cause_name(hold->cause);
        }
    }
    view_state(page, state);
}

/* The state is that of the present worker; earlier ones may have died. */
static void put_deaths(struct buffer *page, const char *plugin) {
    struct metrics_worker worker;
    if (metrics_read_worker(plugin, &worker) && worker.deaths > 0) {
        http_page_put(page, " <span class=\"badge bad\">died %lld time%s</span>",
                      (long long)worker.deaths, worker.deaths == 1 ? "" : "s");
    }
}

static void put_plugin(struct console_task *task, const struct plugins *plugins, size_t index,
                       const struct description *description) {
    struct buffer *page = &task->page;
    char path[64], state[STATUS_TEXT_MAX], sandbox[STATUS_TEXT_MAX];
    const struct inbox_plugin_runs *runs = runs_of(plugins, description->name);
    snprintf(path, sizeof path, "plugins[%zu].state", index);
    status_text(&plugins->status, path, state);
    snprintf(path, sizeof path, "plugins[%zu].sandbox", index);
    status_text(&plugins->status, path, sandbox);
    http_page_html(page, "<section class=\"card\">\n<h2><a href=\"" CONSOLE_PATH "/plugins/");
    view_put_part(page, description->name);
    http_page_put(page, "\">%s</a> <span class=\"soft\">%s</span> ", description->name,
                  description->version);
    put_state(page, plugins, description->name, state);
    put_deaths(page, description->name);
    http_page_html(page, "</h2>\n");
    http_page_put(page, "<p>%s</p>\n<p>Sandbox ", description->summary);
    view_state(page, sandbox);
    http_page_html(page, "</p>\n");
    if (runs) {
        put_sparkline(page, runs);
        put_counts(page, runs);
    }
    put_worker(page, description->name, config_of(task, index),
               clock_monotonic_ms() - task->console->started_ms);
    bool is_paused = put_holds(task, plugins, description->name);
    put_description(task, index, description);
    if (!is_paused) {
        http_page_html(page, "<div class=\"actions\">");
        put_hold_form(task, description->name, "pause", NULL, "Pause", "quiet");
        http_page_html(page, "</div>\n");
    }
    http_page_html(page, "</section>\n");
}

static void put_page(struct console_task *task, const struct plugins *plugins) {
    const struct console_options *options = &task->console->options;
    view_begin(task, "Plugins", true);
    view_notice(task);
    bool more = true;
    for (size_t i = 0; more; i++) {
        const struct description *description = options->describe(options->context, i, &more);
        if (description) {
            put_plugin(task, plugins, i, description);
        }
    }
    view_end(&task->page);
}

int plugins_put_one(struct console_task *task, size_t index,
                    const struct description *description) {
    struct plugins plugins;
    struct error err;
    char title[CONSOLE_PATH_MAX];
    int result = load(task, &plugins, &err);
    if (result < 0) {
        view_store_failed(task, &err);
    } else {
        snprintf(title, sizeof title, "Plugin %s", description->name);
        view_begin(task, title, true);
        view_notice(task);
        put_plugin(task, &plugins, index, description);
    }
    finish(&plugins);
    return result;
}

/* ---- JSON ---- */

/* The numbers of the chart. NULL: the store knows no run of the plugin. */
static void put_json_hours(struct buffer *json, const struct inbox_plugin_runs *runs) {
    view_json_open(json, "runs_by_hour", '[');
    for (size_t i = 0; i < HOURS; i++) {
        view_json_number(json, NULL, runs ? runs->hours[i] : 0);
    }
    view_json_close(json, ']');
}

static void put_json_worker(struct buffer *json, const char *plugin) {
    struct metrics_worker worker;
    if (!metrics_read_worker(plugin, &worker)) {
        return;
    }
    view_json_open(json, "worker", '{');
    view_json_number(json, "memory_bytes", (int64_t)worker.memory_bytes);
    view_json_number(json, "runs", (int64_t)worker.runs_now);
    view_json_number(json, "ran_ms", worker.ran_ms);
    view_json_number(json, "deaths", (int64_t)worker.deaths);
    view_json_close(json, '}');
}

int plugins_put_json_one(struct console_task *task, const char *name) {
    struct plugins plugins;
    struct error err;
    int result = load(task, &plugins, &err);
    if (result < 0) {
        view_store_failed(task, &err);
    } else {
        view_json_open(&task->page, NULL, '{');
        view_json_text(&task->page, "name", name);
        put_json_hours(&task->page, runs_of(&plugins, name));
        put_json_worker(&task->page, name);
    }
    finish(&plugins);
    return result;
}

static void put_json(struct console_task *task, const struct plugins *plugins) {
    struct buffer *json = &task->page;
    view_json_open(json, NULL, '{');
    view_json_open(json, "plugins", '[');
    for (size_t i = 0; i < plugins->runs.n_plugins; i++) {
        const struct inbox_plugin_runs *runs = &plugins->runs.plugins[i];
        view_json_open(json, NULL, '{');
        view_json_text(json, "name", runs->plugin);
        view_json_number(json, "queued", runs->queued);
        view_json_number(json, "blocked", runs->blocked);
        view_json_number(json, "held", runs->held);
        view_json_number(json, "running", runs->running);
        view_json_number(json, "waiting", runs->waiting);
        view_json_number(json, "parked", runs->parked);
        view_json_number(json, "dead", runs->dead);
        put_json_hours(json, runs);
        put_json_worker(json, runs->plugin);
        view_json_close(json, '}');
    }
    view_json_close(json, ']');
    view_json_open(json, "holds", '[');
    for (size_t i = 0; i < plugins->holds.n_holds; i++) {
        const struct inbox_hold *hold = &plugins->holds.holds[i];
        view_json_open(json, NULL, '{');
        view_json_text(json, "plugin", hold->plugin);
        view_json_text(json, "scope", inbox_hold_scope_name(hold->scope));
        view_json_text(json, "value", hold->value);
        view_json_text(json, "cause", inbox_hold_cause_name(hold->cause));
        view_json_time(json, "since", hold->since_ms);
        view_json_time(json, "until", hold->until_ms);
        view_json_text(json, "reason", hold->reason);
        view_json_close(json, '}');
    }
    view_json_close(json, ']');
    view_json_raw(json, "status", &plugins->status.json);
    view_json_close(json, '}');
}

void page_plugins(struct console_task *task) {
    struct plugins plugins;
    struct error err;
    if (load(task, &plugins, &err) < 0) {
        view_store_failed(task, &err);
    } else if (task->wants_json) {
        put_json(task, &plugins);
    } else {
        put_page(task, &plugins);
    }
    finish(&plugins);
}

/* ---- POST /console/plugins/NAME/pause ---- */

/* -1: no scope has that name. */
static int read_scope(const char *name) {
    for (int scope = INBOX_HOLD_PLUGIN; scope <= INBOX_HOLD_ITEM; scope++) {
        if (strcmp(name, inbox_hold_scope_name((enum inbox_hold_scope)scope)) == 0) {
            return scope;
        }
    }
    return *name ? -1 : INBOX_HOLD_PLUGIN;
}

static int change(struct console_task *task, const struct inbox_hold *hold, bool pauses,
                  struct error *err) {
    struct inbox_hold_change change = {
        .operation = {.kind = pauses ? INBOX_HOLD_PUT : INBOX_HOLD_END}, .hold = *hold};
    return room_change(task->console, &change.operation, err);
}

/* 0: changed; 1: not; -1. */
static int act(struct console_task *task, struct inbox_hold *hold, const char *action,
               struct error *err) {
    if (strcmp(action, "release") != 0) {
        hold->cause = INBOX_HOLD_PAUSED;
        return change(task, hold, strcmp(action, "pause") == 0, err);
    }
    hold->cause = INBOX_HOLD_QUARANTINED;
    int quarantine = change(task, hold, false, err);
    hold->cause = INBOX_HOLD_LOOP;
    int loop = quarantine < 0 ? -1 : change(task, hold, false, err);
    if (quarantine < 0 || loop < 0) {
        return -1;
    }
    return quarantine == 0 || loop == 0 ? 0 : 1;
}

/* False: one of them is longer than its room. */
static bool name_hold(struct inbox_hold *hold, const char *plugin, const char *value) {
    return snprintf(hold->plugin, sizeof hold->plugin, "%s", plugin) < (int)sizeof hold->plugin &&
           snprintf(hold->value, sizeof hold->value, "%s", value) < (int)sizeof hold->value;
}

static void carry_out(struct console_task *task, const char *name, const char *action,
                      const char *done) {
    struct error err;
    char path[CONSOLE_PATH_MAX];
    char target[INBOX_NAME_MAX + 1 + INBOX_HOLD_VALUE_MAX + 1];
    int scope = read_scope(task_field(task, "scope"));
    const char *value = task_field(task, "value");
    struct inbox_hold hold = {.since_ms = task->now_ms};
    if (strcmp(action, "pause") == 0 && (scope != INBOX_HOLD_PLUGIN || *value)) {
        view_problem(task, 400, "The console pauses whole plugins",
                     "A pause of one installation, repository or item needs the command line.",
                     "Use `snekomatic plugins pause PLUGIN --repository OWNER/REPO`.");
        return;
    }
    if (scope < 0 || !search_is_plugin(task, name) || !name_hold(&hold, name, value)) {
        view_problem(task, 404, "No such plugin or scope",
                     "No configured plugin has this name, or the form names no scope.",
                     "Use the buttons on the page of plugins.");
        return;
    }
    hold.scope = (enum inbox_hold_scope)scope;
    snprintf(hold.reason, sizeof hold.reason, "paused in the console");
    int result = act(task, &hold, action, &err);
    snprintf(target, sizeof target, "%s%s%s", hold.plugin, *value ? " " : "", hold.value);
    room_note_action(task, action, target, result, &err, result == 0 ? 1 : -1);
    if (result < 0) {
        view_store_failed(task, &err);
        return;
    }
    snprintf(path, sizeof path, "/plugins?what=%s&value=%d", done, result == 0 ? 1 : 0);
    view_redirect(task, path);
}

void action_plugin(struct console_task *task) {
    static const struct {
        const char *action, *done;
    } actions[] = {{"pause", "paused"}, {"resume", "resumed"}, {"release", "released"}};
    char name[CONSOLE_PATH_MAX];
    snprintf(name, sizeof name, "%s", task_rest(task));
    char *action = strrchr(name, '/');
    if (action) {
        *action++ = '\0';
    }
    for (size_t i = 0; action && i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(action, actions[i].action) == 0) {
            carry_out(task, name, actions[i].action, actions[i].done);
            return;
        }
    }
    view_problem(task, 404, "No such action", "A plugin has no action of this name.",
                 "Use the buttons on the page of plugins.");
}
