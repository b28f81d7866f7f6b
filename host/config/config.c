/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds the file, and lets the table of keys judge what is in it and in the environment. */
#include "config/config.h"

#include "base/io.h"
#include "base/program.h"
#include "config/load.h"
#include "config/values.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "snekomatic.toml"
#define SYSTEM_FILE "/etc/snekomatic/" FILE_NAME

void load_problem(struct load *load, struct place place, const char *format, ...) {
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = NULL;
    if (vasprintf(&text, format, args) < 0) {
        text = NULL;
    }
    va_end(args);
    load->failed = true;
    size_t start = load->problems.bytes;
    if (place.variable) {
        (void)buffer_printf(&load->problems, "%s: ", place.variable);
    } else if (load->file && !place.nowhere) {
        (void)buffer_printf(&load->problems, place.line ? "%s:%u: " : "%s: ", load->file,
                            place.line);
    }
    (void)buffer_append_text(&load->problems, text ? text : "out of memory");
    for (size_t i = start; i < load->problems.bytes; i++) {
        unsigned char c = (unsigned char)load->problems.data[i];
        if (c < ' ' || c == 0x7F) {
            load->problems.data[i] = '?'; /* a key may hold a line break, or a terminal's escape */
        }
    }
    (void)buffer_append_text(&load->problems, "\n");
}

void load_name(const char *section, const struct toml_value *member, char name[LOAD_NAME_MAX]) {
    /* A quoted "server.listen" at the top is not the key listen of [server]. */
    bool plain = !memchr(member->key, '.', member->key_bytes) && strlen(member->key) < 64 &&
                 strlen(member->key) == member->key_bytes;
    (void)snprintf(name, LOAD_NAME_MAX, plain ? "%s%s%.64s" : "%s%s\"%.64s\"",
                   section ? section : "", section ? "." : "", member->key);
}

