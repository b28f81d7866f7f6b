/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Loads the settings, the file and the environment, by the table of keys. */
#include "config/config.h"

#include "base/install_path.h"
#include "base/text.h"
#include "config/config_loader.h"
#include "config/database_url.h"
#include "config/values.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "snekomatic.toml"

void config_loader_problem(struct config_loader *loader, struct place place, const char *format,
                           ...) {
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = NULL;
    if (vasprintf(&text, format, args) < 0) {
        text = NULL;
    }
    va_end(args);
    loader->failed = true;
    size_t start = loader->problems.bytes;
    if (place.variable) {
        buffer_printf(&loader->problems, "%s: ", place.variable);
    } else if (loader->file && !place.nowhere) {
        buffer_printf(&loader->problems, place.line ? "%s:%u: " : "%s: ", loader->file, place.line);
    }
    buffer_append_text(&loader->problems, text ? text : "out of memory");
    if (loader->problems.bytes > start) {
        /* A key may hold a line break or an escape sequence. */
        text_clean_in_place(loader->problems.data + start);
        loader->problems.bytes = start + strlen(loader->problems.data + start);
    }
    buffer_append_text(&loader->problems, "\n");
}

void config_loader_name(const char *section, const struct toml_value *member,
                        char name[CONFIG_LOADER_NAME_MAX]) {
    /* A quoted "server.listen" at the top is not the key "listen" of [server]. */
    bool plain = !memchr(member->key, '.', member->key_bytes) && strlen(member->key) < 64 &&
                 strlen(member->key) == member->key_bytes;
    snprintf(name, CONFIG_LOADER_NAME_MAX, plain ? "%s%s%.64s" : "%s%s\"%.64s\"",
             section ? section : "", section ? "." : "", member->key);
}

void config_loader_unknown(struct config_loader *loader, const struct config_key *keys,
                           const char *name, unsigned line) {
    const char *nearest = key_nearest(keys, name);
    config_loader_problem(loader, (struct place){.line = line}, "unknown key %s%s%s%s", name,
                          nearest ? "; did you mean " : "", nearest ? nearest : "",
                          nearest ? "?" : "");
}

static void load_section(struct config_loader *loader, const struct toml_value *table,
                         const char *section) {
    for (size_t i = 0; i < table->n_items; i++) {
        const struct toml_value *member = &table->items[i];
        struct place place = {.line = member->line};
        char name[CONFIG_LOADER_NAME_MAX];
        config_loader_name(section, member, name);
        const struct config_key *key = key_find(config_keys, name);
        if (key) {
            loader->app_id_given |= strcmp(name, "github.app_id") == 0;
            loader->config->server.listen_given |= strcmp(name, "server.listen") == 0;
            config_loader_toml(loader, key, loader->config, member);
        } else if (!section && strcmp(name, "plugin") == 0) {
            config_loader_plugins(loader, member);
        } else if (section || !key_is_section(config_keys, name)) {
            config_loader_unknown(loader, config_keys, name, member->line);
        } else if (member->kind != TOML_TABLE) {
            config_loader_problem(loader, place, "%s must be a table, not %s%s", name,
                                  toml_kind_name(member->kind),
                                  strcmp(name, "plugins") == 0 ? "; did you mean [[plugin]]?" : "");
        } else {
            load_section(loader, member, name);
        }
    }
}

/* -1 when the file could not be read or parsed. */
static int load_file(struct config_loader *loader) {
    const struct settings *settings = loader->config->settings;
    struct toml_error error;
    struct toml_value *root = NULL;
    if (*settings->unreadable.text) {
        config_loader_problem(loader, (struct place){.nowhere = true}, "%s",
                              settings->unreadable.text);
        return -1;
    }
    if (toml_parse(settings->text.data, settings->text.bytes, &root, &error) < 0) {
        config_loader_problem(loader, (struct place){.line = error.line}, "column %u: %s",
                              error.column, error.text);
        return -1;
    }
    load_section(loader, root, NULL);
    toml_free(root);
    return 0;
}

const char *config_loader_variable(const struct config_loader *loader, const char *name) {
    const struct secret *value = settings_variable(loader->config->settings, name);
    return value ? value->data : NULL;
}

