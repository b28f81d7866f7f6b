/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Arrays as parameters of a statement, in PostgreSQL's binary form: nothing needs to be escaped,
 * and the server parses no text. */
#ifndef SNEK_INBOX_POSTGRES_ARRAY_H
#define SNEK_INBOX_POSTGRES_ARRAY_H

#include "base/buffer.h"
#include "inbox/postgres/query.h"

/* The types of elements, with their numbers in PostgreSQL's pg_type.dat. */
enum pg_element { PG_BYTEA = 17, PG_BIGINT = 20, PG_TEXT = 25 };

/* The elements of one array, with their lengths, have at most this many bytes. */
#define PG_ARRAY_BYTES_MAX ((size_t)4 << 20)

/* An array that is being built: begin it, add its elements, bind it. */
struct pg_array {
    struct buffer bytes;
    enum pg_element element;
    /* Memory was short. */
    bool failed;
};

void pg_array_begin(struct pg_array *array, enum pg_element element, size_t n_elements);
/* Adds an element of the array's type. */
void pg_array_text(struct pg_array *array, const char *text);
void pg_array_number(struct pg_array *array, int64_t number);
void pg_array_blob(struct pg_array *array, const void *data, size_t bytes);
/* Binds the array, and empties it. The query owns its bytes. */
void pg_query_array(struct pg_query *query, struct pg_array *array);

#endif
