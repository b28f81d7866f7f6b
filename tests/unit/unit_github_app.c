/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* github_app: the words of GitHub's form, the table of events against GitHub's own description, and
 * what plugins need together. */
#include "unit.h"

#include "base/array.h"
#include "github_app/events.h"
#include "github_app/needs.h"

#include <snekomatic/plugin.h>

#include <jansson.h>

static void words_of_the_form_belong_to_the_names_of_the_api(void **state) {
    (void)state;
    static const struct {
        const char *name, *section, *title;
    } table[] = {
        {"issues", "Repository permissions", "Issues"},
        {"security_events", "Repository permissions", "Code scanning alerts"},
        {"statuses", "Repository permissions", "Commit statuses"},
        {"vulnerability_alerts", "Repository permissions", "Dependabot alerts"},
        {"repository_hooks", "Repository permissions", "Webhooks"},
        {"members", "Organization permissions", "Members"},
        {"organization_projects", "Organization permissions", "Projects"},
        {"organization_user_blocking", "Organization permissions", "Blocking users"},
        {"email_addresses", "Account permissions", "Email addresses"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        const struct github_permission *permission = github_permission_find(table[i].name, NULL);
        assert_non_null(permission);
        assert_string_equal(permission->title, table[i].title);
        assert_string_equal(github_permission_section(permission->section), table[i].section);
    }
}

static void access_has_the_words_of_the_form(void **state) {
    (void)state;
    static const char *const table[][2] = {
        {"read", "Read-only"}, {"write", "Read and write"}, {"admin", "Admin"}, {"", "No access"}};
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        assert_string_equal(github_permission_words(github_permission_level(table[i][0])),
                            table[i][1]);
    }
    assert_int_equal(github_permission_level(NULL), PERMISSION_NONE);
}

static void events_have_the_words_of_the_form(void **state) {
    (void)state;
    static const char *const table[][2] = {
        {"issue_comment", "Issue comment"},
        {"pull_request_review_comment", "Pull request review comment"},
        {"push", "Push"}};
    char title[GITHUB_EVENT_TITLE_MAX];
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        assert_string_equal(github_event_title(table[i][0], title), table[i][1]);
    }
}

static void a_wrong_name_finds_the_nearest_right_one(void **state) {
    (void)state;
    const char *nearest;
    char action[GITHUB_EVENT_TITLE_MAX];
    assert_null(github_event_find("issue_coment", &nearest));
    assert_string_equal(nearest, "issue_comment");
    assert_null(github_event_find("weather", &nearest));
    assert_null(nearest);
    assert_null(github_permission_find("isues", &nearest));
    assert_string_equal(nearest, "issues");
    const struct github_event *issues = github_event_find("issues", NULL);
    assert_true(github_event_has_action(issues, "opened", action));
    assert_true(github_event_has_action(issues, "untyped", action));
    assert_false(github_event_has_action(issues, "openned", action));
    assert_string_equal(action, "opened");
    assert_false(github_event_has_action(issues, "synchronize", action));
    assert_string_equal(action, "");
    assert_true(
        github_event_has_action(github_event_find("repository_dispatch", NULL), "x", action));
}

/* -- merging -- */

static struct app_needs merge(const struct description *first, const struct description *second) {
    const struct description *both[] = {first, NULL, second};
    struct app_needs needs;
    assert_int_equal(app_needs_merge(&needs, both, ARRAY_LENGTH(both)), 0);
    return needs;
}

static void the_highest_access_of_all_plugins_counts(void **state) {
    (void)state;
    struct described_permission few[] = {{"issues", "read"}, {"members", "read"}},
                                more[] = {{"issues", "write"}, {"administration", "read"}};
    struct description first = {.permissions = few, .n_permissions = 2},
                       second = {.permissions = more, .n_permissions = 2};
    struct app_needs needs = merge(&first, &second);
    assert_int_equal(needs.n_permissions, 3);
    assert_string_equal(needs.permissions[0].name, "administration");
    assert_string_equal(needs.permissions[1].name, "issues");
    assert_string_equal(needs.permissions[2].name, "members");
    assert_int_equal(needs.permissions[1].level, PERMISSION_WRITE);
    assert_int_equal(needs.permissions[1].plugins, 5);
    assert_int_equal(needs.permissions[2].plugins, 1);
    app_needs_finish(&needs);
}

