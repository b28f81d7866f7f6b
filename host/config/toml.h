/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* TOML as a plain tree of C structs. toml++ parses it behind this header; no C++ type and no
 * exception gets out. A tree belongs to its root and does not change. Any thread. */
#ifndef SNEK_CONFIG_TOML_H
#define SNEK_CONFIG_TOML_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TOML_ERROR_MAX 256

enum toml_kind {
    TOML_TABLE,
    TOML_ARRAY,
    TOML_STRING,
    TOML_INTEGER,
    TOML_FLOAT,
    TOML_BOOLEAN,
    /* A date, a time, or both. */
    TOML_DATETIME,
};

struct toml_value {
    enum toml_kind kind;
    /* The line of its key, or its own in an array; from 1. */
    unsigned line;
    /* The name in a table, else NULL; UTF-8, may hold a NUL. */
    char *key;
    size_t key_bytes;
    /* A string, which may hold a NUL, or a date or time (RFC 3339). */
    char *text;
    size_t text_bytes;
    int64_t integer;
    double number;
    bool boolean;
    /* The members of a table, in the order of the file, or the items of an array. */
    struct toml_value *items;
    size_t n_items;
};

struct toml_error {
    /* The place of the error. Both are 0 when memory is short. */
    unsigned line, column;
    char text[TOML_ERROR_MAX];
};

/* Returns 0 and `*root` (a table), to be freed with toml_free(); or -1. */
int toml_parse(const char *toml, size_t bytes, struct toml_value **root, struct toml_error *error);
/* The argument may be NULL. */
void toml_free(struct toml_value *root);

/* "a string", "a whole number": for messages. */
const char *toml_kind_name(enum toml_kind kind);

/* Appends `value` as JSON. Dates and times become strings; floats stay floats and keep their value.
 * Returns 0, or -1 and the place: JSON has no infinity and no NaN, a NUL would end a plugin's text
 * early, and `out` has a maximum. */
int toml_append_json(const struct toml_value *value, struct buffer *out, struct toml_error *error);

const char *toml_library_version(void);

#ifdef __cplusplus
}
#endif

#endif
