/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* /assign [LOGIN], /retest and /merge, for people with write access. /merge waits for the checks.
 */
#include <snekomatic/snekomatic.h>

static int32_t assign(struct snek_run *run) {
    const char *who = snek_argument(run, 1);
    who = who ? who + (*who == '@') : snek_string(run, "comment.user.login");
    int32_t result = snek_request(run, "GET", "/repos/{owner}/{repo}/assignees/{who}",
                                  .parameters = {{"who", who}});
    if (result == SNEK_E_NOT_FOUND) {
        return snek_reply(run, snek_print(run, "I cannot assign %s.", who));
    }
    return result < 0 ? result
                      : snek_request(run, "POST", "/repos/{owner}/{repo}/issues/{number}/assignees",
                                     .json = snek_json(run, "{'assignees':['%s']}", who));
}

/* 0 and the commit at the head of the pull request; or another result of the run. */
static int32_t find_head(struct snek_run *run, const char **sha) {
    struct snek_response *pull;
    int32_t result = snek_get(run, "/repos/{owner}/{repo}/pulls/{number}", &pull);
    *sha = snek_response_string(run, pull, "head.sha");
    return result == SNEK_E_NOT_FOUND ? snek_reject(run, "this is no pull request") : result;
}

static int32_t retest(struct snek_run *run) {
    const char *sha;
    int32_t result = find_head(run, &sha), more;
    if (result != 0) {
        return result;
    }
    struct snek_pages *runs =
        snek_list(run, "/repos/{owner}/{repo}/actions/runs?status=failure&head_sha={sha}",
                  .parameters = {{"sha", sha}});
    while ((more = snek_next(run, runs)) > 0) {
        more =
            snek_request(run, "POST", "/repos/{owner}/{repo}/actions/runs/{id}/rerun-failed-jobs",
                         .parameters = {{"id", snek_item_text(run, runs, "id")}},
                         .flags = SNEK_REQUEST_REPEATABLE);
        if (more < 0) {
            return more;
        }
    }
    return more < 0 ? more : snek_react(run, "rocket");
}

/* 0 when all checks passed, 1 when some still run, 2 when one failed; or a negative error. */
static int32_t look_at_checks(struct snek_run *run, const char *sha) {
    struct snek_pages *checks = snek_list(run, "/repos/{owner}/{repo}/commits/{sha}/check-runs",
                                          .parameters = {{"sha", sha}}, .list = "check_runs");
    int32_t more, state = 0;
    while ((more = snek_next(run, checks)) > 0) {
        const char *conclusion = snek_item_string(run, checks, "conclusion");
        if (!conclusion) {
            state = state < 1 ? 1 : state;
        } else if (!strstr("success neutral skipped", conclusion)) {
            state = 2;
        }
    }
    return more < 0 ? more : state;
}

static int32_t merge(struct snek_run *run) {
    const char *sha;
    int32_t result = find_head(run, &sha);
    if (result != 0) {
        return result;
    }
    int32_t checks = look_at_checks(run, sha);
    if (checks < 0) {
        return checks;
    }
    if (checks == 1) {
        return snek_wait(run, 60000, "checks are running");
    }
    if (checks == 2) {
        return snek_reply(run, "I do not merge this: a check failed.");
    }
    return snek_request(run, "PUT", "/repos/{owner}/{repo}/pulls/{number}/merge",
                        .json = snek_json(run, "{'sha':'%s'}", sha));
}

static const struct snek_permission permissions[] = {{"actions", "write"},
                                                     {"checks", "read"},
                                                     {"contents", "write"},
                                                     {"issues", "write"},
                                                     {"pull_requests", "write"}};
#define WRITERS .roles = SNEK_ROLE_WRITE, .denied = SNEK_DENIED_REACTION
static const struct snek_command commands[] = {
    {.name = "assign", .usage = "/assign [LOGIN]", .handler = assign, WRITERS},
    {.name = "retest", .usage = "/retest: runs failed jobs again", .handler = retest, WRITERS},
    {.name = "merge", .usage = "/merge: when the checks pass", .handler = merge, WRITERS}};

SNEK_PLUGIN(.name = "chatops", .version = "1.0", .summary = "Assigns, re-tests and merges.",
            SNEK_TABLE(permissions), SNEK_TABLE(commands))
