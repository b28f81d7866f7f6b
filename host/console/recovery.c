/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Deliveries that did not arrive: what recovery and pull mode found and did. */
#include "console/pages.h"
#include "console/room.h"
#include "console/status.h"
#include "console/view.h"
#include "inbox/console.h"

#include <string.h>

static void put_fact(struct buffer *page, const char *name, int64_t number) {
    http_page_put(page, "<dt>%s</dt><dd>%lld</dd>\n", name, (long long)number);
}

static void put_fact_time(struct console_task *task, const char *name, int64_t time_ms) {
    http_page_put(&task->page, "<dt>%s</dt><dd>", name);
    view_time(&task->page, time_ms, task->now_ms);
    http_page_html(&task->page, "</dd>\n");
}

static void put_state(struct console_task *task, const struct status *status, const char *name) {
    char path[32], text[STATUS_TEXT_MAX];
    snprintf(path, sizeof path, "%s.state", name);
    status_text(status, path, text);
    http_page_put(&task->page, "<dt>State on this host</dt><dd>%s</dd>\n", text);
    snprintf(path, sizeof path, "%s.error", name);
    status_text(status, path, text);
    if (*text) {
        http_page_put(&task->page, "<dt>Last error</dt><dd class=\"problem\">%s</dd>\n", text);
    }
}

static void put_pull(struct console_task *task, const struct inbox_recovery *recovery,
                     const struct status *status) {
    struct buffer *page = &task->page;
    http_page_html(page, "<h2>Pull mode</h2>\n<dl class=\"facts\">\n");
    put_state(task, status, "pull");
    put_fact_time(task, "Read up to", recovery->place_ms);
    put_fact_time(task, "Last full reading", recovery->full_ms);
    put_fact(page, "Waiting for their payload", recovery->waiting);
    if (recovery->oldest_waiting_ms > 0) {
        put_fact_time(task, "The oldest of them", recovery->oldest_waiting_ms);
    }
    http_page_html(page, "</dl>\n");
}

/* Nobody looked, so zeros mean nothing. */
static bool is_off(const struct status *status) {
    char text[STATUS_TEXT_MAX];
    status_text(status, "recovery.state", text);
    return strcmp(text, "off") == 0;
}

static void put_off(struct console_task *task) {
    bool set_off = task->console->options.config->github.recover_interval_minutes == 0;
    http_page_html(&task->page, "<p class=\"notice\"><strong>Recovery is off</strong>, so the host "
                                "does not know whether deliveries are missing. ");
    http_page_html(&task->page,
                   set_off ? "Set <code>github.recover_interval_minutes</code> in "
                             "<code>snekomatic.toml</code> to 10, for example, and restart.</p>\n"
                           : "It needs the App’s credentials; the log says what is missing.</p>\n");
}

static void put_page(struct console_task *task, const struct inbox_recovery *recovery,
                     const struct status *status) {
    struct buffer *page = &task->page;
    int64_t checked_ms = status_number(status, "recovery.checked_ms");
    bool off = is_off(status);
    view_begin(task, "Recovery", true);
    http_page_html(page, "<p>The host compares GitHub's list of deliveries with its store, and "
                         "fetches or requests those that did not arrive.</p>\n");
    if (off) {
        put_off(task);
    }
    http_page_html(page, "<dl class=\"facts\">\n");
    put_state(task, status, "recovery");
    put_fact_time(task, "Last pass on this host", checked_ms > 0 ? checked_ms : 0);
    if (!off || recovery->missing > 0) {
        http_page_html(page, "</dl>\n<h2>In the last 35 days</h2>\n<dl class=\"facts\">\n");
        put_fact(page, "Missing", recovery->missing);
        put_fact(page, "Payload fetched", recovery->fetched);
        put_fact(page, "Redelivery requested", recovery->asked);
        put_fact(page, "Requests for redeliveries", recovery->requests);
        put_fact(page, "Given up", recovery->given_up);
        put_fact_time(task, "Last request", recovery->last_request_ms);
    }
    http_page_html(page, "</dl>\n");
    if (recovery->pulls) {
        put_pull(task, recovery, status);
    }
    view_end(page);
}

static void put_json(struct console_task *task, const struct inbox_recovery *recovery,
                     const struct status *status) {
    struct buffer *json = &task->page;
    char state[STATUS_TEXT_MAX];
    status_text(status, "recovery.state", state);
    view_json_open(json, NULL, '{');
    view_json_text(json, "state", state);
    view_json_number(json, "missing", recovery->missing);
    view_json_number(json, "fetched", recovery->fetched);
    view_json_number(json, "asked", recovery->asked);
    view_json_number(json, "requests", recovery->requests);
    view_json_number(json, "given_up", recovery->given_up);
    view_json_time(json, "last_request", recovery->last_request_ms);
    view_json_bool(json, "pulls", recovery->pulls);
    view_json_time(json, "place", recovery->place_ms);
    view_json_time(json, "full", recovery->full_ms);
    view_json_number(json, "waiting", recovery->waiting);
    view_json_close(json, '}');
}

void page_recovery(struct console_task *task) {
    struct error err;
    struct status status;
    struct inbox_recovery recovery = {.operation = {.kind = INBOX_RECOVERY}};
    if (room_read(task->console, &recovery.operation, &err) < 0) {
        view_store_failed(task, &err);
        return;
    }
    status_read(task, &status);
    if (task->wants_json) {
        put_json(task, &recovery, &status);
    } else {
        put_page(task, &recovery, &status);
    }
    status_finish(&status);
}
