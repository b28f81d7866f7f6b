/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How snekomatic-worker loads a plugin: the description that it sends, and the sentences with which
 * it rejects. */
#include "worker_host.h"

#include <snekomatic/plugin.h>

#include "base/cleanup.h"

#include <snekomatic/plugin.h>

#include <fcntl.h>

static void expect_rejection_by(struct worker_host *host, const char *sentence) {
    AUTO_RECEIVED struct received received = {0};
    host_receive(host, FRAME_REJECTED, &received);
    const char *why = received_text(&received);
    if (!strstr(why, sentence)) {
        print_message("# it received: %s\n", why);
        assert_string_equal(why, sentence);
    }
    received_end(&received);
    expect_exit(host, 0);
}

/* Loads `path` and expects a rejection that contains `sentence`, then a clean exit. */
static void expect_rejection(const char *path, const struct worker_options *options,
                             const char *sentence) {
    struct worker_host host;
    host_spawn(&host, true);
    host_load(&host, path, options);
    /* Shows which case fails. */
    print_message("# %s\n", path);
    expect_rejection_by(&host, sentence);
}

/* Likewise, but by create(), after the plugin was described. */
static void expect_create_rejection(const char *plugin, const struct worker_options *options,
                                    const char *sentence) {
    struct worker_host host;
    AUTO_RECEIVED struct received received = {0};
    host_spawn(&host, true);
    host_load(&host, plugin_path(plugin), options);
    host_receive(&host, FRAME_DESCRIBED, &received);
    expect_rejection_by(&host, sentence);
}

static void the_description_holds_the_whole_descriptor(void **state) {
    (void)state;
    struct worker_host host;
    AUTO_RECEIVED struct received received = {0};
    host_spawn(&host, true);
    host_load(&host, plugin_path("test-probe"), NULL);
    host_receive(&host, FRAME_DESCRIBED, &received);
    assert_int_equal(received_number(&received), FRAME_PROTOCOL);
    assert_string_equal(received_text(&received), "probe");
    assert_string_equal(received_text(&received), "0.9");
    assert_string_equal(received_text(&received), "performs the action of its payload");
    assert_int_equal(received_number(&received), SNEK_ABI_MAJOR);
    assert_int_equal(received_number(&received), SNEK_ABI_MINOR);
    assert_int_equal(received_number(&received), SNEK_ORDER_NONE);
    assert_int_equal(received_number(&received), 3);
    assert_string_equal(received_text(&received), "members");
    assert_string_equal(received_text(&received), "write");
    assert_int_equal(received_number(&received), 0);
    assert_string_equal(received_text(&received), "issues");
    assert_string_equal(received_text(&received), "read");
    assert_int_equal(received_number(&received), 0);
    assert_string_equal(received_text(&received), "checks");
    assert_string_equal(received_text(&received), "write");
    assert_int_equal(received_number(&received), 1);
    assert_int_equal(received_number(&received), 1);
    assert_string_equal(received_text(&received), "probe");
    assert_string_equal(received_text(&received), "");
    assert_string_equal(received_text(&received), "");
    assert_int_equal(received_number(&received), 0);
    assert_int_equal(received_number(&received), 0);
    assert_int_equal(received_number(&received), 0);
    assert_int_equal(received_number(&received), 0);
    assert_string_equal(received_text(&received), "");
    assert_int_equal(received_number(&received), 0);
    received_end(&received);
    host_end(&host);
}

static void the_description_shows_filters_and_commands(void **state) {
    (void)state;
    static const char *const filters[] = {
        "",
        "",
        "pull_request.merged = true",
        "pull_request.merged = false",
        "labels[1].name in snake, caf\xC3\xA9",
        "milestone exists",
        "milestone = null",
        "number = 42",
        ("number exists and labels exists and pull_request.merged in true, false and "
         "labels[0].name = snake"),
        "",
        "",
        "",
        "",
    };
    struct worker_host host;
    AUTO_RECEIVED struct received received = {0};
    host_spawn(&host, true);
    host_load(&host, plugin_path("test-order"), NULL);
    host_receive(&host, FRAME_DESCRIBED, &received);
    received_number(&received);
    for (int i = 0; i < 3; i++) {
        received_text(&received);
    }
    for (int i = 0; i < 2; i++) {
        received_number(&received);
    }
    assert_int_equal(received_number(&received), SNEK_ORDER_NONE);
    assert_int_equal(received_number(&received), 2);
    for (int i = 0; i < 2; i++) {
        received_text(&received);
        received_text(&received);
        received_number(&received);
    }
    assert_int_equal(received_number(&received), sizeof filters / sizeof *filters);
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        received_text(&received);
        received_text(&received);
        assert_string_equal(received_text(&received), filters[i]);
        bool last = i + 1 == sizeof filters / sizeof *filters;
        assert_int_equal(received_number(&received), last ? SNEK_OWN_EVENTS : 0);
    }
    assert_int_equal(received_number(&received), 5);
    assert_string_equal(received_text(&received), "one");
    assert_string_equal(received_text(&received), "/one WORDS: repeats them");
    assert_int_equal(received_number(&received), SNEK_ROLE_ANYBODY);
    assert_int_equal(received_number(&received), SNEK_DENIED_SILENT);
    assert_string_equal(received_text(&received), "writers");
    received_text(&received);
    assert_int_equal(received_number(&received), SNEK_ROLE_WRITE);
    assert_int_equal(received_number(&received), SNEK_DENIED_REPLY);
    host_end(&host);
}

