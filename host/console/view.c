/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes the frame of pages, times, badges and forms. */
#include "console/view.h"

#include "base/array.h"
#include "base/time_text.h"
#include "console/assets.h"
#include "console/pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
/* Reasons of usual length are shown whole. */
#define LONG_TEXT ((size_t)500)
/* Some lines of a list: the advice about a permission ends before it. */
#define SHORT_TEXT ((size_t)240)

static void put_head(struct buffer *page, const char *title, bool live) {
    http_page_put(page,
                  "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                  "<meta name=\"color-scheme\" content=\"light dark\">\n"
                  "<title>%s · snekomatic</title>\n"
                  "<link rel=\"stylesheet\" href=\"%s\">\n"
                  "<script src=\"%s\" defer></script>\n",
                  title, assets_style_path(), assets_script_path());
    http_page_put(page, "<link rel=\"icon\" href=\"%s\">\n</head>\n<body%s", assets_icon_path(),
                  live ? " data-live" : "");
    http_page_html(page, ">\n<a class=\"skip\" href=\"#main\">To the content</a>\n");
}

void view_begin_plain(struct buffer *page, const char *title) {
    put_head(page, title, false);
    http_page_put(page,
                  "<header class=\"top\"><p class=\"brand\"><a href=\"" CONSOLE_PATH "\">"
                  "snekomatic</a></p></header>\n"
                  "<main id=\"main\" class=\"plain\">\n<h1>%s</h1>\n",
                  title);
}

/* Does the page belong to this row of the menu? */
static bool is_current(const char *path, const char *row) {
    size_t bytes = strlen(row);
    if (bytes == 0) {
        return *path == '\0';
    }
    return strncmp(path, row, bytes) == 0 && (path[bytes] == '\0' || path[bytes] == '/');
}

static void put_menu(struct console_task *task) {
    struct buffer *page = &task->page;
    http_page_html(page, "<nav aria-label=\"Console\"><ul>\n");
    for (size_t i = 0; i < n_console_pages; i++) {
        const struct console_page *row = &console_pages[i];
        if (row->menu) {
            http_page_put(page, "<li><a href=\"" CONSOLE_PATH "%s\"", row->path);
            http_page_html(page, is_current(task->path, row->path) ? " aria-current=\"page\"" : "");
            http_page_put(page, ">%s</a></li>\n", row->menu);
        }
    }
    http_page_html(page, "</ul></nav>\n");
}

/* The name that the person gave at the login: "console admin NAME ADDRESS". */
static void put_name(struct buffer *page, const char *who) {
    const char *role = strchr(who, ' ');
    const char *name = role ? strchr(role + 1, ' ') : NULL;
    const char *address = strrchr(who, ' ');
    if (name && address > name) {
        http_page_text_bytes(page, name + 1, (size_t)(address - name - 1));
        http_page_html(page, ": ");
    }
}

static void put_person(struct console_task *task) {
    struct buffer *page = &task->page;
    if (!*task->form) {
        return;
    }
    http_page_put(page,
                  "<form method=\"post\" action=\"" CONSOLE_PATH "/logout\" class=\"person\">\n"
                  "<input type=\"hidden\" name=\"form\" value=\"%s\">\n<span>",
                  task->form);
    put_name(page, task->who);
    http_page_put(page, "%s</span>\n<button class=\"quiet\">Log out</button>\n</form>\n",
                  task->role == CONSOLE_ADMIN ? "You are an admin" : "You may only read");
}

/* A shorter wait is not noticed. */
#define NOTICED_MS 500

static void put_wait(struct console_task *task) {
    char waited[VIEW_DURATION_MAX];
    if (task->waited_ms >= NOTICED_MS) {
        view_duration(task->waited_ms, waited);
        http_page_put(&task->page,
                      "<p class=\"hint\">This page waited %s, because webhooks keep the store busy "
                      "and come first.</p>\n",
                      waited);
    }
}