static void an_optional_permission_is_wanted_and_not_required(void **state) {
    (void)state;
    struct described_permission few[] = {{"issues", "read", false}, {"checks", "write", true}},
                                more[] = {{"issues", "write", true}};
    struct description first = {.permissions = few, .n_permissions = 2},
                       second = {.permissions = more, .n_permissions = 1};
    struct app_needs needs = merge(&first, &second);
    const struct app_need *checks = app_needs_permission(&needs, "checks"),
                          *issues = app_needs_permission(&needs, "issues");
    assert_int_equal(checks->level, PERMISSION_WRITE);
    assert_int_equal(checks->required, PERMISSION_NONE);
    assert_int_equal(issues->level, PERMISSION_WRITE);
    assert_int_equal(issues->required, PERMISSION_READ);
    app_needs_finish(&needs);
}

static void commands_need_their_events(void **state) {
    (void)state;
    static const char *const names[] = {"issue_comment", "issues", "pull_request",
                                        "pull_request_review", "pull_request_review_comment"};
    struct described_permission permissions[] = {{"issues", "write"}};
    struct described_command command = {.name = "ping"};
    struct description ping = {
        .permissions = permissions, .n_permissions = 1, .commands = &command, .n_commands = 1};
    struct app_needs needs = merge(&ping, NULL);
    assert_int_equal(needs.n_events, ARRAY_LENGTH(names));
    for (size_t i = 0; i < needs.n_events; i++) {
        assert_string_equal(needs.events[i].name, names[i]);
    }
    /* Without it GitHub's form does not offer the events of pull requests. */
    assert_int_equal(needs.n_permissions, 2);
    assert_string_equal(needs.permissions[1].name, "pull_requests");
    assert_int_equal(needs.permissions[1].level, PERMISSION_READ);
    app_needs_finish(&needs);
}

static void check_actions_need_their_events(void **state) {
    (void)state;
    struct described_permission permissions[] = {{"checks", "write"}};
    struct described_check_action actions[] = {{.kind = SNEK_BUTTON}, {.kind = SNEK_RERUN}};
    struct description plugin = {.permissions = permissions,
                                 .n_permissions = 1,
                                 .check_actions = actions,
                                 .n_check_actions = 1};
    struct app_needs pressed = merge(&plugin, NULL);
    plugin.n_check_actions = 2;
    struct app_needs both = merge(&plugin, NULL);
    assert_int_equal(pressed.n_events, 1);
    assert_string_equal(pressed.events[0].name, "check_run");
    assert_int_equal(both.n_events, 2);
    assert_string_equal(both.events[1].name, "check_suite");
    app_needs_finish(&pressed);
    app_needs_finish(&both);
}

static void the_check_of_settings_needs_its_events(void **state) {
    (void)state;
    static const char *const names[] = {"check_run", "check_suite", "pull_request"};
    struct described_permission permissions[] = {{"checks", "write"}, {"pull_requests", "read"}};
    char stale[] = "stale";
    struct description plugin = {
        .permissions = permissions, .n_permissions = 2, .repository_config = stale};
    struct app_needs needs = merge(&plugin, NULL);
    assert_int_equal(needs.n_events, ARRAY_LENGTH(names));
    for (size_t i = 0; i < needs.n_events; i++) {
        assert_string_equal(needs.events[i].name, names[i]);
    }
    app_needs_finish(&needs);
}

static void an_event_needs_one_of_its_permissions(void **state) {
    (void)state;
    struct described_subscription milestone = {.event = "milestone", .action = ""};
    struct described_permission pulls = {"pull_requests", "write"};
    struct description bare = {.subscriptions = &milestone, .n_subscriptions = 1},
                       able = {.permissions = &pulls, .n_permissions = 1};
    struct app_needs alone = merge(&bare, NULL), together = merge(&bare, &able);
    assert_int_equal(alone.n_permissions, 1);
    assert_string_equal(alone.permissions[0].name, "issues");
    assert_int_equal(together.n_permissions, 1);
    assert_string_equal(together.permissions[0].name, "pull_requests");
    app_needs_finish(&alone);
    app_needs_finish(&together);
}

static void what_needs_no_subscription_is_left_out(void **state) {
    (void)state;
    struct described_subscription list[] = {{.event = "installation", .action = "created"},
                                            {.event = "installation_repositories", .action = ""},
                                            {.event = "snekomatic.timer", .action = ""},
                                            {.event = "weather", .action = ""}};
    struct description plugin = {.subscriptions = list, .n_subscriptions = ARRAY_LENGTH(list)};
    struct app_needs needs = merge(&plugin, NULL);
    assert_int_equal(needs.n_events, 1);
    assert_string_equal(needs.events[0].name, "weather");
    assert_int_equal(needs.n_permissions, 0);
    app_needs_finish(&needs);
}

/* -- GitHub's own description -- */

