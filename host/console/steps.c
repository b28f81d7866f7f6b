/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Merges what the store knows about a run into a waterfall. */
#include "console/steps.h"

#include "base/array.h"
#include "console/room.h"
#include "console/view.h"
#include "ingest/page.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The width of a bar, in units of its drawing. */
#define BAR_WIDTH 200

struct step {
    int64_t at_ms;
    /* One of these, or none for "received", "due" and "ended". */
    const struct inbox_shown_request *request;
    const struct inbox_shown_attempt *attempt;
    const char *name;
    /* GitHub's; "" unknown. */
    const char *request_id;
    /* A later attempt got the recorded response. */
    bool replayed;
    /* Of steps at the same time: the run came first, then its requests in their order, then the end
     * of the attempt, and then what comes next. */
    int rank;
    size_t order;
};

struct steps {
    struct step *all;
    size_t count;
};

static void add(struct steps *steps, struct step step) {
    struct step *place = ARRAY_ADD(steps->all, steps->count);
    if (!place) {
        return;
    }
    *place = step;
    place->order = steps->count;
    place->rank = step.name ? 3 : 0;
    if (step.request) {
        place->rank = 1;
    } else if (step.attempt) {
        place->rank = 2;
    }
}

/* The n-th effect with this method and URL has the n-th row of the audit with them. */
static const char *find_request_id(const struct inbox_show *show, size_t index) {
    const struct inbox_shown_request *request = &show->requests[index];
    size_t before = 0;
    if (request->kind != INBOX_EFFECT) {
        return "";
    }
    for (size_t i = 0; i < index; i++) {
        const struct inbox_shown_request *other = &show->requests[i];
        before += other->run == request->run && other->kind == INBOX_EFFECT &&
                  strcmp(other->method, request->method) == 0 &&
                  strcmp(other->url, request->url) == 0;
    }
    for (size_t i = 0; i < show->n_audit; i++) {
        const struct inbox_audit_entry *row = &show->audit[i];
        if (strcmp(row->plugin, show->runs[request->run].plugin) == 0 &&
            strcmp(row->method, request->method) == 0 && strcmp(row->url, request->url) == 0 &&
            before-- == 0) {
            return row->request_id;
        }
    }
    return "";
}

static int compare(const void *a, const void *b) {
    const struct step *left = a, *right = b;
    if (left->at_ms != right->at_ms) {
        return left->at_ms < right->at_ms ? -1 : 1;
    }
    if (left->rank != right->rank) {
        return left->rank - right->rank;
    }
    return (left->order > right->order) - (left->order < right->order);
}

static bool has_last_attempt(const struct inbox_show *show, size_t run) {
    for (size_t i = 0; i < show->n_attempts; i++) {
        if (show->attempts[i].run == run && strcmp(show->attempts[i].how, "dead") == 0) {
            return true;
        }
    }
    return false;
}

/* When the last attempt that the store knows of ended; one that runs now has no end yet. */
static int64_t last_end_ms(const struct inbox_show *show, size_t run) {
    const struct inbox_entry *entry = &show->runs[run];
    int64_t last_ms = strcmp(entry->state, "done") == 0 ? entry->finished_ms : 0;
    for (size_t i = 0; i < show->n_attempts; i++) {
        const struct inbox_shown_attempt *attempt = &show->attempts[i];
        if (attempt->run == run && attempt->ended_ms > last_ms) {
            last_ms = attempt->ended_ms;
        }
    }
    return strcmp(entry->state, "running") == 0 ? INT64_MAX : last_ms;
}

/* A later attempt than that of this effect got the recorded response again. */
static bool is_replayed(const struct inbox_show *show, const struct inbox_shown_request *request) {
    bool stands = request->kind == INBOX_EFFECT && request->state == INBOX_COMPLETED &&
                  request->status >= 200 && request->status < 300;
    int64_t last_ms = last_end_ms(show, request->run);
    for (size_t i = 0; stands && i < show->n_attempts; i++) {
        const struct inbox_shown_attempt *attempt = &show->attempts[i];
        if (attempt->run == request->run && attempt->ended_ms >= request->at_ms &&
            attempt->ended_ms < last_ms) {
            return true;
        }
    }
    return false;
}

