/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps one comment with the size of a pull request up to date. */
#include <snekomatic/snekomatic.h>

static int32_t post(struct snek_run *run, const char *key, const char *text) {
    int64_t id;
    int32_t result = snek_reply_id(run, text, &id);
    return result < 0
               ? result
               : snek_key_put(run, SNEK_SCOPE_INSTALLATION, key, snek_print(run, "%" PRId64, id));
}

static int32_t measure(struct snek_run *run) {
    const char *id, *key = snek_print(run, "%s", snek_text(run, "pull_request.id"));
    const char *text = snek_print(
        run, "This changes %s files: +%s -%s", snek_text(run, "pull_request.changed_files"),
        snek_text(run, "pull_request.additions"), snek_text(run, "pull_request.deletions"));
    int32_t result = snek_key_get(run, SNEK_SCOPE_INSTALLATION, key, &id);
    if (result < 0 || !id) {
        return result < 0 ? result : post(run, key, text);
    }
    result =
        snek_request(run, "PATCH", "/repos/{owner}/{repo}/issues/comments/{id}",
                     .parameters = {{"id", id}}, .json = snek_json(run, "{'body':'%s'}", text));
    return result == SNEK_E_NOT_FOUND ? post(run, key, text) : result;
}

static const struct snek_permission permissions[] = {{"pull_requests", "write"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "pull_request", .action = "opened", .handler = measure},
    {.event = "pull_request", .action = "synchronize", .handler = measure}};

SNEK_PLUGIN(.name = "sticky", .version = "1.0", .summary = "Shows the size of pull requests.",
            .order = SNEK_ORDER_ITEM, SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
