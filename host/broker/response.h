/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Judges a response of GitHub's: its outcome (enum snek_error) and one sentence for people. */
#ifndef SNEK_BROKER_RESPONSE_H
#define SNEK_BROKER_RESPONSE_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* A larger body is not searched for a message. */
#define RESPONSE_JSON_MAX (64u << 10)
/* Bytes of GitHub's message, and of each of its errors, in a sentence. */
#define RESPONSE_MESSAGE_SHOWN 300
/* Bytes of a sentence; it fits struct error with the text that callers put in front. */
#define RESPONSE_SENTENCE_MAX 900

/* 0 for a 2xx, else a negative enum snek_error with the sentence
 * "METHOD PATH answered STATUS: GitHub's message (field: code; ...)". */
int32_t response_judge(const char *method, const char *path, int32_t status,
                       const struct buffer *headers, const struct buffer *body, struct error *err);

/* The end of a sentence about a response that GitHub's API cannot have given. */
#define RESPONSE_UNREADABLE                                                                        \
    " without GitHub's JSON: check github.api_url (https://api.github.com; an Enterprise "         \
    "server's "                                                                                    \
    "ends with /api/v3), and that no proxy or sign-in page answers in its place"

/* Can GitHub's API have given this body of an error: a JSON object, or nothing? */
bool response_is_readable(const struct buffer *body);

/* The `message` of GitHub's JSON, cleaned for a sentence. False when there is none. */
bool response_message(const struct buffer *body, char *out, size_t room);

/* The first header of that name (lower case) in "name: value\n" lines: its value, borrowed, not
 * terminated, and its length; NULL when absent. */
const char *response_header(const struct buffer *headers, const char *name, size_t *bytes);

/* The string at `path` of a JSON text, cleaned for a sentence. False when it is absent, no string,
 * or empty. */
bool response_find_text(const char *json, size_t bytes, const char *path, char *out, size_t room);

/* Appends " (error; error)", from the `errors` of GitHub's JSON, when there are any. */
void response_describe_errors(const struct buffer *body, struct buffer *out);

#endif
