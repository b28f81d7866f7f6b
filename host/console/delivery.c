/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One delivery: what came, what each plugin did with it, step by step, and the payload. */
#include "base/array.h"
#include "base/json.h"
#include "base/log_memory.h"
#include "console/advice.h"
#include "console/entries.h"
#include "console/pages.h"
#include "console/payload_tree.h"
#include "console/room.h"
#include "console/search.h"
#include "console/steps.h"
#include "console/view.h"
#include "console/why.h"
#include "ingest/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A line of the log has its level in so many of its first bytes. */
#define LEVEL_WITHIN ((size_t)64)

/* ---- the parts ---- */

/* A member of the payload that is an address of a page. False: there is none. */
static bool find_address(const struct payload *payload, const char *path, char *out, size_t room) {
    struct json_value value;
    if (!payload || !json_find(payload->data, payload->bytes, path, &value) ||
        value.type != JSON_STRING || value.raw_bytes >= room) {
        return false;
    }
    out[json_unescape(value.raw + 1, value.raw_bytes - 2, out)] = '\0';
    return strncmp(out, "https://", strlen("https://")) == 0 ||
           strncmp(out, "http://", strlen("http://")) == 0;
}

/* The page at GitHub that the delivery is about. */
static void put_page_at_github(struct buffer *page, const struct payload *payload) {
    static const char *const paths[] = {
        "comment.html_url",    "review.html_url",  "pull_request.html_url", "issue.html_url",
        "discussion.html_url", "release.html_url", "check_run.html_url",    "repository.html_url"};
    char address[1024];
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        if (find_address(payload, paths[i], address, sizeof address)) {
            http_page_put(page,
                          "<dt>At GitHub</dt><dd><a href=\"%s\" rel=\"noreferrer\">%s</a></dd>\n",
                          address, address);
            return;
        }
    }
}

static void put_person(struct buffer *page, const char *login) {
    if (*login) {
        http_page_html(page, "<dt>Person</dt><dd><a href=\"" CONSOLE_PATH "/deliveries?sender=");
        view_put_part(page, login);
        http_page_put(page, "\">%s</a></dd>\n", login);
    }
}

static void put_installation(struct buffer *page, const char *installation) {
    if (*installation) {
        http_page_html(page, "<dt>Installation</dt><dd><a href=\"" CONSOLE_PATH "/installations#i");
        http_page_put(page, "%s\">%s</a></dd>\n", installation, installation);
    } else {
        http_page_html(page, "<dt>Installation</dt><dd>none: no plugin can act on it</dd>\n");
    }
}

static void put_facts(struct console_task *task, const struct inbox_entry *entry,
                      const struct payload *payload) {
    struct buffer *page = &task->page;
    http_page_html(page, "<dl class=\"facts\">\n");
    http_page_put(page, "<dt>GUID</dt><dd><code>%s</code></dd>\n<dt>Event</dt><dd>%s", entry->guid,
                  entry->event);
    http_page_put(page, *entry->action ? ".%s</dd>\n" : "%s</dd>\n", entry->action);
    http_page_html(page, "<dt>Received and committed</dt><dd>");
    view_time(page, entry->received_ms, task->now_ms);
    http_page_html(page, "</dd>\n<dt>About</dt><dd>");
    entry_put_place(page, entry);
    http_page_html(page, "</dd>\n");
    put_page_at_github(page, payload);
    put_person(page, entry->sender);
    put_installation(page, entry->installation);
    if (entry->body_bytes >= 0) {
        http_page_put(page, "<dt>Payload</dt><dd>%lld bytes</dd>\n", (long long)entry->body_bytes);
    } else {
        http_page_put(page,
                      "<dt>Payload</dt><dd>deleted after %u days (store.retention_days)</dd>\n",
                      task->console->options.config->store.retention_days);
    }
    http_page_html(page, "</dl>\n");
}

/* A retry of a run that did something would do it twice, so only skipped runs are run again. */
static bool had_nothing_to_do(const struct inbox_show *show, size_t index) {
    bool any = false;
    for (size_t i = 0; i < show->n_requests; i++) {
        any = any || (show->requests[i].run == index && show->requests[i].kind != INBOX_READ);
    }
    return advice_is_skipped(&show->runs[index]) && !any;
}

