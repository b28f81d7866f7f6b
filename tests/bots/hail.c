/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Opens an issue in each repository in which the app was installed. */
#include <snekomatic/snekomatic.h>

static int32_t hail(struct snek_run *run) {
    const char *list = snek_exists(run, "repositories") ? "repositories" : "repositories_added";
    int32_t result = 0;
    for (uint32_t n = 0; n < snek_count(run, list) && result == 0; n++) {
        const char *repository = snek_string(run, snek_print(run, "%s[%u].full_name", list, n));
        result = snek_request(
            run, "POST", "/repos/{+repository}/issues", .parameters = {{"repository", repository}},
            .json = snek_json(run, "{'title':'Hi!','body':'@%s installed me here. Write /help.'}",
                              snek_string(run, "sender.login")));
    }
    return result;
}

static const struct snek_permission permissions[] = {{"issues", "write"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "installation", .action = "created", .handler = hail},
    {.event = "installation_repositories", .action = "added", .handler = hail}};

SNEK_PLUGIN(.name = "hail", .version = "1.0", .summary = "Introduces itself where it is installed.",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
