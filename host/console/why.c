/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Asks dispatch about each configured plugin, and shows the first condition that failed. */
#include "console/why.h"

#include "console/advice.h"
#include "console/entries.h"
#include "console/room.h"
#include "console/view.h"
#include "dispatch/explain.h"
#include "inbox/admin.h"
#include "inbox/console.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct why {
    struct console_task *task;
    const struct inbox_show *show;
    struct explain_delivery delivery;
    /* NULL: it was pruned. */
    struct payload *payload;
};

/* A plugin of the configuration. */
struct finding {
    const char *name;
    /* Of the plugin, as the configuration has it. */
    const char *file;
    /* NULL: none. */
    const struct inbox_entry *run;
    struct explain_result result;
    char sentence[EXPLAIN_SENTENCE_MAX + 1];
};

static const struct inbox_entry *run_of(const struct why *why, const char *plugin) {
    for (size_t i = 0; i < why->show->n_runs; i++) {
        if (strcmp(why->show->runs[i].plugin, plugin) == 0) {
            return &why->show->runs[i];
        }
    }
    return NULL;
}

/* `index` counts the plugins of the configuration, `enabled` those that are enabled. */
static void find(const struct why *why, size_t index, size_t enabled, struct finding *finding) {
    const struct console_options *options = &why->task->console->options;
    const struct config_plugin *plugin = &options->config->plugins[index];
    bool more;
    const struct description *description =
        plugin->enabled ? options->describe(options->context, enabled, &more) : NULL;
    *finding = (struct finding){.name = description ? description->name : plugin->as_written,
                                .file = plugin->as_written};
    finding->run = run_of(why, finding->name);
    room_explain(why->task->console, &why->delivery, index, why->payload, &finding->result);
    explain_host_sentence(finding->result.host, &why->delivery, finding->sentence);
}

/* ---- HTML ---- */

/* After "it matches": what came of it. */
static void put_outcome(struct buffer *page, const struct explained *item,
                        const struct inbox_entry *run) {
    if (item->verdict != EXPLAINED_MATCHES && item->verdict != EXPLAINED_ROLE) {
        return;
    }
    if (run) {
        http_page_html(page, ". The run of this plugin is ");
        entry_put_state(page, run);
    } else {
        http_page_html(page, ". The plugin has no run, because it was not configured this way when "
                             "the delivery came");
    }
}

static void put_handlers(struct buffer *page, const struct finding *finding) {
    http_page_html(page, "<ul>\n");
    for (size_t i = 0; i < finding->result.n_items; i++) {
        const struct explained *item = &finding->result.items[i];
        char sentence[EXPLAINED_SENTENCE_MAX + 1];
        explained_sentence(item, sentence);
        http_page_put(page, "<li>%s <code>%s</code>: %s", explained_kind_name(item->kind),
                      item->name, sentence);
        put_outcome(page, item, finding->run);
        http_page_html(page, ".</li>\n");
    }
    http_page_html(page, "</ul>\n");
}

static bool has_verdict(const struct finding *finding, enum explained_verdict verdict) {
    for (size_t i = 0; i < finding->result.n_items; i++) {
        if (finding->result.items[i].verdict == verdict) {
            return true;
        }
    }
    return false;
}

/* How to change what the host decides by its configuration; NULL: it is nothing to change. */
static const char *fix_of_host(enum explain_host host) {
    switch (host) {
    case EXPLAIN_DISABLED:
        return "Set enabled = true in its [[plugin]] table of snekomatic.toml, and reload.";
    case EXPLAIN_NOT_LOADED:
        return "Look at the page of the plugins, and at the log, for why it does not load.";
    case EXPLAIN_INSTALLATION:
        return "Add the installation to plugin.installations in its [[plugin]] table of "
               "snekomatic.toml, and reload.";
    case EXPLAIN_REPOSITORY:
        return "Add the repository to plugin.repositories in its [[plugin]] table of "
               "snekomatic.toml, and reload.";
    default:
        return NULL;
    }
}

