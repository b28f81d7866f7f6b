/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For the tests of order: each run of an item comments on an issue of the item when it begins and
 * when it ends. The event's action says what happens between them. */
#include <snekomatic/snekomatic.h>

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The fake's first issues are others'. */
#define FIRST_ISSUE 100

static int32_t say(struct snek_run *run, const char *word) {
    char text[100], url[100];
    long long item = (long long)snek_integer(run, "issue.number", -1);
    snprintf(text, sizeof text, "item=%lld number=%lld %s", item,
             (long long)snek_integer(run, "number", -1), word);
    snprintf(url, sizeof url, "/repos/sneks-united/terrarium/issues/%lld/comments",
             FIRST_ISSUE + item);
    return snek_post(run, url, snek_json(run, "{'body':'%s'}", text));
}

static int32_t ordered(struct snek_run *run) {
    const char *what = snek_event(run)->action(run);
    int64_t ms = snek_integer(run, "ms", 0), attempt = snek_event(run)->attempt(run);
    int again = attempt <= snek_integer(run, "failures", 0);
    if (strcmp(what, "fail") == 0 && again) {
        return snek_fail(run, "as the event says");
    }
    int32_t result = say(run, "begin");
    if (result < 0) {
        return result;
    }
    if (strcmp(what, "exit") == 0 && again) {
        _exit(3);
    }
    if (strcmp(what, "retry") == 0 && again) {
        return snek_retry_after(run, ms, "as the event says");
    }
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&wait, NULL);
    return say(run, "end");
}

static const struct snek_permission permissions[] = {{"issues", "write"}};
static const struct snek_subscription subscriptions[] = {{"ordered", NULL, ordered, {{0}}, 0, 0}};
SNEK_PLUGIN(.name = "ordered", .version = "1", .summary = "runs of an item go one at a time",
            .order = SNEK_ORDER_ITEM, SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
