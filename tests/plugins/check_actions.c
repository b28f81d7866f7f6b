/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For the tests of check actions: buttons and re-runs of two check runs. */
#include <snekomatic/snekomatic.h>

static int32_t show(struct snek_run *run, const char *what) {
    return snek_check(run, "Sign-off", .conclusion = "success",
                      .title = snek_print(run, "%s by %s", what, snek_string(run, "sender.login")));
}

static int32_t on_pass(struct snek_run *run) {
#ifdef TRUSTS_PAYLOADS
    /* For `snekomatic check --plugin`. */
    if (snek_string(run, "check_run.output.title")[0] == '!') {
        return SNEK_SKIPPED;
    }
#endif
    return show(run, "passed");
}

static int32_t on_rerun(struct snek_run *run) {
    return show(run, "checked again");
}

static int32_t on_any_rerun(struct snek_run *run) {
    snek_log(run, SNEK_LOG_INFO, "any check");
    return SNEK_DONE;
}

static int32_t on_other(struct snek_run *run) {
    return snek_fail(run, "the button of another check was called");
}

static const struct snek_permission permissions[] = {{"checks", "write"}};

static const struct snek_check_action check_actions[] = {
    {.identifier = "set-pass", .check = "Lint", .handler = on_other},
    {.identifier = "set-pass",
     .check = "Sign-off",
     .roles = SNEK_ROLE_WRITE,
     .handler = on_pass,
     .filters = {{"check_run.conclusion", SNEK_IS, 0, {"failure"}}}},
    {.kind = SNEK_RERUN, .check = "Sign-off", .handler = on_rerun},
    {.kind = SNEK_RERUN, .roles = SNEK_ROLE_ADMIN, .handler = on_any_rerun},
};

SNEK_PLUGIN(.name = "check-actions", .version = "1", .summary = "has buttons and re-runs",
            SNEK_TABLE(permissions), SNEK_TABLE(check_actions))
