/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Each day it marks issues and pull requests that nobody has touched for long, and closes those
 * that stay silent. A reply removes the mark. Until `dry_run` is false it only shows what it would
 * do. */
#include <snekomatic/snekomatic.h>

#define ISSUE "/repos/{owner}/{repo}/issues/{n}"
/* Each costs two effects, and a run may make 100 (plugin.effects_per_run). */
#define LIMIT_MAX 45
#define DAYS_MAX 3650
#define EXEMPT_MAX SNEK_LABELS_MAX

/* The plugin's configuration, and that of a repository. */
struct settings {
    int64_t days_until_stale;
    /* 0: never. */
    int64_t days_until_close;
    /* The most issues and pull requests that one run marks and closes. */
    int64_t limit;
    int32_t dry_run, exempt_milestones, exempt_assignees;
    /* "issues", "pulls" or "": both. */
    const char *only;
    const char *label;
    /* Comments; "" for none. */
    const char *mark_comment, *unmark_comment, *close_comment;
    const char *exempt[EXEMPT_MAX];
    uint32_t exempt_count;
    /* GitHub's times: what was updated later is not due. */
    const char *mark_before, *close_before;
};

enum act { NOTHING, MARK, CLOSE };

struct candidate {
    const char *number;
    enum act act;
};

/* ---- the configuration ---- */

static const char *const default_exempt[] = {"pinned", "security"};
static const char default_mark_comment[] =
    "Nothing has happened here for {days_until_stale} days. Is it still true? Any comment keeps it "
    "open; otherwise I will close it in {days_until_close} days.";
static const char default_mark_comment_only[] =
    "Nothing has happened here for {days_until_stale} days. Is it still true? Any comment removes "
    "the label.";

static int is_only(const char *only) {
    return strcmp(only, "") == 0 || strcmp(only, "issues") == 0 || strcmp(only, "pulls") == 0;
}

/* A text, or false for none. NULL stays: the default depends on other values. */
static int32_t read_text(struct snek_run *run, struct snek_repository_config *file,
                         const char *path, const char **text) {
    if (snek_repository_configs(run)->find(file, path, NULL) == SNEK_FALSE) {
        *text = "";
        return 0;
    }
    return snek_repository_string(run, file, path, *text, text);
}

static int32_t read_exempt(struct snek_run *run, struct snek_repository_config *file,
                           struct settings *settings) {
    const char *label;
    uint32_t n = 0;
    int32_t more = 1;
    if (snek_repository_configs(run)->find(file, "exemptLabels", NULL) == SNEK_ABSENT) {
        return 0;
    }
    while (n < EXEMPT_MAX &&
           (more = snek_repository_item(run, file, "exemptLabels", n, &label)) > 0) {
        settings->exempt[n++] = label;
    }
    settings->exempt_count = n;
    return more > 0 ? snek_repository_wrong(run, file, "exemptLabels", "has over 100 labels")
                    : more;
}

static int32_t read_times(struct snek_run *run, struct snek_repository_config *file,
                          struct settings *settings) {
    int32_t result =
        snek_repository_integer(run, file, "daysUntilStale", 1, DAYS_MAX,
                                settings->days_until_stale, &settings->days_until_stale);
    if (result == 0 &&
        snek_repository_configs(run)->find(file, "daysUntilClose", NULL) == SNEK_FALSE) {
        settings->days_until_close = 0;
    } else if (result == 0) {
        result = snek_repository_integer(run, file, "daysUntilClose", 0, DAYS_MAX,
                                         settings->days_until_close, &settings->days_until_close);
    }
    if (result == 0) {
        result = snek_repository_integer(run, file, "limitPerRun", 1, LIMIT_MAX, settings->limit,
                                         &settings->limit);
    }
    return result;
}

