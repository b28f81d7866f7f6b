/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The list of deliveries with their runs, by filters. */
#include "base/array.h"
#include "base/clock.h"
#include "console/entries.h"
#include "console/looked_for.h"
#include "console/pages.h"
#include "console/room.h"
#include "console/search.h"
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Entries on a page. */
#define ENTRIES ((size_t)100)
/* Operations of one request; a filter that finds little looks at many rows. The page then says how
 * far it looked, and leads on. */
#define LOOKS_MAX 20
#define LOOKS_MS 40

static struct inbox_search begin(const struct search *search) {
    return (struct inbox_search){.operation = {.kind = INBOX_SEARCH},
                                 .filter = search->filter,
                                 .before = search->before,
                                 .most = ENTRIES};
}

/* Continues until there is something to show. */
static int find(struct console_task *task, const struct search *search, struct inbox_search *found,
                struct error *err) {
    int64_t until_ms = clock_monotonic_ms() + LOOKS_MS;
    *found = begin(search);
    int result = room_read(task->console, &found->operation, err);
    for (int i = 0; i < LOOKS_MAX && result == 0 && found->n_entries == 0 &&
                    found->next.first != 0 && clock_monotonic_ms() < until_ms;
         i++) {
        struct inbox_search_position next = found->next;
        inbox_entries_free(found->entries, found->n_entries);
        *found = begin(search);
        found->before = next;
        result = room_read(task->console, &found->operation, err);
    }
    return result;
}

/* ---- HTML ---- */

static void put_option(struct buffer *page, const char *value, const char *chosen) {
    http_page_put(page, "<option value=\"%s\"", value);
    http_page_html(page, strcmp(value, chosen) == 0 ? " selected" : "");
    http_page_put(page, ">%s</option>", *value ? value : "any");
}

static void put_filter(struct console_task *task, const char *name, const char *label) {
    http_page_put(&task->page,
                  "<div><label for=\"f-%s\">%s</label><input type=\"text\" id=\"f-%s\" "
                  "name=\"%s\" value=\"%s\" maxlength=\"300\"></div>\n",
                  name, label, name, name, task_field(task, name));
}

static void put_filters(struct console_task *task) {
    struct buffer *page = &task->page;
    http_page_html(page, "<form action=\"" CONSOLE_PATH "/deliveries\" class=\"filters\" "
                         "aria-label=\"Filters\">\n<div><label for=\"f-state\">State</label>"
                         "<select id=\"f-state\" name=\"state\">");
    put_option(page, "", task_field(task, "state"));
    for (size_t i = 0; i < n_search_states; i++) {
        put_option(page, search_states[i], task_field(task, "state"));
    }
    http_page_html(page, "</select></div>\n");
    put_filter(task, "plugin", "Plugin");
    put_filter(task, "event", "Event");
    put_filter(task, "repository", "Repository or item");
    put_filter(task, "sender", "Person");
    put_filter(task, "reason", "Reason has");
    put_filter(task, "since", "Since (2h, 3d, a date)");
    if (*task_field(task, "installation")) {
        put_filter(task, "installation", "Installation");
    }
    if (*task_field(task, "q")) {
        view_hidden(page, "q", task_field(task, "q"));
    }
    http_page_html(page, "<div><button>Filter</button> <a href=\"" CONSOLE_PATH
                         "/deliveries\">Clear</a></div>\n</form>\n");
}

void entry_put_place(struct buffer *page, const struct inbox_entry *entry) {
    int64_t number = search_item_number(entry);
    if (!*entry->repository) {
        http_page_html(page, "–");
    } else if (number > 0) {
        http_page_html(page, "<a href=\"" CONSOLE_PATH "/items/");
        if (view_append_encoded(page, entry->repository) < 0) {
            http_page_cut(page);
        }
        http_page_put(page, "/%lld\">%s#%lld</a>", (long long)number, entry->repository,
                      (long long)number);
    } else {
        http_page_text(page, entry->repository);
    }
}

void entry_put_state(struct buffer *page, const struct inbox_entry *entry) {
    if (!*entry->plugin) {
        http_page_html(page, "<span class=\"soft\">no run</span>");
        return;
    }
    /* A run that was skipped or rejected is done, but it did not do its work. */
    bool other = strcmp(entry->state, "done") == 0 && *entry->label;
    view_state(page, other ? entry->label : entry->state);
    if (entry->suspect && strcmp(entry->state, "dead") != 0) {
        http_page_html(page, " ");
        view_state(page, "suspect");
    }
}

