/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Adds new issues and pull requests to a Projects board of the organization. */
#include <snekomatic/snekomatic.h>

static const char find[] = "query($owner: String!, $number: Int!) { organization(login: $owner) { "
                           "projectV2(number: $number) { id } } }";
static const char add[] = "mutation($project: ID!, $item: ID!) { addProjectV2ItemById(input: "
                          "{projectId: $project, contentId: $item}) { item { id } } }";
static int64_t number;

static int32_t add_item(struct snek_run *run, const char *item) {
    struct snek_response *board;
    int32_t result =
        snek_graphql(run, find,
                     .variables = snek_json(run, "{'owner':'%s','number':%" PRId64 "}",
                                            snek_string(run, "organization.login"), number),
                     .response = &board);
    if (result < 0) {
        return result;
    }
    const char *project = snek_response_string(run, board, "data.organization.projectV2.id");
    /* Repeatable: GitHub returns an item that is on the board already. */
    return snek_graphql(run, add,
                        .variables = snek_json(run, "{'project':'%s','item':'%s'}", project, item),
                        .flags = SNEK_REQUEST_REPEATABLE);
}

static int32_t on_issue(struct snek_run *run) {
    return add_item(run, snek_string(run, "issue.node_id"));
}

static int32_t on_pull_request(struct snek_run *run) {
    return add_item(run, snek_string(run, "pull_request.node_id"));
}

static int32_t create(const struct snek_host *host, void **state) {
    *state = NULL;
    return snek_config_integer(host, "number", 1, 1000000, 1, &number);
}

static const struct snek_permission permissions[] = {
    {"issues", "read"}, {"organization_projects", "write"}, {"pull_requests", "read"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "issues", .action = "opened", .handler = on_issue},
    {.event = "pull_request", .action = "opened", .handler = on_pull_request}};

SNEK_PLUGIN(.name = "project", .version = "1.0", .summary = "Puts new items on a board.",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions), .create = create)
