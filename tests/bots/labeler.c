/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Labels pull requests by the paths that they change, and removes the labels that no longer fit.
 * The file .github/labels of the repository has a line "LABEL: GLOB" for each rule. */
#include <snekomatic/snekomatic.h>

#include <fnmatch.h>

#define RULES_MAX SNEK_LABELS_MAX

/* Reads the rules; their number, or a negative error. */
static int32_t read_rules(struct snek_run *run, const char *globs[], struct snek_label labels[]) {
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
            labels[count].name = snek_print(run, "%.*s", (int)label, at);
            globs[count++] = snek_print(run, "%.*s", (int)(line - label - 2), at + label + 2);
        }
    }
    return count;
}

static int32_t label(struct snek_run *run) {
    const char *globs[RULES_MAX];
    struct snek_label labels[RULES_MAX] = {{0}};
    int32_t count = read_rules(run, globs, labels), more = 0;
    struct snek_pages *files = snek_list(run, "/repos/{owner}/{repo}/pulls/{number}/files");
    while (count > 0 && (more = snek_next(run, files)) > 0) {
        for (int32_t i = 0; i < count; i++) {
            labels[i].wanted |= !fnmatch(globs[i], snek_item_string(run, files, "filename"), 0);
        }
    }
    more = count < 0 ? count : more;
    more = more < 0 ? more : snek_set_labels(run, labels, (uint32_t)count);
    return more < 0 ? more : SNEK_DONE;
}

static const struct snek_permission permissions[] = {{"contents", "read"},
                                                     {"pull_requests", "write"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "pull_request", .action = "opened", .handler = label},
    {.event = "pull_request", .action = "synchronize", .handler = label}};

SNEK_PLUGIN(.name = "labeler", .version = "1.0", .summary = "Labels pull requests by their paths.",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
