/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Advice by the state of a run. */
#include "console/advice.h"

#include "console/room.h"
#include "console/view.h"
#include "inbox/deliveries.h"
#include "inbox/holds.h"
#include "ingest/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_state(const struct inbox_entry *run, const char *state) {
    return strcmp(run->state, state) == 0;
}

bool advice_is_crash(const struct inbox_entry *run) {
    return run->crashes > 0 && (is_state(run, "dead") || is_state(run, "queued"));
}

bool advice_is_skipped(const struct inbox_entry *run) {
    return is_state(run, "done") && strcmp(run->label, "skipped") == 0;
}

/* Would a hold keep the run from beginning now? */
static bool is_held(struct console_task *task, const struct inbox_entry *run) {
    struct error err;
    struct inbox_holds holds = {.operation = {.kind = INBOX_HOLDS}, .now_ms = task->now_ms};
    struct inbox_run place = {.repository = run->repository};
    bool held = false;
    snprintf(place.installation, sizeof place.installation, "%s", run->installation);
    snprintf(place.item, sizeof place.item, "%s", run->item);
    if (room_read(task->console, &holds.operation, &err) == 0) {
        for (size_t i = 0; i < holds.n_holds && !held; i++) {
            const struct inbox_hold *hold = &holds.holds[i];
            held = strcmp(hold->plugin, run->plugin) == 0 && inbox_hold_covers_run(hold, &place);
        }
    }
    free(holds.holds);
    return held;
}

/* "when the hold of PLUGIN ends.", with a link to the hold. */
static void put_hold_end(struct buffer *page, const struct inbox_entry *run) {
    http_page_html(page, "when the hold of <a href=\"" CONSOLE_PATH "/plugins/");
    view_put_part(page, run->plugin);
    http_page_put(page, "\">%s</a> ends.", run->plugin);
}

/* Somebody who may only read has no buttons. */
static void put_for(struct console_task *task, const char *admin, const char *reader) {
    http_page_text(&task->page, task->role == CONSOLE_ADMIN ? admin : reader);
}

static void put_parked(struct console_task *task, const struct inbox_entry *run) {
    struct buffer *page = &task->page;
    http_page_html(page, "<p>It waits for a permission. First <a href=\"" CONSOLE_PATH "/plugins/");
    view_put_part(page, run->plugin);
    http_page_html(
        page, "#permissions\">see which one is missing</a>, and add it in the settings of "
              "the App. Then an owner accepts it for <a href=\"" CONSOLE_PATH "/installations#i");
    http_page_put(page, "%s\">the installation %s</a>. GitHub tells the host, and the run goes on ",
                  run->installation, run->installation);
    if (is_held(task, run)) {
        put_hold_end(page, run);
        put_for(task, " “Retry now” does not end the hold.", "");
        http_page_html(page, "</p>\n");
        return;
    }
    http_page_html(page, "by itself. If it does not, ");
    put_for(task, "press “Retry now”.", "a person with the admin's token can retry it.");
    http_page_html(page, "</p>\n");
}

static void put_dead(struct console_task *task, const struct inbox_entry *run, bool in_doubt) {
    struct buffer *page = &task->page;
    if (strcmp(run->label, "discarded") == 0) {
        http_page_html(page, "<p>A person discarded it. ");
        put_for(task, "“Retry now” runs it after all.",
                "A person with the admin's token can run it after all.");
        http_page_html(page, "</p>\n");
    } else if (advice_is_crash(run)) {
        http_page_html(page,
                       "<p><strong>Fix the plugin first.</strong> Its worker died while it ran "
                       "this delivery. A retry gives the same payload to the same code, and will "
                       "probably end the same way. The <a href=\"#worker-died\">log line "
                       "<code>worker_died</code></a> has the crash. Load the fixed plugin with "
                       "<code>snekomatic reload</code>, and then retry.</p>\n");
    } else {
        http_page_html(page, "<p>The host does not retry it by itself any more. ");
        put_for(task, "Remove the cause, and then press “Retry now”.",
                "After its cause is gone, a person with the admin's token can retry it.");
        http_page_html(page, in_doubt ? "</p>\n"
                                      : " The retry does not repeat an effect that GitHub "
                                        "accepted.</p>\n");
    }
}

/* The run comes again without a person. */
static void put_later(struct console_task *task, const struct inbox_entry *run) {
    if (run->due_ms <= task->now_ms) {
        return;
    }
    http_page_html(&task->page, is_state(run, "waiting")
                                    ? "<p>The plugin asked to wait. The host calls it again at "
                                    : "<p>The host retries it by itself at ");
    view_time(&task->page, run->due_ms, task->now_ms);
    put_for(task, ". “Retry now” does not wait for that.", ".");
    http_page_html(&task->page, "</p>\n");
}

static void put_skipped(struct console_task *task, const struct inbox_entry *run) {
    struct buffer *page = &task->page;
    http_page_html(page, "<p>The plugin had nothing to do with it. ");
    /* Beside "nothing matched" there is a link already. */
    if (strcmp(run->reason, "nothing matched") != 0) {
        view_put_delivery_link(page, run->guid, "/why");
        http_page_html(page, ">See why.</a> ");
    }
    http_page_html(page, "After a change of the plugin or of its configuration, ");
    put_for(task, "“Run again” gives it the delivery once more.",
            "a person with the admin's token can give it the delivery once more.");
    http_page_html(page, "</p>\n");
}

/* The host isolates a suspect when it runs it. */
static void put_suspect(struct buffer *page, const struct inbox_entry *run) {
    http_page_html(page, "<p class=\"hint\">Suspect: a worker died while this run was in it. ");
    http_page_html(page,
                   is_state(run, "dead") ? "A retry runs it alone" : "The host runs it alone");
    http_page_html(page, ", so that it harms no other run.</p>\n");
}

void advice_put(struct console_task *task, const struct inbox_entry *run, bool in_doubt) {
    struct buffer *page = &task->page;
    if (is_state(run, "parked")) {
        put_parked(task, run);
    } else if (is_state(run, "dead") || advice_is_crash(run)) {
        put_dead(task, run, in_doubt);
    } else if (is_state(run, "queued") || is_state(run, "waiting")) {
        put_later(task, run);
    } else if (is_state(run, "held")) {
        http_page_html(page, "<p>It begins ");
        put_hold_end(page, run);
        put_for(task, " “Retry now” does not end the hold.", "");
        http_page_html(page, "</p>\n");
    } else if (advice_is_skipped(run)) {
        put_skipped(task, run);
    }
    if (run->suspect && !is_state(run, "done")) {
        put_suspect(page, run);
    }
}
