/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What an answer of GitHub's means: its outcome (enum snek_error) and one sentence for people. */
#ifndef SNEK_BROKER_ANSWER_H
#define SNEK_BROKER_ANSWER_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdint.h>

#define ANSWER_JSON_MAX (64u << 10) /* a larger body is not looked into for a message */
#define ANSWER_URL_SHOWN 200        /* bytes of a URL or path in a sentence */

/* 0 for a 2xx, else a negative enum snek_error with the sentence
 * "METHOD PATH answered STATUS: GitHub's message (field: code; ...)". */
int32_t answer_judge(const char *method, const char *path, int32_t status,
                     const struct buffer *headers, const struct buffer *body, struct error *err);

/* An answer of GraphQL's, whose errors come with a 200: likewise. */
int32_t answer_judge_graphql(const struct buffer *body, struct error *err);

/* The first header of that name (lower case) in "name: value\n" lines: its value, borrowed, not
 * terminated, and its length; NULL when absent. */
const char *answer_header(const struct buffer *headers, const char *name, size_t *bytes);

#endif
