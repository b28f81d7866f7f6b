/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stores one value in its field, or reports its problem. */
#include "config/config_loader.h"

#include "base/suggest.h"
#include "config/values.h"

#include <inttypes.h>
#include <string.h>

static void *field(const struct config_key *key, void *settings) {
    return (char *)settings + key->offset;
}

static void set_integer(struct config_loader *loader, const struct config_key *key, void *settings,
                        int64_t number, struct place place) {
    if (number < key->minimum || number > key->maximum) {
        config_loader_problem(loader, place,
                              "%s must be from %" PRId64 " to %" PRId64 "%s%s, not %" PRId64,
                              key->name, key->minimum, key->maximum, key->unit ? " " : "",
                              key->unit ? key->unit : "", number);
    } else if (key->bytes == sizeof(int64_t)) {
        *(int64_t *)field(key, settings) = number;
    } else {
        *(uint32_t *)field(key, settings) = (uint32_t)number;
    }
}

static void set_choice(struct config_loader *loader, const struct config_key *key, void *settings,
                       const char *text, struct place place) {
    struct buffer all = BUFFER_INIT(200);
    const char *nearest = NULL;
    for (unsigned i = 0; key->choices[i]; i++) {
        if (strcmp(key->choices[i], text) == 0) {
            memcpy(field(key, settings), &i, sizeof i);
            buffer_finish(&all);
            return;
        }
        if (i > 0) {
            buffer_append_text(&all, key->choices[i + 1] ? ", " : " or ");
        }
        buffer_append_text(&all, key->choices[i]);
        bool begins = strlen(text) >= 3 && strncmp(key->choices[i], text, strlen(text)) == 0;
        if (begins ||
            suggest_is_near(text, suggest_distance(text, key->choices[i]))) { /* warn, err */
            nearest = key->choices[i];
        }
    }
    config_loader_problem(loader, place, "%s must be %s, not \"%.40s\"%s%s%s", key->name, all.data,
                          text, nearest ? "; did you mean " : "", nearest ? nearest : "",
                          nearest ? "?" : "");
    buffer_finish(&all);
}

/* The value made of a text, or NULL after a problem. */
static char *read_text(struct config_loader *loader, const struct config_key *key, const char *text,
                       struct place place) {
    struct error err = {.text = "does not fit into memory"};
    char *value = NULL;
    if (*text == '\0') {
        config_loader_problem(loader, place, "%s must not be empty", key->name);
    } else if (key->read) {
        if (key->read(text, loader->directory, &value, &err) < 0) {
            config_loader_problem(loader, place, "%s %s", key->name, err.text);
        }
    } else if (!(value = strdup(text))) {
        config_loader_problem(loader, place, "%s %s", key->name, err.text);
    }
    return value;
}

static void set_string(char **where, char *value) {
    if (value) {
        if (*where) {
            /* It may be a URL with a password, which a variable replaces. */
            explicit_bzero(*where, strlen(*where));
        }
        free(*where);
        *where = value;
    }
}

static void set_listen(struct config_loader *loader, const struct config_key *key, const char *text,
                       struct place place) {
    struct error err;
    char *host = NULL;
    struct config *config = loader->config;
    bool console = strcmp(key->name, "console.listen") == 0;
    uint16_t *port = console ? &config->console.port : &config->server.port;
    int result =
        key->kind == KEY_PORT ? read_port(text, port, &err) : read_listen(text, &host, port, &err);
    if (result < 0) {
        config_loader_problem(loader, place, "%s %s", key->name, err.text);
    }
    set_string(console ? &config->console.host : &config->server.host, host);
}

static void expect(struct config_loader *loader, const struct config_key *key, struct place place,
                   const char *instead) {
    static const char *const kinds[] = {
        [KEY_BOOLEAN] = "true or false",    [KEY_INTEGER] = "a whole number",
        [KEY_CHOICE] = "a string",          [KEY_TEXT] = "a string",
        [KEY_LIST] = "an array of strings", [KEY_JSON] = "a table",
        [KEY_LISTEN] = "a string",          [KEY_PORT] = "a whole number"};
    bool unit = key->kind == KEY_INTEGER && key->unit;
    bool number_too = key->kind == KEY_TEXT && key->number_too;
    config_loader_problem(loader, place, "%s must be %s%s%s%s, not %s", key->name,
                          number_too ? "a whole number or " : "", kinds[key->kind],
                          unit ? " of " : "", unit ? key->unit : "", instead);
}

static void unsupported(struct config_loader *loader, const struct config_key *key,
                        struct place place) {
    config_loader_problem(loader, place, "%s is known, but not supported by this version; %s it",
                          key->name, place.variable ? "unset" : "remove");
}

