/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tables of keys, and the search for a key by its name. */
#include "config/keys.h"

#include "base/suggest.h"
#include "config/config.h"
#include "config/values.h"

#include <stdio.h>
#include <string.h>

#define FIELD(structure, member)                                                                   \
    .offset = offsetof(struct structure, member), .bytes = sizeof(((struct structure *)0)->member)

#define HOUR_MS 3600000
#define DAY_MS 86400000

static const char *const levels[] = {[SNEK_LEVEL_DEBUG] = "debug",
                                     [SNEK_LEVEL_INFO] = "info",
                                     [SNEK_LEVEL_WARNING] = "warning",
                                     [SNEK_LEVEL_ERROR] = "error",
                                     NULL};
static const char *const formats[] = {[LOG_LOGFMT] = "logfmt", [LOG_JSON] = "json", NULL};
static const char *const receives[] = {
    [CONFIG_RECEIVE_WEBHOOK] = "webhook", [CONFIG_RECEIVE_PULL] = "pull", NULL};
static const char *const sandboxes[] = {[CONFIG_SANDBOX_BEST] = "best",
                                        [CONFIG_SANDBOX_STRICT] = "strict",
                                        [CONFIG_SANDBOX_OFF] = "off",
                                        NULL};

const struct config_key config_keys[] = {
    {"server.listen", KEY_LISTEN, FIELD(config, server), .fallback = "0.0.0.0:8000"},
    {"server.listen", KEY_PORT, FIELD(config, server), .variable = "PORT"},
    {"server.max_body_bytes", KEY_INTEGER, FIELD(config, server.max_body_bytes),
     .fallback = "26214400", .minimum = 1, .maximum = 26214400, .unit = "bytes"},
    {"server.drain_ms", KEY_INTEGER, FIELD(config, server.drain_ms), .fallback = "20000",
     .minimum = 0, .maximum = HOUR_MS, .unit = "milliseconds"},
    {"server.public_url", KEY_TEXT, FIELD(config, server.public_url),
     .variable = "SNEKOMATIC_PUBLIC_URL", .read = read_public_url},
    {.name = "server.tls_certificate_file", .kind = KEY_UNSUPPORTED},
    {.name = "server.tls_key_file", .kind = KEY_UNSUPPORTED},

    {"github.app_id", KEY_TEXT, FIELD(config, github.app_id), .variable = "GITHUB_APP_ID",
     .number_too = true, .read = read_app_id},
    {"github.private_key_file", KEY_TEXT, FIELD(config, github.private_key_file),
     .read = read_path},
    {"github.webhook_secret_file", KEY_TEXT, FIELD(config, github.webhook_secret_file),
     .read = read_path},
    {"github.webhook_secret_previous_file", KEY_TEXT,
     FIELD(config, github.webhook_secret_previous_file), .read = read_path},
    {"github.user_agent", KEY_TEXT, FIELD(config, github.user_agent),
     .fallback = "snekomatic/" SNEK_VERSION, .variable = "GITHUB_USER_AGENT",
     .read = read_user_agent},
    {"github.api_url", KEY_TEXT, FIELD(config, github.api_url),
     .fallback = "https://api.github.com", .variable = "GITHUB_API_URL", .read = read_api_url},
    {"github.allow_sha1", KEY_BOOLEAN, FIELD(config, github.allow_sha1), .fallback = "false"},
    {"github.receive", KEY_CHOICE, FIELD(config, github.receive), .fallback = "webhook",
     .choices = receives},
    {"github.pull_interval_seconds", KEY_INTEGER, FIELD(config, github.pull_interval_seconds),
     .fallback = "10", .minimum = 1, .maximum = 3600, .unit = "seconds"},
    {"github.ca_file", KEY_TEXT, FIELD(config, github.ca_file), .read = read_path},
    {"github.private_key_next_file", KEY_TEXT, FIELD(config, github.private_key_next_file),
     .read = read_path},
    {"github.write_interval_ms", KEY_INTEGER, FIELD(config, github.write_interval_ms),
     .fallback = "1000", .minimum = 0, .maximum = HOUR_MS, .unit = "milliseconds"},
    {"github.notify_interval_ms", KEY_INTEGER, FIELD(config, github.notify_interval_ms),
     .fallback = "3000", .minimum = 0, .maximum = HOUR_MS, .unit = "milliseconds"},
    {"github.recover_interval_minutes", KEY_INTEGER, FIELD(config, github.recover_interval_minutes),
     .fallback = "10", .minimum = 0, .maximum = 1440, .unit = "minutes"},

    {"store.url", KEY_TEXT, FIELD(config, store.url), .fallback = "sqlite:snekomatic.db",
     .variable = "DATABASE_URL", .read = read_store_url},
    {"store.retention_days", KEY_INTEGER, FIELD(config, store.retention_days), .fallback = "7",
     .minimum = 0, .maximum = 3650, .unit = "days"},
    {"store.audit_days", KEY_INTEGER, FIELD(config, store.audit_days), .fallback = "400",
     .minimum = 0, .maximum = 36500, .unit = "days"},

    {"dispatch.delay_ms", KEY_INTEGER, FIELD(config, dispatch.delay_ms), .fallback = "1000",
     .minimum = 0, .maximum = HOUR_MS, .unit = "milliseconds"},
    {"dispatch.max_attempts", KEY_INTEGER, FIELD(config, dispatch.max_attempts), .fallback = "9",
     .minimum = 1, .maximum = 100},
    {"dispatch.first_retry_ms", KEY_INTEGER, FIELD(config, dispatch.first_retry_ms),
     .fallback = "5000", .minimum = 10, .maximum = 12 * HOUR_MS, .unit = "milliseconds"},
    {"dispatch.lease_ms", KEY_INTEGER, FIELD(config, dispatch.lease_ms), .fallback = "30000",
     .minimum = 100, .maximum = HOUR_MS, .unit = "milliseconds"},

    {"plugins.directory", KEY_TEXT, FIELD(config, plugins_directory), .fallback = SNEK_PLUGIN_DIR,
     .read = read_path},

    {"log.level", KEY_CHOICE, FIELD(config, log.level), .fallback = "info",
     .variable = "SNEKOMATIC_LOG", .choices = levels},
    {"log.format", KEY_CHOICE, FIELD(config, log.format), .fallback = "logfmt", .choices = formats},

    {"sentry.dsn", KEY_TEXT, FIELD(config, sentry.dsn), .variable = "SENTRY_DSN",
     .read = read_sentry_dsn},
    {"sentry.environment", KEY_TEXT, FIELD(config, sentry.environment), .fallback = "production",
     .variable = "SENTRY_ENVIRONMENT", .read = read_sentry_environment},
    {"console.token_file", KEY_TEXT, FIELD(config, console.token_file), .read = read_path},
    {"console.read_token_file", KEY_TEXT, FIELD(config, console.read_token_file),
     .read = read_path},
    {"console.listen", KEY_LISTEN, FIELD(config, console.host)},
    {"console.public_help", KEY_BOOLEAN, FIELD(config, console.public_help), .fallback = "false"},
    {0}};

