/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For the scenario of a timer: a day after an issue was opened it asks for news, unless somebody
 * commented meanwhile. */
#include <snekomatic/snekomatic.h>

static int32_t on_issue(struct snek_run *run) {
    return snek_timer(run, snek_text(run, "issue.number"), SNEK_DAY_MS, "{}");
}

static int32_t on_comment(struct snek_run *run) {
    return snek_timer_cancel(run, snek_text(run, "issue.number"));
}

static int32_t on_timer(struct snek_run *run) {
    return snek_request(run, "POST", "/repos/{owner}/{repo}/issues/{n}/comments",
                        .parameters = {{"n", snek_string(run, "timer.key")}},
                        .json = snek_json(run, "{'body':'Is there any news?'}"));
}

static const struct snek_permission permissions[] = {{"issues", "write"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "issues", .action = "opened", .handler = on_issue},
    {.event = "issue_comment", .action = "created", .handler = on_comment},
    {.event = SNEK_TIMER_EVENT, .handler = on_timer}};

SNEK_PLUGIN(.name = "remind", .version = "1", .summary = "asks for news after a day",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
