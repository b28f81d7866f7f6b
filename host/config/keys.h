/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table that drives this room: the keys of snekomatic.toml and the variables that win over
 * them. Only this room and its test include it. */
#ifndef SNEK_CONFIG_KEYS_H
#define SNEK_CONFIG_KEYS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_kind {
    KEY_BOOLEAN,
    KEY_INTEGER,
    /* One of a few words; the field is an enum, whose values are their indexes. */
    KEY_CHOICE,
    KEY_TEXT, /* not empty */
    KEY_LIST, /* of texts; NULL-terminated */
    /* A table, kept as JSON. */
    KEY_JSON,
    /* HOST:PORT; the field is struct config's `server`. */
    KEY_LISTEN,
    KEY_PORT, /* the port alone */
    /* Planned, but not in this version: rejected by name. */
    KEY_UNSUPPORTED,
};

struct config_key {
    /* With its table: "server.drain_ms". */
    const char *name;
    enum key_kind kind;
    /* The field in struct config or struct config_plugin. */
    size_t offset, bytes;
    /* The default as text; NULL: none. */
    const char *fallback;
    /* The variable that wins over the file; NULL: none. */
    const char *variable;
    int64_t minimum, maximum;
    /* The unit of an integer; NULL: none. */
    const char *unit;
    /* NULL-terminated. */
    const char *const *choices;
    /* May the text be written as a number? */
    bool number_too;
    /* May the list be empty? */
    bool empty_too;
    /* Checks a text, or an item of a list, and makes the value, which the caller frees. Relative
     * paths start at `directory`. -1: `err` goes on after the key's name. NULL: any text is kept.
     */
    int (*read)(const char *text, const char *directory, char **value, struct error *err);
};

/* Both tables end with a NULL name. The first of two rows with one name is for the file. */
/* Fields of struct config. */
extern const struct config_key config_keys[];
/* Fields of struct config_plugin. */
extern const struct config_key config_plugin_keys[];

/* Returns NULL when there is none. */
const struct config_key *key_find(const struct config_key *keys, const char *name);

/* Is there a key "NAME.something"? */
bool key_is_section(const struct config_key *keys, const char *name);

/* The key or table that was probably meant; NULL when none is near. */
const char *key_nearest(const struct config_key *keys, const char *name);

#endif
