/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The form of the state as one table: which keys there are, and the kinds of their values. The fake
 * checks JSON by it, and a scenario's [github] is checked by it with line numbers. */
#ifndef SNEK_HARNESS_FAKE_STATE_SCHEMA_H
#define SNEK_HARNESS_FAKE_STATE_SCHEMA_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

/* The kinds of a value, as bits. NAMES is a list of texts, TABLES a list of tables. */
enum {
    SCHEMA_TEXT = 1,
    SCHEMA_NUMBER = 2,
    SCHEMA_YES = 4,
    SCHEMA_TABLE = 8,
    SCHEMA_LIST = 16,
    SCHEMA_TABLES = 32,
    SCHEMA_NAMES = 64,
    SCHEMA_NULL = 128,
    SCHEMA_ANY = 255
};

struct schema_key {
    const char *name;
    unsigned kinds;
    /* The form of the table, or of each table of the list; NULL: any. */
    const struct schema *of;
    bool required;
};

struct schema {
    /* For messages: "an issue". */
    const char *label;
    /* Ends with an empty one. */
    const struct schema_key *keys;
};

extern const struct schema state_schema;

/* NULL: there is no such key. */
const struct schema_key *schema_find(const struct schema *schema, const char *name);
/* All kinds that the value is of. */
unsigned schema_kinds_of(const json_t *value);
/* The kinds as text: "a text or a list". */
void schema_describe(unsigned kinds, char *out, size_t bytes);
/* Checks a whole table. 0, or -1 with the way to what is wrong. */
int schema_check(const json_t *table, const struct schema *schema, struct error *err);

#endif