static void collect(struct steps *steps, const struct inbox_show *show, size_t run) {
    const struct inbox_entry *entry = &show->runs[run];
    add(steps, (struct step){.at_ms = entry->received_ms, .name = "received, and committed"});
    if (steps->count > 0) {
        steps->all[0].rank = 0;
    }
    for (size_t i = 0; i < show->n_requests; i++) {
        if (show->requests[i].run == run) {
            add(steps, (struct step){.at_ms = show->requests[i].at_ms,
                                     .request = &show->requests[i],
                                     .request_id = find_request_id(show, i),
                                     .replayed = is_replayed(show, &show->requests[i])});
        }
    }
    for (size_t i = 0; i < show->n_attempts; i++) {
        if (show->attempts[i].run == run) {
            add(steps,
                (struct step){.at_ms = show->attempts[i].ended_ms, .attempt = &show->attempts[i]});
        }
    }
    if (entry->finished_ms > 0) {
        /* The end of a dead run is that of its last attempt. */
        if (!has_last_attempt(show, run)) {
            add(steps, (struct step){.at_ms = entry->finished_ms, .name = "ended"});
        }
    } else if (strcmp(entry->state, "running") == 0) {
        add(steps, (struct step){.at_ms = entry->lease_until_ms, .name = "the host's lease ends"});
    } else if (entry->due_ms > 0 && strcmp(entry->state, "parked") != 0) {
        add(steps, (struct step){.at_ms = entry->due_ms, .name = "due"});
    }
    if (steps->count > 0) {
        qsort(steps->all, steps->count, sizeof *steps->all, compare);
    }
}

/* ---- HTML ---- */

static const char *request_state(const struct inbox_shown_request *request) {
    if (request->dry) {
        return "dry run";
    }
    if (request->state == INBOX_UNSENT) {
        return "unsent";
    }
    return request->state == INBOX_INTENDED ? "in doubt" : "";
}

static const char *request_kind(enum inbox_record_kind kind) {
    if (kind == INBOX_READ) {
        return "read";
    }
    return kind == INBOX_EFFECT ? "effect" : "store";
}

/* The run's own reason stands above its steps. */
static void put_reason(struct buffer *page, const char *reason, const char *of_run) {
    if (*reason && strcmp(reason, of_run) != 0) {
        http_page_html(page, "<br>");
        view_long_text(page, reason);
    }
}

/* The URL without the origin that all of GitHub's API has. */
static const char *short_url(const struct console_task *task, const char *url) {
    const char *api_url = task->console->options.config->github.api_url;
    size_t bytes = strlen(api_url);
    return strncmp(url, api_url, bytes) == 0 && url[bytes] == '/' ? url + bytes : url;
}

static void put_request(struct console_task *task, const struct step *step, const char *of_run) {
    const struct inbox_shown_request *request = step->request;
    struct buffer *page = &task->page;
    const char *state = request_state(request);
    http_page_put(page, "<span class=\"soft\">%s</span> <code>%s %s</code>",
                  request_kind(request->kind), request->method, short_url(task, request->url));
    if (request->status > 0) {
        http_page_put(page, " <strong>%d</strong>", (int)request->status);
    }
    if (*state) {
        http_page_html(page, " ");
        view_state(page, state);
    }
    if (*step->request_id) {
        http_page_put(page, " <span class=\"soft\">GitHub's request %s</span>", step->request_id);
    }
    if (step->replayed) {
        http_page_html(page, " ");
        view_state(page, "replayed");
    }
    put_reason(page, request->message, of_run);
}

static void put_attempt(struct buffer *page, const struct inbox_shown_attempt *attempt,
                        const char *of_run) {
    static const struct {
        const char *how, *shown;
    } words[] = {{"retry", "to be retried"}, {"wait", "waiting"}, {"park", "parked"}};
    const char *shown = attempt->how;
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        shown = strcmp(attempt->how, words[i].how) == 0 ? words[i].shown : shown;
    }
    http_page_put(page, "attempt %lld ended: ", (long long)attempt->attempt);
    view_state(page, shown);
    put_reason(page, attempt->reason, of_run);
}

/* The time from one step to the next, drawn on the time of all steps. */
static void put_bar(struct buffer *page, int64_t from_ms, int64_t to_ms, int64_t whole_ms) {
    int64_t start = whole_ms > 0 ? from_ms * BAR_WIDTH / whole_ms : 0;
    int64_t width = whole_ms > 0 ? (to_ms - from_ms) * BAR_WIDTH / whole_ms : 0;
    http_page_put(page,
                  "<svg class=\"bar\" viewBox=\"0 0 %d 8\" preserveAspectRatio=\"none\" "
                  "aria-hidden=\"true\"><rect x=\"%lld\" y=\"1\" width=\"%lld\" height=\"6\" "
                  "rx=\"1\"/></svg>",
                  BAR_WIDTH + 2, (long long)start, (long long)(width > 0 ? width : 2));
}