static void load_environment(struct config_loader *loader) {
    for (const struct config_key *key = config_keys; key->name; key++) {
        const char *value = key->variable ? config_loader_variable(loader, key->variable) : NULL;
        if (value) {
            loader->app_id_given |= strcmp(key->name, "github.app_id") == 0;
            config_loader_text(loader, key, loader->config, value,
                               (struct place){.variable = key->variable});
        }
    }
}

/* Checks the keys that have no default. */
static bool is_every_address(const char *host) {
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* Two sockets cannot have one port, unless each is for an address of its own. */
static bool addresses_collide(const struct config *config) {
    const char *console = config->console.host, *server = config->server.host;
    if (!console || !server || config->console.port != config->server.port ||
        config->server.port == 0) {
        return false;
    }
    return strcmp(console, server) == 0 || is_every_address(console) || is_every_address(server);
}

static void check_required(struct config_loader *loader, enum config_need need) {
    if (need == CONFIG_NEED_NOTHING) {
        return;
    }
    const struct config *config = loader->config;
    bool no_id = !loader->app_id_given;
    bool no_key = need == CONFIG_NEED_EVERYTHING && !config->github.private_key_file &&
                  !config_loader_variable(loader, "GITHUB_PRIVATE_KEY");
    bool no_secret = config->github.receive == CONFIG_RECEIVE_WEBHOOK &&
                     !config->github.webhook_secret_file &&
                     !config_loader_variable(loader, "GITHUB_WEBHOOK_SECRET");
    if (!loader->file && (no_id || no_key || no_secret)) {
        config_loader_problem(
            loader, (struct place){0},
            "not configured:%s%s%s not set, and there is no " FILE_NAME
            " here or in /etc/snekomatic; set GITHUB_APP_ID, GITHUB_PRIVATE_KEY and "
            "GITHUB_WEBHOOK_SECRET, or write a " FILE_NAME " with github.app_id, "
            "github.private_key_file and github.webhook_secret_file; `snekomatic setup` creates a "
            "GitHub "
            "App and does this",
            no_id ? " GITHUB_APP_ID" : "", no_key ? " GITHUB_PRIVATE_KEY" : "",
            no_secret ? " GITHUB_WEBHOOK_SECRET" : "");
        return;
    }
    if (addresses_collide(config)) {
        config_loader_problem(loader, (struct place){0},
                              "console.listen has the port of server.listen; set another one, or "
                              "leave console.listen out: then the console is at server.listen");
    }
    if (no_id) {
        config_loader_problem(loader, (struct place){0},
                              "github.app_id is missing; set it, or the variable GITHUB_APP_ID");
    }
    if (no_key) {
        config_loader_problem(
            loader, (struct place){0},
            "github.private_key_file is missing; set it, or the key itself in the "
            "variable GITHUB_PRIVATE_KEY");
    }
    if (no_secret) {
        config_loader_problem(
            loader, (struct place){0},
            "github.webhook_secret_file is missing; set it, or the secret itself in the "
            "variable GITHUB_WEBHOOK_SECRET, or read GitHub's list of deliveries with "
            "github.receive = \"pull\"");
    }
}

/* Finds the bundled plugins beside this program, in the build's directories or in a moved
 * installation. The default is the configured installation directory. */
static void find_plugins_directory(struct config_loader *loader) {
    static const struct {
        /* Relative to the program's directory. */
        const char *sign, *directory;
    } places[] = {{"worker/snekomatic-worker", "../plugins"},
                  {"../libexec/snekomatic/snekomatic-worker", "../" SNEK_LIB_DIR "/snekomatic"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        AUTO_FREE char *sign = install_path_beside(places[i].sign);
        char *found = sign ? install_path_beside(places[i].directory) : NULL;
        if (found) {
            free(loader->config->plugins_directory);
            loader->config->plugins_directory = found;
            return;
        }
    }
}

/* A password in PGPASSWORD becomes a part of the URL, because the host has it in no environment. */
static void add_database_password(struct config_loader *loader) {
    const char *password = config_loader_variable(loader, "PGPASSWORD");
    char *url = loader->config->store.url;
    if (!password || !url || strncmp(url, STORE_SQLITE, strlen(STORE_SQLITE)) == 0) {
        return;
    }
    char *complete = database_url_with_password(url, password);
    if (!complete) {
        config_loader_problem(loader, (struct place){0}, "out of memory");
        return;
    }
    explicit_bzero(url, strlen(url));
    free(url);
    loader->config->store.url = complete;
}

static int take_paths(struct config_loader *loader) {
    const struct settings *settings = loader->config->settings;
    loader->file = settings->given;
    loader->directory = settings->directory;
    loader->config->file = settings->file ? strdup(settings->file) : NULL;
    if (settings->file && !loader->config->file) {
        config_loader_problem(loader, (struct place){0}, "out of memory");
        return -1;
    }
    return 0;
}

static void load_all(struct config_loader *loader, enum config_need need) {
    if (take_paths(loader) < 0) {
        return;
    }
    config_loader_defaults(loader, config_keys, loader->config);
    find_plugins_directory(loader);
    int seen = 0;
    if (loader->file) {
        seen = load_file(loader);
    } else {
        config_loader_bundled_plugins(loader);
    }
    load_environment(loader);
    add_database_password(loader);
    config_loader_proxy(loader);
    if (seen == 0) {
        check_required(loader, need);
        config_loader_resolve_plugins(loader);
    }
}

int config_load_settings(struct settings *settings, enum config_need need, struct config **config,
                         struct config_problems *problems) {
    struct config_loader loader = {.config = calloc(1, sizeof *loader.config),
                                   .problems = BUFFER_INIT(CONFIG_PROBLEMS_BYTES_MAX)};
    if (loader.config) {
        loader.config->settings = settings;
        load_all(&loader, need);
    } else {
        settings_free(settings);
        config_loader_problem(&loader, (struct place){0}, "out of memory");
    }
    if (loader.failed) {
        config_free(loader.config);
        problems->text = buffer_steal(&loader.problems);
        return -1;
    }
    buffer_finish(&loader.problems);
    *config = loader.config;
    return 0;
}

int config_load(const char *path, enum config_need need, struct config **config,
                struct config_problems *problems) {
    struct settings *settings = NULL;
    struct error err;
    if (settings_read(path, &settings, &err) < 0) {
        if (asprintf(&problems->text, "%s\n", err.text) < 0) {
            problems->text = NULL;
        }
        return -1;
    }
    return config_load_settings(settings, need, config, problems);
}

static void finish_plugin(struct config_plugin *plugin) {
    free(plugin->path);
    free(plugin->as_written);
    free(plugin->sha256);
    free_texts(plugin->installations);
    free_texts(plugin->repositories);
    free_texts(plugin->permissions);
    free(plugin->config_json);
}

void config_free(struct config *config) {
    if (!config) {
        return;
    }
    for (size_t i = 0; i < config->n_plugins; i++) {
        finish_plugin(&config->plugins[i]);
    }
    free(config->plugins);
    free(config->file);
    free(config->server.host);
    free(config->server.public_url);
    free(config->github.app_id);
    free(config->github.private_key_file);
    free(config->github.private_key_next_file);
    free(config->github.webhook_secret_file);
    free(config->github.webhook_secret_previous_file);
    free(config->github.user_agent);
    free(config->github.api_url);
    free(config->github.ca_file);
    if (config->store.url) {
        explicit_bzero(config->store.url, strlen(config->store.url)); /* its password */
    }
    free(config->store.url);
    free(config->plugins_directory);
    if (config->sentry.dsn) {
        explicit_bzero(config->sentry.dsn, strlen(config->sentry.dsn));
    }
    free(config->sentry.dsn);
    free(config->sentry.environment);
    free(config->console.token_file);
    free(config->console.read_token_file);
    free(config->console.host);
    if (config->proxy.url) {
        explicit_bzero(config->proxy.url, strlen(config->proxy.url));
    }
    free(config->proxy.url);
    free(config->proxy.shown);
    free(config->proxy.except);
    settings_free(config->settings);
    free(config);
}

void config_problems_finish(struct config_problems *problems) {
    free(problems->text);
    problems->text = NULL;
}
