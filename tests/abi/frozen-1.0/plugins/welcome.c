/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Welcomes people: at their first issue, first pull request and first merge in a repository. */
#include <snekomatic/snekomatic.h>

/* The set: "occasion repository-id user-id". */
#define WELCOMED "welcomed"
#define OPENED "/repos/{repository}/issues?creator={user}&state=all&direction=asc&per_page=100"
/* It looks at so many of them, one page. */
#define OPENED_MAX 100

enum occasion { ISSUE, PULL_REQUEST, MERGE, OCCASIONS };

static const char *const keys[OCCASIONS] = {"issue", "pull_request", "merge"};
static const char *const defaults[OCCASIONS] = {
    "Hi @{user}, thank you for your first issue in {repository}! 🐍 Somebody will look at it.",
    "Hi @{user}, thank you for your first pull request in {repository}! 🐍 Somebody will review it.",
    "Your first pull request in {repository} is merged. Thank you, @{user}! 🎉 🐍"};

/* Their own number and, of a pull request, when it was merged. */
struct own {
    int64_t number;
    const char *merged_at;
};

/* Is the present one of those that the person opened an earlier one of the same occasion? */
static int is_earlier(struct snek_run *run, struct snek_pages *opened, enum occasion occasion,
                      const struct own *own) {
    int64_t number = snek_item_integer(run, opened, "number", 0);
    if (occasion == MERGE) {
        const char *merged_at = snek_item_string(run, opened, "pull_request.merged_at");
        return number != own->number && merged_at && own->merged_at &&
               strcmp(merged_at, own->merged_at) < 0;
    }
    int is_pull = snek_item_exists(run, opened, "pull_request");
    return is_pull == (occasion == PULL_REQUEST) && number < own->number;
}

/* 1, 0 or negative: is this the person's first? The plugin's own record begins with its first run,
 * so GitHub must say. */
static int32_t is_first(struct snek_run *run, enum occasion occasion, const char *user,
                        const struct own *own) {
    struct snek_pages *opened = snek_list(run, OPENED, .parameters = {{"user", user}});
    int32_t more = 1;
    for (int n = 0; n < OPENED_MAX && (more = snek_next(run, opened)) > 0; n++) {
        if (is_earlier(run, opened, occasion, own)) {
            return 0;
        }
    }
    return more < 0 ? more : 1;
}

static int32_t greet(struct snek_run *run, const char *text, const char *user) {
    const struct snek_parameter names[] = {
        {"user", user}, {"repository", snek_string(run, "repository.full_name")}};
    return snek_reply(run, snek_fill(run, text, names, SNEK_COUNT(names)));
}

static int32_t welcome(struct snek_run *run, enum occasion occasion, const char *user, int64_t id,
                       const struct own *own) {
    const char *const *texts = (const char *const *)run->state;
    /* GitHub shows the texts of deleted accounts as those of the user ghost. */
    if (!user || strcmp(user, "ghost") == 0) {
        return snek_skip(run, "the author's account is gone");
    }
    const char *entry = snek_print(run, "%s %" PRId64 " %" PRId64, keys[occasion],
                                   snek_integer(run, "repository.id", 0), id);
    if (!*texts[occasion]) {
        return snek_skip(run, "no text is configured for this");
    }
    int32_t welcomed = snek_set_has(run, SNEK_SCOPE_PLUGIN, WELCOMED, entry);
    int32_t first = welcomed == 0 ? is_first(run, occasion, user, own) : 0;
    if (welcomed < 0 || first < 0) {
        return welcomed < 0 ? welcomed : first;
    }
    /* The record is made before the comment: when two runs or two attempts compete, only one adds.
     */
    int32_t added = first ? snek_set_add(run, SNEK_SCOPE_PLUGIN, WELCOMED, entry) : 0;
    if (added < 0) {
        return added;
    }
    if (added) {
        return greet(run, texts[occasion], user);
    }
    return snek_skip(run, first || welcomed ? "welcomed before" : "not their first");
}

static int32_t on_issue(struct snek_run *run) {
    /* GitHub announces an issue that arrives from another repository as opened, even an old one. */
    if (snek_exists(run, "changes.old_issue")) {
        return snek_skip(run, "the issue was transferred from another repository");
    }
    const struct own own = {snek_integer(run, "issue.number", 0), NULL};
    return welcome(run, ISSUE, snek_string(run, "issue.user.login"),
                   snek_integer(run, "issue.user.id", 0), &own);
}

static int32_t on_pull_request(struct snek_run *run) {
    const struct own own = {snek_integer(run, "pull_request.number", 0),
                            snek_string(run, "pull_request.merged_at")};
    return welcome(run, own.merged_at ? MERGE : PULL_REQUEST,
                   snek_string(run, "pull_request.user.login"),
                   snek_integer(run, "pull_request.user.id", 0), &own);
}

static int32_t create(const struct snek_host *host, void **state) {
    static const char *texts[OCCASIONS];
    int32_t result = snek_config_allow(host, keys, SNEK_COUNT(keys));
    for (int i = 0; i < OCCASIONS && result == 0; i++) {
        texts[i] = snek_config_string(host, keys[i], defaults[i]);
        result = texts[i] ? 0 : SNEK_E_INVALID;
    }
    *state = texts;
    return result;
}

static const struct snek_permission permissions[] = {{"issues", "write"},
                                                     {"pull_requests", "write"}};

/* People only, and no members, owners or collaborators. */
#define NEWCOMER(object)                                                                           \
    {object ".user.type", SNEK_IS, 0, {"User"}}, {                                                 \
        object ".author_association", SNEK_IN, 0, {                                                \
            "NONE", "FIRST_TIMER", "FIRST_TIME_CONTRIBUTOR", "CONTRIBUTOR"                         \
        }                                                                                          \
    }
static const struct snek_subscription subscriptions[] = {
    {.event = "issues", .action = "opened", .handler = on_issue, .filters = {NEWCOMER("issue")}},
    {.event = "pull_request",
     .action = "opened",
     .handler = on_pull_request,
     .filters = {NEWCOMER("pull_request")}},
    {.event = "pull_request",
     .action = "closed",
     .handler = on_pull_request,
     .filters = {NEWCOMER("pull_request"), {"pull_request.merged", SNEK_IS, 0, {"true"}}}}};

SNEK_PLUGIN(.name = "welcome", .version = "1.0",
            .summary = "Welcomes people at their first issue, pull request and merge.",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions), .create = create)