static bool put_no_match(struct buffer *page, const struct inbox_entry *entry) {
    if (strcmp(entry->reason, "nothing matched") != 0) {
        return false;
    }
    http_page_put(page, "%s: ", entry->reason);
    view_put_delivery_link(page, entry->guid, "/why");
    http_page_html(page, ">why?</a>");
    return true;
}

void entry_put_reason(struct buffer *page, const struct inbox_entry *entry) {
    if (!put_no_match(page, entry)) {
        view_long_text(page, entry->reason);
    }
}

void entry_put_short_reason(struct buffer *page, const struct inbox_entry *entry) {
    if (!put_no_match(page, entry)) {
        view_short_text(page, entry->reason);
    }
}

static void put_row(struct console_task *task, const struct inbox_entry *entry, bool first) {
    struct buffer *page = &task->page;
    http_page_html(page, first ? "<tr><td class=\"nowrap\">" : "<tr class=\"more\"><td>");
    if (first) {
        view_put_delivery_link(page, entry->guid, "");
        http_page_put(page, " class=\"row\">%s", entry->event);
        http_page_put(page, *entry->action ? ".%s</a><br>" : "%s</a><br>", entry->action);
        view_time(page, entry->received_ms, task->now_ms);
        http_page_html(page, "</td><td>");
        entry_put_place(page, entry);
        http_page_put(page, "</td><td>%s", *entry->sender ? entry->sender : "–");
    } else {
        http_page_html(page, "<span class=\"hidden\">the same delivery</span></td><td></td><td>");
    }
    http_page_put(page, "</td><td>%s</td><td>", *entry->plugin ? entry->plugin : "–");
    entry_put_state(page, entry);
    http_page_html(page, "</td><td class=\"wide\">");
    entry_put_short_reason(page, entry);
    if (entry->attempt > 1) {
        http_page_put(page, " <span class=\"soft\">attempt %lld</span>", (long long)entry->attempt);
    }
    http_page_html(page, "</td></tr>\n");
}

void entries_put(struct console_task *task, const struct inbox_entry *entries, size_t n_entries) {
    http_page_html(&task->page, "<div class=\"scroll\"><table class=\"list runs\">\n<thead><tr><th "
                                "scope=\"col\">Delivery</th><th "
                                "scope=\"col\">About</th><th scope=\"col\">Person</th><th "
                                "scope=\"col\">Plugin</th><th scope=\"col\">State</th><th "
                                "scope=\"col\">Reason</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n_entries; i++) {
        put_row(task, &entries[i], i == 0 || entries[i].delivery != entries[i - 1].delivery);
    }
    http_page_html(&task->page, "</tbody></table></div>\n");
}

static void put_next(struct console_task *task, const struct inbox_search *found) {
    char place[64];
    AUTO_BUFFER struct buffer url = BUFFER_INIT(8192);
    if (found->next.first == 0) {
        return;
    }
    snprintf(place, sizeof place, "%" PRId64 ".%" PRId64, found->next.first, found->next.second);
    view_url(task, task->path, "before", place, &url);
    http_page_put(&task->page, "<p><a class=\"button quiet\" rel=\"next\" href=\"%s\">%s</a> ",
                  url.data ? url.data : "", found->n_entries > 0 ? "Older" : "Look further back");
    if (found->reached_ms > 0) {
        http_page_html(&task->page, "<span class=\"hint\">This page has looked back to ");
        view_time(&task->page, found->reached_ms, task->now_ms);
        http_page_html(&task->page, "</span>");
    }
    http_page_html(&task->page, "</p>\n");
}

/* Retries all that the filters find, after a preview. The preview takes no word of the box. */
static void put_retry_all(struct console_task *task, const struct search *search,
                          const struct inbox_search *found) {
    static const char *const names[] = {"state",  "plugin", "event", "repository", "installation",
                                        "sender", "reason", "group", "since",      "until"};
    const char *state = search->filter.state;
    bool skipped = state && strcmp(state, "skipped") == 0;
    bool failed = state && (strcmp(state, "dead") == 0 || strcmp(state, "parked") == 0);
    if ((!skipped && !failed) || found->n_entries == 0 || *task_field(task, "q") ||
        !view_form_begin(task, "/failures/preview")) {
        return;
    }
    view_hidden(&task->page, "what", "retry");
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (*task_field(task, names[i])) {
            view_hidden(&task->page, names[i], task_field(task, names[i]));
        }
    }
    http_page_put(&task->page, "<p class=\"actions\"><button class=\"quiet\">%s</button></p>\n",
                  skipped ? "Run all of these again…" : "Retry all of these…");
    view_form_end(&task->page);
}

