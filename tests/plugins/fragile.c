/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Survives GitHub's own payloads and no other: for `snekomatic check --plugin`. */
#include <snekomatic/snekomatic.h>

#include <ctype.h>

/* Crashes without a title, as a bot that trusts a payload would. */
static int32_t count(struct snek_run *run) {
    const char *title = snek_string(run, "issue.title");
    return isupper((unsigned char)title[0]) ? snek_skip(run, "a sentence") : SNEK_DONE;
}

static const struct snek_subscription subscriptions[] = {
    {.event = "issues", .handler = count},
};

SNEK_PLUGIN(.name = "fragile", .version = "1.0", .summary = "Trusts what it gets.",
            SNEK_TABLE(subscriptions))
