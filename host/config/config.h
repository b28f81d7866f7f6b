/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* snekomatic.toml and the environment, checked, as one struct. An environment variable wins over
 * the file, an empty one counts as unset. Everything that is wrong is reported, each as
 * "FILE:LINE: what is wrong, and the nearest right name", before anything starts. */
#ifndef SNEK_CONFIG_CONFIG_H
#define SNEK_CONFIG_CONFIG_H

#include "base/error.h"
#include "base/log.h"
#include "base/proxy.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes of a key or secret, from a file or a variable. */
#define CONFIG_SECRET_MAX 65536
#define CONFIG_PLUGINS_MAX 64

enum config_sandbox { CONFIG_SANDBOX_BEST, CONFIG_SANDBOX_STRICT, CONFIG_SANDBOX_OFF };

struct config_plugin {
    /* Absolute: a bare name was looked up in plugins.directory. */
    char *path;
    char *as_written;
    /* In the file; 0 when there is no file. */
    unsigned line;
    bool enabled;
    /* Effects are recorded instead of sent. */
    bool dry_run;
    uint32_t concurrency;
    int64_t deadline_ms;
    uint32_t memory_mib;
    enum config_sandbox sandbox;
    /* NULL-terminated; NULL when the key is absent (all). */
    char **installations;
    /* "owner/name", with * ; likewise. */
    char **repositories;
    /* Below /app, as the app itself. */
    bool app_requests;
    /* [plugin.config] as a JSON object; "{}" when absent. */
    char *config_json;
};

struct config {
    /* Absolute path, NULL when the environment alone was used. */
    char *file;
    struct {
        char *host; /* without brackets */
        uint16_t port;
        int64_t max_body_bytes;
        int64_t drain_ms;
    } server;
    struct {
        char *app_id;
        char *private_key_file;      /* NULL: GITHUB_PRIVATE_KEY */
        char *private_key_next_file; /* NULL: GITHUB_PRIVATE_KEY_NEXT, or none */
        char *webhook_secret_file;   /* NULL: GITHUB_WEBHOOK_SECRET */
        char *user_agent;
        /* Without a slash at the end. */
        char *api_url;
        bool allow_sha1;
        char *ca_file; /* NULL: the system's */
        int64_t write_interval_ms, notify_interval_ms;
        uint32_t recover_interval_minutes; /* 0: never */
    } github;
    struct {
        /* Sqlite:PATH, absolute; or postgres://..., perhaps with a password. */
        char *url;
        uint32_t retention_days;
    } store;
    struct {
        int64_t delay_ms;
        uint32_t max_attempts;
        int64_t lease_ms;
    } dispatch;
    char *plugins_directory;
    struct {
        enum log_level level;
        enum log_format format;
    } log;
    struct {
        /* NULL: none. A secret, nearly: who has it may send events. */
        char *dsn;
        char *environment;
    } sentry;
    /* Of the environment alone, as other programs have theirs. */
    struct proxy proxy;
    struct config_plugin *plugins;
    size_t n_plugins;
};

/* Everything wrong that was found, a line each (with its line break), for people. */
struct config_problems {
    /* Ours; NULL when nothing is wrong. */
    char *text;
};

/* Which credentials must be given. */
enum config_need {
    /* For a look at the plugins, where there are none (yet). */
    CONFIG_NEED_NOTHING,
    /* All but the private key, which the host is started without. */
    CONFIG_NEED_HOST,
    CONFIG_NEED_EVERYTHING,
};

/* Finds the file (`path`, else ./snekomatic.toml, else /etc/snekomatic/snekomatic.toml; a given
 * path must exist), reads it and the environment. 0 and `*config`, to be freed with config_free();
 * or -1 and `problems`. Credentials are not read here, only checked to be given
 * as far as `need` says. A relative path starts at the file's
 * directory, wherever it is written; at the working directory when there is no file. Main thread,
 * before others. */
int config_load(const char *path, enum config_need need, struct config **config,
                struct config_problems *problems);
void config_free(struct config *config); /* takes NULL */
void config_problems_finish(struct config_problems *problems);
#define AUTO_PROBLEMS CLEANUP(config_problems_finish)

/* The secret in a file, as config_webhook_secrets() reads it: white space at its end is not part of
 * it, and it must not be empty. */
int config_secret_file(const char *path, struct secret *secret, struct error *err);

/* The credentials, from the variable or else the file, as they stand there. Removes the variable
 * from the environment and overwrites it. Each once. 0, or -1 with what to fix. */
int config_private_key(const struct config *config, struct secret *key, struct error *err);
/* The second key of a rotation, likewise; 1 when there is none. */
int config_private_key_next(const struct config *config, struct secret *key, struct error *err);
/* At most two: the current one, and the previous one during a rotation. White space at the end of
 * a file is not part of the secret. */
#define CONFIG_WEBHOOK_SECRETS_MAX 2
int config_webhook_secrets(const struct config *config,
                           struct secret secrets[CONFIG_WEBHOOK_SECRETS_MAX], size_t *count,
                           struct error *err);

#endif
