/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Retries or discards many runs, in the two steps of the command line: a preview stores exactly
 * which runs, and the second form changes these, as long as they are in the state that it showed.
 */
#include "base/array.h"
#include "base/clock.h"
#include "console/entries.h"
#include "console/looked_for.h"
#include "console/pages.h"
#include "console/room.h"
#include "console/search.h"
#include "console/view.h"
#include "inbox/previews.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Runs of one preview. */
#define RUNS_MAX ((size_t)10000)
/* How long one request carries a preview out. The page then offers to continue. */
#define APPLY_MS 3000

/* Runs that a preview lists. */
#define SHOWN_MAX ((size_t)20)

struct selection {
    struct inbox_preview_run *runs;
    size_t n_runs;
    bool cut;
    /* The first of them. */
    struct inbox_entry *shown;
    size_t n_shown;
};

static bool wants_discard(const struct console_task *task) {
    return strcmp(task_field(task, "what"), "discard") == 0;
}

/* Runs that only an operator brings back may be retried, also those that had nothing to do, and
 * runs that wait may be discarded. */
static bool is_selectable(const struct inbox_entry *entry, const char *state, bool discards) {
    bool skipped = strcmp(state, "skipped") == 0;
    if (!*entry->plugin || strcmp(entry->state, skipped ? "done" : state) != 0) {
        return false;
    }
    if (discards) {
        return strcmp(entry->state, "dead") != 0 && strcmp(entry->state, "done") != 0 &&
               strcmp(entry->state, "running") != 0;
    }
    return skipped || strcmp(state, "dead") == 0 || strcmp(state, "parked") == 0;
}

/* Takes the entry's texts over. */
static void keep_shown(struct selection *selection, struct inbox_entry *entry) {
    struct inbox_entry *place =
        selection->n_shown < SHOWN_MAX ? ARRAY_ADD(selection->shown, selection->n_shown) : NULL;
    if (place) {
        *place = *entry;
        entry->repository = entry->sender = entry->label = entry->reason = NULL;
    }
}

static int add_all(struct selection *selection, struct inbox_search *found, const char *state,
                   bool discards, struct error *err) {
    for (size_t i = 0; i < found->n_entries && !selection->cut; i++) {
        if (!is_selectable(&found->entries[i], state, discards)) {
            continue;
        }
        selection->cut = selection->n_runs == RUNS_MAX;
        struct inbox_preview_run *run =
            selection->cut ? NULL : ARRAY_ADD(selection->runs, selection->n_runs);
        if (!run && !selection->cut) {
            return error_set(err, "out of memory");
        }
        if (run) {
            run->run = found->entries[i].run;
            memcpy(run->state, found->entries[i].state, sizeof run->state);
            keep_shown(selection, &found->entries[i]);
        }
    }
    return 0;
}

static int select_runs(struct console_task *task, const struct search *search,
                       struct selection *selection, struct error *err) {
    struct inbox_search_position before = {0};
    int result;
    do {
        struct inbox_search found = {.operation = {.kind = INBOX_SEARCH},
                                     .filter = search->filter,
                                     .before = before,
                                     .most = INBOX_SEARCH_MOST_MAX};
        result = room_read(task->console, &found.operation, err);
        if (result == 0) {
            result = add_all(selection, &found, search->filter.state, wants_discard(task), err);
            before = found.next;
            inbox_entries_free(found.entries, found.n_entries);
        }
    } while (result == 0 && before.first != 0 && !selection->cut);
    return result;
}

static int store_preview(struct console_task *task, const struct selection *selection,
                         int64_t preview, int64_t *in_doubt, struct error *err) {
    for (size_t at = 0; at < selection->n_runs; at += INBOX_PREVIEW_RUNS_MAX) {
        size_t left = selection->n_runs - at;
        struct inbox_preview operation = {
            .operation = {.kind = INBOX_PREVIEW},
            .preview = preview,
            .begins = at == 0,
            .discards = wants_discard(task),
            .now_ms = clock_wall_ms(),
            .runs = selection->runs + at,
            .n_runs = left < INBOX_PREVIEW_RUNS_MAX ? left : INBOX_PREVIEW_RUNS_MAX,
            .first = at};
        if (room_change(task->console, &operation.operation, err) < 0) {
            return -1;
        }
        *in_doubt = operation.in_doubt;
    }
    return 0;
}

static void put_apply_form(struct console_task *task, const char *preview, const char *text) {
    if (!view_form_begin(task, "/failures/apply")) {
        return;
    }
    view_hidden(&task->page, "preview", preview);
    view_hidden(&task->page, "what", wants_discard(task) ? "discard" : "retry");
    http_page_put(&task->page,
                  "<p class=\"actions\"><button class=\"%s\">%s</button> "
                  "<a href=\"" CONSOLE_PATH "/failures\">Cancel</a></p>\n",
                  wants_discard(task) ? "danger" : "", text);
    view_form_end(&task->page);
}

