/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Random tokens for cookies, forms and links, compared in constant time. Any thread. */
#ifndef SNEK_INGEST_TOKEN_H
#define SNEK_INGEST_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

/* 32 random bytes in base64url, and a NUL. */
#define HTTP_TOKEN_MAX 44

/* 0, or -1 without random bytes. */
int http_token_make(char token[HTTP_TOKEN_MAX]);

/* Is `given` this token? Only its length, which is no secret, decides how long it takes. */
bool http_token_is(const char token[HTTP_TOKEN_MAX], const char *given, size_t given_bytes);

/* The next value of the cookie `name` in `*cookies`, a header Cookie or NULL, which it moves past
 * the value; NULL: there is no other. A browser may send several with different paths. */
const char *http_cookie_next(const char **cookies, const char *name, size_t *bytes);

#endif