/* .github/stale.yml, with the names of Probot's app stale. */
static int32_t read_file(struct snek_run *run, struct settings *settings) {
    struct snek_repository_config *file;
    int32_t result;
    if ((result = snek_repository_config(run, "stale", &file)) < 0 ||
        (result = read_times(run, file, settings)) < 0 ||
        (result = snek_repository_boolean(run, file, "dryRun", settings->dry_run,
                                          &settings->dry_run)) < 0 ||
        (result =
             snek_repository_boolean(run, file, "exemptMilestones", settings->exempt_milestones,
                                     &settings->exempt_milestones)) < 0 ||
        (result = snek_repository_boolean(run, file, "exemptAssignees", settings->exempt_assignees,
                                          &settings->exempt_assignees)) < 0 ||
        (result = read_exempt(run, file, settings)) < 0 ||
        (result = snek_repository_string(run, file, "only", settings->only, &settings->only)) < 0 ||
        (result = snek_repository_string(run, file, "staleLabel", settings->label,
                                         &settings->label)) < 0 ||
        (result = read_text(run, file, "markComment", &settings->mark_comment)) < 0 ||
        (result = read_text(run, file, "unmarkComment", &settings->unmark_comment)) < 0) {
        return result;
    }
    if (!*settings->label) {
        return snek_repository_wrong(run, file, "staleLabel", "must not be empty");
    }
    return read_text(run, file, "closeComment", &settings->close_comment);
}

static int32_t read_settings(struct snek_run *run, struct settings *settings) {
    *settings = *(const struct settings *)run->state;
    int32_t result = read_file(run, settings);
    int64_t now = snek_slot_ms(run) >= 0 ? snek_slot_ms(run) : snek_now_ms(run);
    settings->mark_before = snek_time(run, now - settings->days_until_stale * SNEK_DAY_MS);
    settings->close_before = snek_time(run, now - settings->days_until_close * SNEK_DAY_MS);
    if (!settings->mark_comment) {
        settings->mark_comment =
            settings->days_until_close > 0 ? default_mark_comment : default_mark_comment_only;
    }
    return result;
}

/* ---- what is due ---- */

/* An issue or pull request: the present one of a list, or else the one that a response holds. */
struct item {
    struct snek_pages *pages;
    struct snek_response *response;
};

static uint32_t find(struct snek_run *run, struct item item, const char *path,
                     struct snek_value *value) {
    return item.pages ? snek_github(run)->item(item.pages, path, value)
                      : snek_github(run)->find(item.response, path, value);
}

static int has_label(struct snek_run *run, struct item item, const char *label) {
    return item.pages ? snek_item_has_label(run, item.pages, label)
                      : snek_response_has_label(run, item.response, label);
}

/* Does a rule keep it as it is? */
static int is_exempt(struct snek_run *run, const struct settings *settings, struct item item) {
    struct snek_value assignees = {0};
    int is_pull = find(run, item, "pull_request", NULL) > SNEK_NULL;
    if ((is_pull && strcmp(settings->only, "issues") == 0) ||
        (!is_pull && strcmp(settings->only, "pulls") == 0)) {
        return 1;
    }
    if (find(run, item, "assignees", &assignees) == SNEK_ARRAY && assignees.count > 0 &&
        settings->exempt_assignees) {
        return 1;
    }
    if (settings->exempt_milestones && find(run, item, "milestone", NULL) > SNEK_NULL) {
        return 1;
    }
    for (uint32_t n = 0; n < settings->exempt_count; n++) {
        if (has_label(run, item, settings->exempt[n])) {
            return 1;
        }
    }
    return 0;
}

/* Nobody may comment on a locked one. */
static enum act due_for(struct snek_run *run, const struct settings *settings, struct item item) {
    struct snek_value state = {0}, updated_at = {0};
    find(run, item, "state", &state);
    find(run, item, "updated_at", &updated_at);
    const char *open = snek_value_string(&state), *updated = snek_value_string(&updated_at);
    if (!updated || !open || strcmp(open, "open") != 0 ||
        find(run, item, "locked", NULL) == SNEK_TRUE || is_exempt(run, settings, item)) {
        return NOTHING;
    }
    if (!has_label(run, item, settings->label)) {
        return strcmp(updated, settings->mark_before) <= 0 ? MARK : NOTHING;
    }
    return settings->days_until_close > 0 && strcmp(updated, settings->close_before) <= 0 ? CLOSE
                                                                                          : NOTHING;
}

