/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For the tests of coalescing: a run posts a comment with the number of its event, or fails first.
 * The event "command" may hold the command /say. */
#include <snekomatic/snekomatic.h>

#include <stdio.h>
#include <time.h>

#define COMMENTS "/repos/sneks-united/terrarium/issues/12/comments"

static int32_t say(struct snek_run *run) {
    char text[64];
    if (snek_event(run)->attempt(run) <= snek_integer(run, "failures", 0)) {
        return snek_fail(run, "as the event says");
    }
    int64_t ms = snek_integer(run, "ms", 0);
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&wait, NULL);
    snprintf(text, sizeof text, "number=%lld", (long long)snek_integer(run, "number", -1));
    return snek_post(run, COMMENTS, snek_json(run, "{'body':'%s'}", text));
}

static const struct snek_permission permissions[] = {{"issues", "write"}};
static const struct snek_subscription subscriptions[] = {
    {"coalesced", NULL, say, {{0}}, SNEK_COALESCE, 0},
    {"issue_comment", "created", say, {{0}}, SNEK_COALESCE, 0}};
static const struct snek_command commands[] = {
    {.name = "say", .usage = "/say", .roles = SNEK_ROLE_ANYBODY, .handler = say}};
SNEK_PLUGIN(.name = "coalescing", .version = "1", .summary = "only the newest of several runs",
            .order = SNEK_ORDER_ITEM, SNEK_TABLE(permissions), SNEK_TABLE(subscriptions),
            SNEK_TABLE(commands))
