/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* plugins/hello in C++20, which has designated initializers, so SNEK_PLUGIN works. */
#include <snekomatic/snekomatic.h>

static int32_t hello(struct snek_run *run) {
    struct snek_response *response = nullptr;
    struct snek_pages *files =
        snek_list(run, "/repos/{owner}/{repo}/commits/main", .list = "files");
    int32_t result = snek_request(run, "GET", "/repos/{owner}/{repo}");
    result = result < 0 ? result : snek_next(run, files);
    result = result < 0 ? result
                        : snek_request(run, "PUT", "/orgs/{org}/memberships/{user}",
                                       .parameters = {{"org", "sneks-united"}, {"user", "mona"}},
                                       .json = snek_json(run, "{'role':'%s'}", "member"),
                                       .response = &response);
    result = result < 0 ? result
                        : snek_graphql(run, "query { viewer { login } }", .response = &response);
    return result < 0 ? result
                      : snek_reply(run, snek_print(run, "Hello, %s!", snek_argument(run, 1)));
}

static const struct snek_permission permissions[] = {{"issues", "write"}};
static const struct snek_command commands[] = {
    {.name = "hello", .usage = "/hello", .handler = hello}};

SNEK_PLUGIN(.name = "hello", .version = "1.0", .summary = "Answers /hello.",
            SNEK_TABLE(permissions), SNEK_TABLE(commands))
