/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads credentials from their variable, else from their file, and overwrites each buffer that held
 * one. */
#include "config/config.h"

#include "base/buffer.h"
#include "base/io.h"
#include "config/webhook_secrets.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* White space at the end of a file or variable is there by accident. */
static size_t trimmed(const char *text, size_t bytes) {
    while (bytes > 0 && isspace((unsigned char)text[bytes - 1])) {
        bytes--;
    }
    return bytes;
}

static int read_file(const char *path, bool trim, struct secret *secret, struct error *err) {
    AUTO_WIPED_BUFFER struct buffer text = BUFFER_INIT(CONFIG_SECRET_MAX);
    /* One allocation: a growing buffer would leave copies behind. */
    if (buffer_reserve(&text, CONFIG_SECRET_MAX) < 0) {
        return error_set(err, "no memory for %s", path);
    }
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        return error_set(err, "cannot open %s: %s", path, strerror(errno));
    }
    if (S_ISREG(status.st_mode) && (status.st_mode & S_IWOTH)) {
        return error_set(err, "%s can be written by every user; run: chmod 600 %s", path, path);
    }
    if (io_read_rest(fd, path, &text, err) < 0) {
        return -1;
    }
    size_t bytes = trim ? trimmed(text.data, text.bytes) : text.bytes;
    if (bytes == 0) {
        return error_set(err, "%s is empty", path);
    }
    return secret_copy(secret, text.data, bytes) < 0 ? error_set(err, "no memory for %s", path) : 0;
}

int config_secret_file(const char *path, struct secret *secret, struct error *err) {
    return read_file(path, true, secret, err);
}

/* 0; 1 when the variable is unset or empty; -1. */
static int take_variable(const struct config *config, const char *name, bool trim,
                         struct secret *secret, struct error *err) {
    const struct secret *value = settings_variable(config->settings, name);
    int result = 1;
    if (value) {
        size_t bytes = trim ? trimmed(value->data, value->bytes) : value->bytes;
        if (bytes > CONFIG_SECRET_MAX) {
            result = error_set(err, "%s is larger than %d bytes", name, CONFIG_SECRET_MAX);
        } else if (bytes == 0) {
            /* Only white space is a mistake, unlike an unset variable. */
            result = error_set(err, "%s is empty", name);
        } else {
            result = secret_copy(secret, value->data, bytes);
            if (result < 0) {
                error_set(err, "no memory for %s", name);
            }
        }
    }
    settings_forget(config->settings, name);
    return result;
}

int config_private_key(const struct config *config, struct secret *key, struct error *err) {
    int result = take_variable(config, "GITHUB_PRIVATE_KEY", false, key, err);
    if (result <= 0) {
        return result;
    }
    if (!config->github.private_key_file) {
        return error_set(err, "there is none: set github.private_key_file or the variable "
                              "GITHUB_PRIVATE_KEY");
    }
    result = read_file(config->github.private_key_file, false, key, err);
    return result < 0 ? error_wrap(err, "github.private_key_file") : 0;
}

int config_private_key_next(const struct config *config, struct secret *key, struct error *err) {
    int result = take_variable(config, "GITHUB_PRIVATE_KEY_NEXT", false, key, err);
    if (result <= 0 || !config->github.private_key_next_file) {
        return result;
    }
    result = read_file(config->github.private_key_next_file, false, key, err);
    return result < 0 ? error_wrap(err, "github.private_key_next_file") : 0;
}

/* 1: there is none, and pull mode needs none. */
static int secret_of_file(const struct config *config, struct secret *secret, struct error *err) {
    if (!config->github.webhook_secret_file && config->github.receive == CONFIG_RECEIVE_PULL) {
        return 1;
    }
    if (!config->github.webhook_secret_file) {
        return error_set(err, "there is none: set github.webhook_secret_file or the variable "
                              "GITHUB_WEBHOOK_SECRET");
    }
    int result = config_secret_file(config->github.webhook_secret_file, secret, err);
    return result < 0 ? error_wrap(err, "github.webhook_secret_file") : 0;
}

static int current_secret(const struct config *config, struct secret *secret, struct error *err) {
    int result = take_variable(config, "GITHUB_WEBHOOK_SECRET", true, secret, err);
    return result <= 0 ? result : secret_of_file(config, secret, err);
}

int config_check_webhook_secret(const struct config *config, struct error *err) {
    AUTO_SECRET struct secret secret = {0};
    AUTO_SECRET struct secret next = {0};
    AUTO_SECRET struct secret previous = {0};
    CLEANUP(webhook_secret_paths_finish) struct webhook_secret_paths paths = {NULL};
    int64_t until_ms;
    if (webhook_secret_paths(config, &paths) < 0) {
        return error_set(err, "no memory");
    }
    if (!settings_variable(config->settings, "GITHUB_WEBHOOK_SECRET") &&
        secret_of_file(config, &secret, err) < 0) {
        return -1;
    }
    return webhook_secret_read_next(&paths, &next, err) < 0 ||
                   webhook_secret_read_previous(&paths, &previous, &until_ms, err) < 0
               ? -1
               : 0;
}

/* The secrets of a rotation, after the current one. 0, or -1. */
static int add_secrets(const struct config *config, const struct webhook_secret_paths *paths,
                       struct secret *secrets, size_t *count, int64_t *until_ms,
                       struct error *err) {
    AUTO_SECRET struct secret next = {0};
    AUTO_SECRET struct secret previous = {0};
    int result = take_variable(config, "GITHUB_WEBHOOK_SECRET_PREVIOUS", true, &previous, err);
    if (result > 0) {
        result = webhook_secret_read_previous(paths, &previous, until_ms, err);
    }
    if (result < 0 || webhook_secret_read_next(paths, &next, err) < 0) {
        return -1;
    }
    if (next.data) {
        secrets[(*count)++] = next;
        next = (struct secret){0};
    }
    if (previous.data) {
        secrets[(*count)++] = previous;
        previous = (struct secret){0};
    }
    return 0;
}

int config_webhook_secrets(const struct config *config,
                           struct secret secrets[CONFIG_WEBHOOK_SECRETS_MAX], size_t *count,
                           int64_t *last_until_ms, struct error *err) {
    CLEANUP(webhook_secret_paths_finish) struct webhook_secret_paths paths = {NULL};
    int64_t until_ms = 0;
    /* First, because the variable is forgotten once it was read. */
    if (webhook_secret_paths(config, &paths) < 0) {
        return error_set(err, "no memory");
    }
    *count = 0;
    *last_until_ms = 0;
    int result = current_secret(config, &secrets[0], err);
    if (result != 0) {
        settings_forget(config->settings, "GITHUB_WEBHOOK_SECRET_PREVIOUS");
        return result < 0 ? -1 : 0;
    }
    size_t all = 1;
    if (add_secrets(config, &paths, secrets, &all, &until_ms, err) < 0) {
        secret_finish(&secrets[0]);
        return -1;
    }
    *count = all;
    *last_until_ms = until_ms;
    return 0;
}
