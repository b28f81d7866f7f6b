/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* config: the files that it finds and names: itself, plugins, keys and secrets; and the example. */
#include "config_home.h"

#include "base/io.h"
#include "config/keys.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void a_file_that_is_named_must_be_readable(void **state) {
    struct config *config = NULL;
    struct config_problems problems = {0};
    set_credentials();
    assert_int_equal(config_load("none.toml", CONFIG_NEED_EVERYTHING, &config, &problems), -1);
    assert_string_equal(problems.text, "cannot open none.toml: No such file or directory\n");
    config_problems_finish(&problems);
    assert_int_equal(mkdir("dir", 0700), 0);
    assert_int_equal(config_load("dir", CONFIG_NEED_EVERYTHING, &config, &problems), -1);
    assert_string_equal(problems.text, "cannot read dir: Is a directory\n");
    config_problems_finish(&problems);
    /* Paths are relative to the file, not to where we are. */
    write_text("dir/x.toml", "[[plugin]]\npath = \"./p.so\"\n");
    assert_int_equal(config_load("dir/x.toml", CONFIG_NEED_EVERYTHING, &config, &problems), 0);
    assert_under_home(config->plugins[0].path, "/dir/p.so");
    assert_store_under_home(config, "/dir/snekomatic.db");
    config_free(config);
}

static void assert_is_a_trap(void) {
    AUTO_FREE char *problems = load_bad(NULL);
    assert_non_null(strstr(problems, "/snekomatic.toml: is not used: "));
}

static void a_found_file_that_others_can_write_is_not_used(void **state) {
    set_credentials();
    config_free(load_good("[server]\ndrain_ms = 1\n"));
    assert_int_equal(chmod("snekomatic.toml", 0646), 0);
    assert_is_a_trap();
    struct config *config = NULL;
    struct config_problems problems = {0};
    assert_int_equal(config_load("snekomatic.toml", CONFIG_NEED_EVERYTHING, &config, &problems), 0);
    assert_int_equal(config->server.drain_ms, 1);
    config_free(config);
}

static void a_found_file_or_link_of_another_user_is_not_used(void **state) {
    if (geteuid() != 0) {
        LEAVE_OUT("only root can give a file away");
    }
    set_credentials();
    config_free(load_good("[server]\ndrain_ms = 1\n"));
    assert_int_equal(chown("snekomatic.toml", 4321, 4321), 0);
    assert_is_a_trap();
    assert_int_equal(chown("snekomatic.toml", 0, 0), 0);
    assert_int_equal(rename("snekomatic.toml", "real.toml"), 0);
    assert_int_equal(symlink("real.toml", "snekomatic.toml"), 0);
    config_free(load_good(NULL));
    assert_int_equal(lchown("snekomatic.toml", 4321, 4321), 0);
    assert_is_a_trap();
}

static void a_key_or_secret_that_others_can_write_is_rejected(void **state) {
    struct error err;
    struct secret key = {0};
    write_text("open.key", "a key");
    assert_int_equal(chmod("open.key", 0666), 0);
    struct config *config = load_good("[github]\napp_id = 1\nprivate_key_file = \"open.key\"\n"
                                      "webhook_secret_file = \"open.key\"\n");
    assert_int_equal(config_private_key(config, &key, &err), -1);
    assert_non_null(strstr(err.text, "open.key can be written by every user; run: chmod 600 /"));
    assert_null(key.data);
    assert_int_equal(config_secret_file("open.key", &key, &err), -1);
    assert_int_equal(chmod("open.key", 0644), 0);
    assert_int_equal(config_private_key(config, &key, &err), 0);
    secret_finish(&key);
    config_free(config);
}

static void a_bare_plugin_name_is_a_file_of_the_directory(void **state) {
    set_credentials();
    assert_int_equal(mkdir("bare", 0700), 0);
    assert_int_equal(mkdir("bare/folder", 0700), 0);
    write_text("bare/exact", "");
    struct config *config = load_good("[plugins]\ndirectory = \"bare\"\n"
                                      "[[plugin]]\npath = \"exact\"\n"
                                      "[[plugin]]\npath = \"folder\"\n");
    assert_under_home(config->plugins[0].path, "/bare/exact");
    assert_under_home(config->plugins[1].path, "/bare/folder.so");
    assert_string_equal(config->plugins[1].as_written, "folder");
    config_free(config);
    assert_int_equal(symlink("exact", "bare/alias"), 0);
    assert_problems("[plugins]\ndirectory = \"bare\"\n"
                    "[[plugin]]\npath = \"exact\"\n"
                    "[[plugin]]\npath = \"alias\"\n",
                    "snekomatic.toml:5: plugin.path \"alias\" is the same file as in line 3\n");
}