void load_unknown(struct load *load, const struct config_key *keys, const char *name,
                  unsigned line) {
    const char *nearest = key_nearest(keys, name);
    load_problem(load, (struct place){.line = line}, "unknown key %s%s%s%s", name,
                 nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static void load_section(struct load *load, const struct toml_value *table, const char *section) {
    for (size_t i = 0; i < table->n_items; i++) {
        const struct toml_value *member = &table->items[i];
        struct place place = {.line = member->line};
        char name[LOAD_NAME_MAX];
        load_name(section, member, name);
        const struct config_key *key = key_find(config_keys, name);
        if (key) {
            load->app_id_given |= strcmp(name, "github.app_id") == 0;
            load_toml(load, key, load->config, member);
        } else if (!section && strcmp(name, "plugin") == 0) {
            load_plugins(load, member);
        } else if (section || !key_is_section(config_keys, name)) {
            load_unknown(load, config_keys, name, member->line);
        } else if (member->kind != TOML_TABLE) {
            load_problem(load, place, "%s must be a table, not %s%s", name,
                         toml_kind_name(member->kind),
                         strcmp(name, "plugins") == 0 ? "; did you mean [[plugin]]?" : "");
        } else {
            load_section(load, member, name);
        }
    }
}

/* -1 when nothing could be seen of it. */
static int load_file(struct load *load) {
    AUTO_BUFFER struct buffer text = BUFFER_INIT(CONFIG_FILE_BYTES_MAX);
    struct error err;
    struct toml_error error;
    struct toml_value *root = NULL;
    if (io_read_file(load->file, &text, &err) < 0) {
        load_problem(load, (struct place){.nowhere = true}, "%s", err.text);
        return -1;
    }
    if (toml_parse(text.data ? text.data : "", text.bytes, &root, &error) < 0) {
        load_problem(load, (struct place){.line = error.line}, "column %u: %s", error.column,
                     error.text);
        return -1;
    }
    load_section(load, root, NULL);
    toml_free(root);
    return 0;
}

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static void load_environment(struct load *load) {
    for (const struct config_key *key = config_keys; key->name; key++) {
        const char *value = key->variable ? variable(key->variable) : NULL;
        if (value) {
            load->app_id_given |= strcmp(key->name, "github.app_id") == 0;
            load_text(load, key, load->config, value, (struct place){.variable = key->variable});
        }
    }
}

/* What has no default. */
static void check_required(struct load *load, enum config_need need) {
    if (need == CONFIG_NEED_NOTHING) {
        return;
    }
    const struct config *config = load->config;
    bool no_id = !load->app_id_given;
    bool no_key = need == CONFIG_NEED_EVERYTHING && !config->github.private_key_file &&
                  !variable("GITHUB_PRIVATE_KEY");
    bool no_secret = !config->github.webhook_secret_file && !variable("GITHUB_WEBHOOK_SECRET");
    if (!load->file && (no_id || no_key || no_secret)) {
        load_problem(load, (struct place){0},
                     "not configured:%s%s%s not set, and there is no " FILE_NAME
                     " here or in /etc/snekomatic; set GITHUB_APP_ID, GITHUB_PRIVATE_KEY and "
                     "GITHUB_WEBHOOK_SECRET, or write a " FILE_NAME " with github.app_id, "
                     "github.private_key_file and github.webhook_secret_file",
                     no_id ? " GITHUB_APP_ID" : "", no_key ? " GITHUB_PRIVATE_KEY" : "",
                     no_secret ? " GITHUB_WEBHOOK_SECRET" : "");
        return;
    }
    if (no_id) {
        load_problem(load, (struct place){0},
                     "github.app_id is missing; set it, or the variable GITHUB_APP_ID");
    }
    if (no_key) {
        load_problem(load, (struct place){0},
                     "github.private_key_file is missing; set it, or the key itself in the "
                     "variable GITHUB_PRIVATE_KEY");
    }
    if (no_secret) {
        load_problem(load, (struct place){0},
                     "github.webhook_secret_file is missing; set it, or the secret itself in the "
                     "variable GITHUB_WEBHOOK_SECRET");
    }
}

/* Which file, and where relative paths start. */
static void find_file(struct load *load, const char *path) {
    AUTO_FREE char *here = getcwd(NULL, 0);
    if (!here) {
        load_problem(load, (struct place){0}, "cannot tell the working directory: %s",
                     strerror(errno));
        return;
    }
    if (path) {
        load->file = path;
    } else if (access(FILE_NAME, F_OK) == 0) {
        load->file = FILE_NAME;
    } else if (access(SYSTEM_FILE, F_OK) == 0) {
        load->file = SYSTEM_FILE;
    }
    if (!load->file) {
        load->directory = STEAL(here);
        return;
    }
    load->config->file = absolute_path(here, load->file);
    load->directory = load->config->file ? strdup(load->config->file) : NULL;
    if (!load->directory) {
        load_problem(load, (struct place){0}, "out of memory");
        return;
    }
    char *slash = strrchr(load->directory, '/');
    slash[slash == load->directory] = '\0'; /* the root keeps its slash */
}

/* Where the bundled plugins are: beside this program, in the build's directories or in a moved
 * installation; else where they were to be installed. */
static void find_plugins_directory(struct load *load) {
    static const struct {
        const char *sign, *directory; /* relative to the program's directory */
    } places[] = {{"worker/snekomatic-worker", "../plugins"},
                  {"../libexec/snekomatic/snekomatic-worker", "../" SNEK_LIB_DIR "/snekomatic"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        AUTO_FREE char *sign = program_beside(places[i].sign);
        char *found = sign ? program_beside(places[i].directory) : NULL;
        if (found) {
            free(load->config->plugins_directory);
            load->config->plugins_directory = found;
            return;
        }
    }
}

static void load_all(struct load *load, const char *path, enum config_need need) {
    find_file(load, path);
    if (load->failed) {
        return;
    }
    load_defaults(load, config_keys, load->config);
    find_plugins_directory(load);
    int seen = 0;
    if (load->file) {
        seen = load_file(load);
    } else {
        load_bundled_plugins(load);
    }
    load_environment(load);
    load_proxy(load);
    if (seen == 0) {
        check_required(load, need);
        load_resolve_plugins(load);
    }
}

int config_load(const char *path, enum config_need need, struct config **config,
                struct config_problems *problems) {
    struct load load = {.config = calloc(1, sizeof *load.config),
                        .problems = BUFFER_INIT(CONFIG_PROBLEMS_BYTES_MAX)};
    if (load.config) {
        load_all(&load, path, need);
    } else {
        load_problem(&load, (struct place){0}, "out of memory");
    }
    free(load.directory);
    if (load.failed) {
        config_free(load.config);
        problems->text = buffer_steal(&load.problems);
        return -1;
    }
    buffer_finish(&load.problems);
    *config = load.config;
    return 0;
}

static void finish_plugin(struct config_plugin *plugin) {
    free(plugin->path);
    free(plugin->as_written);
    free_texts(plugin->installations);
    free_texts(plugin->repositories);
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
    free(config->github.app_id);
    free(config->github.private_key_file);
    free(config->github.private_key_next_file);
    free(config->github.webhook_secret_file);
    free(config->github.user_agent);
    free(config->github.api_url);
    free(config->github.ca_file);
    if (config->store.url) {
        explicit_bzero(config->store.url, strlen(config->store.url)); /* its password */
    }
    free(config->store.url);
    free(config->plugins_directory);
    free(config->sentry.dsn);
    free(config->sentry.environment);
    if (config->proxy.url) {
        explicit_bzero(config->proxy.url, strlen(config->proxy.url));
    }
    free(config->proxy.url);
    free(config->proxy.shown);
    free(config->proxy.except);
    free(config);
}

void config_problems_finish(struct config_problems *problems) {
    free(problems->text);
    problems->text = NULL;
}
