/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the configuration again, and compares what only a restart can change. */
#include "supervisor/reload.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

static void list_plugins(struct reload *reload, const struct config *present,
                         const struct workers *workers) {
    const struct config *next = reload->config;
    for (size_t i = 0; i < next->n_plugins; i++) {
        const char *name = next->plugins[i].as_written;
        if (!next->plugins[i].enabled) {
            continue;
        }
        size_t old = find_plugin(present, name);
        if (old == present->n_plugins) {
            add(reload->plugins, sizeof reload->plugins, name, " (added)");
        } else if (strcmp(workers->copies[old].sha256, reload->copies[i].sha256) != 0) {
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
    const struct config *next = reload->config;
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

/* The problems are lines for a terminal. */
static int reject(const struct config_problems *problems, struct error *err) {
    const char *text = problems->text ? problems->text : "out of memory";
    size_t bytes = strlen(text);
    while (bytes > 0 && text[bytes - 1] == '\n') {
        bytes--;
    }
    return error_set(err, "%.*s", (int)bytes, text);
}

static int copy_files(struct reload *reload, struct workers *workers, struct error *err) {
    for (size_t i = 0; i < reload->config->n_plugins; i++) {
        const struct config_plugin *plugin = &reload->config->plugins[i];
        if (plugin->enabled && plugin_files_copy(workers->files, plugin->path, plugin->sha256,
                                                 &reload->copies[i], err) < 0) {
            return error_wrap(err, "plugin %s", plugin->as_written);
        }
    }
    return 0;
}

int reload_read(const struct config *present, struct workers *workers, struct reload **next,
                struct error *err) {
    AUTO_PROBLEMS struct config_problems problems = {0};
    struct settings *settings = NULL;
    struct reload *reload = calloc(1, sizeof *reload);
    if (!reload) {
        return error_set(err, "out of memory");
    }
    reload->descriptions_fd = reload_open_descriptions(err);
    if (reload->descriptions_fd < 0 || settings_read_again(present->settings, &settings, err) < 0) {
        reload_free(reload);
        return -1;
    }
    if (config_load_settings(settings, CONFIG_NEED_HOST, &reload->owned, &problems) < 0) {
        reject(&problems, err);
        reload_free(reload);
        return -1;
    }
    reload->config = reload->owned;
    if (check_unchanged(present, reload->config, err) < 0 ||
        config_check_webhook_secret(reload->config, err) < 0 ||
        copy_files(reload, workers, err) < 0) {
        reload_free(reload);
        return -1;
    }
    warn_of_restart(present, reload);
    list_plugins(reload, present, workers);
    *next = reload;
    return 0;
}

int reload_open_descriptions(struct error *err) {
    int fd = memfd_create("snekomatic-descriptions", MFD_CLOEXEC);
    return fd >= 0 ? fd : error_set(err, "cannot create a memfd: %s", strerror(errno));
}

void reload_exchange(struct reload *reload, const struct config **config, struct config **owned,
                     int *descriptions_fd, struct workers *workers) {
    int old_descriptions_fd = *descriptions_fd;
    *descriptions_fd = reload->descriptions_fd;
    reload->descriptions_fd = old_descriptions_fd;
    const struct config *old = *config;
    struct config *old_owned = *owned;
    *config = reload->config;
    *owned = reload->owned;
    reload->config = old;
    reload->owned = old_owned;
    workers_exchange(workers, *config, reload->copies);
}

void reload_free(struct reload *reload) {
    if (!reload) {
        return;
    }
    for (size_t i = 0; i < CONFIG_PLUGINS_MAX; i++) {
        plugin_copy_finish(&reload->copies[i]);
    }
    cleanup_close(&reload->descriptions_fd);
    config_free(reload->owned);
    free(reload);
}