static void each_bad_descriptor_is_rejected_with_its_reason(void **state) {
    (void)state;
    static const struct {
        const char *plugin, *sentence;
    } table[] = {
        {"bad-magic", "snek_plugin_entry() returned no descriptor (its magic is 0x12345678, not "
                      "0x4B454E53)"},
        {"bad-major",
         "it was built for ABI 2, this host speaks ABI 1: rebuild it with this host's"},
        {"bad-minor", "it requires ABI 1.1, this host speaks 1.0: install a newer snekomatic"},
        {"bad-small", "its descriptor has 16 bytes, ABI 1.0's has"},
        {"bad-symbol", "does not export snek_plugin_entry"},
        {"bad-null", "snek_plugin_entry() returned NULL"},
        {"bad-nothing", "neither a subscription nor a command nor a schedule nor a check action"},
        {"bad-name", "its name must be 1 to 100 of a-z, 0-9, - and _"},
        {"bad-noname", "its name must be 1 to 100 of a-z, 0-9, - and _"},
        {"bad-version", "its version must be a line"},
        {"bad-summary", "its summary must be a line"},
        {"bad-order", "it has .order = 4, which is no enum snek_order of ABI 1.0: use"},
        {"bad-access", "permissions[0].access (of issues) must be read, write or admin"},
        {"bad-twice", "it declares the permission issues twice: remove one"},
        {"bad-both", "it declares the permission issues as required and as optional: remove one"},
        {"bad-event", "subscriptions[0].event must be GitHub's"},
        {"bad-action", "subscriptions[0].action (of push) must be GitHub's"},
        {"bad-handler", "subscriptions[0] (of push) has no handler"},
        {"bad-path", "subscriptions[0].filters[0].path must be like"},
        {"bad-kind", "subscriptions[0].filters[0].kind 3 is unknown to this host (ABI 1.0)"},
        {"bad-flags", "subscriptions[0] (of push) has .flags = 4, which has a bit that is no"},
        {"bad-coalesce",
         "subscriptions[0] (of push) has SNEK_COALESCE, and the plugin has no order"},
        {"bad-coalesce-filter",
         "subscriptions[0] (of push) has SNEK_COALESCE and filters: a newer"},
        {"bad-is", "subscriptions[0].filters[0]: SNEK_IS takes one value"},
        {"bad-in", "subscriptions[0].filters[0]: SNEK_IN takes at least one value"},
        {"bad-exists", "subscriptions[0].filters[0]: SNEK_EXISTS takes no value"},
        {"bad-command", "commands[0].name must be"},
        {"bad-slash", "commands[0].name must be"},
        {"bad-usage", "the command /a must have a usage"},
        {"bad-roles",
         "the command /a has .roles = 64, which are no enum snek_role_flag of ABI 1.0"},
        {"bad-member", "the command /a is for members of the organization, and the plugin may not "
                       "read them: add {\"members\", \"read\"} to its permissions"},
        {"bad-denied", "the command /a has .denied = 3, which is no enum snek_denied of ABI 1.0"},
        {"bad-silent", "the command /a has a .denied_text, but .denied is SNEK_DENIED_SILENT"},
        {"bad-reaction", "the command /a has a .denied_text that is no reaction: +1, -1, laugh"},
        {"bad-reply", "the command /a replies to those whom it denies: its .denied_text must have"},
        {"bad-again", "it has the command /a twice"},
        {"bad-effect", "effects[0].method must be POST, PUT, PATCH or DELETE"},
        {"bad-effect-url", "effects[0].url must be a path like"},
        {"bad-effect-word", "effects[0].url must be a path like"},
        {"bad-table", "its table of commands is NULL, but its count is 1"},
        {"bad-stride", "an item of its commands has 24 bytes, at least 40 are right"},
        {"bad-many", "it has 257 commands, more than 256"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect_rejection(plugin_path(table[i].plugin), NULL, table[i].sentence);
    }
}

static void each_bad_check_action_is_rejected_with_its_reason(void **state) {
    (void)state;
    static const struct {
        const char *plugin, *sentence;
    } table[] = {
        {"bad-button", "check_actions[0].identifier must be that of a button"},
        {"bad-button-long", "check_actions[0].identifier must be that of a button"},
        {"bad-rerun", "check_actions[0] is a SNEK_RERUN with an identifier"},
        {"bad-action-kind", "check_actions[0].kind 2 is unknown to this host (ABI 1.0)"},
        {"bad-action-check", "check_actions[0].check must be the name of a check run"},
        {"bad-action-author", "check_actions[0] has SNEK_ROLE_AUTHOR"},
        {"bad-action-roles", "check_actions[0] has .roles = 64"},
        {"bad-action-filter", "check_actions[0].filters[0].path must be like"},
        {"bad-action-handler", "check_actions[0] has no handler"},
        {"bad-action-twice", "check_actions[0] and [1] are for the same thing"},
        {"bad-action-permission", "add {\"checks\", \"write\"} to its permissions"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect_rejection(plugin_path(table[i].plugin), NULL, table[i].sentence);
    }
}

static void each_bad_setting_is_rejected_with_its_reason(void **state) {
    (void)state;
    static const struct {
        const char *plugin, *sentence;
    } table[] = {
        {"bad-setting-path", "settings[0].path must be like"},
        {"bad-setting-end", "settings[0].path must be like"},
        {"bad-setting-kind", "settings[0].kind 4 (of a) is unknown to this host (ABI 1.0)"},
        {"bad-setting-values", "settings[0] (of a): only a SNEK_SETTING_STRING has values"},
        {"bad-setting-least", "settings[0] (of a): least is more than most"},
        {"bad-setting-value", "settings[0].values[0] (of a) must be a line of 1 to 60 bytes"},
        {"bad-setting-overlap", "settings[0] (a) and settings[1] (a.b) overlap"},
        {"bad-setting-nowhere", "it has settings, but no .repository_config"},
        {"bad-setting-name", ".repository_config must be 1 to 100 letters, digits, - and _"},
        {"bad-setting-none", "it has .repository_config = \"x\" and no settings"},
        {"bad-setting-permission", "needs {\"checks\", \"write\"}: add it to permissions or"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect_rejection(plugin_path(table[i].plugin), NULL, table[i].sentence);
    }
}

static void a_plugin_of_a_later_minor_loads_when_it_accepts_this_host(void **state) {
    (void)state;
    struct worker_host host;
    host_start(&host, "test-future", NULL);
    host_run(&host, 1, "issues", "opened", "{\"issue\":{\"body\":\"/second\\n/first\"}}");
    expect_log(&host, 1, "second");
    expect_log(&host, 1, "first");
    expect_result(&host, 1, SNEK_DONE, "");
    host_end(&host);
}

static void create_rejects_with_its_own_reason(void **state) {
    (void)state;
    const struct worker_options reject = {.config = "{\"mode\":\"reject\"}"};
    const struct worker_options mute = {.config = "{\"mode\":\"mute\"}"};
    const struct worker_options number = {.config = "{\"mode\":1}"};
    expect_create_rejection("test-probe", &reject, "no, thank you");
    expect_create_rejection("test-probe", &mute, "its create() returned -7 without a reason");
    expect_create_rejection("test-probe", &number, "plugin.config.mode must be a text");
}

static void an_unknown_configuration_key_is_rejected_with_a_suggestion(void **state) {
    (void)state;
    const struct worker_options options = {.config = "{\"mode\":\"\",\"m\\u0065sage\":{\"a\":1}}"};
    expect_create_rejection(
        "test-probe", &options,
        "plugin.config.mesage is unknown; the nearest right key is \"message\"");
}

static void create_may_log_before_the_plugin_is_ready(void **state) {
    (void)state;
    struct worker_host host;
    const struct worker_options options = {.config = "{\"mode\":\"log\"}"};
    AUTO_RECEIVED struct received received = {0};
    host_spawn(&host, true);
    host_load(&host, plugin_path("test-probe"), &options);
    host_receive(&host, FRAME_DESCRIBED, &received);
    expect_log(&host, 0, "created");
    expect_ready(&host);
    host_end(&host);
}

/* ---- files ---- */

static void a_file_that_is_no_plugin_is_rejected(void **state) {
    (void)state;
    char text[256];
    expect_rejection("probe.so", NULL, "probe.so is not an absolute path");
    expect_rejection(plugin_path("absent"), NULL, "No such file or directory");
    snprintf(text, sizeof text, "%s/text.so", worker_tests_directory());
    AUTO_CLOSE int fd = open(text, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "no ELF", 6), 6);
    expect_rejection(text, NULL, "cannot load it: ");
}

/* ---- the frame ---- */

static int64_t best_level(void) {
    struct worker_host host;
    host_start(&host, "test-probe", NULL);
    int64_t level = host.level;
    assert_int_equal(level == FRAME_LEVEL_FULL, host.level_why[0] == '\0');
    host_end(&host);
    return level;
}

static void strict_loads_with_the_full_sandbox_only(void **state) {
    (void)state;
    const struct worker_options options = {.sandbox = FRAME_SANDBOX_STRICT};
    struct worker_host host;
    if (best_level() != FRAME_LEVEL_FULL) {
        expect_rejection(plugin_path("test-probe"), &options, "plugin.sandbox = \"strict\"");
        return;
    }
    host_start(&host, "test-probe", &options);
    assert_int_equal(host.level, FRAME_LEVEL_FULL);
    host_end(&host);
}

static void
the_level_is_off_when_the_configuration_says_so_or_the_build_has_sanitizers(void **state) {
    (void)state;
    const struct worker_options options = {.sandbox = FRAME_SANDBOX_OFF};
    struct worker_host host;
    host_start(&host, "test-probe", &options);
    assert_int_equal(host.level, FRAME_LEVEL_OFF);
    assert_string_equal(host.level_why, "plugin.sandbox is \"off\"");
    host_end(&host);
#ifdef SNEK_SANITIZED
    assert_int_equal(best_level(), FRAME_LEVEL_OFF);
#else
    assert_int_not_equal(best_level(), FRAME_LEVEL_OFF);
#endif
}

static void another_protocol_is_rejected(void **state) {
    (void)state;
    const struct worker_options options = {.protocol = FRAME_PROTOCOL + 1};
    expect_rejection(plugin_path("test-probe"), &options, "are of different versions");
}

static void a_configuration_other_than_an_object_ends_the_worker(void **state) {
    (void)state;
    const struct worker_options options[] = {{.config = "[]"}, {.config = "{"}, {.config = ""}};
    for (size_t i = 0; i < 3; i++) {
        struct worker_host host;
        host_spawn(&host, true);
        host_load(&host, plugin_path("test-probe"), &options[i]);
        expect_exit(&host, 76);
    }
}

static void a_first_frame_other_than_start_ends_the_worker(void **state) {
    (void)state;
    struct worker_host host;
    host_spawn(&host, true);
    host_run(&host, 1, "push", "", "{}");
    expect_exit(&host, 76);
}

static void the_worker_ends_when_the_host_closes_before_loading(void **state) {
    (void)state;
    struct worker_host host;
    host_spawn(&host, true);
    host_end(&host);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_description_holds_the_whole_descriptor),
        cmocka_unit_test(the_description_shows_filters_and_commands),
        cmocka_unit_test(each_bad_descriptor_is_rejected_with_its_reason),
        cmocka_unit_test(each_bad_check_action_is_rejected_with_its_reason),
        cmocka_unit_test(each_bad_setting_is_rejected_with_its_reason),
        cmocka_unit_test(a_plugin_of_a_later_minor_loads_when_it_accepts_this_host),
        cmocka_unit_test(create_rejects_with_its_own_reason),
        cmocka_unit_test(an_unknown_configuration_key_is_rejected_with_a_suggestion),
        cmocka_unit_test(create_may_log_before_the_plugin_is_ready),
        cmocka_unit_test(a_file_that_is_no_plugin_is_rejected),
        cmocka_unit_test(strict_loads_with_the_full_sandbox_only),
        cmocka_unit_test(
            the_level_is_off_when_the_configuration_says_so_or_the_build_has_sanitizers),
        cmocka_unit_test(another_protocol_is_rejected),
        cmocka_unit_test(a_configuration_other_than_an_object_ends_the_worker),
        cmocka_unit_test(a_first_frame_other_than_start_ends_the_worker),
        cmocka_unit_test(the_worker_ends_when_the_host_closes_before_loading),
    };
    if (worker_tests_setup(argc, argv) < 0) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    worker_tests_finish();
    return failed;
}
