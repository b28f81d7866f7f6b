/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Labels pull requests by the paths that they change, and removes the labels that no longer fit.
 * The file .github/labels of the repository has a line "LABEL: GLOB" for each rule. */
#include <snekomatic/snekomatic.h>

#include <fnmatch.h>

#define RULES_MAX 200

struct rule {
    const char *label, *glob;
    int fits;
};

/* Reads the rules; their number, or a negative error. */
static int32_t read_rules(struct snek_run *run, struct rule rules[RULES_MAX]) {
    struct snek_response *file;
    int32_t result = snek_request(run, "GET", "/repos/{owner}/{repo}/contents/.github/labels",
                                  .accept = "application/vnd.github.raw+json", .response = &file);
    if (result < 0) {
        return result == SNEK_E_NOT_FOUND ? 0 : result;
    }
    const char *at = snek_github(run)->body(file).data;
    int32_t count = 0;
    for (size_t line; *at && count < RULES_MAX; at += line + (at[line] != '\0')) {
        line = strcspn(at, "\n");
        size_t label = strcspn(at, ":\n");
        if (label + 2 < line) {
            rules[count++] =
                (struct rule){snek_print(run, "%.*s", (int)label, at),
                              snek_print(run, "%.*s", (int)(line - label - 2), at + label + 2), 0};
        }
    }
    return count;
}

static int has_label(struct snek_run *run, const char *label) {
    for (uint32_t n = 0; n < snek_count(run, "pull_request.labels"); n++) {
        const char *name = snek_string(run, snek_print(run, "pull_request.labels[%u].name", n));
        if (name && strcmp(name, label) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Adds the label to `added`, or removes it from the pull request. */
static int32_t settle(struct snek_run *run, const struct rule *rules, int32_t count, int32_t n,
                      struct snek_builder *added) {
    int fits = 0, has = has_label(run, rules[n].label);
    for (int32_t i = 0; i < count; i++) {
        if (strcmp(rules[i].label, rules[n].label) == 0) {
            if (i < n) {
                /* The first rule of a label decides for all of them. */
                return 0;
            }
            fits |= rules[i].fits;
        }
    }
    if (fits && !has) {
        snek_append_json(run, added, "'%s'", rules[n].label);
    }
    return fits || !has
               ? 0
               : snek_request(run, "DELETE", "/repos/{owner}/{repo}/issues/{number}/labels/{label}",
                              .parameters = {{"label", rules[n].label}});
}

static int32_t label(struct snek_run *run) {
    struct rule rules[RULES_MAX];
    struct snek_builder added = SNEK_EMPTY_ARRAY;
    int32_t count = read_rules(run, rules), more = 0, result = count < 0 ? count : 0;
    struct snek_pages *files = snek_list(run, "/repos/{owner}/{repo}/pulls/{number}/files");
    while (count > 0 && (more = snek_next(run, files)) > 0) {
        for (int32_t i = 0; i < count; i++) {
            rules[i].fits |= !fnmatch(rules[i].glob, snek_item_string(run, files, "filename"), 0);
        }
    }
    result = more < 0 ? more : result;
    for (int32_t n = 0; n < count && result == 0; n++) {
        result = settle(run, rules, count, n, &added);
    }
    if (result < 0 || added.bytes == 2) {
        return result;
    }
    return snek_request(run, "POST", "/repos/{owner}/{repo}/issues/{number}/labels",
                        .json = snek_json(run, "{'labels':%s}", added.text),
                        .flags = SNEK_REQUEST_REPEATABLE);
}

static const struct snek_permission permissions[] = {{"contents", "read"},
                                                     {"pull_requests", "write"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "pull_request", .action = "opened", .handler = label},
    {.event = "pull_request", .action = "synchronize", .handler = label}};

SNEK_PLUGIN(.name = "labeler", .version = "1.0", .summary = "Labels pull requests by their paths.",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
