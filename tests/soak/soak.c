/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The plugin of the soak test: one entry in a set and one comment, which names the delivery, so
 * that the oracle can count what was done for each. */
#include <snekomatic/snekomatic.h>

#include <stdio.h>

static int32_t soak(struct snek_run *run) {
    const char *url = snek_string(run, "issue.comments_url");
    char text[128];
    if (!url) {
        return snek_reject(run, "no issue.comments_url");
    }
    (void)snprintf(text, sizeof text, "soaked %s", snek_event(run)->delivery(run));
    int32_t added = snek_set_add(run, SNEK_SCOPE_PLUGIN, "soaked", snek_event(run)->delivery(run));
    if (added < 0) {
        return added;
    }
    struct snek_field body = snek_field_text("body", text);
    return snek_post(run, url, &body, 1);
}

static const struct snek_permission permissions[] = {{"issues", "write"}};
static const struct snek_subscription subscriptions[] = {{"soak", NULL, soak, {{0}}}};
SNEK_PLUGIN(.name = "soak", .version = "1", .summary = "comments once for each delivery",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