static bool can_retry(const struct inbox_show *show, size_t index) {
    const struct inbox_entry *run = &show->runs[index];
    return run->body_bytes >= 0 &&
           (strcmp(run->state, "dead") == 0 || strcmp(run->state, "parked") == 0 ||
            strcmp(run->state, "blocked") == 0 || strcmp(run->state, "held") == 0 ||
            strcmp(run->state, "waiting") == 0 || strcmp(run->state, "queued") == 0 ||
            had_nothing_to_do(show, index));
}

static bool can_discard(const struct inbox_entry *run) {
    return *run->plugin && strcmp(run->state, "dead") != 0 && strcmp(run->state, "done") != 0;
}

static void put_button(struct console_task *task, const struct inbox_entry *run, const char *action,
                       const char *style, const char *text) {
    AUTO_BUFFER struct buffer path = BUFFER_INIT(1024);
    view_put_delivery_path(&path, run->guid);
    http_page_put(&path, "/%s", action);
    if (!path.data || !view_form_begin(task, path.data)) {
        return;
    }
    view_hidden(&task->page, "plugin", run->plugin);
    http_page_put(&task->page,
                  "<button class=\"%s\">%s<span class=\"hidden\"> %s</span></button>\n", style,
                  text, run->plugin);
    view_form_end(&task->page);
}

static void put_buttons(struct console_task *task, const struct inbox_show *show, size_t index,
                        bool in_doubt) {
    const struct inbox_entry *run = &show->runs[index];
    bool retries = can_retry(show, index), skipped = advice_is_skipped(run);
    if (task->role != CONSOLE_ADMIN || (!retries && !can_discard(run))) {
        return;
    }
    http_page_html(&task->page, "<div class=\"actions\">\n");
    if (retries) {
        /* A person first fixes the plugin that crashed, and looks at GitHub after a doubt. */
        bool next = strcmp(run->state, "dead") == 0 && !advice_is_crash(run) && !in_doubt;
        put_button(task, run, "retry", next ? "" : "quiet", skipped ? "Run again" : "Retry now");
    }
    if (can_discard(run)) {
        put_button(task, run, "discard", "danger", "Discard");
    }
    http_page_html(&task->page, "</div>\n");
}

/* Effects of which nobody knows whether GitHub carried them out. A run that goes on clears them up.
 */
static size_t count_in_doubt(const struct inbox_show *show, size_t index) {
    size_t count = 0;
    for (size_t i = 0; i < show->n_requests; i++) {
        const struct inbox_shown_request *request = &show->requests[i];
        count += request->run == index && request->kind == INBOX_EFFECT && !request->dry &&
                 request->state == INBOX_INTENDED;
    }
    return strcmp(show->runs[index].state, "running") == 0 ? 0 : count;
}

static void put_in_doubt(struct buffer *page, size_t count) {
    if (count == 0) {
        return;
    }
    http_page_put(
        page,
        "<p><strong>%zu effect%s in doubt</strong>: the host sent the request, and "
        "no response came. Look at GitHub whether it was carried out. A retry looks for a "
        "comment or a check run before it writes one, repeats a PUT, PATCH or DELETE, and "
        "fails at another POST.</p>\n",
        count, count == 1 ? " is" : "s are");
}

static void put_run(struct console_task *task, const struct inbox_show *show, size_t index) {
    const struct inbox_entry *run = &show->runs[index];
    struct buffer *page = &task->page;
    http_page_put(page, "<section class=\"card\" aria-labelledby=\"run-%zu\">\n<h3 id=\"run-%zu\">",
                  index, index);
    http_page_put(page, "%s ", run->plugin);
    entry_put_state(page, run);
    http_page_html(page, "</h3>\n");
    if (*run->reason) {
        http_page_html(page, "<p>");
        entry_put_reason(page, run);
        http_page_html(page, "</p>\n");
    }
    if (*run->behind) {
        http_page_html(page, "<p>It waits behind ");
        view_put_delivery_link(page, run->behind, "");
        http_page_put(page, ">%s</a>, an earlier run with the key “%s”.</p>\n", run->behind,
                      run->order_key);
    }
    size_t in_doubt = count_in_doubt(show, index);
    put_in_doubt(page, in_doubt);
    advice_put(task, run, in_doubt > 0);
    put_buttons(task, show, index, in_doubt > 0);
    steps_put(task, show, index);
    http_page_html(page, "</section>\n");
}

/* All names of GitHub's events are. Others could be more than a word to the shell into which a
 * person pastes the command. */
