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
#include <unistd.h>

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

/* Adds a secret, unless it is empty. */
static void add_secret(struct secret *secrets, size_t *count, struct secret *secret) {
    if (secret->data) {
        secrets[(*count)++] = *secret;
        *secret = (struct secret){0};
    }
}

/* The secrets of a rotation, after the current one. 0, or -1. */
static int add_previous(const struct config *config, const struct webhook_secret_paths *paths,
                        struct secret *secrets, size_t *count, int64_t *until_ms,
                        struct error *err) {
    AUTO_SECRET struct secret previous = {0};
    int result = take_variable(config, "GITHUB_WEBHOOK_SECRET_PREVIOUS", true, &previous, err);
    if (result > 0) {
        result = webhook_secret_read_previous(paths, &previous, until_ms, err);
    }
    add_secret(secrets, count, &previous);
    return result < 0 ? -1 : 0;
}

int config_webhook_secrets(const struct config *config,
                           struct secret secrets[CONFIG_WEBHOOK_SECRETS_MAX], size_t *count,
                           int64_t *last_until_ms, struct error *err) {
    CLEANUP(webhook_secret_paths_finish) struct webhook_secret_paths paths = {NULL};
    AUTO_SECRET struct secret next = {0};
    int64_t until_ms = 0;
    /* First, because the variable is forgotten once it was read. */
    if (webhook_secret_paths(config, &paths) < 0) {
        return error_set(err, "no memory");
    }
    *count = 0;
    *last_until_ms = 0;
    /* The next one before the current one: a rotation that ends meanwhile renames the former to the
     * latter. In the other order, the secret that GitHub has could be missed. */
    if (webhook_secret_read_next(&paths, &next, err) < 0) {
        return -1;
    }
    int result = current_secret(config, &secrets[0], err);
    if (result != 0) {
        settings_forget(config->settings, "GITHUB_WEBHOOK_SECRET_PREVIOUS");
        return result < 0 ? -1 : 0;
    }
    size_t all = 1;
    add_secret(secrets, &all, &next);
    if (add_previous(config, &paths, secrets, &all, &until_ms, err) < 0) {
        while (all > 0) {
            secret_finish(&secrets[--all]);
        }
        return -1;
    }
    *count = all;
    *last_until_ms = until_ms;
    return 0;
}

/* A token is one line without blanks, so that a person can paste it into a form. */
static int check_token(const struct secret *token, const char *source, struct error *err) {
    if (token->bytes < CONFIG_TOKEN_MIN || token->bytes > CONFIG_TOKEN_MAX) {
        return error_set(err,
                         "%s has %zu characters; it needs %d to %d: make one with `openssl rand "
                         "-base64 32`",
                         source, token->bytes, CONFIG_TOKEN_MIN, CONFIG_TOKEN_MAX);
    }
    for (size_t i = 0; i < token->bytes; i++) {
        if (!isgraph((unsigned char)token->data[i])) {
            return error_set(
                err,
                "%s has a blank, a line break or a character that is not ASCII; make a "
                "token with `openssl rand -base64 32`",
                source);
        }
    }
    return 0;
}

static int read_token(const char *path, const char *key, struct secret *token, struct error *err) {
    struct error reason;
    if (config_secret_file(path, token, &reason) < 0) {
        bool missing = access(path, F_OK) < 0;
        return error_set(err, "%s: %s%s", key, reason.text,
                         missing ? "; make a token with `openssl rand -base64 32`" : "");
    }
    return check_token(token, key, err);
}

static int check_pair(const struct secret *admin, const struct secret *reader, struct error *err) {
    if (reader->bytes > 0 && admin->bytes == 0) {
        return error_set(err, "console.read_token_file needs console.token_file, or the variable "
                              "SNEKOMATIC_ADMIN_TOKEN: without the admin's token the console is "
                              "off");
    }
    if (reader->bytes > 0 && reader->bytes == admin->bytes &&
        memcmp(reader->data, admin->data, reader->bytes) == 0) {
        return error_set(err,
                         "console.read_token_file has the admin's token; make another one with "
                         "`openssl rand -base64 32`");
    }
    return 0;
}

/* The variable's token was read into `admin`, if it is set. */
static int read_tokens(const struct config *config, struct secret *admin, struct secret *reader,
                       struct error *err) {
    if (admin->bytes > 0 && check_token(admin, "SNEKOMATIC_ADMIN_TOKEN", err) < 0) {
        return -1;
    }
    if (admin->bytes == 0 && config->console.token_file &&
        read_token(config->console.token_file, "console.token_file", admin, err) < 0) {
        return -1;
    }
    if (config->console.read_token_file &&
        read_token(config->console.read_token_file, "console.read_token_file", reader, err) < 0) {
        return -1;
    }
    return check_pair(admin, reader, err);
}

int config_console_tokens(const struct config *config, struct secret *admin, struct secret *reader,
                          struct error *err) {
    int result = take_variable(config, "SNEKOMATIC_ADMIN_TOKEN", true, admin, err);
    if (result < 0 || read_tokens(config, admin, reader, err) < 0) {
        secret_finish(admin);
        secret_finish(reader);
        return -1;
    }
    return 0;
}

int config_check_console_tokens(const struct config *config, struct error *err) {
    AUTO_SECRET struct secret admin = {0};
    AUTO_SECRET struct secret reader = {0};
    const struct secret *value = settings_variable(config->settings, "SNEKOMATIC_ADMIN_TOKEN");
    if (value && secret_copy(&admin, value->data, trimmed(value->data, value->bytes)) < 0) {
        return error_set(err, "no memory");
    }
    return read_tokens(config, &admin, &reader, err);
}
