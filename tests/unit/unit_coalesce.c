/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* dispatch/coalesce: which runs may replace waiting ones, and which may be replaced. */
#include "unit.h"

#include "dispatch/coalesce.h"

#include <snekomatic/plugin.h>

static char pulls[] = "pull_request", checks[] = "check_run", comments[] = "issue_comment";
static char labeled[] = "labeled", created[] = "created", any[] = "", say[] = "say";

static struct inbox_put_run run_of(const struct description *description, const char *event,
                                   const char *action, const char *sender, bool fetched) {
    struct inbox_put_run run = {0};
    struct inbox_put put = {.event = event, .action = action, .sender = sender, .fetched = fetched};
    coalesce_run(description, &put, &run);
    return run;
}

static void expect(struct inbox_put_run run, bool replaces, bool replaceable) {
    assert_int_equal(run.coalesce_key != 0, replaces || replaceable);
    assert_int_equal(run.replaces, replaces);
    assert_int_equal(run.replaceable, replaceable);
}

static void all_subscriptions_that_match_must_coalesce(void **state) {
    (void)state;
    struct described_subscription subscriptions[] = {
        {.event = pulls, .action = any, .flags = SNEK_COALESCE},
        {.event = pulls, .action = labeled},
        {.event = comments, .action = created}};
    struct description d = {.subscriptions = subscriptions, .n_subscriptions = 3};
    expect(run_of(&d, "pull_request", "opened", "mona", false), true, true);
    expect(run_of(&d, "pull_request", "labeled", "mona", false), false, false);
    expect(run_of(&d, "issue_comment", "created", "mona", false), false, false);
    expect(run_of(&d, "push", "", "mona", false), false, false);
}

static void the_key_tells_sets_of_subscriptions_apart(void **state) {
    (void)state;
    struct described_subscription subscriptions[] = {
        {.event = pulls, .action = any, .flags = SNEK_COALESCE},
        {.event = pulls, .action = labeled, .flags = SNEK_COALESCE}};
    struct description d = {.subscriptions = subscriptions, .n_subscriptions = 2};
    int64_t opened = run_of(&d, "pull_request", "opened", "mona", false).coalesce_key;
    int64_t closed = run_of(&d, "pull_request", "closed", "mona", false).coalesce_key;
    int64_t both = run_of(&d, "pull_request", "labeled", "mona", false).coalesce_key;
    assert_true(opened > 0 && both > 0);
    assert_int_equal(opened, closed);
    assert_int_not_equal(opened, both);
}

static void a_run_whose_event_may_hold_a_command_is_not_replaceable(void **state) {
    (void)state;
    struct described_subscription subscriptions[] = {
        {.event = comments, .action = any, .flags = SNEK_COALESCE}};
    struct described_command command = {.name = say};
    struct description d = {.subscriptions = subscriptions, .n_subscriptions = 1};
    expect(run_of(&d, "issue_comment", "created", "mona", false), true, true);
    d.commands = &command;
    d.n_commands = 1;
    expect(run_of(&d, "issue_comment", "created", "mona", false), true, false);
    expect(run_of(&d, "issue_comment", "edited", "mona", false), true, true);
}

static void a_run_of_a_check_action_is_not_replaceable(void **state) {
    (void)state;
    struct described_subscription subscriptions[] = {
        {.event = checks, .action = any, .flags = SNEK_COALESCE}};
    struct described_check_action again = {.kind = SNEK_RERUN};
    struct description d = {.subscriptions = subscriptions, .n_subscriptions = 1};
    expect(run_of(&d, "check_run", "rerequested", "mona", false), true, true);
    d.check_actions = &again;
    d.n_check_actions = 1;
    expect(run_of(&d, "check_run", "rerequested", "mona", false), true, false);
}

static void a_run_that_may_check_the_settings_is_not_replaceable(void **state) {
    (void)state;
    struct described_subscription subscriptions[] = {
        {.event = pulls, .action = any, .flags = SNEK_COALESCE}};
    struct description d = {.subscriptions = subscriptions, .n_subscriptions = 1};
    char stale[] = "stale";
    d.repository_config = stale;
    expect(run_of(&d, "pull_request", "opened", "mona", false), true, false);
    expect(run_of(&d, "pull_request", "labeled", "mona", false), true, true);
}

static void an_event_that_may_be_the_bots_own_replaces_none(void **state) {
    (void)state;
    struct described_subscription subscriptions[] = {
        {.event = pulls, .action = any, .flags = SNEK_COALESCE},
        {.event = checks, .action = any, .flags = SNEK_COALESCE}};
    struct description d = {.subscriptions = subscriptions, .n_subscriptions = 2};
    expect(run_of(&d, "pull_request", "labeled", "snek[bot]", false), false, true);
    expect(run_of(&d, "check_run", "completed", "mona", false), false, true);
    expect(run_of(&d, "check_run", "rerequested", "mona", false), true, true);
    subscriptions[0].flags |= SNEK_OWN_EVENTS;
    subscriptions[1].flags |= SNEK_OWN_EVENTS;
    expect(run_of(&d, "pull_request", "labeled", "snek[bot]", false), true, true);
    expect(run_of(&d, "check_run", "completed", "mona", false), true, true);
}

static void a_fetched_delivery_replaces_none(void **state) {
    (void)state;
    struct described_subscription subscriptions[] = {
        {.event = pulls, .action = any, .flags = SNEK_COALESCE}};
    struct description d = {.subscriptions = subscriptions, .n_subscriptions = 1};
    expect(run_of(&d, "pull_request", "labeled", "mona", true), false, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_subscriptions_that_match_must_coalesce),
        cmocka_unit_test(the_key_tells_sets_of_subscriptions_apart),
        cmocka_unit_test(a_run_whose_event_may_hold_a_command_is_not_replaceable),
        cmocka_unit_test(a_run_of_a_check_action_is_not_replaceable),
        cmocka_unit_test(a_run_that_may_check_the_settings_is_not_replaceable),
        cmocka_unit_test(an_event_that_may_be_the_bots_own_replaces_none),
        cmocka_unit_test(a_fetched_delivery_replaces_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