/* Adds those to the candidates for which the act is due, the oldest first. Negative is an error. */
static int32_t collect(struct snek_run *run, const struct settings *settings, enum act act,
                       struct candidate *candidates, uint32_t *count) {
    const char *before = act == CLOSE ? settings->close_before : settings->mark_before;
    struct snek_pages *issues =
        snek_list(run, "/repos/{owner}/{repo}/issues",
                  .query = {{"state", "open"},
                            {"sort", "updated"},
                            {"direction", "asc"},
                            {"labels", act == CLOSE ? settings->label : NULL}});
    int32_t more = 0;
    while (*count < (uint32_t)settings->limit && (more = snek_next(run, issues)) > 0) {
        const char *updated = snek_item_string(run, issues, "updated_at");
        const struct item item = {issues, NULL};
        if (updated && strcmp(updated, before) > 0) {
            more = 0;
            break;
        }
        if (due_for(run, settings, item) == act) {
            const char *number = snek_item_text(run, issues, "number");
            candidates[*count].number = snek_print(run, "%s", number ? number : "");
            candidates[*count].act = act;
            ++*count;
        }
    }
    snek_free_pages(run, issues);
    return more < 0 ? more : 0;
}

/* ---- acts ---- */

static int32_t comment(struct snek_run *run, const struct settings *settings, const char *number,
                       const char *text) {
    const struct snek_parameter values[] = {
        {"days_until_stale", snek_print(run, "%" PRId64, settings->days_until_stale)},
        {"days_until_close", snek_print(run, "%" PRId64, settings->days_until_close)}};
    if (!*text) {
        return 0;
    }
    return snek_comment(run, strtoll(number, NULL, 10),
                        snek_fill(run, text, values, SNEK_COUNT(values)));
}

static int32_t mark(struct snek_run *run, const struct settings *settings, const char *number) {
    int32_t result = snek_request(run, "POST", ISSUE "/labels", .parameters = {{"n", number}},
                                  .json = snek_json(run, "{'labels':['%s']}", settings->label));
    return result < 0 ? result : comment(run, settings, number, settings->mark_comment);
}

/* GitHub knows reasons for issues only. */
static int32_t close_item(struct snek_run *run, const struct settings *settings, const char *number,
                          int is_pull) {
    const char *json = is_pull ? snek_json(run, "{'state':'closed'}")
                               : snek_json(run, "{'state':'closed','state_reason':'not_planned'}");
    int32_t result = comment(run, settings, number, settings->close_comment);
    return result < 0
               ? result
               : snek_request(run, "PATCH", ISSUE, .parameters = {{"n", number}}, .json = json);
}

/* Looks again before it acts, because people may have been here since the list. */
static int32_t act_on(struct snek_run *run, const struct settings *settings,
                      const struct candidate *candidate) {
    const char *number = candidate->number;
    struct item item = {NULL, NULL};
    int32_t result =
        snek_request(run, "GET", ISSUE, .parameters = {{"n", number}}, .response = &item.response);
    int32_t status = snek_status(run, item.response);
    /* It was deleted, or is in another repository. */
    if (status == 404 || status == 410 || status == 301) {
        return 0;
    }
    if (result < 0) {
        return result;
    }
    if (due_for(run, settings, item) != candidate->act) {
        return 0;
    }
    int is_pull = snek_response_exists(run, item.response, "pull_request");
    return candidate->act == MARK ? mark(run, settings, number)
                                  : close_item(run, settings, number, is_pull);
}

static int32_t show_only(struct snek_run *run, const struct candidate *candidates, uint32_t count) {
    struct snek_builder text = SNEK_EMPTY_TEXT;
    snek_append(run, &text, "dry run: it would");
    for (uint32_t n = 0; n < count; n++) {
        const char *word = candidates[n].act == CLOSE ? "close" : "mark";
        snek_append(run, &text, "%s %s #%s", n > 0 ? "," : "", word, candidates[n].number);
    }
    if (text.text) {
        snek_log(run, SNEK_LOG_INFO, text.text);
    }
    return snek_skip(run, text.text);
}

/* One that fails does not keep the others from their turn. The first error is the result. */
static int32_t act_on_all(struct snek_run *run, const struct settings *settings,
                          const struct candidate *candidates, uint32_t count) {
    int32_t first = 0;
    for (uint32_t n = 0; n < count && !snek_cancelled(run); n++) {
        int32_t result = act_on(run, settings, &candidates[n]);
        first = first < 0 ? first : result;
    }
    return first;
}