const struct config_key config_plugin_keys[] = {
    /* config_loader_resolve_plugins() makes `path` of it. */
    {"plugin.path", KEY_TEXT, FIELD(config_plugin, as_written)},
    {"plugin.sha256", KEY_TEXT, FIELD(config_plugin, sha256), .read = read_sha256},
    {"plugin.enabled", KEY_BOOLEAN, FIELD(config_plugin, enabled), .fallback = "true"},
    {"plugin.concurrency", KEY_INTEGER, FIELD(config_plugin, concurrency), .fallback = "32",
     .minimum = 1, .maximum = 1024, .unit = "runs"},
    {"plugin.deadline_ms", KEY_INTEGER, FIELD(config_plugin, deadline_ms), .fallback = "60000",
     .minimum = 100, .maximum = DAY_MS, .unit = "milliseconds"},
    {"plugin.memory_mib", KEY_INTEGER, FIELD(config_plugin, memory_mib), .fallback = "256",
     .minimum = 32, .maximum = 65536, .unit = "MiB"},
    {"plugin.cpu_seconds", KEY_INTEGER, FIELD(config_plugin, cpu_seconds), .fallback = "0",
     .minimum = 0, .maximum = 1000000000, .unit = "seconds"},
    {"plugin.log_bytes_per_run", KEY_INTEGER, FIELD(config_plugin, log_bytes_per_run),
     .fallback = "65536", .minimum = 0, .maximum = 1073741824, .unit = "bytes"},
    {"plugin.store_mib", KEY_INTEGER, FIELD(config_plugin, store_mib), .fallback = "16",
     .minimum = 1, .maximum = 65536, .unit = "MiB"},
    {"plugin.effects_per_run", KEY_INTEGER, FIELD(config_plugin, effects_per_run),
     .fallback = "100", .minimum = 1, .maximum = 10000, .unit = "effects"},
    {"plugin.effects_per_hour", KEY_INTEGER, FIELD(config_plugin, effects_per_hour),
     .fallback = "500", .minimum = 1, .maximum = 100000, .unit = "effects"},
    {"plugin.sandbox", KEY_CHOICE, FIELD(config_plugin, sandbox), .fallback = "best",
     .choices = sandboxes},
    {"plugin.installations", KEY_LIST, FIELD(config_plugin, installations), .number_too = true,
     .read = read_installation},
    {"plugin.repositories", KEY_LIST, FIELD(config_plugin, repositories), .read = read_repository},
    {"plugin.permissions", KEY_LIST, FIELD(config_plugin, permissions), .empty_too = true,
     .read = read_permission},
    {"plugin.dry_run", KEY_BOOLEAN, FIELD(config_plugin, dry_run), .fallback = "false"},
    {"plugin.config", KEY_JSON, FIELD(config_plugin, config_json)},
    {"plugin.app_requests", KEY_BOOLEAN, FIELD(config_plugin, app_requests), .fallback = "false"},
    {0}};

