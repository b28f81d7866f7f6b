/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Walks through the file once. A path such as "rules[].label" says where it is; the table has the
 * same paths. So the paths that begin with the present one are the keys that may follow. */
#include "worker/settings.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "protocol/access.h"
#include "protocol/frames.h"
#include "worker/descriptor.h"
#include "worker/known_keys.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a path of the table, and of one for people, with indexes and keys that are unknown. */
#define PATH_BYTES_MAX 200
#define SHOWN_BYTES_MAX 400
/* Bytes of a text that a setting may be. All of them fit into a sentence. */
#define VALUE_BYTES_MAX 60

#define KEY_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

/* ---- the table ---- */

/* The bytes of the key that `path` begins with; 0: it begins with none. */
static size_t key_bytes(const char *path) {
    return strspn(path, KEY_CHARACTERS);
}

/* "a.b[].c" */
static bool is_path(const char *path) {
    if (!path || strnlen(path, PATH_BYTES_MAX + 1) > PATH_BYTES_MAX) {
        return false;
    }
    size_t key = key_bytes(path);
    while (key > 0) {
        path += key;
        while (strncmp(path, "[]", 2) == 0) {
            path += 2;
        }
        if (*path == '\0') {
            return true;
        }
        key = *path == '.' ? key_bytes(++path) : 0;
    }
    return false;
}

/* Is the value at `path` inside of the one at `outer`, or the same? */
static bool is_inside(const char *path, const char *outer) {
    size_t bytes = strlen(outer);
    return strncmp(path, outer, bytes) == 0 &&
           (path[bytes] == '\0' || path[bytes] == '.' || path[bytes] == '[');
}

static int check_setting(const struct snek_plugin *plugin, uint32_t n, struct error *err) {
    const struct snek_setting *setting = &plugin->settings[n];
    if (!is_path(setting->path)) {
        return error_set(err,
                         "settings[%u].path must be like \"days\", \"require.members\" or "
                         "\"rules[].label\", with keys of letters, digits, - and _, and have at "
                         "most %d bytes",
                         n, PATH_BYTES_MAX);
    }
    if (setting->kind > SNEK_SETTING_ANY) {
        return error_set(err,
                         "settings[%u].kind %u (of %s) is unknown to this host (ABI %d.%d): use an "
                         "enum snek_setting_kind",
                         n, setting->kind, setting->path, SNEK_ABI_MAJOR, SNEK_ABI_MINOR);
    }
    if ((setting->values[0] && setting->kind != SNEK_SETTING_STRING) ||
        ((setting->least != 0 || setting->most != 0) && setting->kind != SNEK_SETTING_INTEGER)) {
        return error_set(err,
                         "settings[%u] (of %s): only a SNEK_SETTING_STRING has values, and only a "
                         "SNEK_SETTING_INTEGER has least and most",
                         n, setting->path);
    }
    if (setting->least > setting->most) {
        return error_set(err, "settings[%u] (of %s): least is more than most", n, setting->path);
    }
    for (size_t i = 0; i < SNEK_SETTING_VALUES_MAX && setting->values[i]; i++) {
        if (!text_is_line(setting->values[i], VALUE_BYTES_MAX)) {
            return error_set(err,
                             "settings[%u].values[%zu] (of %s) must be a line of 1 to %d bytes of "
                             "UTF-8",
                             n, i, setting->path, VALUE_BYTES_MAX);
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        const char *other = plugin->settings[i].path;
        if (is_inside(setting->path, other) || is_inside(other, setting->path)) {
            return error_set(err, "settings[%u] (%s) and settings[%u] (%s) overlap: remove one", i,
                             other, n, setting->path);
        }
    }
    return 0;
}

/* 0, or -1 and a sentence when the plugin lacks a permission of the check of pull requests. */
static int check_permissions(const struct snek_plugin *plugin, struct error *err) {
    static const struct snek_permission needed[] = {
        {"contents", "read"}, {"pull_requests", "read"}, {"checks", "write"}};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        const char *access = descriptor_access(plugin, needed[i].name);
        if (!access || access_rank(access, strlen(access)) <
                           access_rank(needed[i].access, strlen(needed[i].access))) {
            return error_set(err,
                             "it has settings, and the check of pull requests that change them "
                             "needs {\"%s\", \"%s\"}: add it to permissions or "
                             "optional_permissions",
                             needed[i].name, needed[i].access);
        }
    }
    return 0;
}

int settings_check_declaration(const struct snek_plugin *plugin, struct error *err) {
    const char *name = plugin->repository_config;
    if (!name) {
        return plugin->settings_count == 0
                   ? 0
                   : error_set(err, "it has settings, but no .repository_config, the name of their "
                                    "file: set it, like \"stale\" for .github/stale.yml");
    }
    size_t bytes = strnlen(name, FRAME_NAME_MAX + 1);
    if (bytes == 0 || bytes > FRAME_NAME_MAX || key_bytes(name) != bytes) {
        return error_set(err,
                         ".repository_config must be 1 to %d letters, digits, - and _, like "
                         "\"stale\" for .github/stale.yml",
                         FRAME_NAME_MAX);
    }
    if (plugin->settings_count == 0) {
        return error_set(err,
                         "it has .repository_config = \"%s\" and no settings: add those that "
                         "the file may have",
                         name);
    }
    for (uint32_t i = 0; i < plugin->settings_count; i++) {
        if (check_setting(plugin, i, err) < 0) {
            return -1;
        }
    }
    return check_permissions(plugin, err);
}