static bool is_plain_event(const char *event) {
    return *event && event[strspn(event, "abcdefghijklmnopqrstuvwxyz_")] == '\0';
}

static void put_copy(struct console_task *task, const struct inbox_entry *entry) {
    struct buffer *page = &task->page;
    http_page_html(page, "<h2 id=\"send\">Send it again elsewhere</h2>\n<p>Save ");
    view_put_delivery_link(page, entry->guid, "/payload.json");
    http_page_html(page, " download=\"payload.json\">the payload</a>, and give it to a bot of "
                         "yours with <code>snekomatic send</code>.</p>\n");
    if (is_plain_event(entry->event)) {
        http_page_put(page,
                      "<pre id=\"send-command\" tabindex=\"0\">snekomatic send %s payload.json"
                      "</pre>\n<p class=\"actions\"><button type=\"button\" class=\"quiet script\" "
                      "data-copy=\"send-command\">Copy</button></p>\n",
                      entry->event);
    }
}

static void put_headers(struct buffer *page, const struct inbox_entry *entry) {
    http_page_put(
        page,
        "<h2 id=\"headers\">Headers</h2>\n<pre tabindex=\"0\">X-GitHub-Event: %s\n"
        "X-GitHub-Delivery: %s</pre>\n<p class=\"hint\">The host stores no other header.</p>\n",
        entry->event, entry->guid);
}

/* Behind the time, as the log writes it in either format. */
static bool has_level(const char *line, size_t bytes, const char *level) {
    char logfmt[32], json[32];
    size_t most = bytes < LEVEL_WITHIN ? bytes : LEVEL_WITHIN;
    snprintf(logfmt, sizeof logfmt, " level=%s ", level);
    snprintf(json, sizeof json, "\"level\":\"%s\"", level);
    return memmem(line, most, logfmt, strlen(logfmt)) || memmem(line, most, json, strlen(json));
}

/* Warnings and errors stand out. The first death of a worker has an anchor. */
static void put_lines(struct buffer *page, const struct buffer *lines) {
    const char *line = lines->data, *end = lines->data + lines->bytes, *next;
    bool has_death = false;
    for (; line < end; line = next + 1) {
        next = memchr(line, '\n', (size_t)(end - line));
        next = next ? next : end;
        size_t bytes = (size_t)(next - line);
        const char *style = has_level(line, bytes, "warning") ? " class=\"held\"" : "";
        style = has_level(line, bytes, "error") ? " class=\"bad\"" : style;
        http_page_html(page, "<span");
        if (!has_death && memmem(line, bytes, "worker_died", strlen("worker_died"))) {
            http_page_html(page, " id=\"worker-died\"");
            has_death = true;
        }
        http_page_html(page, style);
        http_page_html(page, ">");
        http_page_text_bytes(page, line, bytes);
        http_page_html(page, "</span>");
    }
}

/* The lines that this host remembers: after a restart, the log has the earlier ones. */
static void put_log(struct console_task *task, const struct inbox_entry *entry) {
    AUTO_BUFFER struct buffer lines = BUFFER_INIT(LOG_MEMORY_BYTES);
    struct buffer *page = &task->page;
    int64_t since_ms;
    int result = log_memory_find(entry->guid, &lines, &since_ms);
    http_page_html(page, "<h2 id=\"log\">Log lines</h2>\n");
    if (lines.bytes > 0) {
        http_page_html(page, "<pre tabindex=\"0\" class=\"log\">");
        put_lines(page, &lines);
        http_page_html(page, "</pre>\n");
    }
    http_page_html(page, result < 0 ? "<p class=\"notice\">There are more.</p>\n" : "");
    if (entry->received_ms < since_ms || lines.bytes == 0) {
        http_page_html(page, "<p class=\"hint\">This host remembers its lines since ");
        view_time(page, since_ms, task->now_ms);
        http_page_put(page,
                      ". Earlier ones, and those of other hosts, are in their logs; they contain "
                      "<code>delivery=%s</code>.</p>\n",
                      entry->guid);
    }
}

