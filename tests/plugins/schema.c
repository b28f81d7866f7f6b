/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For the tests of the schema of a repository's configuration. */
#include <snekomatic/snekomatic.h>

/* /days: reads the file. */
static int32_t on_days(struct snek_run *run) {
    struct snek_repository_config *config;
    int64_t days;
    int32_t result = snek_repository_config(run, "schema", &config);
    result = result < 0 ? result : snek_repository_integer(run, config, "days", 1, 365, 30, &days);
    return result < 0 ? result : snek_skip(run, snek_print(run, "%" PRId64 " days", days));
}

/* A pull request is opened: rejected while the file of the default branch is wrong. */
static int32_t on_opened(struct snek_run *run) {
    return on_days(run);
}

#ifdef OPTIONAL
static const struct snek_permission permissions[] = {{"contents", "read"}, {"issues", "write"}};
static const struct snek_permission optional_permissions[] = {{"pull_requests", "read"},
                                                              {"checks", "write"}};
#else
static const struct snek_permission permissions[] = {
    {"contents", "read"}, {"pull_requests", "write"}, {"checks", "write"}};
#endif
static const struct snek_subscription subscriptions[] = {
    {.event = "pull_request", .action = "opened", .handler = on_opened}};
static const struct snek_command commands[] = {
    {.name = "days", .usage = "/days", .handler = on_days}};
/* The check run needs no entry here. */
static const struct snek_effect effects[] = {
    {"POST", "/repos/{owner}/{repo}/issues/{number}/comments"}};
static const struct snek_setting settings[] = {
    {.path = "days", .kind = SNEK_SETTING_INTEGER, .least = 1, .most = 365},
    {.path = "greeting"},
    {.path = "mode", .values = {"soft", "hard"}},
    {.path = "require.members", .kind = SNEK_SETTING_BOOLEAN},
    {.path = "labels[]"},
    {.path = "rules[].label"},
    {.path = "rules[].order", .kind = SNEK_SETTING_INTEGER},
    {.path = "extra", .kind = SNEK_SETTING_ANY}};

SNEK_PLUGIN(.name = "schema", .version = "1", .summary = "declares its settings",
            SNEK_TABLE(permissions),
#ifdef OPTIONAL
            SNEK_TABLE(optional_permissions),
#endif
            SNEK_TABLE(subscriptions), SNEK_TABLE(commands), SNEK_TABLE(effects),
            .repository_config = "schema", SNEK_TABLE(settings))
