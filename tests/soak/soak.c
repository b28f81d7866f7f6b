/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The plugin of the soak test: one entry in a set and one comment, which names the delivery, so
 * that the oracle can count the effects of each delivery. The payload may ask for trouble in the
 * first attempt: a crash or a hang before or after the comment, or an error after it. */
#include <snekomatic/snekomatic.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool wants(struct snek_run *run, const char *trouble) {
    const char *text = snek_string(run, "trouble");
    return text && strcmp(text, trouble) == 0 && snek_event(run)->attempt(run) == 1;
}

static int32_t soak(struct snek_run *run) {
    const char *url = snek_string(run, "issue.comments_url");
    char text[128];
    if (!url) {
        return snek_reject(run, "no issue.comments_url");
    }
    snprintf(text, sizeof text, "soaked %s", snek_event(run)->delivery(run));
    int32_t added = snek_set_add(run, SNEK_SCOPE_PLUGIN, "soaked", snek_event(run)->delivery(run));
    if (added < 0) {
        return added;
    }
    if (wants(run, "crash_before")) {
        abort();
    }
    int32_t posted = snek_post(run, url, snek_json(run, "{'body':'%s'}", text));
    if (posted < 0) {
        return posted;
    }
    if (wants(run, "crash_after")) {
        abort();
    }
    while (wants(run, "hang_after") && !snek_cancelled(run)) {
        const struct timespec pause = {.tv_nsec = 10000000};
        nanosleep(&pause, NULL);
    }
    if (wants(run, "error_after")) {
        return snek_fail(run, "the payload asks for an error");
    }
    return posted;
}

static const struct snek_permission permissions[] = {{"issues", "write"}};
static const struct snek_subscription subscriptions[] = {{"soak", NULL, soak, {{0}}, 0, 0}};
SNEK_PLUGIN(.name = "soak", .version = "1", .summary = "comments once for each delivery",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
