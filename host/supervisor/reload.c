/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the configuration again, and compares what only a restart can change. */
#include "supervisor/reload.h"

#include "base/log.h"
#include "worker_process/spawn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool differ(const char *a, const char *b) {
    return strcmp(a ? a : "", b ? b : "") != 0;
}

static void add(char *list, size_t size, const char *text, const char *what) {
    size_t used = strlen(list);
    snprintf(list + used, size - used, "%s%s%s", used ? ", " : "", text, what);
}

/* The place of an enabled plugin in a configuration, or its n_plugins. */
static size_t find_plugin(const struct config *config, const char *as_written) {
    size_t i = 0;
    while (i < config->n_plugins && (!config->plugins[i].enabled ||
                                     strcmp(config->plugins[i].as_written, as_written) != 0)) {
        i++;
    }
    return i;
}

static void list_plugins(struct reload *reload, const struct deployment *old_deployment) {
    const struct config *present = old_deployment->config;
    const struct config *next = reload->deployment->config;
    for (size_t i = 0; i < next->n_plugins; i++) {
        const char *name = next->plugins[i].as_written;
        if (!next->plugins[i].enabled) {
            continue;
        }
        size_t old = find_plugin(present, name);
        if (old == present->n_plugins) {
            add(reload->plugins, sizeof reload->plugins, name, " (added)");
        } else if (strcmp(old_deployment->copies[old].sha256,
                          reload->deployment->copies[i].sha256) != 0) {
            add(reload->plugins, sizeof reload->plugins, name, " (changed)");
        }
    }
    for (size_t i = 0; i < present->n_plugins; i++) {
        const char *name = present->plugins[i].as_written;
        if (present->plugins[i].enabled && find_plugin(next, name) == next->n_plugins) {
            add(reload->plugins, sizeof reload->plugins, name, " (removed)");
        }
    }
}

/* The supervisor has read the key, and listens already. The rest takes effect with the next host.
 */
static void warn_of_restart(const struct config *present, struct reload *reload) {
    const struct config *next = reload->deployment->config;
    const struct {
        const char *key;
        bool changed;
    } keys[] = {
        {"server.listen", differ(present->server.host, next->server.host) ||
                              present->server.port != next->server.port},
        {"github.app_id", differ(present->github.app_id, next->github.app_id)},
        {"github.private_key_file",
         differ(present->github.private_key_file, next->github.private_key_file)},
        {"github.private_key_next_file",
         differ(present->github.private_key_next_file, next->github.private_key_next_file)},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (keys[i].changed) {
            add(reload->needs_restart, sizeof reload->needs_restart, keys[i].key, "");
            log_event(SNEK_LEVEL_WARNING, "reload_needs_restart", LOG_TEXT("key", keys[i].key),
                      LOG_TEXT("reason", "its change takes effect only after a restart"));
        }
    }
}

/* The JWTs are signed with the key that was read at the start, for its app. In another store the
 * host would find no run that waits, and would fetch the deliveries of the last days again. */
static int check_unchanged(const struct config *present, const struct config *next,
                           struct error *err) {
    if (differ(present->github.app_id, next->github.app_id)) {
        return error_set(err, "github.app_id has changed: another app needs a restart");
    }
    if (differ(present->store.url, next->store.url)) {
        return error_set(err, "store.url has changed: another store needs a restart");
    }
    if (present->github.receive != next->github.receive) {
        return error_set(err, "github.receive has changed: another way of receiving needs a "
                              "restart");
    }
    return 0;
}

int reload_problems(const char *text, struct error *err) {
    size_t bytes = strlen(text);
    while (bytes > 0 && text[bytes - 1] == '\n') {
        bytes--;
    }
    return error_set(err, "%.*s", (int)bytes, text);
}

static int copy_files(struct deployment *next, struct plugin_files *files, struct error *err) {
    for (size_t i = 0; i < next->config->n_plugins; i++) {
        const struct config_plugin *plugin = &next->config->plugins[i];
        if (plugin->enabled &&
            plugin_files_copy(files, plugin->path, plugin->sha256, &next->copies[i], err) < 0) {
            return error_wrap(err, "plugin %s", plugin->as_written);
        }
    }
    return 0;
}

static int read_deployment(const struct config *present, struct deployment *next,
                           struct plugin_files *files, struct error *err) {
    AUTO_PROBLEMS struct config_problems problems = {0};
    struct settings *settings = NULL;
    if (settings_read_again(present->settings, &settings, err) < 0) {
        return -1;
    }
    if (config_load_settings(settings, CONFIG_NEED_HOST, &next->owned_config, &problems) < 0) {
        return reload_problems(problems.text ? problems.text : "out of memory", err);
    }
    next->config = next->owned_config;
    if (check_unchanged(present, next->config, err) < 0 ||
        config_check_webhook_secret(next->config, err) < 0 ||
        config_check_console_tokens(next->config, err) < 0) {
        return -1;
    }
    return copy_files(next, files, err);
}

int reload_read(const struct deployment *present, struct plugin_files *files, struct reload **next,
                struct error *err) {
    struct reload *reload = calloc(1, sizeof *reload);
    if (!reload) {
        return error_set(err, "out of memory");
    }
    reload->deployment = deployment_new(err);
    if (!reload->deployment ||
        read_deployment(present->config, reload->deployment, files, err) < 0) {
        reload_free(reload);
        return -1;
    }
    warn_of_restart(present->config, reload);
    list_plugins(reload, present);
    *next = reload;
    return 0;
}

int64_t reload_load_ms(const struct reload *reload) {
    const struct config *config = reload->deployment->config;
    int64_t most_ms = WORKER_SPAWN_LOAD_DEADLINE_MS;
    for (size_t i = 0; i < config->n_plugins; i++) {
        if (config->plugins[i].enabled && config->plugins[i].sandbox == CONFIG_SANDBOX_OFF) {
            most_ms = WORKER_SPAWN_DEBUG_DEADLINE_MS;
        }
    }
    return most_ms;
}

void reload_free(struct reload *reload) {
    if (reload) {
        deployment_free(reload->deployment);
        free(reload);
    }
}
