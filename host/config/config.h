/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* snekomatic.toml and the environment, checked, as one struct. An environment variable wins over
 * the file; an empty one counts as unset. All problems are reported before anything starts, each as
 * "FILE:LINE: the problem, and the nearest right name". */
#ifndef SNEK_CONFIG_CONFIG_H
#define SNEK_CONFIG_CONFIG_H

#include "base/error.h"
#include "base/log.h"
#include "base/proxy.h"
#include "base/secret.h"
#include "config/settings.h"

#include <stdbool.h>
#include <stdint.h>

/* The bytes of a key or secret, from a file or a variable. */
#define CONFIG_SECRET_MAX 65536
#define CONFIG_PLUGINS_MAX 64

/* How deliveries reach the host: GitHub sends them, or the host reads GitHub's list of them. */
enum config_receive { CONFIG_RECEIVE_WEBHOOK, CONFIG_RECEIVE_PULL };

enum config_sandbox { CONFIG_SANDBOX_BEST, CONFIG_SANDBOX_STRICT, CONFIG_SANDBOX_OFF };

struct config_plugin {
    /* Absolute; a bare name was looked up in plugins.directory. */
    char *path;
    char *as_written;
    /* The hash that the file must have: 64 hexadecimal digits in lower case. NULL: any. */
    char *sha256;
    /* The line in the file; 0 without a file. */
    unsigned line;
    bool enabled;
    /* The host records effects instead of sending them. */
    bool dry_run;
    uint32_t concurrency;
    int64_t deadline_ms;
    uint32_t memory_mib;
    /* The limit on the processor time of one worker; 0: none. */
    uint32_t cpu_seconds;
    /* The limit on the log bytes of one run. */
    uint32_t log_bytes_per_run;
    /* The sets and keys that the plugin may store. */
    uint32_t store_mib;
    /* The effects that one run of it may make. */
    uint32_t effects_per_run;
    /* The effects that it may send in any hour, in each installation. */
    uint32_t effects_per_hour;
    enum config_sandbox sandbox;
    /* NULL-terminated; NULL means all. Items may contain "*". */
    char **installations;
    /* Likewise, "OWNER/NAME". */
    char **repositories;
    /* Likewise, "NAME:ACCESS": all that the plugin may ask for. NULL: what it declares. */
    char **permissions;
    /* May the plugin send requests as the app itself (/app/...)? */
    bool app_requests;
    /* [plugin.config] as a JSON object; "{}" when absent. */
    char *config_json;
};

struct config {
    /* Ours: the configuration was loaded from them. */
    struct settings *settings;
    /* An absolute path; NULL when only the environment was used. */
    char *file;
    struct {
        char *host; /* without brackets */
        uint16_t port;
        /* By the file, not only by the variable PORT. */
        bool listen_given;
        int64_t max_body_bytes;
        int64_t drain_ms;
        /* The start of the URL at which GitHub and people reach the host, without a slash at the
         * end; NULL: unknown. */
        char *public_url;
    } server;
    struct {
        char *app_id;
        char *private_key_file;      /* NULL: GITHUB_PRIVATE_KEY */
        char *private_key_next_file; /* NULL: GITHUB_PRIVATE_KEY_NEXT, or none */
        /* NULL: GITHUB_WEBHOOK_SECRET, or none in pull mode. */
        char *webhook_secret_file;
        /* NULL: the secret's file with ".previous" after its name. */
        char *webhook_secret_previous_file;
        char *user_agent;
        /* Without a slash at the end. */
        char *api_url;
        bool allow_sha1;
        enum config_receive receive;
        uint32_t pull_interval_seconds;
        char *ca_file; /* NULL: the system's */
        int64_t write_interval_ms, notify_interval_ms;
        uint32_t recover_interval_minutes; /* 0: never */
    } github;
    struct {
        /* "sqlite:PATH" with an absolute path, or "postgres://...", which may hold a password. */
        char *url;
        uint32_t retention_days;
        /* How long the audit of effects is kept. */
        uint32_t audit_days;
    } store;
    struct {
        int64_t delay_ms;
        uint32_t max_attempts;
        int64_t first_retry_ms;
        int64_t lease_ms;
    } dispatch;
    char *plugins_directory;
    struct {
        enum log_level level;
        enum log_format format;
    } log;
    struct {
        /* NULL: none. Never shown: its key is enough to send events. */
        char *dsn;
        char *environment;
    } sentry;
    struct {
        /* NULL: SNEKOMATIC_ADMIN_TOKEN, or the console is off. */
        char *token_file;
        /* NULL: nobody may only read. */
        char *read_token_file;
        /* An address of its own, host without brackets; NULL: it is at the one of `server`. */
        char *host;
        uint16_t port;
        /* Strangers may see the page of commands. */
        bool public_help;
    } console;
    /* From the environment only, as in other programs. */
    struct proxy proxy;
    struct config_plugin *plugins;
    size_t n_plugins;
};

