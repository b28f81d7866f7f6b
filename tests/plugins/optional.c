/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For the tests of optional permissions: comments with what the host says about the app and the
 * permissions of the installation. */
#include <snekomatic/snekomatic.h>

static int32_t look(struct snek_run *run) {
    const char *login = NULL;
    int32_t issues = snek_has_permission(run, "issues", "write");
    int32_t checks = snek_has_permission(run, "checks", "write");
    int32_t reads = snek_has_permission(run, "checks", "read");
    int32_t result = snek_bot_login(run, &login);
    if (checks < 0) {
        return checks;
    }
    if (result < 0) {
        return result;
    }
    result = snek_request(run, "POST", "/repos/sneks-united/terrarium/issues/12/comments",
                          .json = snek_json(run, "{'body':'issues %d, checks %d, %d, I am %s'}",
                                            (int)issues, (int)checks, (int)reads, login));
    if (result < 0 || snek_event(run)->attempt(run) > 1) {
        return result;
    }
    return snek_retry_after(run, 0, "again");
}

/* Asks for a permission that the plugin does not declare. */
static int32_t stray(struct snek_run *run) {
    return snek_has_permission(run, "members", "read");
}

static const struct snek_permission permissions[] = {{"issues", "write"}};
static const struct snek_permission optional_permissions[] = {{"checks", "write"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "optional", .action = "look", .handler = look},
    {.event = "optional", .action = "stray", .handler = stray}};
SNEK_PLUGIN(.name = "optional", .version = "1", .summary = "uses what is granted",
            SNEK_TABLE(permissions), SNEK_TABLE(optional_permissions), SNEK_TABLE(subscriptions))
