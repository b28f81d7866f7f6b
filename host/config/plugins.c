/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Loads each [[plugin]] and finds its shared object. The worker checks whether the object can be
 * loaded, because its errors are more precise than any check of the file. */
#include "base/array.h"
#include "config/config_loader.h"
#include "config/values.h"

#include <string.h>
#include <sys/stat.h>

static struct config_plugin *add_plugin(struct config_loader *loader, unsigned line) {
    struct config *config = loader->config;
    struct place place = {.line = line};
    if (config->n_plugins == CONFIG_PLUGINS_MAX) {
        config_loader_problem(loader, place, "there may be at most %d plugins", CONFIG_PLUGINS_MAX);
        return NULL;
    }
    struct config_plugin *plugin = ARRAY_ADD(config->plugins, config->n_plugins);
    if (!plugin) {
        config_loader_problem(loader, place, "out of memory");
        return NULL;
    }
    plugin->line = line;
    config_loader_defaults(loader, config_plugin_keys, plugin);
    return plugin;
}

static void load_plugin(struct config_loader *loader, const struct toml_value *table) {
    struct config_plugin *plugin = add_plugin(loader, table->line);
    bool has_path = false;
    for (size_t i = 0; i < table->n_items && plugin; i++) {
        const struct toml_value *member = &table->items[i];
        char name[CONFIG_LOADER_NAME_MAX];
        config_loader_name("plugin", member, name);
        const struct config_key *key = key_find(config_plugin_keys, name);
        if (key) {
            config_loader_toml(loader, key, plugin, member);
        } else {
            config_loader_unknown(loader, config_plugin_keys, name, member->line);
        }
        has_path |= strcmp(name, "plugin.path") == 0;
    }
    if (plugin && !has_path) {
        config_loader_problem(
            loader, (struct place){.line = table->line},
            "this [[plugin]] has no path: the name of a plugin in plugins.directory, or "
            "the path of a .so");
    }
    if (plugin && plugin->concurrency > plugin->memory_mib) {
        config_loader_problem(
            loader, (struct place){.line = table->line},
            "plugin.concurrency = %u takes a plugin.memory_mib of at least as much, not "
            "%u: each run has a thread, whose stack takes half a MiB of it",
            plugin->concurrency, plugin->memory_mib);
    }
    if (plugin && !plugin->config_json && !(plugin->config_json = strdup("{}"))) {
        config_loader_problem(loader, (struct place){.line = table->line}, "out of memory");
    }
}

void config_loader_plugins(struct config_loader *loader, const struct toml_value *plugins) {
    bool tables = plugins->kind == TOML_ARRAY;
    for (size_t i = 0; i < plugins->n_items && tables; i++) {
        tables = plugins->items[i].kind == TOML_TABLE;
    }
    if (!tables) {
        config_loader_problem(loader, (struct place){.line = plugins->line},
                              "plugin must be an array of tables: write [[plugin]]");
    }
    for (size_t i = 0; i < plugins->n_items && tables; i++) {
        load_plugin(loader, &plugins->items[i]);
    }
}

void config_loader_bundled_plugins(struct config_loader *loader) {
    static const char *const bundled[] = {"invite", "ping"};
    for (size_t i = 0; i < sizeof bundled / sizeof *bundled; i++) {
        struct config_plugin *plugin = add_plugin(loader, 0);
        if (plugin &&
            (!(plugin->as_written = strdup(bundled[i])) || !(plugin->config_json = strdup("{}")))) {
            config_loader_problem(loader, (struct place){0}, "out of memory");
        }
    }
}

static bool is_file(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* The path in `directory`, with .so when only that file exists. NULL when memory is short. */
static char *path_in(const char *directory, const char *written) {
    char *path = absolute_path(directory, written);
    size_t bytes = strlen(written);
    bool suffixed = bytes > 3 && strcmp(written + bytes - 3, ".so") == 0;
    if (!path || suffixed || is_file(path)) {
        return path;
    }
    char *with_suffix = NULL;
    int length = asprintf(&with_suffix, "%s.so", path);
    free(path);
    return length < 0 ? NULL : with_suffix;
}

/* NULL when memory is short. */
static char *resolve(const struct config_loader *loader, const char *written) {
    return strchr(written, '/') ? absolute_path(loader->directory, written)
                                : path_in(loader->config->plugins_directory, written);
}

/* Reports a bare name that only matches a file beside the configuration: a "./" was forgotten. */
static void check_bare(struct config_loader *loader, const struct config_plugin *plugin,
                       struct place place) {
    if (strchr(plugin->as_written, '/') || is_file(plugin->path)) {
        return;
    }
    AUTO_FREE char *beside = path_in(loader->directory, plugin->as_written);
    if (beside && is_file(beside)) {
        config_loader_problem(
            loader, place,
            "plugin.path \"%s\" is no file in %s, where names without a \"/\" are looked "
            "for; the file beside this configuration is \"./%s\"",
            plugin->as_written, loader->config->plugins_directory, strrchr(beside, '/') + 1);
    }
}

static bool same_file(const char *a, const char *b) {
    struct stat a_status, b_status;
    return strcmp(a, b) == 0 ||
           (stat(a, &a_status) == 0 && stat(b, &b_status) == 0 &&
            a_status.st_dev == b_status.st_dev && a_status.st_ino == b_status.st_ino);
}

void config_loader_resolve_plugins(struct config_loader *loader) {
    struct config *config = loader->config;
    for (size_t i = 0; i < config->n_plugins; i++) {
        struct config_plugin *plugin = &config->plugins[i];
        struct place place = {.line = plugin->line};
        if (!plugin->as_written || !config->plugins_directory) {
            continue; /* reported already */
        }
        plugin->path = resolve(loader, plugin->as_written);
        if (!plugin->path) {
            config_loader_problem(loader, place, "out of memory");
            continue;
        }
        check_bare(loader, plugin, place);
        for (size_t j = 0; j < i; j++) {
            if (config->plugins[j].path && same_file(config->plugins[j].path, plugin->path)) {
                config_loader_problem(loader, place,
                                      "plugin.path \"%s\" is the same file as in line %u",
                                      plugin->as_written, config->plugins[j].line);
                break;
            }
        }
    }
}
