/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The commit status "news": a pull request adds a fragment below newsfragments/, or has the label
 * "no news". */
#include <snekomatic/snekomatic.h>

/* 1, 0, or a negative error. */
static int32_t has_news(struct snek_run *run) {
    struct snek_pages *files = snek_list(run, "/repos/{owner}/{repo}/pulls/{number}/files");
    int32_t more;
    for (uint32_t n = 0; n < snek_count(run, "pull_request.labels"); n++) {
        const char *name = snek_string(run, snek_print(run, "pull_request.labels[%u].name", n));
        if (name && strcmp(name, "no news") == 0) {
            return 1;
        }
    }
    while ((more = snek_next(run, files)) > 0) {
        const char *name = snek_item_string(run, files, "filename");
        if (name && strncmp(name, "newsfragments/", 14) == 0) {
            return 1;
        }
    }
    return more;
}

static int32_t news(struct snek_run *run) {
    int32_t found = has_news(run);
    if (found < 0) {
        return found;
    }
    return snek_request(run, "POST", "/repos/{owner}/{repo}/statuses/{sha}",
                        .parameters = {{"sha", snek_string(run, "pull_request.head.sha")}},
                        .json = snek_json(run, "{'context':'news','state':'%s','description':'%s'}",
                                          found ? "success" : "failure",
                                          found ? "Thank you!" : "Add a file to newsfragments/"),
                        .flags = SNEK_REQUEST_REPEATABLE);
}

static const struct snek_permission permissions[] = {{"pull_requests", "read"},
                                                     {"statuses", "write"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "pull_request", .action = "opened", .handler = news},
    {.event = "pull_request", .action = "synchronize", .handler = news},
    {.event = "pull_request", .action = "labeled", .handler = news},
    {.event = "pull_request", .action = "unlabeled", .handler = news}};

SNEK_PLUGIN(.name = "news", .version = "1.0", .summary = "Asks for a news fragment.",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