static void a_bare_name_of_a_file_beside_the_configuration_is_told_its_right_form(void **state) {
    set_credentials();
    write_text("beside.so", "");
    AUTO_FREE char *problems = load_bad("[[plugin]]\npath = \"beside\"\n");
    assert_non_null(strstr(problems, "snekomatic.toml:1: plugin.path \"beside\" is no file in /"));
    assert_non_null(strstr(problems, "the file beside this configuration is \"./beside.so\"\n"));
}

static void the_private_key_is_handed_over_as_it_is_and_gone(void **state) {
    struct error err;
    struct config *config = load_good("[github]\napp_id = 1\nprivate_key_file = \"key.pem\"\n"
                                      "webhook_secret_file = \"secret\"\n");
    write_text("key.pem", " a key \n");
    struct secret key = {0};
    assert_int_equal(config_private_key(config, &key, &err), 0);
    assert_string_equal(key.data, " a key \n");
    secret_finish(&key);

    static char entry[] = "GITHUB_PRIVATE_KEY=from the variable";
    assert_int_equal(putenv(entry), 0);
    struct config *other = load_good(NULL);
    assert_int_equal(config_private_key(other, &key, &err), 0);
    config_free(other);
    assert_string_equal(key.data, "from the variable");
    assert_null(getenv("GITHUB_PRIVATE_KEY"));
    assert_null(memmem(entry, sizeof entry, "variable", 8));
    secret_finish(&key);

    write_text("key.pem", "");
    assert_int_equal(config_private_key(config, &key, &err), -1);
    assert_non_null(strstr(err.text, "github.private_key_file: "));
    assert_non_null(strstr(err.text, "/key.pem is empty"));
    assert_int_equal(unlink("key.pem"), 0);
    assert_int_equal(config_private_key(config, &key, &err), -1);
    assert_non_null(strstr(err.text, "No such file"));
    assert_null(key.data);
    config_free(config);
}