const struct config_key *key_find(const struct config_key *keys, const char *name) {
    for (const struct config_key *key = keys; key->name; key++) {
        if (strcmp(key->name, name) == 0) {
            return key;
        }
    }
    return NULL;
}

bool key_is_section(const struct config_key *keys, const char *name) {
    size_t bytes = strlen(name);
    for (const struct config_key *key = keys; key->name; key++) {
        if (strncmp(key->name, name, bytes) == 0 && key->name[bytes] == '.') {
            return true;
        }
    }
    return false;
}

/* The names that may stand at the top of the file. */
static const char *const sections[] = {"server", "github", "store",   "dispatch", "plugins",
                                       "log",    "sentry", "console", "plugin",   NULL};

static void consider(const char *candidate, const char *name, const char **best, size_t *distance) {
    size_t found = suggest_distance(candidate, name);
    if (found < *distance) {
        *best = candidate;
        *distance = found;
    }
}

const char *key_nearest(const struct config_key *keys, const char *name) {
    const char *best = NULL, *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;
    size_t distance = SIZE_MAX;
    for (const struct config_key *key = keys; key->name; key++) {
        if (key->kind == KEY_UNSUPPORTED) {
            continue;
        }
        if (strcmp(strchr(key->name, '.') + 1, last) == 0) {
            /* The right key in a wrong table. */
            return key->name;
        }
        if (dot && dot[1] && suggest_is_prefix(name, key->name)) {
            return key->name;
        }
        if (dot) {
            consider(key->name, name, &best, &distance);
        }
    }
    for (size_t i = 0; !dot && sections[i]; i++) {
        consider(sections[i], name, &best, &distance);
    }
    return best && suggest_is_near(name, distance) ? best : NULL;
}
