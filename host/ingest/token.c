/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes, compares and finds tokens. */
#include "ingest/token.h"

#include <assert.h>
#include <nettle/base64.h>
#include <nettle/memops.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#define TOKEN_BYTES 32

static_assert(BASE64_ENCODE_RAW_LENGTH(TOKEN_BYTES) == HTTP_TOKEN_MAX,
              "the NUL takes the place of the padding");

int http_token_make(char token[HTTP_TOKEN_MAX]) {
    uint8_t bytes[TOKEN_BYTES];
    char text[BASE64_ENCODE_RAW_LENGTH(TOKEN_BYTES)];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        return -1;
    }
    base64_encode_raw(text, sizeof bytes, bytes);
    for (size_t i = 0; i < HTTP_TOKEN_MAX - 1; i++) {
        token[i] = text[i];
        if (text[i] == '+') {
            token[i] = '-';
        } else if (text[i] == '/') {
            token[i] = '_';
        }
    }
    token[HTTP_TOKEN_MAX - 1] = '\0';
    explicit_bzero(bytes, sizeof bytes);
    explicit_bzero(text, sizeof text);
    return 0;
}

bool http_token_is(const char token[HTTP_TOKEN_MAX], const char *given, size_t given_bytes) {
    return given_bytes == HTTP_TOKEN_MAX - 1 && memeql_sec(token, given, given_bytes);
}

const char *http_cookie_next(const char **cookies, const char *name, size_t *bytes) {
    size_t name_bytes = strlen(name);
    while (*cookies && **cookies) {
        const char *pair = *cookies + strspn(*cookies, "; ");
        size_t used = strcspn(pair, ";");
        *cookies = pair + used;
        while (used > 0 && pair[used - 1] == ' ') {
            used--;
        }
        if (used > name_bytes && pair[name_bytes] == '=' && memcmp(pair, name, name_bytes) == 0) {
            *bytes = used - name_bytes - 1;
            return pair + name_bytes + 1;
        }
    }
    return NULL;
}
