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

static int32_t check(struct snek_run *run) {
    struct snek_pages *commits = snek_list(run, "/repos/{owner}/{repo}/pulls/{number}/commits");
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
    return missing.bytes > 0
               ? snek_check(run, "DCO", .conclusion = "action_required",
                            .title = "Sign-offs are missing", .summary = missing.text,
                            .actions = snek_json(run, OVERRIDE))
               : snek_check(run, "DCO", .conclusion = "success",
                            .title = "All commits are signed off", .summary = "Thank you!");
}

static int32_t on_button(struct snek_run *run) {
    const char *person = snek_string(run, "sender.login");
    int32_t may = snek_role(run, person, SNEK_ROLE_WRITE);
    if (may <= 0) {
        return may < 0 ? may : snek_skip(run, "the person has no write access");
    }
    return snek_check(run, "DCO", .conclusion = "success", .title = "Set to pass",
                      .summary = snek_print(run, "@%s accepts it without sign-offs.", person));
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
    {.event = "pull_request", .action = "opened", .handler = check},
    {.event = "pull_request", .action = "synchronize", .handler = check},
    {.event = "check_run", .action = "rerequested", .handler = check, .filters = OURS},
    {.event = "check_run", .action = "requested_action", .handler = on_button, .filters = OURS}};

SNEK_PLUGIN(.name = "dco", .version = "1.0", .summary = "Checks that commits are signed off.",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