static void put_json_log(struct buffer *json, const char *guid) {
    AUTO_BUFFER struct buffer lines = BUFFER_INIT(LOG_MEMORY_BYTES);
    int64_t since_ms;
    (void)log_memory_find(guid, &lines, &since_ms);
    view_json_open(json, "log", '[');
    for (char *line = lines.data, *end; line && *line; line = end + 1) {
        end = strchr(line, '\n');
        if (!end) {
            break;
        }
        *end = '\0';
        view_json_text(json, NULL, line);
    }
    view_json_close(json, ']');
    view_json_time(json, "log_since", since_ms);
}

static void put_payload(struct buffer *page, const struct payload *payload) {
    http_page_html(page, "<h2 id=\"payload\">Payload</h2>\n");
    if (payload) {
        payload_tree_put(page, payload->data, payload->bytes);
    } else {
        http_page_html(page, "<p>It is not stored any more.</p>\n");
    }
}

static void put_audit(struct console_task *task, const struct inbox_show *show) {
    struct buffer *page = &task->page;
    http_page_html(page, "<p>The delivery is deleted. Its effects are kept for "
                         "<code>store.audit_days</code>.</p>\n<ul>\n");
    for (size_t i = 0; i < show->n_audit; i++) {
        const struct inbox_audit_entry *row = &show->audit[i];
        http_page_html(page, "<li>");
        view_time(page, row->at_ms, task->now_ms);
        http_page_put(page, " %s: <code>%s %s</code> ", row->plugin, row->method, row->url);
        view_state(page, row->state);
        http_page_put(page, " %d %s</li>\n", (int)row->status, row->request_id);
    }
    http_page_html(page, "</ul>\n");
}

/* "Delivery: issues.opened, owner/repo#12" */
static void make_title(const struct inbox_entry *entry, char *title, size_t room) {
    long long number = (long long)search_item_number(entry);
    int length =
        snprintf(title, room, "Delivery: %s%s%s%s%s", entry->event, *entry->action ? "." : "",
                 entry->action, *entry->repository ? ", " : "", entry->repository);
    if (number > 0 && length > 0 && (size_t)length < room) {
        snprintf(title + length, room - (size_t)length, "#%lld", number);
    }
}

static void put_page(struct console_task *task, const struct inbox_show *show,
                     const struct payload *payload) {
    struct buffer *page = &task->page;
    const struct inbox_entry *entry = &show->runs[0];
    char title[3 * INBOX_NAME_MAX + 512];
    make_title(entry, title, sizeof title);
    view_begin(task, title, true);
    view_notice(task);
    put_facts(task, entry, payload);
    http_page_html(page, "<h2>Runs</h2>\n");
    if (!*entry->plugin) {
        http_page_html(page, "<p>No plugin has a run of it.</p>\n");
    }
    for (size_t i = 0; i < show->n_runs && *show->runs[i].plugin; i++) {
        put_run(task, show, i);
    }
    http_page_html(page, "<p>");
    view_put_delivery_link(page, entry->guid, "/why");
    http_page_html(page, ">Why did a plugin act, or not?</a></p>\n");
    if (show->cut) {
        http_page_html(page, "<p class=\"notice\">It has more requests than are shown here.</p>\n");
    }
    put_log(task, entry);
    put_payload(page, payload);
    put_headers(page, entry);
    put_copy(task, entry);
    view_end(page);
}

static void put_json(struct console_task *task, const struct inbox_show *show) {
    struct buffer *json = &task->page;
    view_json_open(json, NULL, '{');
    view_json_open(json, "runs", '[');
    for (size_t i = 0; i < show->n_runs; i++) {
        entry_put_json(json, &show->runs[i]);
    }
    view_json_close(json, ']');
    view_json_open(json, "can_be_retried", '[');
    for (size_t i = 0; i < show->n_runs; i++) {
        if (can_retry(show, i)) {
            view_json_text(json, NULL, show->runs[i].plugin);
        }
    }
    view_json_close(json, ']');
    steps_put_json(json, show);
    view_json_bool(json, "cut", show->cut);
    if (show->n_runs > 0) {
        put_json_log(json, show->runs[0].guid);
    }
    view_json_close(json, '}');
}

/* ---- GET /console/deliveries/GUID ---- */

static void respond_unknown(struct console_task *task) {
    char fix[120];
    snprintf(fix, sizeof fix,
             "Check the GUID. The host deletes finished deliveries after %u days "
             "(store.retention_days).",
             task->console->options.config->store.retention_days);
    view_problem(task, 404, "No such delivery", "The store has no delivery with this GUID.", fix);
}

