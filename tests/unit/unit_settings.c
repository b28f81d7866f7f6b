/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* config/settings: the message from the supervisor to the host. */
#include "config_home.h"

#include "config/database_url.h"
#include "config/settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {"GITHUB_PRIVATE_KEY",
                                    "GITHUB_PRIVATE_KEY_NEXT",
                                    "GITHUB_WEBHOOK_SECRET",
                                    "DATABASE_URL",
                                    "HTTPS_PROXY",
                                    "PGPASSWORD",
                                    "PGSSLMODE",
                                    "TZ",
                                    "SNEK_UNKNOWN",
                                    "SSLKEYLOGFILE"};

static int set_all(void **state) {
    config_start_empty(state);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        AUTO_FREE char *value = NULL;
        assert_true(asprintf(&value, "value of %s", names[i]) > 0);
        setenv(names[i], value, 1);
    }
    return 0;
}

static int unset_all(void **state) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        unsetenv(names[i]);
    }
    return 0;
}

static struct settings *read_settings(const char *path) {
    struct settings *settings = NULL;
    struct error err;
    assert_int_equal(settings_read(path, &settings, &err), 0);
    return settings;
}

static void write_message(const struct settings *settings, struct buffer *message) {
    struct error err;
    *message = (struct buffer)BUFFER_INIT(SETTINGS_BYTES_MAX);
    assert_int_equal(settings_write(settings, message, &err), 0);
}

static struct settings *pass_on(const struct settings *settings) {
    AUTO_BUFFER struct buffer message;
    struct settings *received = NULL;
    write_message(settings, &message);
    assert_int_equal(settings_parse(message.data, message.bytes, &received), 0);
    return received;
}

static void assert_variable(const struct settings *settings, const char *name, const char *want) {
    const struct secret *value = settings_variable(settings, name);
    if (want) {
        assert_non_null(value);
        assert_string_equal(value->data, want);
    } else {
        assert_null(value);
    }
}

static void the_file_arrives_byte_by_byte_with_its_place(void **state) {
    static const char bytes[] = "# a \0 byte\n[server]\n";
    write_bytes("other.toml", bytes, sizeof bytes);
    struct settings *sent = read_settings("other.toml"), *received = pass_on(sent);
    assert_int_equal(received->text.bytes, sizeof bytes);
    assert_memory_equal(received->text.data, bytes, sizeof bytes);
    assert_string_equal(received->given, "other.toml");
    assert_under_home(received->file, "/other.toml");
    assert_under_home(received->directory, "");
    settings_free(sent);
    settings_free(received);
    unlink("other.toml");
}

static void no_file_is_no_file_at_the_other_end_too(void **state) {
    struct settings *sent = read_settings(NULL), *received = pass_on(sent);
    assert_null(received->given);
    assert_null(received->file);
    assert_under_home(received->directory, "");
    settings_free(sent);
    settings_free(received);
}

static void private_keys_and_unknown_variables_stay_here(void **state) {
    struct settings *sent = read_settings(NULL), *received = pass_on(sent);
    assert_variable(sent, "GITHUB_PRIVATE_KEY", "value of GITHUB_PRIVATE_KEY");
    assert_variable(received, "GITHUB_PRIVATE_KEY", NULL);
    assert_variable(received, "GITHUB_PRIVATE_KEY_NEXT", NULL);
    assert_variable(received, "SNEK_UNKNOWN", NULL);
    assert_variable(received, "SSLKEYLOGFILE", NULL);
    assert_variable(received, "GITHUB_WEBHOOK_SECRET", "value of GITHUB_WEBHOOK_SECRET");
    assert_variable(received, "DATABASE_URL", "value of DATABASE_URL");
    assert_variable(received, "HTTPS_PROXY", "value of HTTPS_PROXY");
    settings_free(sent);
    settings_free(received);
}