bool settings_describe(const struct snek_plugin *plugin, const char *name) {
    return plugin->repository_config && strcmp(plugin->repository_config, name) == 0;
}

/* ---- a file ---- */

struct walk {
    const struct snek_plugin *plugin;
    const struct yaml_document *document;
    settings_on_problem on_problem;
    void *context;
    unsigned problems;
    struct json_reader reader;
    /* Where the walk is: in the words of the table, and for people. */
    char path[PATH_BYTES_MAX + 1], shown[SHOWN_BYTES_MAX + 1];
};

/* The place in the JSON of the token that was just read. The text of a key or string begins after
 * its quote. */
static size_t token_at(const struct walk *walk, enum json_token token) {
    size_t at = (size_t)(walk->reader.text - walk->document->json.data);
    return token == JSON_KEY || token == JSON_STRING ? at - 1 : at;
}

static void report(struct walk *walk, size_t at, const char *sentence) {
    if (walk->problems < SETTINGS_PROBLEMS_MAX) {
        walk->problems++;
        walk->on_problem(walk->context, yaml_place_at(walk->document, at), sentence);
    }
}

static void report_value(struct walk *walk, size_t at, const char *problem) {
    struct error err;
    error_set(&err, "%s%s%s", walk->shown, walk->shown[0] ? " " : "", problem);
    report(walk, at, err.text);
}

/* The setting of the present path; NULL: there is none. */
static const struct snek_setting *find_setting(const struct walk *walk) {
    for (uint32_t i = 0; i < walk->plugin->settings_count; i++) {
        if (strcmp(walk->plugin->settings[i].path, walk->path) == 0) {
            return &walk->plugin->settings[i];
        }
    }
    return NULL;
}

/* The rest of the n-th setting's path behind the present one and `mark` ("." or "[]"); NULL: it is
 * elsewhere. */
static const char *rest_of(const struct walk *walk, uint32_t n, const char *mark) {
    const char *path = walk->plugin->settings[n].path;
    size_t bytes = strlen(walk->path), mark_bytes = bytes > 0 ? strlen(mark) : 0;
    bool below =
        strncmp(path, walk->path, bytes) == 0 && strncmp(path + bytes, mark, mark_bytes) == 0;
    return below ? path + bytes + mark_bytes : NULL;
}

static bool has_inside(const struct walk *walk, const char *mark) {
    for (uint32_t i = 0; i < walk->plugin->settings_count; i++) {
        if (rest_of(walk, i, mark)) {
            return true;
        }
    }
    return false;
}

static bool value_fits(const struct snek_setting *setting, const struct json_reader *reader,
                       enum json_token token) {
    struct json_value value = {token, reader->text, reader->text_bytes};
    int64_t number;
    switch (setting->kind) {
    case SNEK_SETTING_INTEGER:
        return json_to_integer(&value, &number) &&
               ((setting->least == 0 && setting->most == 0) ||
                (number >= setting->least && number <= setting->most));
    case SNEK_SETTING_BOOLEAN:
        return token == JSON_TRUE || token == JSON_FALSE;
    case SNEK_SETTING_STRING:
        break;
    default:
        return true;
    }
    bool fits = token == JSON_STRING && !setting->values[0];
    for (size_t i = 0; i < SNEK_SETTING_VALUES_MAX && setting->values[i] && !fits; i++) {
        const char *one = setting->values[i];
        fits = token == JSON_STRING &&
               json_text_is(reader->text, reader->text_bytes, one, strlen(one));
    }
    return fits;
}

static void describe_kind(const struct snek_setting *setting, struct error *err) {
    if (setting->kind == SNEK_SETTING_BOOLEAN) {
        error_set(err, "must be true or false");
    } else if (setting->kind == SNEK_SETTING_INTEGER && setting->least == 0 && setting->most == 0) {
        error_set(err, "must be a whole number");
    } else if (setting->kind == SNEK_SETTING_INTEGER) {
        error_set(err, "must be a whole number from %" PRId64 " to %" PRId64, setting->least,
                  setting->most);
    } else if (!setting->values[0]) {
        error_set(err, "must be a text");
    } else {
        size_t used = (size_t)snprintf(err->text, sizeof err->text, "must be");
        for (size_t i = 0; i < SNEK_SETTING_VALUES_MAX && setting->values[i]; i++) {
            used += (size_t)snprintf(err->text + used, sizeof err->text - used, "%s %s",
                                     i > 0 ? " or" : "", setting->values[i]);
        }
    }
}

