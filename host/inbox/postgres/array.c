/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The binary form of arrays (array_recv() in PostgreSQL's arrayfuncs.c): how many dimensions, flags
 * (1: it has NULLs), the type of the elements, the length of the dimension, the index of its first
 * element; then each element after its length. All numbers are big-endian. */
#include "inbox/postgres/array.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

static void append(struct pg_array *array, const void *data, size_t bytes) {
    array->failed = array->failed || buffer_append(&array->bytes, data, bytes) < 0;
}

void pg_array_begin(struct pg_array *array, enum pg_element element, size_t n_elements) {
    *array = (struct pg_array){.bytes = BUFFER_INIT(PG_ARRAY_BYTES_MAX), .element = element};
    const uint32_t words[] = {htobe32(n_elements > 0), 0, htobe32(element),
                              htobe32((uint32_t)n_elements), htobe32(1)};
    /* An array without elements has no dimension. */
    append(array, words, n_elements > 0 ? sizeof words : 3 * sizeof *words);
}

static void add(struct pg_array *array, const void *data, size_t bytes) {
    uint32_t length = htobe32((uint32_t)bytes);
    append(array, &length, sizeof length);
    append(array, data, bytes);
}

void pg_array_text(struct pg_array *array, const char *text) {
    assert(array->element == PG_TEXT);
    add(array, text, strlen(text));
}

void pg_array_number(struct pg_array *array, int64_t number) {
    assert(array->element == PG_BIGINT);
    uint64_t big = htobe64((uint64_t)number);
    add(array, &big, sizeof big);
}

void pg_array_blob(struct pg_array *array, const void *data, size_t bytes) {
    assert(array->element == PG_BYTEA);
    add(array, data, bytes);
}

void pg_query_array(struct pg_query *query, struct pg_array *array) {
    size_t bytes = array->bytes.bytes;
    char *data = buffer_steal(&array->bytes);
    query->failed = query->failed || array->failed;
    pg_query_take_binary(query, data, bytes);
}