void view_begin(struct console_task *task, const char *title, bool live) {
    struct buffer *page = &task->page;
    put_head(page, title, live);
    http_page_html(page, "<header class=\"top\">\n<p class=\"brand\"><a href=\"" CONSOLE_PATH
                         "\">snekomatic</a></p>\n");
    if (task->role != CONSOLE_NOBODY) {
        http_page_put(page,
                      "<form role=\"search\" action=\"" CONSOLE_PATH
                      "/deliveries\" class=\"search\">\n<label for=\"q\" class=\"hidden\">Search: "
                      "GUID, owner/repo#12, person, plugin or reason</label>\n"
                      "<input type=\"search\" id=\"q\" name=\"q\" value=\"%s\" maxlength=\"300\" "
                      "placeholder=\"GUID, owner/repo#12, person, plugin, reason\">\n"
                      "<button class=\"quiet\">Search</button>\n</form>\n",
                      task_field(task, "q"));
        put_person(task);
        put_menu(task);
    }
    http_page_put(page, "</header>\n<main id=\"main\">\n<h1>%s</h1>\n", title);
    put_wait(task);
}

void view_end(struct buffer *page) {
    http_page_html(page, "</main>\n</body>\n</html>\n");
}

/* ---- times ---- */

void view_duration(int64_t duration_ms, char text[VIEW_DURATION_MAX]) {
    static const struct {
        int64_t unit_ms;
        const char *name;
    } units[] = {{DAY_MS, "d"}, {HOUR_MS, "h"}, {MINUTE_MS, "min"}, {SECOND_MS, "s"}, {1, "ms"}};
    size_t i = 0;
    while (i + 1 < ARRAY_LENGTH(units) && duration_ms < units[i].unit_ms) {
        i++;
    }
    int64_t whole = duration_ms / units[i].unit_ms;
    int64_t tenth = duration_ms % units[i].unit_ms * 10 / units[i].unit_ms;
    if (whole < 10 && units[i].unit_ms > 1 && tenth > 0) {
        snprintf(text, VIEW_DURATION_MAX, "%" PRId64 ".%" PRId64 " %s", whole, tenth,
                 units[i].name);
    } else {
        snprintf(text, VIEW_DURATION_MAX, "%" PRId64 " %s", whole, units[i].name);
    }
}

void view_time(struct buffer *page, int64_t time_ms, int64_t now_ms) {
    char exact[TIME_TEXT_MAX], distance[VIEW_DURATION_MAX];
    if (time_ms == 0) {
        http_page_html(page, "never");
        return;
    }
    time_text(time_ms, exact);
    bool past = time_ms <= now_ms;
    int64_t distance_ms = past ? now_ms - time_ms : time_ms - now_ms;
    view_duration(distance_ms, distance);
    http_page_put(page, "<time datetime=\"%s\">", exact);
    /* "2026-11-30T06:20:36Z" */
    http_page_text_bytes(page, exact, strlen("2026-11-30"));
    http_page_html(page, " ");
    http_page_text_bytes(page, exact + strlen("2026-11-30T"), strlen("06:20:36"));
    if (distance_ms < SECOND_MS) {
        http_page_html(page, " UTC</time> <span class=\"ago\">now</span>");
    } else {
        http_page_put(page, " UTC</time> <span class=\"ago\">%s%s%s</span>", past ? "" : "in ",
                      distance, past ? " ago" : "");
    }
}

/* ---- badges, texts ---- */

void view_state(struct buffer *page, const char *state) {
    static const struct {
        const char *state, *kind;
    } kinds[] = {{"done", "good"},       {"ready", "good"},      {"completed", "good"},
                 {"skipped", "calm"},    {"superseded", "calm"}, {"unsent", "calm"},
                 {"dead", "bad"},        {"in doubt", "bad"},    {"intended", "bad"},
                 {"quarantined", "bad"}, {"parked", "held"},     {"held", "held"},
                 {"paused", "held"},     {"waiting", "held"},    {"to be retried", "held"},
                 {"dry run", "calm"},    {"replayed", "calm"},   {"running", "live"},
                 {"queued", "live"},     {"blocked", "held"},    {"suspect", "bad"},
                 {"full", "good"},       {"partial", "held"},    {"off", "bad"},
                 {"rejected", "bad"},    {"requested", "good"},  {"subscribed", "good"},
                 {"missing", "bad"},     {"suspended", "held"},  {"not subscribed", "bad"},
                 {"no response", "held"}};
    const char *kind = "calm";
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        kind = strcmp(state, kinds[i].state) == 0 ? kinds[i].kind : kind;
    }
    http_page_put(page, "<span class=\"badge %s\">%s</span>", kind, state);
}