static void put_preview(struct console_task *task, const struct search *search,
                        const struct selection *selection, int64_t preview, int64_t in_doubt) {
    struct buffer *page = &task->page;
    char number[24], text[80];
    bool discards = wants_discard(task);
    const char *plural = selection->n_runs == 1 ? "" : "s";
    view_begin(task, discards ? "Discard runs" : "Retry runs", false);
    if (selection->n_runs == 0) {
        http_page_html(page,
                       "<p class=\"card\">No run is like that now.</p>\n<p><a href=\"" CONSOLE_PATH
                       "/failures\">Back to the failures</a></p>\n");
        view_end(page);
        return;
    }
    http_page_put(
        page, "<p class=\"health held\">%zu run%s would be %s.</p>\n<p class=\"hint\">Found by: ",
        selection->n_runs, plural, discards ? "discarded" : "retried");
    looked_for_put_filters(page, search);
    http_page_html(page, "</p>\n");
    if (in_doubt > 0) {
        http_page_put(page,
                      "<p class=\"notice\">%lld of them have an effect in doubt, which stays in "
                      "doubt.</p>\n",
                      (long long)in_doubt);
    }
    if (selection->cut) {
        http_page_put(page,
                      "<p class=\"notice\">There are more. One preview has at most %zu runs.</p>\n",
                      RUNS_MAX);
    }
    entries_put(task, selection->shown, selection->n_shown);
    if (selection->n_runs > selection->n_shown) {
        http_page_put(page, "<p class=\"hint\">These are the first %zu of them.</p>\n",
                      selection->n_shown);
    }
    http_page_html(page, "<p>Press the button within an hour. It changes exactly these runs. It "
                         "leaves a run alone whose state is another one by then.</p>\n");
    snprintf(number, sizeof number, "%" PRId64, preview);
    snprintf(text, sizeof text, "%s %zu run%s", discards ? "Discard" : "Retry", selection->n_runs,
             plural);
    put_apply_form(task, number, text);
    view_end(page);
}

void action_preview(struct console_task *task) {
    struct search search;
    struct selection selection = {.n_runs = 0};
    struct error err;
    int64_t preview = 100000000 + (int64_t)arc4random_uniform(900000000), in_doubt = 0;
    search_read(task, &search);
    if (search.problem || !search.filter.state) {
        view_problem(task, 400, "The filter is unreadable",
                     search.problem ? search.problem : "The form names no state.",
                     "Use the buttons on the page of failures.");
        return;
    }
    int result = select_runs(task, &search, &selection, &err);
    if (result == 0) {
        result = store_preview(task, &selection, preview, &in_doubt, &err);
    }
    if (result < 0) {
        view_store_failed(task, &err);
    } else {
        put_preview(task, &search, &selection, preview, in_doubt);
    }
    inbox_entries_free(selection.shown, selection.n_shown);
    free(selection.runs);
}

/* ---- carrying it out ---- */

struct progress {
    int64_t changed, left_alone;
    /* The preview has no more runs. */
    bool ended;
};

/* 0; 1: there is no such preview; -1. */
static int apply(struct console_task *task, int64_t preview, struct progress *progress,
                 struct error *err) {
    int64_t until_ms = clock_monotonic_ms() + APPLY_MS;
    while (clock_monotonic_ms() < until_ms) {
        struct inbox_preview_apply operation = {.operation = {.kind = INBOX_PREVIEW_APPLY},
                                                .preview = preview,
                                                .discards = wants_discard(task),
                                                .now_ms = clock_wall_ms(),
                                                .due_ms = clock_wall_ms()};
        int result = room_change(task->console, &operation.operation, err);
        if (result < 0) {
            return -1;
        }
        if (result == INBOX_PREVIEW_UNKNOWN) {
            return progress->changed + progress->left_alone > 0 ? 0 : 1;
        }
        progress->ended = result == INBOX_PREVIEW_END;
        if (progress->ended) {
            return 0;
        }
        progress->changed += result == 0;
        progress->left_alone += result != 0;
    }
    return 0;
}

static void put_progress(struct console_task *task, const struct progress *progress) {
    struct buffer *page = &task->page;
    const char *done = wants_discard(task) ? "discarded" : "due now";
    view_begin(task, wants_discard(task) ? "Discard runs" : "Retry runs", false);
    http_page_put(page, "<p class=\"health good\" role=\"status\">%lld run%s %s %s.</p>\n",
                  (long long)progress->changed, progress->changed == 1 ? "" : "s",
                  progress->changed == 1 ? "is" : "are", done);
    if (progress->left_alone > 0) {
        http_page_put(
            page,
            "<p>%lld were left alone, because their state has changed or their payload was "
            "deleted.</p>\n",
            (long long)progress->left_alone);
    }
    if (!progress->ended) {
        http_page_html(page, "<p>More runs are left.</p>\n");
        put_apply_form(task, task_field(task, "preview"), "Continue");
    }
    http_page_html(page, "<p><a href=\"" CONSOLE_PATH "/failures\">Back to the failures</a></p>\n");
    view_end(page);
}

void action_apply(struct console_task *task) {
    struct progress progress = {.changed = 0};
    struct error err;
    char target[64];
    int64_t preview = strtoll(task_field(task, "preview"), NULL, 10);
    int result = apply(task, preview, &progress, &err);
    snprintf(target, sizeof target, "preview %" PRId64, preview);
    room_note_action(task, wants_discard(task) ? "discard many" : "retry many", target, result,
                     &err, progress.changed);
    if (result < 0) {
        view_store_failed(task, &err);
    } else if (result > 0) {
        view_problem(
            task, 404, "No such preview",
            "It was carried out already, is of the other kind, or is more than an hour old.",
            "Make a new one on the page of failures.");
    } else {
        put_progress(task, &progress);
    }
}
