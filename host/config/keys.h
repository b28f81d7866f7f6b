/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of keys that drives this room: what there may be in snekomatic.toml and which variable
 * wins over it. Only this room and its test include this. */
#ifndef SNEK_CONFIG_KEYS_H
#define SNEK_CONFIG_KEYS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_kind {
    KEY_BOOLEAN,
    KEY_INTEGER,
    /* Of a few words; the field is the enum whose values number them. */
    KEY_CHOICE,
    KEY_TEXT, /* not empty */
    KEY_LIST, /* of texts; NULL-terminated */
    /* A table, kept as JSON. */
    KEY_JSON,
    /* HOST:PORT; the field is struct config's `server`. */
    KEY_LISTEN,
    KEY_PORT, /* the port alone, likewise */
    /* Of the design, but not of this version: rejected by name. */
    KEY_UNSUPPORTED,
};

struct config_key {
    const char *name; /* with its table: "server.drain_ms" */
    enum key_kind kind;
    /* Of the field, in struct config or struct config_plugin. */
    size_t offset, bytes;
    /* The default, as text; NULL: none. */
    const char *fallback;
    /* Wins over the file; NULL: none. */
    const char *variable;
    int64_t minimum, maximum;
    /* Of an integer, NULL: none. */
    const char *unit;
    const char *const *choices; /* NULL-terminated */
    /* A text that may be written as a number. */
    bool number_too;
    /* Checks a text, and an item of a list, and makes of it what is kept (the caller's). Relative
     * paths start at `directory`. NULL: kept as it is. -1: `err` goes on after the key's name. */
    int (*read)(const char *text, const char *directory, char **value, struct error *err);
};

/* Both end with a NULL name. A name may be there twice: the first row is the file's. */
extern const struct config_key config_keys[];        /* fields of struct config */
extern const struct config_key config_plugin_keys[]; /* fields of struct config_plugin */

/* NULL when there is none. */
const struct config_key *key_find(const struct config_key *keys, const char *name);

/* Is there a key "NAME.something"? */
bool key_is_section(const struct config_key *keys, const char *name);

/* The key, or the table, that was probably meant; NULL when nothing is near. */
const char *key_nearest(const struct config_key *keys, const char *name);

#endif
