/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A home of its own for each configuration test, and helpers to write and load files in it. */
#include "config_home.h"

#include "base/io.h"
#include "config/keys.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* The home of this program, and its working directory. */
static char home[] = "/tmp/snek-config-XXXXXX";

int config_enter_home(void **state) {
    if (!mkdtemp(home) || chdir(home) < 0) {
        return -1;
    }
    return 0;
}

int config_leave_home(void **state) {
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", home);
    return chdir("/") < 0 || system(command) != 0 ? -1 : 0;
}

int config_start_empty(void **state) {
    for (const struct config_key *key = config_keys; key->name; key++) {
        if (key->variable) {
            unsetenv(key->variable);
        }
    }
    unsetenv("GITHUB_PRIVATE_KEY");
    unsetenv("GITHUB_WEBHOOK_SECRET");
    unsetenv("GITHUB_WEBHOOK_SECRET_PREVIOUS");
    unlink("snekomatic.toml");
    return 0;
}

void write_bytes(const char *path, const char *bytes, size_t count) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(io_write_full(fd, bytes, count), 0);
    close(fd);
}

void write_text(const char *path, const char *text) {
    write_bytes(path, text, strlen(text));
}

void set_credentials(void) {
    setenv("GITHUB_APP_ID", "7", 1);
    setenv("GITHUB_PRIVATE_KEY", "the key", 1);
    setenv("GITHUB_WEBHOOK_SECRET", "hush", 1);
}

struct config *load_good(const char *text) {
    struct config *config = NULL;
    AUTO_PROBLEMS struct config_problems problems = {0};
    if (text) {
        write_text("snekomatic.toml", text);
    }
    if (config_load(NULL, CONFIG_NEED_EVERYTHING, &config, &problems) < 0) {
        fail_msg("rejected: %s", problems.text);
    }
    assert_null(problems.text);
    return config;
}

char *load_bad(const char *text) {
    struct config *config = NULL;
    struct config_problems problems = {0};
    if (text) {
        write_text("snekomatic.toml", text);
    }
    if (config_load(NULL, CONFIG_NEED_EVERYTHING, &config, &problems) == 0) {
        fail_msg("accepted: %s", text ? text : "no file");
    }
    assert_null(config);
    return problems.text;
}

void assert_problems(const char *text, const char *want) {
    AUTO_FREE char *problems = load_bad(text);
    assert_string_equal(problems, want);
}

void assert_under_home(const char *path, const char *want) {
    assert_memory_equal(path, home, strlen(home));
    assert_string_equal(path + strlen(home), want);
}

void assert_store_under_home(const struct config *config, const char *want) {
    assert_memory_equal(config->store.url, "sqlite:", 7);
    assert_under_home(config->store.url + 7, want);
}
