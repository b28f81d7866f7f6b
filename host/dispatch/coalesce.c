/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Says which runs may replace waiting ones, and which may be replaced. */
#include "dispatch/coalesce.h"

#include "dispatch/bot_user.h"

#include <string.h>

/* May the worker find that the event is the bot's own? It looks at the sender, and for these events
 * at the app that they name. */
static bool may_be_own(const struct inbox_put *put) {
    bool of_checks = strcmp(put->event, "check_run") == 0 || strcmp(put->event, "check_suite") == 0;
    bool of_app = strcmp(put->action, "created") == 0 || strcmp(put->action, "completed") == 0;
    return (of_checks && of_app) || bot_user_may_be(put->sender);
}

void coalesce_run(const struct description *description, const struct inbox_put *put,
                  struct inbox_put_run *run) {
    bool takes_own = false;
    run->coalesce_key = description_coalesces(description, put->event, put->action, &takes_own);
    run->replaces = run->coalesce_key != 0 && !put->fetched && (takes_own || !may_be_own(put));
    run->replaceable = run->coalesce_key != 0 &&
                       !description_may_hold_command(description, put->event, put->action) &&
                       !description_may_be_check_action(description, put->event, put->action) &&
                       !description_may_check_settings(description, put->event, put->action);
}