/* The reader of the present secret, "turned", waits until this thread writes it. */
static void *end_the_rotation(void *context) {
    (void)context;
    int fd = open("turned", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(unlink("turned.next"), 0);
    assert_int_equal(write(fd, "old\n", 4), 4);
    close(fd);
    return NULL;
}

static void a_rotation_that_ends_during_the_read_hides_no_secret(void **state) {
    struct error err;
    struct secret secrets[CONFIG_WEBHOOK_SECRETS_MAX] = {{0}};
    size_t count = 0;
    int64_t until_ms;
    pthread_t thread;
    struct config *config = load_good("[github]\napp_id = 1\nprivate_key_file = \"k\"\n"
                                      "webhook_secret_file = \"turned\"\n");
    assert_int_equal(mkfifo("turned", 0600), 0);
    write_text("turned.next", "new\n");
    assert_int_equal(pthread_create(&thread, NULL, end_the_rotation, NULL), 0);
    assert_int_equal(config_webhook_secrets(config, secrets, &count, &until_ms, &err), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(secrets[0].data, "old");
    assert_string_equal(secrets[1].data, "new");
    secret_finish(&secrets[0]);
    secret_finish(&secrets[1]);
    config_free(config);
    assert_int_equal(unlink("turned"), 0);
}

static void the_files_of_a_rotation_are_beside_the_secrets(void **state) {
    struct error err;
    struct secret secrets[CONFIG_WEBHOOK_SECRETS_MAX] = {{0}};
    size_t count = 0;
    int64_t until_ms;
    struct config *config = load_good("[github]\napp_id = 1\nprivate_key_file = \"k\"\n"
                                      "webhook_secret_file = \"turned\"\n");
    write_text("turned", "now\n");
    write_text("turned.next", "soon\n");
    write_text("turned.previous", "before\nuntil 2030-01-31T00:00:00Z\n");
    assert_int_equal(config_webhook_secrets(config, secrets, &count, &until_ms, &err), 0);
    assert_int_equal(count, 3);
    assert_string_equal(secrets[0].data, "now");
    assert_string_equal(secrets[1].data, "soon");
    assert_string_equal(secrets[2].data, "before");
    assert_int_equal(secrets[2].bytes, 6);
    assert_int_equal(until_ms, INT64_C(1896048000000));
    for (size_t i = 0; i < count; i++) {
        secret_finish(&secrets[i]);
    }

    assert_int_equal(unlink("turned.next"), 0);
    write_text("turned.previous", "before\nuntil I say so\n");
    assert_int_equal(config_webhook_secrets(config, secrets, &count, &until_ms, &err), -1);
    assert_non_null(strstr(err.text, "/turned.previous must hold the secret"));
    assert_int_equal(config_check_webhook_secret(config, &err), -1);

    write_text("turned.previous", "before");
    assert_int_equal(config_webhook_secrets(config, secrets, &count, &until_ms, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(until_ms, 0);
    secret_finish(&secrets[0]);
    secret_finish(&secrets[1]);

    write_text("turned.previous", "");
    assert_int_equal(config_check_webhook_secret(config, &err), -1);
    assert_int_equal(unlink("turned.previous"), 0);
    assert_int_equal(config_check_webhook_secret(config, &err), 0);
    assert_int_equal(config_webhook_secrets(config, secrets, &count, &until_ms, &err), 0);
    assert_int_equal(count, 1);
    secret_finish(&secrets[0]);
    config_free(config);

    write_text("elsewhere", "older");
    config = load_good("[github]\napp_id = 1\nprivate_key_file = \"k\"\n"
                       "webhook_secret_file = \"turned\"\n"
                       "webhook_secret_previous_file = \"elsewhere\"\n");
    assert_int_equal(config_webhook_secrets(config, secrets, &count, &until_ms, &err), 0);
    assert_int_equal(count, 2);
    assert_string_equal(secrets[1].data, "older");
    secret_finish(&secrets[0]);
    secret_finish(&secrets[1]);
    config_free(config);
}

static void webhook_secrets_come_without_the_last_white_space(void **state) {
    struct error err;
    struct secret secrets[CONFIG_WEBHOOK_SECRETS_MAX] = {{0}};
    size_t count = 0;
    int64_t until_ms;
    struct config *config = load_good("[github]\napp_id = 1\nprivate_key_file = \"k\"\n"
                                      "webhook_secret_file = \"secret\"\n");
    write_text("secret", " hush hush \r\n\n");
    assert_int_equal(config_webhook_secrets(config, secrets, &count, &until_ms, &err), 0);
    assert_int_equal(count, 1);
    assert_string_equal(secrets[0].data, " hush hush");
    secret_finish(&secrets[0]);

    setenv("GITHUB_WEBHOOK_SECRET", " new\r\n", 1);
    setenv("GITHUB_WEBHOOK_SECRET_PREVIOUS", "old", 1);
    config_free(config);
    config = load_good(NULL);
    assert_int_equal(config_webhook_secrets(config, secrets, &count, &until_ms, &err), 0);
    assert_int_equal(count, 2);
    assert_string_equal(secrets[0].data, " new");
    assert_string_equal(secrets[1].data, "old");
    assert_null(getenv("GITHUB_WEBHOOK_SECRET"));
    assert_null(getenv("GITHUB_WEBHOOK_SECRET_PREVIOUS"));
    secret_finish(&secrets[0]);
    secret_finish(&secrets[1]);

    setenv("GITHUB_WEBHOOK_SECRET", " \t\n", 1);
    config_free(config);
    config = load_good(NULL);
    assert_int_equal(config_webhook_secrets(config, secrets, &count, &until_ms, &err), -1);
    assert_string_equal(err.text, "GITHUB_WEBHOOK_SECRET is empty");

    write_text("secret", " \n");
    assert_int_equal(config_webhook_secrets(config, secrets, &count, &until_ms, &err), -1);
    assert_non_null(strstr(err.text, "/secret is empty"));
    AUTO_FREE char *large = calloc(1, CONFIG_SECRET_MAX + 1);
    memset(large, 'x', CONFIG_SECRET_MAX + 1);
    write_bytes("secret", large, CONFIG_SECRET_MAX + 1);
    assert_int_equal(config_webhook_secrets(config, secrets, &count, &until_ms, &err), -1);
    assert_non_null(strstr(err.text, "is larger than 65536 bytes"));
    config_free(config);
}

/* The example, with its commented keys ("#name = …", "#[table]") made live or left out. */
static char *read_example(bool live) {
    struct error err;
    AUTO_BUFFER struct buffer text = BUFFER_INIT(100000);
    struct buffer out = BUFFER_INIT(100000);
    assert_int_equal(io_read_file(SNEK_SOURCE_ROOT "/config/snekomatic.toml", &text, &err), 0);
    char *rest = text.data;
    for (char *line; (line = strsep(&rest, "\n"));) {
        bool commented = line[0] == '#' && line[1] != '\0' && line[1] != ' ';
        assert_int_equal(buffer_printf(&out, "%s\n", line + (commented && live)), 0);
    }
    return buffer_steal(&out);
}

static void the_example_loads_as_it_is_and_with_every_key_live(void **state) {
    set_credentials();
    for (int live = 0; live < 2; live++) {
        AUTO_FREE char *text = read_example(live);
        struct config *config = load_good(text);
        /* Three are commented out. */
        assert_int_equal(config->n_plugins, 2 + 3 * live);
        assert_int_equal(config->server.port, 8000);
        /* The keys are indeed live. */
        assert_int_equal(config->github.ca_file != NULL, live);
        config_free(config);
    }
}

static void the_example_has_every_key_at_its_default(void **state) {
    AUTO_FREE char *text = read_example(true);
    const struct config_key *const tables[] = {config_keys, config_plugin_keys};
    for (size_t i = 0; i < 2; i++) {
        for (const struct config_key *key = tables[i]; key->name; key++) {
            const char *name = strchr(key->name, '.') + 1;
            bool quoted = key->kind != KEY_INTEGER && key->kind != KEY_BOOLEAN;
            /* The default of these two depends on the build. */
            bool varies = strcmp(name, "user_agent") == 0 || strcmp(name, "directory") == 0;
            char want[200];
            if (key->kind == KEY_JSON) {
                snprintf(want, sizeof want, "\n[%s]\n", key->name);
            } else if (key->fallback && !varies) {
                snprintf(want, sizeof want, quoted ? "\n%s = \"%s\"\n" : "\n%s = %s\n", name,
                         key->fallback);
            } else {
                snprintf(want, sizeof want, "\n%s = ", name);
            }
            bool there = strstr(text, want) != NULL;
            if (there != (key->kind != KEY_UNSUPPORTED)) {
                fail_msg("%s: %s", there ? "unsupported, but there" : "not there", key->name);
            }
            if (key->variable && key->kind != KEY_UNSUPPORTED && !strstr(text, key->variable)) {
                fail_msg("not named: %s", key->variable);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(a_file_that_is_named_must_be_readable),
        CONFIG_TEST(a_found_file_that_others_can_write_is_not_used),
        CONFIG_TEST(a_found_file_or_link_of_another_user_is_not_used),
        CONFIG_TEST(a_key_or_secret_that_others_can_write_is_rejected),
        CONFIG_TEST(a_bare_plugin_name_is_a_file_of_the_directory),
        CONFIG_TEST(a_bare_name_of_a_file_beside_the_configuration_is_told_its_right_form),
        CONFIG_TEST(the_private_key_is_handed_over_as_it_is_and_gone),
        CONFIG_TEST(a_rotation_that_ends_during_the_read_hides_no_secret),
        CONFIG_TEST(the_files_of_a_rotation_are_beside_the_secrets),
        CONFIG_TEST(webhook_secrets_come_without_the_last_white_space),
        CONFIG_TEST(the_example_loads_as_it_is_and_with_every_key_live),
        CONFIG_TEST(the_example_has_every_key_at_its_default),
    };
    return cmocka_run_group_tests(tests, config_enter_home, config_leave_home);
}
