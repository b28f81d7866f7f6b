/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For the tests of waiting, timers and schedules: it acts, then waits until issue 12 has the title
 * "ready", and comments on it; and it comments when a timer or a schedule fires. */
#include <snekomatic/snekomatic.h>

#include <stdio.h>
#include <string.h>

#define MEMBERSHIP "/orgs/sneks-united/memberships/hatchling-hana"
#define ISSUE "/repos/sneks-united/terrarium/issues/12"

static int32_t comment(struct snek_run *run, const char *text) {
    return snek_post(run, ISSUE "/comments", snek_json(run, "{'body':'%s'}", text));
}

/* 1, 0, or a negative error. */
static int32_t is_ready(struct snek_run *run) {
    struct snek_response *issue;
    int32_t result = snek_get(run, ISSUE, &issue);
    const char *title = result == SNEK_DONE ? snek_response_string(run, issue, "title") : NULL;
    int32_t ready = title && strcmp(title, "ready") == 0;
    snek_free_response(run, issue);
    return result < 0 ? result : ready;
}

/* Acts, and then greets, like the plugin invite. */
static int32_t invite(struct snek_run *run) {
    int32_t result = snek_get(run, MEMBERSHIP, NULL);
    if (result == SNEK_DONE) {
        return snek_skip(run, "a member already");
    }
    return snek_request(run, "PUT", MEMBERSHIP, .json = snek_json(run, "{'role':'member'}"));
}

/* Says which timer has fired, in which repository. */
static int32_t on_timer(struct snek_run *run) {
    char text[200];
    const char *key = snek_string(run, "timer.key"), *where = snek_string(run, "repository.name");
    snprintf(text, sizeof text, "timer %s %lld in %s", key ? key : "-",
             (long long)snek_integer(run, "timer.data.n", -1), where ? where : "-");
    return comment(run, text);
}

static int32_t on_schedule(struct snek_run *run) {
    char text[200];
    const char *slot = snek_string(run, "schedule.slot");
    const char *where = snek_string(run, "repository.full_name");
    snprintf(text, sizeof text, "%s at %s in %s", snek_event(run)->action(run), slot ? slot : "-",
             where ? where : "-");
    return comment(run, text);
}

/* Sets the timer "tea", and then fails as often as the event says. */
static int32_t set_timer(struct snek_run *run) {
    char data[40];
    snprintf(data, sizeof data, "{\"n\":%lld}", (long long)snek_integer(run, "n", 0));
    int32_t result = snek_timer(run, "tea", snek_integer(run, "ms", 0), data);
    if (result < 0) {
        return result;
    }
    int again = snek_event(run)->attempt(run) <= snek_integer(run, "failures", 0);
    return again ? snek_fail(run, "as the event says") : SNEK_DONE;
}

static int32_t timed(struct snek_run *run) {
    const char *what = snek_event(run)->action(run);
    int32_t result = SNEK_DONE;
    if (strcmp(what, "set") == 0) {
        return set_timer(run);
    }
    if (strcmp(what, "cancel") == 0) {
        return snek_timer_cancel(run, "tea");
    }
    if (strcmp(what, "invite") == 0) {
        result = invite(run);
        if (result != SNEK_DONE) {
            return result;
        }
    }
    int32_t ready = is_ready(run);
    if (ready < 0) {
        return ready;
    }
    if (strcmp(what, "remember") == 0) {
        result = snek_set_add(run, SNEK_SCOPE_PLUGIN, "seen", "12");
        if (result < 0) {
            return result;
        }
    }
    if (!ready) {
        return snek_wait(run, snek_integer(run, "ms", 1000), "the issue is not ready");
    }
    return comment(run, "It is ready.");
}

static const struct snek_permission permissions[] = {{"issues", "write"}, {"members", "write"}};
static const struct snek_subscription subscriptions[] = {
    {"timed", NULL, timed, {{0}}, 0, 0}, {SNEK_TIMER_EVENT, NULL, on_timer, {{0}}, 0, 0}};
static const struct snek_schedule schedules[] = {
    {"hourly", 60, SNEK_EACH_INSTALLATION, NULL, on_schedule},
    {"nightly", 0, SNEK_EACH_REPOSITORY, "30 3 * * *", on_schedule}};
SNEK_PLUGIN(.name = "timed", .version = "1", .summary = "waits for things",
            .order = SNEK_ORDER_ITEM, SNEK_TABLE(permissions), SNEK_TABLE(subscriptions),
            SNEK_TABLE(schedules))