static void show_page(struct console_task *task, const struct inbox_show *show) {
    struct error err;
    struct inbox_body body = {.operation = {.kind = INBOX_BODY}, .guid = show->runs[0].guid};
    bool stored = show->runs[0].body_bytes >= 0;
    if (stored && room_read(task->console, &body.operation, &err) < 0) {
        view_store_failed(task, &err);
        return;
    }
    put_page(task, show, body.body);
    payload_unref(body.body);
}

static void show_delivery(struct console_task *task, const char *guid) {
    struct error err;
    struct inbox_show show = {.operation = {.kind = INBOX_SHOW}, .guid = guid};
    int result = room_read(task->console, &show.operation, &err);
    if (result < 0) {
        view_store_failed(task, &err);
        return;
    }
    if (result == INBOX_UNKNOWN && show.n_audit == 0) {
        respond_unknown(task);
    } else if (task->wants_json) {
        put_json(task, &show);
    } else if (result == INBOX_UNKNOWN) {
        view_begin(task, "Delivery", false);
        put_audit(task, &show);
        view_end(&task->page);
    } else {
        show_page(task, &show);
    }
    inbox_show_finish(&show);
}

/* The body as GitHub sent it, as a file: a browser must not show it. */
static void send_payload(struct console_task *task, const char *guid) {
    struct error err;
    struct inbox_body body = {.operation = {.kind = INBOX_BODY}, .guid = guid};
    int result = room_read(task->console, &body.operation, &err);
    if (result < 0) {
        view_store_failed(task, &err);
        return;
    }
    if (result != 0) {
        view_problem(task, 404, "No payload", "The store has no payload of this delivery.",
                     "The host deletes payloads after store.retention_days.");
        return;
    }
    task->page.max = body.body->bytes + 1;
    if (buffer_append(&task->page, body.body->data, body.body->bytes) < 0) {
        view_problem(task, 503, "Out of memory", "The payload does not fit into memory.", "Retry.");
    } else {
        task->is_file = true;
    }
    payload_unref(body.body);
}

/* "GUID/payload" and the like: cuts the last part off. */
static bool take_last(char *rest, const char *last) {
    size_t bytes = strlen(rest), last_bytes = strlen(last);
    if (bytes <= last_bytes || strcmp(rest + bytes - last_bytes, last) != 0) {
        return false;
    }
    rest[bytes - last_bytes] = '\0';
    return true;
}

void page_delivery(struct console_task *task) {
    char rest[CONSOLE_PATH_MAX];
    snprintf(rest, sizeof rest, "%s", task_rest(task));
    if (task->wants_json && take_last(rest, "/payload")) {
        send_payload(task, rest);
    } else if (take_last(rest, "/why")) {
        page_why(task, rest);
    } else {
        show_delivery(task, rest);
    }
}

/* ---- POST /console/deliveries/GUID/retry ---- */

static void change(struct console_task *task, const char *guid, bool discards) {
    struct error err;
    AUTO_BUFFER struct buffer path = BUFFER_INIT(sizeof task->location);
    const char *plugin = task_field(task, "plugin");
    struct inbox_change change = {.operation = {.kind = discards ? INBOX_DISCARD : INBOX_RERUN},
                                  .guid = guid,
                                  .plugin = *plugin ? plugin : NULL,
                                  .now_ms = task->now_ms};
    int result = room_change(task->console, &change.operation, &err);
    room_note_action(task, discards ? "discard" : "retry", guid, result, &err,
                     result == 0 ? (int64_t)change.runs : -1);
    if (result < 0) {
        view_store_failed(task, &err);
    } else if (result == INBOX_UNKNOWN) {
        respond_unknown(task);
    } else {
        view_put_delivery_path(&path, guid);
        buffer_printf(&path, "?what=%s&value=%" PRIu64, discards ? "discarded" : "retried",
                      result == 0 ? change.runs : 0);
        view_redirect(task, path.data ? path.data : "");
    }
}

void action_delivery(struct console_task *task) {
    char rest[CONSOLE_PATH_MAX];
    snprintf(rest, sizeof rest, "%s", task_rest(task));
    if (take_last(rest, "/retry")) {
        change(task, rest, false);
    } else if (take_last(rest, "/discard")) {
        change(task, rest, true);
    } else {
        view_problem(task, 404, "No such action", "A delivery has no action of this name.",
                     "Use the buttons on its page.");
    }
}