/* ---- the handlers ---- */

static int32_t on_day(struct snek_run *run) {
    struct settings settings;
    struct candidate candidates[LIMIT_MAX];
    uint32_t count = 0;
    int32_t result = read_settings(run, &settings);
    if (result == 0 && settings.days_until_close > 0) {
        result = collect(run, &settings, CLOSE, candidates, &count);
    }
    if (result == 0) {
        result = collect(run, &settings, MARK, candidates, &count);
    }
    if (result < 0) {
        return result;
    }
    if (count == 0) {
        return snek_skip(run, "nothing is due");
    }
    return settings.dry_run ? show_only(run, candidates, count)
                            : act_on_all(run, &settings, candidates, count);
}

/* Somebody replied, pushed or reopened. */
static int32_t on_activity(struct snek_run *run) {
    struct settings settings;
    const char *object = snek_exists(run, "issue") ? "issue" : "pull_request";
    const char *state = snek_string(run, snek_print(run, "%s.state", object));
    const char *type = snek_string(run, "sender.type");
    if (type && strcmp(type, "Bot") == 0) {
        return snek_skip(run, "the sender is a bot");
    }
    if (snek_count(run, snek_print(run, "%s.labels", object)) == 0 || !state ||
        strcmp(state, "open") != 0) {
        return snek_skip(run, "it is not stale");
    }
    int32_t result = read_settings(run, &settings);
    if (result < 0) {
        return result;
    }
    if (!snek_has_label(run, settings.label)) {
        return snek_skip(run, "it is not stale");
    }
    if (settings.dry_run) {
        return snek_skip(run, "dry run: it would remove the label");
    }
    const struct snek_label label = {.name = settings.label, .wanted = 0};
    const char *number = snek_text(run, snek_print(run, "%s.number", object));
    result = snek_set_labels(run, &label, 1);
    if (result <= 0) {
        return result < 0 ? result : snek_skip(run, "it is not stale any more");
    }
    return comment(run, &settings, number ? number : "", settings.unmark_comment);
}

/* ---- the start ---- */

static int32_t read_config_exempt(const struct snek_host *host, struct settings *settings) {
    struct snek_value value;
    uint32_t kind = snek_config(host)->find(host, "exempt_labels", &value);
    if (kind == SNEK_ABSENT) {
        settings->exempt_count = SNEK_COUNT(default_exempt);
        memcpy(settings->exempt, default_exempt, sizeof default_exempt);
        return 0;
    }
    if (kind != SNEK_ARRAY || value.count > EXEMPT_MAX) {
        return snek_config_reject(host, "exempt_labels", "must be a list of at most 100 labels");
    }
    for (uint32_t n = 0; n < value.count; n++) {
        settings->exempt[n] = snek_config_item(host, "exempt_labels", n);
        if (!settings->exempt[n]) {
            return snek_config_reject(host, "exempt_labels", "must be a list of texts");
        }
    }
    settings->exempt_count = (uint32_t)value.count;
    return 0;
}

static int32_t read_config_texts(const struct snek_host *host, struct settings *settings) {
    struct snek_value value;
    settings->only = snek_config_string(host, "only", "");
    settings->label = snek_config_string(host, "stale_label", "stale");
    settings->unmark_comment = snek_config_string(host, "unmark_comment", "");
    settings->close_comment = snek_config_string(host, "close_comment", "");
    settings->mark_comment = NULL;
    if (snek_config(host)->find(host, "mark_comment", &value) != SNEK_ABSENT &&
        !(settings->mark_comment = snek_config_string(host, "mark_comment", ""))) {
        return SNEK_E_INVALID;
    }
    if (!settings->only || !settings->label || !settings->unmark_comment ||
        !settings->close_comment) {
        return SNEK_E_INVALID;
    }
    if (!is_only(settings->only)) {
        return snek_config_reject(host, "only", "must be \"issues\" or \"pulls\"");
    }
    return *settings->label ? 0 : snek_config_reject(host, "stale_label", "must not be empty");
}