void config_loader_text(struct config_loader *loader, const struct config_key *key, void *settings,
                        const char *text, struct place place) {
    int64_t number;
    switch (key->kind) {
    case KEY_BOOLEAN:
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
            *(bool *)field(key, settings) = text[0] == 't';
        } else {
            expect(loader, key, place, "something else");
        }
        break;
    case KEY_INTEGER:
        if (read_integer(text, &number) == 0) {
            set_integer(loader, key, settings, number, place);
        } else {
            expect(loader, key, place, "something else");
        }
        break;
    case KEY_CHOICE:
        set_choice(loader, key, settings, text, place);
        break;
    case KEY_TEXT:
        set_string(field(key, settings), read_text(loader, key, text, place));
        break;
    case KEY_LISTEN:
    case KEY_PORT:
        set_listen(loader, key, text, place);
        break;
    case KEY_UNSUPPORTED:
        unsupported(loader, key, place);
        break;
    case KEY_LIST:
    /* Lists and tables have neither a default nor a variable. */
    case KEY_JSON:
        break;
    }
}

void config_loader_defaults(struct config_loader *loader, const struct config_key *keys,
                            void *settings) {
    for (const struct config_key *key = keys; key->name; key++) {
        if (key->fallback) {
            config_loader_text(loader, key, settings, key->fallback, (struct place){0});
        }
    }
}

/* The text of a string, or of a number if the key accepts one; false after a problem. */
static bool text_of(struct config_loader *loader, const struct config_key *key,
                    const struct toml_value *value, char number[24], const char **text) {
    struct place place = {.line = value->line};
    if (value->kind == TOML_INTEGER && key->number_too) {
        snprintf(number, 24, "%" PRId64, value->integer);
        *text = number;
        return true;
    }
    if (value->kind != TOML_STRING) {
        expect(loader, key, place, toml_kind_name(value->kind));
        return false;
    }
    if (memchr(value->text, '\0', value->text_bytes)) {
        config_loader_problem(loader, place, "%s must not hold a NUL", key->name);
        return false;
    }
    *text = value->text;
    return true;
}

static void set_list(struct config_loader *loader, const struct config_key *key, void *settings,
                     const struct toml_value *value) {
    struct place place = {.line = value->line};
    if (value->kind != TOML_ARRAY) {
        expect(loader, key, place, toml_kind_name(value->kind));
        return;
    }
    if (value->n_items == 0 && !key->empty_too) {
        config_loader_problem(
            loader, place,
            "%s is empty, so that the plugin would never act; remove the key to mean "
            "all, or disable the plugin",
            key->name);
        return;
    }
    char **list = calloc(value->n_items + 1, sizeof *list);
    for (size_t i = 0, kept = 0; i < value->n_items && list; i++) {
        char number[24];
        const char *text;
        if (text_of(loader, key, &value->items[i], number, &text)) {
            list[kept] = read_text(loader, key, text, (struct place){.line = value->items[i].line});
            kept += list[kept] != NULL;
        }
    }
    if (!list) {
        config_loader_problem(loader, place, "%s does not fit into memory", key->name);
    }
    free_texts(*(char ***)field(key, settings));
    *(char ***)field(key, settings) = list;
}

static void set_json(struct config_loader *loader, const struct config_key *key, void *settings,
                     const struct toml_value *value) {
    AUTO_BUFFER struct buffer json = BUFFER_INIT(CONFIG_JSON_BYTES_MAX);
    struct toml_error error;
    if (value->kind != TOML_TABLE) {
        expect(loader, key, (struct place){.line = value->line}, toml_kind_name(value->kind));
    } else if (toml_append_json(value, &json, &error) < 0) {
        config_loader_problem(loader, (struct place){.line = error.line}, "a value of %s %s",
                              key->name, error.text);
    } else {
        set_string(field(key, settings), buffer_steal(&json));
    }
}

void config_loader_toml(struct config_loader *loader, const struct config_key *key, void *settings,
                        const struct toml_value *value) {
    struct place place = {.line = value->line};
    char number[24];
    const char *text;
    switch (key->kind) {
    case KEY_BOOLEAN:
        if (value->kind == TOML_BOOLEAN) {
            *(bool *)field(key, settings) = value->boolean;
        } else {
            expect(loader, key, place, toml_kind_name(value->kind));
        }
        break;
    case KEY_INTEGER:
        if (value->kind == TOML_INTEGER) {
            set_integer(loader, key, settings, value->integer, place);
        } else {
            expect(loader, key, place, toml_kind_name(value->kind));
        }
        break;
    case KEY_LIST:
        set_list(loader, key, settings, value);
        break;
    case KEY_JSON:
        set_json(loader, key, settings, value);
        break;
    case KEY_UNSUPPORTED:
        unsupported(loader, key, place);
        break;
    default:
        if (text_of(loader, key, value, number, &text)) {
            config_loader_text(loader, key, settings, text, place);
        }
    }
}