/* The reason of the run is that of its last attempt. */
static bool has_later_attempt(const struct steps *steps, size_t index) {
    for (size_t i = index + 1; i < steps->count; i++) {
        if (steps->all[i].attempt) {
            return true;
        }
    }
    return false;
}

/* A step of the future shows its time of day too. */
static void put_name(struct console_task *task, const struct step *step) {
    http_page_text(&task->page, step->name);
    if (step->at_ms > task->now_ms) {
        http_page_html(&task->page, " ");
        view_time(&task->page, step->at_ms, task->now_ms);
    }
}

static void put_step(struct console_task *task, const struct steps *steps, size_t index,
                     const struct inbox_entry *run) {
    struct buffer *page = &task->page;
    const struct step *step = &steps->all[index];
    int64_t first_ms = steps->all[0].at_ms, last_ms = steps->all[steps->count - 1].at_ms;
    int64_t before_ms = index > 0 ? steps->all[index - 1].at_ms : first_ms;
    char wait[VIEW_DURATION_MAX];
    view_duration(step->at_ms - before_ms, wait);
    http_page_put(page, "<tr><td class=\"nowrap\">%s%s</td><td>", index > 0 ? "+" : "",
                  index > 0 ? wait : "start");
    put_bar(page, before_ms - first_ms, step->at_ms - first_ms, last_ms - first_ms);
    http_page_html(page, "</td><td class=\"wide\">");
    if (step->request) {
        put_request(task, step, run->reason);
    } else if (step->attempt) {
        put_attempt(page, step->attempt, has_later_attempt(steps, index) ? "" : run->reason);
    } else {
        put_name(task, step);
    }
    http_page_html(page, "</td></tr>\n");
}

void steps_put(struct console_task *task, const struct inbox_show *show, size_t run) {
    struct buffer *page = &task->page;
    struct steps steps = {.count = 0};
    collect(&steps, show, run);
    http_page_html(page,
                   "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Steps\">"
                   "<table class=\"steps\">\n<thead><tr><th scope=\"col\">Time</th><th "
                   "scope=\"col\"><span class=\"hidden\">Drawing</span></th><th "
                   "scope=\"col\">Step</th></tr></thead>\n"
                   "<tbody>\n");
    for (size_t i = 0; i < steps.count; i++) {
        put_step(task, &steps, i, &show->runs[run]);
    }
    http_page_html(page, "</tbody></table></div>\n");
    free(steps.all);
}

/* ---- JSON ---- */

static void put_json_request(struct buffer *json, const struct inbox_show *show, size_t index) {
    const struct inbox_shown_request *request = &show->requests[index];
    view_json_open(json, NULL, '{');
    view_json_text(json, "plugin", show->runs[request->run].plugin);
    view_json_time(json, "at", request->at_ms);
    view_json_text(json, "kind", request_kind(request->kind));
    view_json_text(json, "method", request->method);
    view_json_text(json, "url", request->url);
    view_json_number(json, "status", request->status);
    view_json_text(json, "state", *request_state(request) ? request_state(request) : "completed");
    view_json_text(json, "request_id", find_request_id(show, index));
    view_json_bool(json, "replayed", is_replayed(show, request));
    view_json_text(json, "message", request->message);
    view_json_close(json, '}');
}

void steps_put_json(struct buffer *json, const struct inbox_show *show) {
    view_json_open(json, "requests", '[');
    for (size_t i = 0; i < show->n_requests; i++) {
        put_json_request(json, show, i);
    }
    view_json_close(json, ']');
    view_json_open(json, "attempts", '[');
    for (size_t i = 0; i < show->n_attempts; i++) {
        const struct inbox_shown_attempt *attempt = &show->attempts[i];
        view_json_open(json, NULL, '{');
        view_json_text(json, "plugin", show->runs[attempt->run].plugin);
        view_json_number(json, "attempt", attempt->attempt);
        view_json_time(json, "ended", attempt->ended_ms);
        view_json_text(json, "how", attempt->how);
        view_json_text(json, "label", attempt->label);
        view_json_text(json, "reason", attempt->reason);
        view_json_close(json, '}');
    }
    view_json_close(json, ']');
}