/* The length of a start of `text`, of at most `most` bytes and whole characters. */
static size_t start_of(const char *text, size_t most) {
    size_t bytes = strnlen(text, most + 1);
    if (bytes <= most) {
        return bytes;
    }
    size_t cut = most;
    while (cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80) {
        cut--;
    }
    return cut;
}

void view_short_text(struct buffer *page, const char *text) {
    size_t cut = start_of(text, SHORT_TEXT);
    if (text[cut] == '\0') {
        http_page_text(page, text);
        return;
    }
    /* At the end of a word, unless the words are long. */
    const char *blank = memrchr(text, ' ', cut);
    if (blank && (size_t)(blank - text) > SHORT_TEXT / 2) {
        cut = (size_t)(blank - text);
    }
    http_page_text_bytes(page, text, cut);
    http_page_html(page, " …");
}

void view_long_text(struct buffer *page, const char *text) {
    size_t bytes = strlen(text);
    if (bytes <= LONG_TEXT) {
        http_page_text(page, text);
        return;
    }
    http_page_html(page, "<details class=\"long\"><summary>");
    http_page_text_bytes(page, text, start_of(text, LONG_TEXT));
    http_page_put(page, "… (%zu bytes)</summary><pre>%s</pre></details>", bytes, text);
}

/* ---- forms, links ---- */

bool view_form_begin(struct console_task *task, const char *action) {
    if (task->role != CONSOLE_ADMIN) {
        return false;
    }
    http_page_put(&task->page, "<form method=\"post\" action=\"" CONSOLE_PATH "%s\">\n", action);
    view_hidden(&task->page, "form", task->form);
    return true;
}

void view_hidden(struct buffer *page, const char *name, const char *value) {
    http_page_put(page, "<input type=\"hidden\" name=\"%s\" value=\"%s\">\n", name, value);
}

void view_form_end(struct buffer *page) {
    http_page_html(page, "</form>\n");
}

int view_append_encoded(struct buffer *url, const char *text) {
    return buffer_append_encoded(url, text, "/");
}

void view_put_part(struct buffer *out, const char *text) {
    if (buffer_append_encoded(out, text, "") < 0) {
        http_page_cut(out);
    }
}

void view_put_delivery_path(struct buffer *out, const char *guid) {
    http_page_html(out, "/deliveries/");
    view_put_part(out, guid);
}

void view_put_delivery_link(struct buffer *page, const char *guid, const char *rest) {
    http_page_html(page, "<a href=\"" CONSOLE_PATH);
    view_put_delivery_path(page, guid);
    http_page_put(page, "%s\"", rest);
}

void view_url(const struct console_task *task, const char *path, const char *name,
              const char *value, struct buffer *url) {
    char separator = '?';
    buffer_append_text(url, CONSOLE_PATH);
    view_append_encoded(url, path);
    for (size_t i = 0; i < task->n_fields; i++) {
        const struct http_field *field = &task->fields[i];
        bool replaced = strcmp(field->name, name) == 0;
        const char *shown = replaced ? value : field->value;
        if (*shown && (replaced || strcmp(field->name, "before") != 0)) {
            buffer_printf(url, "%c%s=", separator, field->name);
            view_append_encoded(url, shown);
            separator = '&';
        }
    }
}

/* ---- messages ---- */

void view_problem(struct console_task *task, unsigned status, const char *title, const char *why,
                  const char *fix) {
    buffer_finish(&task->page);
    task->page = (struct buffer)BUFFER_INIT(CONSOLE_PAGE_MAX);
    task->status = status;
    task->location[0] = '\0';
    task->is_file = false;
    if (task->wants_json) {
        view_json_open(&task->page, NULL, '{');
        view_json_text(&task->page, "error", why);
        view_json_text(&task->page, "fix", fix);
        view_json_close(&task->page, '}');
        return;
    }
    view_begin(task, title, false);
    http_page_put(&task->page, "<p class=\"problem\" role=\"alert\">%s</p>\n<p>%s</p>\n", why, fix);
    view_end(&task->page);
}

