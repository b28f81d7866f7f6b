/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Each day it marks issues as stale that nobody touched for 60 days, and closes those on which
 * nobody replied for 7 more days. A reply removes the mark. */
#include <snekomatic/snekomatic.h>

#define ISSUE "/repos/{owner}/{repo}/issues/{n}"

static int32_t mark(struct snek_run *run, const char *number) {
    int32_t result = snek_request(run, "POST", ISSUE "/labels", .parameters = {{"n", number}},
                                  .json = snek_json(run, "{'labels':['stale']}"),
                                  .flags = SNEK_REQUEST_REPEATABLE);
    return result < 0 ? result
                      : snek_comment(run, strtoll(number, NULL, 10),
                                     "Nothing happened here for 60 days. Is it still true? I will "
                                     "close this in 7 days unless somebody replies.");
}

static int32_t close_issue(struct snek_run *run, const char *number) {
    return snek_request(run, "PATCH", ISSUE, .parameters = {{"n", number}},
                        .json = snek_json(run, "{'state':'closed','state_reason':'not_planned'}"));
}

static int32_t on_day(struct snek_run *run) {
    struct snek_pages *issues =
        snek_list(run, "/repos/{owner}/{repo}/issues?state=open&sort=updated&direction=asc");
    const char *old = snek_time(run, snek_slot_ms(run) - 60 * SNEK_DAY_MS);
    const char *silent = snek_time(run, snek_slot_ms(run) - 7 * SNEK_DAY_MS);
    int32_t more;
    while ((more = snek_next(run, issues)) > 0) {
        const char *updated = snek_item_string(run, issues, "updated_at");
        const char *number = snek_item_text(run, issues, "number");
        int stale = snek_item_has_label(run, issues, "stale");
        if (!updated || strcmp(updated, stale ? silent : old) > 0) {
            continue;
        }
        more = stale ? close_issue(run, number) : mark(run, number);
        if (more < 0) {
            return more;
        }
    }
    return more;
}

static int32_t on_comment(struct snek_run *run) {
    if (!snek_has_label(run, "stale")) {
        return snek_skip(run, "it is not stale");
    }
    int32_t result =
        snek_request(run, "DELETE", "/repos/{owner}/{repo}/issues/{number}/labels/stale");
    return result == SNEK_E_NOT_FOUND ? SNEK_DONE : result;
}

static const struct snek_permission permissions[] = {{"issues", "write"},
                                                     {"pull_requests", "write"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "issue_comment", .action = "created", .handler = on_comment}};
static const struct snek_schedule schedules[] = {
    {.name = "daily", .cron = "30 4 * * *", .target = SNEK_EACH_REPOSITORY, .handler = on_day}};

SNEK_PLUGIN(.name = "stale", .version = "1.0", .summary = "Closes issues that nobody touches.",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions), SNEK_TABLE(schedules))
