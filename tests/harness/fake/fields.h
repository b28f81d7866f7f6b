/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The members of a request's body, checked by a table. */
#ifndef SNEK_HARNESS_FAKE_FIELDS_H
#define SNEK_HARNESS_FAKE_FIELDS_H

#include "fake/http_exchange.h"
#include "fake/state_schema.h"

struct field {
    const char *name;
    /* SCHEMA_* bits. */
    unsigned kinds;
    bool required;
    /* The texts that are allowed, separated by a space; NULL: all. */
    const char *values;
};

/* The body as an object, the caller's; NULL when it responded with GitHub's 422 or 400. `fields`
 * ends with an empty one. */
json_t *exchange_fields(struct http_exchange *exchange, const char *resource,
                        const struct field fields[]);

/* The hexadecimal SHA-1 of a text: what the fake takes for a commit's or a tree's. */
#define FAKE_SHA_BYTES 41
void fake_sha(const char *text, char sha[FAKE_SHA_BYTES]);
/* The SHA of a file, as Git has it. */
void fake_blob_sha(const char *text, char sha[FAKE_SHA_BYTES]);
/* Now, as JSON. */
json_t *fake_now(const struct fake *fake);

#endif