void view_store_failed(struct console_task *task, const struct error *err) {
    view_problem(task, 503, "The store does not respond", err->text,
                 "The host goes on trying. Load this page again; /readyz and the log have more.");
}

void view_redirect(struct console_task *task, const char *path) {
    snprintf(task->location, sizeof task->location, CONSOLE_PATH "%s", path);
}

/* Only these sentences, because a link of a stranger may have any fields. */
void view_notice(struct console_task *task) {
    static const struct {
        const char *what, *one, *many, *none;
    } notices[] = {
        {"retried", "One run is due now.", " runs are due now.",
         "No run is in a state that can be retried."},
        {"discarded", "One run was discarded.", " runs were discarded.", "No run was waiting."},
        {"paused", "The plugin is paused.", "", "It was paused already."},
        {"resumed", "The pause has ended.", "", "There was no such pause."},
        {"released", "The plugin is released.", "", "There was nothing to release."},
        {"installation", "One wait has ended.", " waits have ended.", "Nothing waited."}};
    const char *what = task_field(task, "what");
    long long value = strtoll(task_field(task, "value"), NULL, 10);
    for (size_t i = 0; i < ARRAY_LENGTH(notices); i++) {
        if (strcmp(what, notices[i].what) != 0) {
            continue;
        }
        http_page_html(&task->page, "<p class=\"notice\" role=\"status\">");
        if (value == 1) {
            http_page_text(&task->page, notices[i].one);
        } else if (value > 1) {
            http_page_put(&task->page, "%lld%s", value, notices[i].many);
        } else {
            http_page_text(&task->page, notices[i].none);
        }
        http_page_html(&task->page, "</p>\n");
    }
}

/* ---- JSON ---- */

/* Like HTML, JSON to which an append failed takes nothing more: http_page_is_cut(). */
static void check(struct buffer *json, int result) {
    if (result < 0) {
        http_page_cut(json);
    }
}

static void put_json_string(struct buffer *json, const char *text) {
    check(json, buffer_append_json_string(json, text, strlen(text)));
}

static void put_key(struct buffer *json, const char *key) {
    char last = json->bytes > 0 ? json->data[json->bytes - 1] : '{';
    if (last != '{' && last != '[') {
        http_page_html(json, ",");
    }
    if (key) {
        put_json_string(json, key);
        http_page_html(json, ":");
    }
}

void view_json_text(struct buffer *json, const char *key, const char *text) {
    put_key(json, key);
    put_json_string(json, text);
}

void view_json_null(struct buffer *json, const char *key) {
    put_key(json, key);
    http_page_html(json, "null");
}

void view_json_number(struct buffer *json, const char *key, int64_t number) {
    put_key(json, key);
    check(json, buffer_printf(json, "%" PRId64, number));
}

void view_json_bool(struct buffer *json, const char *key, bool value) {
    put_key(json, key);
    http_page_html(json, value ? "true" : "false");
}

void view_json_time(struct buffer *json, const char *key, int64_t time_ms) {
    char text[TIME_TEXT_MAX];
    put_key(json, key);
    if (time_ms == 0) {
        http_page_html(json, "null");
        return;
    }
    time_text(time_ms, text);
    text[strlen(text) - strlen("Z")] = '\0';
    check(json, buffer_printf(json, "\"%s.%03dZ\"", text, (int)(time_ms % 1000)));
}

void view_json_raw(struct buffer *json, const char *key, const struct buffer *raw) {
    put_key(json, key);
    check(json, buffer_append(json, raw->data, raw->bytes));
}

void view_json_open(struct buffer *json, const char *key, char bracket) {
    put_key(json, key);
    check(json, buffer_append(json, &bracket, 1));
}

void view_json_close(struct buffer *json, char bracket) {
    check(json, buffer_append(json, &bracket, 1));
}
