/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For the tests of the SDK's helpers: each command and event uses one of them. */
#include <snekomatic/snekomatic.h>

/* /sticky KEY TEXT */
static int32_t on_sticky(struct snek_run *run) {
    return snek_sticky_comment(run, snek_argument(run, 1), snek_argument(run, 2));
}

/* /restick KEY TEXT */
static int32_t on_restick(struct snek_run *run) {
    return snek_sticky_comment_edit(run, snek_argument(run, 1), snek_argument(run, 2));
}

/* /unstick KEY */
static int32_t on_unstick(struct snek_run *run) {
    return snek_sticky_comment_remove(run, snek_argument(run, 1));
}

/* /clock: in each attempt the comment has another text. */
static int32_t on_clock(struct snek_run *run) {
    return snek_sticky_comment(run, "clock", snek_print(run, "at %" PRId64, snek_now_ms(run)));
}

/* /again: what is posted after a removal is another comment. */
static int32_t on_again(struct snek_run *run) {
    int32_t result = snek_sticky_comment(run, "again", "one");
    result = result < 0 ? result : snek_sticky_comment_remove(run, "again");
    return result < 0 ? result : snek_sticky_comment(run, "again", "one");
}

/* /count: a loop asks for the length again and again. */
static int32_t on_count(struct snek_run *run) {
    struct snek_response *issue;
    int32_t result =
        snek_request(run, "GET", "/repos/{owner}/{repo}/issues/{number}", .response = &issue);
    for (unsigned long n = 0; result == 0 && n < 40000; n++) {
        if (snek_count(run, "issue") == 0 || snek_response_count(run, issue, "") == 0) {
            return snek_fail(run, snek_print(run, "nothing is left after %lu times", n));
        }
    }
    return result;
}

/* /labels +WANTED -UNWANTED ...: what remains to be done is in the log. */
static int32_t on_labels(struct snek_run *run) {
    struct snek_label labels[SNEK_LABELS_MAX + 1] = {{0}};
    const char *word;
    uint32_t count = 0;
    while (count <= SNEK_LABELS_MAX && (word = snek_argument(run, count + 1)) != NULL) {
        labels[count].name = word + 1;
        labels[count++].wanted = *word == '+';
    }
    int32_t changed = snek_set_labels(run, labels, count);
    if (changed < 0) {
        return changed;
    }
    return changed ? SNEK_DONE : snek_skip(run, "the labels are right");
}

/* /has LABEL: from the payload. */
static int32_t on_has(struct snek_run *run) {
    return snek_has_label(run, snek_argument(run, 1)) ? SNEK_DONE : snek_skip(run, "it has not");
}

/* /long CUT: a text of 70,000 characters of two bytes each. */
static int32_t on_long(struct snek_run *run) {
    struct snek_builder text = SNEK_EMPTY_TEXT;
    for (int i = 0; i < 7000; i++) {
        snek_append(run, &text, "%s", "éééééééééé");
    }
    return snek_reply(run, snek_argument(run, 1) ? snek_cut(run, text.text) : text.text);
}

/* /check CONCLUSION ANNOTATIONS ACTIONS: at a commit that the tests know. */
static int32_t on_check(struct snek_run *run) {
    struct snek_builder annotations = SNEK_EMPTY_ARRAY;
    const char *conclusion = snek_argument(run, 1), *count = snek_argument(run, 2);
    int64_t id = 0;
    for (long n = 1; count && n <= strtol(count, NULL, 10); n++) {
        snek_annotate(run, &annotations, "a.c", n, "warning", "a \"b\"");
    }
    int32_t result =
        snek_check(run, "Lint", .head_sha = "5ca1ab1e", .conclusion = conclusion, .title = "T",
                   .annotations = annotations.text, .actions = snek_argument(run, 3),
                   .details_url = "https://example.org/", .id = &id);
    return result < 0 ? result : snek_skip(run, snek_print(run, "its id is %" PRId64, id));
}

/* An issue is edited: a check run has its title. */
static int32_t on_edited(struct snek_run *run) {
    return snek_check(run, "Lint", .head_sha = "5ca1ab1e", .conclusion = "success",
                      .title = snek_string(run, "issue.title"));
}

/* A check run by a request of the plugin's own; `external` is a member of the body, or "". */
static int32_t post_check_run(struct snek_run *run, const char *external) {
    return snek_post(run, "/repos/{owner}/{repo}/check-runs",
                     snek_print(run,
                                "{\"name\":\"a & b\",\"head_sha\":\"5ca1ab1e\",%s"
                                "\"output\":{\"title\":\"T\",\"summary\":\"\"}}",
                                external));
}

static int32_t on_labeled(struct snek_run *run) {
    return post_check_run(run, "");
}

static int32_t on_unlabeled(struct snek_run *run) {
    return post_check_run(run, "\"external_id\":\"mine\",");
}

/* An issue is opened: its comment has the title. */
static int32_t on_opened(struct snek_run *run) {
    return snek_sticky_comment(run, "title", snek_string(run, "issue.title"));
}

static const struct snek_permission permissions[] = {
    {"checks", "write"}, {"issues", "write"}, {"pull_requests", "write"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "issues", .action = "opened", .handler = on_opened},
    {.event = "issues", .action = "labeled", .handler = on_labeled},
    {.event = "issues", .action = "unlabeled", .handler = on_unlabeled},
    {.event = "issues", .action = "edited", .handler = on_edited}};
static const struct snek_command commands[] = {
    {.name = "again", .usage = "/again", .handler = on_again},
    {.name = "count", .usage = "/count", .handler = on_count},
    {.name = "clock", .usage = "/clock", .handler = on_clock},
    {.name = "check", .usage = "/check CONCLUSION ANNOTATIONS ACTIONS", .handler = on_check},
    {.name = "sticky", .usage = "/sticky KEY TEXT", .handler = on_sticky},
    {.name = "restick", .usage = "/restick KEY TEXT", .handler = on_restick},
    {.name = "unstick", .usage = "/unstick KEY", .handler = on_unstick},
    {.name = "labels", .usage = "/labels +WANTED -UNWANTED", .handler = on_labels},
    {.name = "has", .usage = "/has LABEL", .handler = on_has},
    {.name = "long", .usage = "/long CUT", .handler = on_long}};

SNEK_PLUGIN(.name = "helpers", .version = "1", .summary = "uses the helpers",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions), SNEK_TABLE(commands))