/* All problems that were found, one line each, for people. */
struct config_problems {
    /* Ours; NULL without a problem. */
    char *text;
};

/* Which credentials must be given. */
enum config_need {
    /* A verb that only inspects plugins. */
    CONFIG_NEED_NOTHING,
    /* All except the private key, which the host never gets. */
    CONFIG_NEED_HOST,
    CONFIG_NEED_EVERYTHING,
};

/* Reads the file and the environment. The file is `path`, which must exist, else ./snekomatic.toml,
 * else /etc/snekomatic/snekomatic.toml. It checks that the credentials which `need` names are
 * given, but does not read them. Relative paths are relative to the file's directory, or to the
 * working directory when there is no file. Main thread, before others start. 0 and `*config`, for
 * config_free(); or -1 and `problems`. */
int config_load(const char *path, enum config_need need, struct config **config,
                struct config_problems *problems);
/* The same, from settings that were read before. It owns `settings`, also when it fails. */
int config_load_settings(struct settings *settings, enum config_need need, struct config **config,
                         struct config_problems *problems);
void config_free(struct config *config); /* takes NULL */
void config_problems_finish(struct config_problems *problems);
#define AUTO_PROBLEMS CLEANUP(config_problems_finish)

/* Reads a secret from a file. White space at its end does not belong to it; it must not be empty.
 */
int config_secret_file(const char *path, struct secret *secret, struct error *err);

/* Each reads a credential from its variable, else from its file, once. It overwrites the variable
 * in the settings and in the environment. 0, or -1. config_private_key_next() returns 1 when there
 * is no second key. config_webhook_secrets() returns the current secret and, during a rotation, the
 * next and the previous one; white space at the end does not belong to a secret. In pull mode there
 * may be none. If `*last_until_ms` is not 0, the last one counts only until then. */
#define CONFIG_WEBHOOK_SECRETS_MAX 3
int config_private_key(const struct config *config, struct secret *key, struct error *err);
int config_private_key_next(const struct config *config, struct secret *key, struct error *err);
int config_webhook_secrets(const struct config *config,
                           struct secret secrets[CONFIG_WEBHOOK_SECRETS_MAX], size_t *count,
                           int64_t *last_until_ms, struct error *err);
/* The tokens of the console: of the admin and of those who may only read, each at least
 * CONFIG_TOKEN_MIN characters; empty: there is none. Without an admin's token the console is off.
 * 0, or -1. */
#define CONFIG_TOKEN_MIN 32
#define CONFIG_TOKEN_MAX 512
int config_console_tokens(const struct config *config, struct secret *admin, struct secret *reader,
                          struct error *err);
/* Whether these tokens can be used, as config_console_tokens(); forgets no variable. 0, or -1. */
int config_check_console_tokens(const struct config *config, struct error *err);
/* Whether the files of the webhook secrets can be read; a variable that replaces one is not looked
 * at. 0, or -1. */
int config_check_webhook_secret(const struct config *config, struct error *err);

#endif