/* Where the failed condition is set, and how to go on. */
static void put_fix(const struct why *why, const struct finding *finding) {
    struct buffer *page = &why->task->page;
    const char *of_host = fix_of_host(finding->result.host);
    if (of_host) {
        http_page_put(page, "<p class=\"hint\">%s</p>\n", of_host);
    }
    if (has_verdict(finding, EXPLAINED_FILTER)) {
        http_page_put(page,
                      "<p class=\"hint\">A filter is set in the plugin’s code, in its table of "
                      "subscriptions (the file is <code>%s</code>). Change it there, build the "
                      "plugin, load it with <code>snekomatic reload</code>, and then press “Run "
                      "again” on the page of the delivery.</p>\n",
                      finding->file);
    }
    if (has_verdict(finding, EXPLAINED_ROLE)) {
        http_page_html(page,
                       "<p class=\"hint\">The roles of a command are set in the plugin’s code. "
                       "GitHub knows the role of a person.</p>\n");
    }
    if (finding->run && advice_is_skipped(finding->run) &&
        has_verdict(finding, EXPLAINED_NOT_GIVEN)) {
        http_page_html(page,
                       "<p class=\"hint\">It got a run, because the host found the text of a "
                       "command somewhere in the payload, for example in an address. Then its "
                       "worker read the text that the person wrote.</p>\n");
    }
}

/* Has the plugin nothing to do with such a delivery? Then its conditions matter little. */
static bool is_aside(const struct finding *finding) {
    return !finding->run && (finding->result.host == EXPLAIN_EVENT ||
                             finding->result.host == EXPLAIN_NO_INSTALLATION);
}

static void put_plugin(const struct why *why, const struct finding *finding) {
    struct buffer *page = &why->task->page;
    http_page_put(page, "<section class=\"card\">\n<h2>%s ", finding->name);
    if (finding->run) {
        entry_put_state(page, finding->run);
        http_page_html(page, "</h2>\n");
        if (*finding->run->reason) {
            http_page_html(page, "<p>");
            view_long_text(page, finding->run->reason);
            http_page_html(page, "</p>\n");
        }
    } else {
        http_page_html(page, "</h2>\n<p>It has no run of this delivery.</p>\n");
    }
    if (finding->result.host != EXPLAIN_ROUTED) {
        http_page_put(page, "<p>The host: %s.</p>\n", finding->sentence);
    }
    if (finding->result.items && is_aside(finding)) {
        http_page_put(page, "<details><summary>Its subscriptions and commands (%zu)</summary>\n",
                      finding->result.n_items);
        put_handlers(page, finding);
        http_page_html(page, "</details>\n");
    } else if (finding->result.items) {
        put_handlers(page, finding);
    } else if (why->payload && finding->result.host != EXPLAIN_DISABLED) {
        http_page_html(page, "<p>Its worker did not respond, so its filters and commands are not "
                             "known. Reload this page.</p>\n");
    }
    put_fix(why, finding);
    http_page_html(page, "</section>\n");
}

static void begin_page(const struct why *why) {
    struct buffer *page = &why->task->page;
    view_begin(why->task, "Why did a plugin act, or not?", false);
    http_page_html(page, "<p>The delivery ");
    view_put_delivery_link(page, why->delivery.guid, "");
    http_page_put(page,
                  ">%s</a> (%s%s%s), compared with today's configuration. This page calls no "
                  "handler.</p>\n",
                  why->delivery.guid, why->delivery.event, *why->delivery.action ? "." : "",
                  why->delivery.action);
    if (!why->payload) {
        http_page_html(page, "<p class=\"notice\">The payload is deleted, so filters and commands "
                             "are not known.</p>\n");
    }
}

/* ---- JSON ---- */

/* NULL: the plugin has no run. */
static void put_run_text(struct buffer *json, const char *key, const char *text) {
    if (text) {
        view_json_text(json, key, text);
    } else {
        view_json_null(json, key);
    }
}