static const json_t *resolve(const json_t *root, const json_t *schema) {
    const char *reference = json_string_value(json_object_get(schema, "$ref"));
    const char *slash = reference ? strrchr(reference, '/') : NULL;
    return slash ? json_object_get(json_object_get(json_object_get(root, "components"), "schemas"),
                                   slash + 1)
                 : schema;
}

static void compare_actions(const json_t *schema, const json_t *root,
                            const struct github_event *event) {
    static const char *const alternatives[] = {"oneOf", "anyOf"};
    const json_t *action =
        resolve(root, json_object_get(json_object_get(schema, "properties"), "action"));
    json_t *name, *other;
    size_t i;
    char nearest[GITHUB_EVENT_TITLE_MAX];
    json_array_foreach(json_object_get(action, "enum"), i, name) {
        if (!github_event_has_action(event, json_string_value(name), nearest)) {
            fail_msg("%s lacks the action %s", event->name, json_string_value(name));
        }
    }
    for (size_t k = 0; k < ARRAY_LENGTH(alternatives); k++) {
        json_array_foreach(json_object_get(schema, alternatives[k]), i, other) {
            compare_actions(resolve(root, other), root, event);
        }
    }
}

/* A sentence of the summary names the permission in the form's words. */
static void compare_permission(const char *summary, const struct github_event *event) {
    static const char words[] = "read-level access for the \"";
    const char *at = strstr(summary, words);
    if (!at || strncmp(at + strlen(words), "Meta\"", 5) == 0) {
        return;
    }
    at += strlen(words);
    const struct github_permission *permission =
        event->permissions[0] ? github_permission_find(event->permissions[0], NULL) : NULL;
    if (!permission || strncmp(at, permission->title, strlen(permission->title)) != 0 ||
        at[strlen(permission->title)] != '"') {
        fail_msg("%s: GitHub says: %.60s", event->name, at);
    }
    bool of_organization = strncmp(at + strlen(permission->title), "\" organization", 14) == 0;
    assert_int_equal(permission->section,
                     of_organization ? PERMISSION_OF_ORGANIZATIONS : PERMISSION_OF_REPOSITORIES);
}

static void compare_webhook(const json_t *root, const json_t *webhook) {
    const json_t *post = json_object_get(webhook, "post"), *content, *schema;
    const char *id = json_string_value(json_object_get(post, "operationId"));
    char name[GITHUB_EVENT_TITLE_MAX];
    assert_non_null(id);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(id, "/"), id);
    for (char *at = name; *at; at++) {
        *at = *at == '-' ? '_' : *at;
    }
    const struct github_event *event = github_event_find(name, NULL);
    if (!event) {
        fail_msg("the table lacks the event %s", name);
    }
    compare_permission(json_string_value(json_object_get(post, "summary")), event);
    content = json_object_get(json_object_get(json_object_get(post, "requestBody"), "content"),
                              "application/json");
    schema = json_object_get(content, "schema");
    compare_actions(resolve(root, schema), root, event);
}

static void the_table_agrees_with_githubs_description(void **state) {
    (void)state;
    const char *modules = getenv("SNEK_CONFORMANCE_MODULES");
    char path[4096];
    json_error_t problem;
    const char *key;
    json_t *webhook;
    size_t seen = 0;
    snprintf(path, sizeof path, "%s/@octokit/openapi/generated/api.github.com.json",
             modules ? modules : "");
    json_t *root = modules ? json_load_file(path, 0, &problem) : NULL;
    if (!root) {
        LEAVE_OUT("SNEK_CONFORMANCE_MODULES names no directory with @octokit/openapi");
    }
    json_object_foreach(json_object_get(root, "x-webhooks"), key, webhook) {
        compare_webhook(root, webhook);
        seen++;
    }
    assert_true(seen > 200);
    json_decref(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_the_form_belong_to_the_names_of_the_api),
        cmocka_unit_test(access_has_the_words_of_the_form),
        cmocka_unit_test(events_have_the_words_of_the_form),
        cmocka_unit_test(a_wrong_name_finds_the_nearest_right_one),
        cmocka_unit_test(the_highest_access_of_all_plugins_counts),
        cmocka_unit_test(an_optional_permission_is_wanted_and_not_required),
        cmocka_unit_test(commands_need_their_events),
        cmocka_unit_test(check_actions_need_their_events),
        cmocka_unit_test(the_check_of_settings_needs_its_events),
        cmocka_unit_test(an_event_needs_one_of_its_permissions),
        cmocka_unit_test(what_needs_no_subscription_is_left_out),
        cmocka_unit_test(the_table_agrees_with_githubs_description),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