static void walk_value(struct walk *walk, enum json_token token);

/* The keys that may stand here, each once. */
static uint32_t list_keys(const struct walk *walk, char names[][PATH_BYTES_MAX + 1],
                          const char **keys) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < walk->plugin->settings_count; i++) {
        const char *rest = rest_of(walk, i, ".");
        if (!rest) {
            continue;
        }
        snprintf(names[count], PATH_BYTES_MAX + 1, "%.*s", (int)key_bytes(rest), rest);
        bool repeated = false;
        for (uint32_t k = 0; k < count; k++) {
            repeated = repeated || strcmp(names[k], names[count]) == 0;
        }
        keys[count] = names[count];
        count += !repeated;
    }
    return count;
}

static void report_unknown(struct walk *walk, size_t at, const char *key) {
    if (walk->problems == SETTINGS_PROBLEMS_MAX) {
        return;
    }
    char(*names)[PATH_BYTES_MAX + 1] = calloc(walk->plugin->settings_count, sizeof *names);
    const char *keys[FRAME_ITEMS_MAX];
    struct error why, err;
    known_keys_unknown(key, keys, names ? list_keys(walk, names, keys) : 0, &why);
    free(names);
    error_set(&err, "%s%s%s", walk->shown, walk->shown[0] ? ": " : "", why.text);
    report(walk, at, err.text);
}

/* May a key of this name stand here? Then the path becomes that of its value. */
static bool enter(struct walk *walk, const char *key) {
    size_t bytes = strlen(walk->path), room = sizeof walk->path - bytes;
    size_t added = (size_t)snprintf(walk->path + bytes, room, "%s%s", bytes > 0 ? "." : "", key);
    bool known = added < room && *key && key_bytes(key) == strlen(key) &&
                 (find_setting(walk) || has_inside(walk, ".") || has_inside(walk, "[]"));
    if (!known) {
        walk->path[bytes] = '\0';
    }
    return known;
}

static void walk_key(struct walk *walk) {
    size_t bytes = strlen(walk->path), shown = strlen(walk->shown);
    size_t at = token_at(walk, JSON_KEY);
    AUTO_FREE char *key = malloc(walk->reader.text_bytes + 1);
    if (key) {
        key[json_unescape(walk->reader.text, walk->reader.text_bytes, key)] = '\0';
    }
    enum json_token token = json_next(&walk->reader);
    if (!key || !enter(walk, key)) {
        report_unknown(walk, at, key ? key : "?");
        json_skip(&walk->reader, token);
        return;
    }
    snprintf(walk->shown + shown, sizeof walk->shown - shown, "%s%s", shown > 0 ? "." : "", key);
    walk_value(walk, token);
    walk->path[bytes] = '\0';
    walk->shown[shown] = '\0';
}

static void walk_list(struct walk *walk) {
    size_t bytes = strlen(walk->path), shown = strlen(walk->shown);
    enum json_token token;
    snprintf(walk->path + bytes, sizeof walk->path - bytes, "[]");
    for (unsigned n = 0; (token = json_next(&walk->reader)) != JSON_ARRAY_END; n++) {
        snprintf(walk->shown + shown, sizeof walk->shown - shown, "[%u]", n);
        walk_value(walk, token);
    }
    walk->path[bytes] = '\0';
    walk->shown[shown] = '\0';
}

/* `token` is the first of a value that may stand here. */
static void walk_value(struct walk *walk, enum json_token token) {
    const struct snek_setting *setting = find_setting(walk);
    assert(token != JSON_ERROR && token != JSON_END);
    size_t at = token_at(walk, token);
    bool lists = has_inside(walk, "[]") && walk->path[0], maps = has_inside(walk, ".");
    if (setting) {
        if (!value_fits(setting, &walk->reader, token)) {
            struct error problem;
            describe_kind(setting, &problem);
            report_value(walk, at, problem.text);
        }
        json_skip(&walk->reader, token);
    } else if (token == JSON_OBJECT_BEGIN && maps) {
        while (json_next(&walk->reader) == JSON_KEY) {
            walk_key(walk);
        }
    } else if (token == JSON_ARRAY_BEGIN && lists) {
        walk_list(walk);
    } else {
        report_value(walk, at, maps ? "must be a mapping" : "must be a list");
        json_skip(&walk->reader, token);
    }
}

void settings_check_file(const struct snek_plugin *plugin, const struct yaml_document *document,
                         settings_on_problem on_problem, void *context) {
    struct walk walk = {
        .plugin = plugin, .document = document, .on_problem = on_problem, .context = context};
    assert(plugin->settings_count > 0);
    json_init(&walk.reader, document->json.data, document->json.bytes);
    enum json_token token = json_next(&walk.reader);
    if (token == JSON_NULL) {
        /* An empty file. */
        return;
    }
    if (token != JSON_OBJECT_BEGIN) {
        report_value(&walk, token_at(&walk, token), "the file must be a mapping: `key: value`");
        return;
    }
    walk_value(&walk, token);
}
