/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A plugin that responds to every delivery of the benchmarks with one comment, which has its GUID.
 */
#include "events.h"

#include <string.h>

/* Each delivery comments on an item of its own, because many effects on one would be held as a
 * loop. */
static int32_t comment(struct snek_run *run) {
    const char *guid = snek_event(run)->delivery(run);
    const char *last = strrchr(guid, '-');
    unsigned number = 0;
    for (last = last ? last + 1 : guid; *last; last++) {
        number = number * 16 + (unsigned)(*last <= '9' ? *last - '0' : (*last | 0x20) - 'a' + 10);
    }
    return snek_post(run, snek_print(run, "/repos/o/r/issues/%u/comments", number % 100000000 + 1),
                     snek_json(run, "{'body':'%s'}", guid));
}

static const struct snek_permission permissions[] = {{"issues", "write"}};
static const struct snek_subscription subscriptions[] = {EACH_EVENT(comment)};
SNEK_PLUGIN(.name = "comments", .version = "1", .summary = "comments", SNEK_TABLE(permissions),
            SNEK_TABLE(subscriptions))
