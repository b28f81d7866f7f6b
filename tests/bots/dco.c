/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The check run "DCO": each commit of a pull request is signed off by its author. People with write
 * access may override it with a button, and anybody may re-run it. */
#include <snekomatic/snekomatic.h>

#define OVERRIDE                                                                                   \
    "[{'label':'Set to pass','description':'Accept without sign-offs','identifier':'pass'}]"

/* A sign-off is a line "Signed-off-by: NAME <EMAIL>" with the author's name and e-mail address. */
static int is_signed_off(struct snek_run *run, struct snek_pages *commits) {
    const char *line = snek_print(run, "Signed-off-by: %s <%s>",
                                  snek_item_string(run, commits, "commit.author.name"),
                                  snek_item_string(run, commits, "commit.author.email"));
    const char *message = snek_item_string(run, commits, "commit.message");
    return snek_item_count(run, commits, "parents") > 1 ||
           (line && message && strstr(message, line));
}

static int32_t report(struct snek_run *run, const char *sha, const char *title, const char *summary,
                      int passes) {
    return snek_request(
        run, "POST", "/repos/{owner}/{repo}/check-runs",
        .json = snek_json(run,
                          "{'name':'DCO','head_sha':'%s','status':'completed','conclusion':'%s',"
                          "'output':{'title':'%s','summary':'%s'},'actions':%s}",
                          sha, passes ? "success" : "action_required", title, summary,
                          passes ? "[]" : snek_json(run, OVERRIDE)));
}

static int32_t check(struct snek_run *run, const char *sha, const char *number) {
    struct snek_pages *commits = snek_list(run, "/repos/{owner}/{repo}/pulls/{pull}/commits",
                                           .parameters = {{"pull", number}});
    struct snek_builder missing = SNEK_EMPTY_TEXT;
    int32_t more;
    while ((more = snek_next(run, commits)) > 0) {
        if (!is_signed_off(run, commits)) {
            snek_append(run, &missing, "- %.7s\n", snek_item_string(run, commits, "sha"));
        }
    }
    if (more < 0) {
        return more;
    }
    return missing.bytes > 0 ? report(run, sha, "Sign-offs are missing", missing.text, 0)
                             : report(run, sha, "All commits are signed off", "Thank you!", 1);
}

static int32_t on_pull_request(struct snek_run *run) {
    return check(run, snek_string(run, "pull_request.head.sha"),
                 snek_text(run, "pull_request.number"));
}

static int32_t on_rerun(struct snek_run *run) {
    return check(run, snek_string(run, "check_run.head_sha"),
                 snek_text(run, "check_run.pull_requests[0].number"));
}

static int32_t on_button(struct snek_run *run) {
    const char *person = snek_string(run, "sender.login");
    int32_t may = snek_role(run, person, SNEK_ROLE_WRITE);
    if (may <= 0) {
        return may < 0 ? may : snek_skip(run, "the person has no write access");
    }
    return report(run, snek_string(run, "check_run.head_sha"), "Set to pass",
                  snek_print(run, "@%s accepts it without sign-offs.", person), 1);
}

static const struct snek_permission permissions[] = {{"checks", "write"},
                                                     {"pull_requests", "read"}};
#define OURS                                                                                       \
    {                                                                                              \
        {                                                                                          \
            "check_run.name", SNEK_IS, 0, {                                                        \
                "DCO"                                                                              \
            }                                                                                      \
        }                                                                                          \
    }
static const struct snek_subscription subscriptions[] = {
    {.event = "pull_request", .action = "opened", .handler = on_pull_request},
    {.event = "pull_request", .action = "synchronize", .handler = on_pull_request},
    {.event = "check_run", .action = "rerequested", .handler = on_rerun, .filters = OURS},
    {.event = "check_run", .action = "requested_action", .handler = on_button, .filters = OURS}};

SNEK_PLUGIN(.name = "dco", .version = "1.0", .summary = "Checks that commits are signed off.",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
