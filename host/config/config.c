/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds the file and loads it and the environment by the table of keys. */
#include "config/config.h"

#include "base/install_path.h"
#include "base/io.h"
#include "base/text.h"
#include "config/config_loader.h"
#include "config/values.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "snekomatic.toml"
#define SYSTEM_FILE "/etc/snekomatic/" FILE_NAME

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

static bool is_trusted(const struct stat *status) {
    bool ours = status->st_uid == 0 || status->st_uid == geteuid();
    return ours && (S_ISLNK(status->st_mode) || !(status->st_mode & S_IWOTH));
}

/* A file that nobody named may be another user's trap in a shared directory: its github.api_url
 * would get the app's JWT. 0 or -1. */
static int check_found_here(int fd, const char *path, struct error *err) {
    struct stat link, file;
    if (lstat(path, &link) < 0 || fstat(fd, &file) < 0) {
        return error_set(err, "cannot read it: %s", strerror(errno));
    }
    if (is_trusted(&link) && is_trusted(&file)) {
        return 0;
    }
    return error_set(err,
                     "is not used: a file found in the working directory must belong to you or "
                     "root, and others must not be able to write it; fix that, or name the "
                     "file with -c");
}

static int read_config_file(const struct config_loader *loader, struct buffer *text,
                            struct error *err) {
    AUTO_CLOSE int fd = open(loader->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return error_set(err, "cannot open %s: %s", loader->file, strerror(errno));
    }
    if (loader->found_here && check_found_here(fd, loader->file, err) < 0) {
        return error_wrap(err, "%s", loader->config->file);
    }
    return io_read_rest(fd, loader->file, text, err);
}

/* -1 when the file could not be read or parsed. */
static int load_file(struct config_loader *loader) {
    AUTO_BUFFER struct buffer text = BUFFER_INIT(CONFIG_FILE_BYTES_MAX);
    struct error err;
    struct toml_error error;
    struct toml_value *root = NULL;
    if (read_config_file(loader, &text, &err) < 0) {
        config_loader_problem(loader, (struct place){.nowhere = true}, "%s", err.text);
        return -1;
    }
    if (toml_parse(text.data ? text.data : "", text.bytes, &root, &error) < 0) {
        config_loader_problem(loader, (struct place){.line = error.line}, "column %u: %s",
                              error.column, error.text);
        return -1;
    }
    load_section(loader, root, NULL);
    toml_free(root);
    return 0;
}

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static void load_environment(struct config_loader *loader) {
    for (const struct config_key *key = config_keys; key->name; key++) {
        const char *value = key->variable ? variable(key->variable) : NULL;
        if (value) {
            loader->app_id_given |= strcmp(key->name, "github.app_id") == 0;
            config_loader_text(loader, key, loader->config, value,
                               (struct place){.variable = key->variable});
        }
    }
}

/* Checks the keys that have no default. */
static void check_required(struct config_loader *loader, enum config_need need) {
    if (need == CONFIG_NEED_NOTHING) {
        return;
    }
    const struct config *config = loader->config;
    bool no_id = !loader->app_id_given;
    bool no_key = need == CONFIG_NEED_EVERYTHING && !config->github.private_key_file &&
                  !variable("GITHUB_PRIVATE_KEY");
    bool no_secret = !config->github.webhook_secret_file && !variable("GITHUB_WEBHOOK_SECRET");
    if (!loader->file && (no_id || no_key || no_secret)) {
        config_loader_problem(
            loader, (struct place){0},
            "not configured:%s%s%s not set, and there is no " FILE_NAME
            " here or in /etc/snekomatic; set GITHUB_APP_ID, GITHUB_PRIVATE_KEY and "
            "GITHUB_WEBHOOK_SECRET, or write a " FILE_NAME " with github.app_id, "
            "github.private_key_file and github.webhook_secret_file",
            no_id ? " GITHUB_APP_ID" : "", no_key ? " GITHUB_PRIVATE_KEY" : "",
            no_secret ? " GITHUB_WEBHOOK_SECRET" : "");
        return;
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
            "variable GITHUB_WEBHOOK_SECRET");
    }
}

/* Chooses the file and the directory of relative paths. */
static void find_file(struct config_loader *loader, const char *path) {
    AUTO_FREE char *here = getcwd(NULL, 0);
    if (!here) {
        config_loader_problem(loader, (struct place){0},
                              "cannot find out the working directory: %s", strerror(errno));
        return;
    }
    if (path) {
        loader->file = path;
    } else if (access(FILE_NAME, F_OK) == 0) {
        loader->file = FILE_NAME;
        loader->found_here = true;
    } else if (access(SYSTEM_FILE, F_OK) == 0) {
        loader->file = SYSTEM_FILE;
    }
    if (!loader->file) {
        loader->directory = STEAL(here);
        return;
    }
    loader->config->file = absolute_path(here, loader->file);
    loader->directory = loader->config->file ? strdup(loader->config->file) : NULL;
    if (!loader->directory) {
        config_loader_problem(loader, (struct place){0}, "out of memory");
        return;
    }
    char *slash = strrchr(loader->directory, '/');
    /* The root keeps its slash. */
    slash[slash == loader->directory] = '\0';
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

static void load_all(struct config_loader *loader, const char *path, enum config_need need) {
    find_file(loader, path);
    if (loader->failed) {
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
    config_loader_proxy(loader);
    if (seen == 0) {
        check_required(loader, need);
        config_loader_resolve_plugins(loader);
    }
}

int config_load(const char *path, enum config_need need, struct config **config,
                struct config_problems *problems) {
    struct config_loader loader = {.config = calloc(1, sizeof *loader.config),
                                   .problems = BUFFER_INIT(CONFIG_PROBLEMS_BYTES_MAX)};
    if (loader.config) {
        load_all(&loader, path, need);
    } else {
        config_loader_problem(&loader, (struct place){0}, "out of memory");
    }
    free(loader.directory);
    if (loader.failed) {
        config_free(loader.config);
        problems->text = buffer_steal(&loader.problems);
        return -1;
    }
    buffer_finish(&loader.problems);
    *config = loader.config;
    return 0;
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
