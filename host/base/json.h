/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads JSON (RFC 8259) straight from its bytes: strict, in one pass, without a tree and without
 * allocation. It needs sizeof(struct json_reader) for any input. A Jansson tree of a 24 kB webhook
 * costs more time than the other steps of ingest together; a hostile body of 25 MB costs 1.2 GB. */
#ifndef SNEK_BASE_JSON_H
#define SNEK_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Deeper nesting is an error; GitHub's own payloads stay under 20. */
#define JSON_DEPTH_MAX 512

enum json_token {
    JSON_ERROR = -1,
    /* The one value was read and only white space followed. */
    JSON_END,
    JSON_OBJECT_BEGIN,
    JSON_OBJECT_END,
    JSON_ARRAY_BEGIN,
    JSON_ARRAY_END,
    JSON_KEY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

struct json_reader {
    /* Borrowed. */
    const char *start, *at, *end;
    unsigned depth;
    uint8_t state;
    uint64_t in_object[JSON_DEPTH_MAX / 64]; /* one bit a level */
    /* The raw bytes of the last token; a key or string is without its quotes and still escaped. */
    const char *text;
    size_t text_bytes;
    /* Static text after JSON_ERROR; the place is `at`. */
    const char *error;
};

void json_init(struct json_reader *reader, const char *json, size_t bytes);
enum json_token json_next(struct json_reader *reader);

/* Skips the rest of the value whose first token was `first`. Returns 0, or -1 after JSON_ERROR. */
int json_skip(struct json_reader *reader, enum json_token first);

/* Returns 0 when `json` is one well-formed value, else -1 and where and why. */
int json_check(const char *json, size_t bytes, const char **why, size_t *at);

/* Unescapes a key's or string's raw text into `out`, which has room for `bytes`; may be the same
 * place. The bytes written. A lone surrogate becomes U+FFFD. */
size_t json_unescape(const char *raw, size_t bytes, char *out);

/* Is the raw key or string, unescaped, equal to `text`? */
bool json_text_is(const char *raw, size_t bytes, const char *text, size_t text_bytes);

struct json_value {
    /* The value's first token. */
    enum json_token type;
    /* The whole value, with its quotes or brackets; borrowed from the input. */
    const char *raw;
    size_t raw_bytes;
};

/* The value at `path` ("pull_request.labels[0].name"; an empty path is the whole). The first of
 * equal keys counts. True when it is there; JSON null is there, as JSON_NULL. */
bool json_find(const char *json, size_t bytes, const char *path, struct json_value *value);

/* An integer in the range of int64; false for anything else, fractions and exponents too. Not
 * named json_integer: Jansson has one, and a program that links both would call the wrong one. */
bool json_to_integer(const struct json_value *value, int64_t *number);

/* GitHub's times, "2016-07-11T22:14:10Z", as milliseconds since 1970; false for anything else. */
bool json_to_time(const struct json_value *value, int64_t *time_ms);

#endif