static int32_t create(const struct snek_host *host, void **state) {
    static const char *const keys[] = {
        "days_until_stale",  "days_until_close", "limit_per_run",  "dry_run",
        "exempt_milestones", "exempt_assignees", "exempt_labels",  "only",
        "stale_label",       "mark_comment",     "unmark_comment", "close_comment"};
    static struct settings settings;
    int32_t result;
    *state = &settings;
    if ((result = snek_config_allow(host, keys, SNEK_COUNT(keys))) < 0 ||
        (result = snek_config_integer(host, "days_until_stale", 1, DAYS_MAX, 60,
                                      &settings.days_until_stale)) < 0 ||
        (result = snek_config_integer(host, "days_until_close", 0, DAYS_MAX, 7,
                                      &settings.days_until_close)) < 0 ||
        (result = snek_config_integer(host, "limit_per_run", 1, LIMIT_MAX, 30, &settings.limit)) <
            0 ||
        (result = snek_config_boolean(host, "dry_run", 1, &settings.dry_run)) < 0 ||
        (result = snek_config_boolean(host, "exempt_milestones", 0, &settings.exempt_milestones)) <
            0 ||
        (result = snek_config_boolean(host, "exempt_assignees", 0, &settings.exempt_assignees)) <
            0 ||
        (result = read_config_exempt(host, &settings)) < 0) {
        return result;
    }
    return read_config_texts(host, &settings);
}

static const struct snek_permission permissions[] = {
    {"contents", "read"}, {"issues", "write"}, {"pull_requests", "write"}};
/* To check the repository's file in pull requests. */
static const struct snek_permission optional_permissions[] = {{"checks", "write"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "issue_comment", .action = "created", .handler = on_activity},
    {.event = "issues", .action = "reopened", .handler = on_activity},
    {.event = "pull_request", .action = "synchronize", .handler = on_activity},
    {.event = "pull_request", .action = "reopened", .handler = on_activity},
    {.event = "pull_request_review", .action = "submitted", .handler = on_activity},
    {.event = "pull_request_review_comment", .action = "created", .handler = on_activity}};
static const struct snek_schedule schedules[] = {
    {.name = "daily", .cron = "30 4 * * *", .target = SNEK_EACH_REPOSITORY, .handler = on_day}};
/* .github/stale.yml. Those of any kind are a number or a text, or false. */
static const struct snek_setting settings[] = {
    {.path = "dryRun", .kind = SNEK_SETTING_BOOLEAN},
    {.path = "daysUntilStale", .kind = SNEK_SETTING_INTEGER, .least = 1, .most = DAYS_MAX},
    {.path = "daysUntilClose", .kind = SNEK_SETTING_ANY},
    {.path = "limitPerRun", .kind = SNEK_SETTING_INTEGER, .least = 1, .most = LIMIT_MAX},
    {.path = "exemptLabels[]"},
    {.path = "exemptMilestones", .kind = SNEK_SETTING_BOOLEAN},
    {.path = "exemptAssignees", .kind = SNEK_SETTING_BOOLEAN},
    {.path = "only", .values = {"issues", "pulls"}},
    {.path = "staleLabel"},
    {.path = "markComment", .kind = SNEK_SETTING_ANY},
    {.path = "unmarkComment", .kind = SNEK_SETTING_ANY},
    {.path = "closeComment", .kind = SNEK_SETTING_ANY}};
static const struct snek_effect effects[] = {
    {"POST", "/repos/{owner}/{repo}/issues/{number}/labels"},
    {"DELETE", "/repos/{owner}/{repo}/issues/{number}/labels/{name}"},
    {"POST", "/repos/{owner}/{repo}/issues/{number}/comments"},
    {"PATCH", "/repos/{owner}/{repo}/issues/{number}"}};

SNEK_PLUGIN(.name = "stale", .version = "1.0",
            .summary = "Marks and closes issues that nobody touches.", SNEK_TABLE(permissions),
            SNEK_TABLE(optional_permissions), SNEK_TABLE(subscriptions), SNEK_TABLE(effects),
            SNEK_TABLE(schedules), .repository_config = "stale", SNEK_TABLE(settings),
            .create = create)