/* The form is that of `snekomatic deliveries show --why --json`. */
static void put_json(struct buffer *json, const struct finding *finding) {
    view_json_open(json, NULL, '{');
    view_json_text(json, "plugin", finding->name);
    put_run_text(json, "state", finding->run ? finding->run->state : NULL);
    put_run_text(json, "label", finding->run ? finding->run->label : NULL);
    put_run_text(json, "reason", finding->run ? finding->run->reason : NULL);
    view_json_text(json, "host", explain_host_name(finding->result.host));
    view_json_text(json, "why", finding->sentence);
    view_json_open(json, "handlers", '[');
    for (size_t i = 0; i < finding->result.n_items; i++) {
        const struct explained *item = &finding->result.items[i];
        char sentence[EXPLAINED_SENTENCE_MAX + 1];
        explained_sentence(item, sentence);
        view_json_open(json, NULL, '{');
        view_json_text(json, "kind", explained_kind_name(item->kind));
        view_json_text(json, "name", item->name);
        view_json_text(json, "verdict", explained_verdict_name(item->verdict));
        view_json_text(json, "condition", item->condition);
        view_json_text(json, "saw", item->saw);
        view_json_text(json, "why", sentence);
        view_json_close(json, '}');
    }
    view_json_close(json, ']');
    view_json_close(json, '}');
}

/* ---- the page ---- */

static void put_all_json(const struct why *why, const struct finding *findings, size_t count) {
    struct buffer *json = &why->task->page;
    view_json_open(json, NULL, '{');
    view_json_text(json, "delivery", why->delivery.guid);
    view_json_text(json, "event", why->delivery.event);
    view_json_text(json, "action", why->delivery.action);
    view_json_open(json, "plugins", '[');
    for (size_t i = 0; i < count; i++) {
        put_json(json, &findings[i]);
    }
    view_json_close(json, ']');
    view_json_close(json, '}');
}

/* First the plugins that have to do with such a delivery. */
static void put_page(const struct why *why, const struct finding *findings, size_t count) {
    begin_page(why);
    for (int aside = 0; aside <= 1; aside++) {
        for (size_t i = 0; i < count; i++) {
            if (is_aside(&findings[i]) == (aside == 1)) {
                put_plugin(why, &findings[i]);
            }
        }
    }
    view_end(&why->task->page);
}

static void put_all(const struct why *why) {
    const struct config *config = why->task->console->options.config;
    struct finding *findings = calloc(config->n_plugins + 1, sizeof *findings);
    if (!findings) {
        view_problem(why->task, 503, "Out of memory", "The plugins do not fit into memory.",
                     "Load this page again.");
        return;
    }
    for (size_t i = 0, enabled = 0; i < config->n_plugins; i++) {
        find(why, i, enabled, &findings[i]);
        enabled += config->plugins[i].enabled;
    }
    if (why->task->wants_json) {
        put_all_json(why, findings, config->n_plugins);
    } else {
        put_page(why, findings, config->n_plugins);
    }
    for (size_t i = 0; i < config->n_plugins; i++) {
        free(findings[i].result.items);
    }
    free(findings);
}

static void explain_delivery(struct console_task *task, const struct inbox_show *show) {
    struct error err;
    const struct inbox_entry *entry = &show->runs[0];
    struct inbox_body body = {.operation = {.kind = INBOX_BODY}, .guid = entry->guid};
    if (room_read(task->console, &body.operation, &err) < 0) {
        view_store_failed(task, &err);
        return;
    }
    const struct why why = {.task = task,
                            .show = show,
                            .delivery = {.guid = entry->guid,
                                         .event = entry->event,
                                         .action = entry->action,
                                         .installation = entry->installation,
                                         .repository = entry->repository,
                                         .received_ms = entry->received_ms},
                            .payload = body.body};
    put_all(&why);
    payload_unref(body.body);
}

void page_why(struct console_task *task, const char *guid) {
    struct error err;
    struct inbox_show show = {.operation = {.kind = INBOX_SHOW}, .guid = guid};
    int result = room_read(task->console, &show.operation, &err);
    if (result < 0) {
        view_store_failed(task, &err);
        return;
    }
    if (result == 0) {
        explain_delivery(task, &show);
    } else {
        view_problem(task, 404, "No such delivery", "The store has no delivery with this GUID.",
                     "Check the GUID. The host deletes old deliveries.");
    }
    inbox_show_finish(&show);
}