static void put_page(struct console_task *task, const struct search *search,
                     const struct inbox_search *found) {
    view_begin(task, "Deliveries", true);
    put_filters(task);
    looked_for_put(task, search, found);
    if (found->n_entries > 0) {
        entries_put(task, found->entries, found->n_entries);
    }
    put_next(task, found);
    put_retry_all(task, search, found);
    view_end(&task->page);
}

/* The form stays as the person filled it in. */
static void put_problem(struct console_task *task, const struct search *search) {
    if (task->wants_json) {
        view_problem(task, 400, "The filter is unreadable", search->problem, "Correct it.");
        return;
    }
    task->status = 400;
    view_begin(task, "Deliveries", false);
    http_page_put(&task->page, "<p class=\"problem\" role=\"alert\">%s</p>\n", search->problem);
    put_filters(task);
    view_end(&task->page);
}

/* ---- JSON ---- */

void entry_put_json(struct buffer *json, const struct inbox_entry *entry) {
    int64_t number = search_item_number(entry);
    view_json_open(json, NULL, '{');
    view_json_text(json, "delivery", entry->guid);
    view_json_time(json, "received", entry->received_ms);
    view_json_text(json, "event", entry->event);
    view_json_text(json, "action", entry->action);
    view_json_text(json, "installation", entry->installation);
    view_json_text(json, "repository", entry->repository);
    if (number > 0) {
        view_json_number(json, "number", number);
    }
    view_json_text(json, "sender", entry->sender);
    if (*entry->plugin) {
        view_json_text(json, "plugin", entry->plugin);
        view_json_text(json, "state", entry->state);
        view_json_number(json, "attempt", entry->attempt);
        view_json_bool(json, "suspect", entry->suspect);
        view_json_text(json, "label", entry->label);
        view_json_text(json, "reason", entry->reason);
        view_json_time(json, "finished", entry->finished_ms);
        view_json_text(json, "order_key", entry->order_key);
        view_json_text(json, "behind", entry->behind);
    }
    view_json_close(json, '}');
}

static void put_json(struct console_task *task, const struct search *search,
                     const struct inbox_search *found) {
    char place[64];
    struct buffer *json = &task->page;
    view_json_open(json, NULL, '{');
    view_json_open(json, "runs", '[');
    for (size_t i = 0; i < found->n_entries; i++) {
        entry_put_json(json, &found->entries[i]);
    }
    view_json_close(json, ']');
    looked_for_put_json(json, search, found);
    if (found->next.first != 0) {
        snprintf(place, sizeof place, "%" PRId64 ".%" PRId64, found->next.first,
                 found->next.second);
        view_json_text(json, "before", place);
    }
    view_json_close(json, '}');
}

/* ---- the page ---- */

static bool is_empty(const struct inbox_search *found) {
    return found->n_entries == 0 && found->next.first == 0;
}

void page_deliveries(struct console_task *task) {
    struct search search;
    struct inbox_search found;
    struct error err;
    search_read(task, &search);
    if (search.problem) {
        put_problem(task, &search);
        return;
    }
    int result = find(task, &search, &found, &err);
    while (result == 0 && is_empty(&found) && search_widen(&search)) {
        inbox_entries_free(found.entries, found.n_entries);
        result = find(task, &search, &found, &err);
    }
    if (result < 0) {
        view_store_failed(task, &err);
        return;
    }
    if (search.is_guid && found.n_entries > 0 && !task->wants_json) {
        AUTO_BUFFER struct buffer path = BUFFER_INIT(sizeof task->location);
        view_put_delivery_path(&path, found.entries[0].guid);
        view_redirect(task, path.data ? path.data : "");
    } else if (task->wants_json) {
        put_json(task, &search, &found);
    } else {
        put_page(task, &search, &found);
    }
    inbox_entries_free(found.entries, found.n_entries);
}