static void only_variables_without_a_secret_enter_the_hosts_environment(void **state) {
    struct settings *sent = read_settings(NULL), *received = pass_on(sent);
    unset_all(state);
    assert_int_equal(settings_apply(received), 0);
    assert_string_equal(getenv("TZ"), "value of TZ");
    assert_string_equal(getenv("PGSSLMODE"), "value of PGSSLMODE");
    for (size_t i = 0; i < 6; i++) {
        assert_null(getenv(names[i]));
    }
    assert_variable(received, "TZ", NULL);
    assert_variable(received, "PGPASSWORD", "value of PGPASSWORD");
    settings_free(sent);
    settings_free(received);
}

static void scrubbing_overwrites_each_secret(void **state) {
    settings_scrub_environment();
    for (size_t i = 0; i < 6; i++) {
        assert_null(getenv(names[i]));
    }
    assert_string_equal(getenv("TZ"), "value of TZ");
}

static void every_truncated_message_is_rejected(void **state) {
    AUTO_BUFFER struct buffer message;
    struct settings *sent = read_settings(NULL), *received = NULL;
    write_message(sent, &message);
    for (size_t bytes = 0; bytes < message.bytes; bytes++) {
        assert_int_equal(settings_parse(message.data, bytes, &received), -1);
    }
    /* Also when the length in the head is right. */
    for (uint32_t bytes = 24; bytes < message.bytes; bytes++) {
        uint32_t body_bytes = bytes - 24;
        memcpy(message.data, &body_bytes, sizeof body_bytes);
        if (settings_parse(message.data, bytes, &received) == 0) {
            /* It ends behind a variable. */
            settings_free(received);
        }
    }
    settings_free(sent);
}

static void a_variable_that_is_too_large_is_rejected_by_its_name(void **state) {
    struct settings *settings = NULL;
    struct error err;
    AUTO_FREE char *large = calloc(1, SETTINGS_VARIABLE_BYTES_MAX + 2);
    memset(large, 'x', SETTINGS_VARIABLE_BYTES_MAX + 1);
    setenv("DATABASE_URL", large, 1);
    assert_int_equal(settings_read(NULL, &settings, &err), -1);
    assert_string_equal(err.text, "DATABASE_URL is larger than 65536 bytes");
}

static void a_password_of_the_environment_becomes_a_part_of_the_url(void **state) {
    static const char *const cases[][2] = {
        {"postgres://me@db/bot", "postgres://me@db/bot?password=a%2Fb%20%C3%A4"},
        {"postgres://db/bot?sslmode=require",
         "postgres://db/bot?sslmode=require&password=a%2Fb%20%C3%A4"},
        {"postgres://me:own@db/bot", "postgres://me:own@db/bot"},
        {"postgres://db/bot?password=own", "postgres://db/bot?password=own"},
        {"postgres://db:5432/bot", "postgres://db:5432/bot?password=a%2Fb%20%C3%A4"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *url = database_url_with_password(cases[i][0], "a/b \xC3\xA4");
        assert_string_equal(url, cases[i][1]);
    }
    unset_all(state);
    set_credentials();
    setenv("PGPASSWORD", "hush", 1);
    setenv("DATABASE_URL", "postgres://me@db/bot", 1);
    struct config *config = load_good(NULL);
    assert_string_equal(config->store.url, "postgres://me@db/bot?password=hush");
    config_free(config);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_all, unset_all)
    const struct CMUnitTest tests[] = {
        TEST(the_file_arrives_byte_by_byte_with_its_place),
        TEST(no_file_is_no_file_at_the_other_end_too),
        TEST(private_keys_and_unknown_variables_stay_here),
        TEST(only_variables_without_a_secret_enter_the_hosts_environment),
        TEST(scrubbing_overwrites_each_secret),
        TEST(every_truncated_message_is_rejected),
        TEST(a_variable_that_is_too_large_is_rejected_by_its_name),
        TEST(a_password_of_the_environment_becomes_a_part_of_the_url),
    };
    return cmocka_run_group_tests(tests, config_enter_home, config_leave_home);
}
