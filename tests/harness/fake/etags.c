/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Conditional requests. As at GitHub, an ETag belongs to one token, and an unchanged response is a
 * 304 that counts against no limit. */
#include "fake/etags.h"

#include "fake/response.h"
#include "fake/state.h"
#include "fake/tokens.h"

#include <nettle/sha2.h>
#include <string.h>

#define TAG_BYTES (2 * SHA256_DIGEST_SIZE + 5) /* W/"...", and the end */

static void hash_text(struct sha256_ctx *hash, const char *text) {
    sha256_update(hash, strlen(text) + 1, (const uint8_t *)text);
}

static void make_tag(const struct http_exchange *exchange, char tag[TAG_BYTES]) {
    struct sha256_ctx hash;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char *body = json_dumps(exchange->response, JSON_COMPACT);
    const char *link = text_of(exchange->headers, "Link");
    sha256_init(&hash);
    sha256_update(&hash, sizeof exchange->caller.token, (const uint8_t *)&exchange->caller.token);
    hash_text(&hash, body ? body : "");
    hash_text(&hash, link ? link : "");
    sha256_digest(&hash, sizeof digest, digest);
    free(body);
    strcpy(tag, "W/\"");
    for (size_t i = 0; i < sizeof digest; i++) {
        snprintf(tag + 3 + 2 * i, 3, "%02x", digest[i]);
    }
    strcat(tag, "\"");
}

/* Weak comparison (RFC 9110, 13.1.2): only the text in the quotes counts. */
static bool is_among(const char *list, const char *tag) {
    return strcmp(list, "*") == 0 || strstr(list, tag + 2);
}

bool response_is_unchanged(struct http_exchange *exchange) {
    bool reads = strcmp(exchange->method, "GET") == 0 || strcmp(exchange->method, "HEAD") == 0;
    const char *known = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND,
                                                    MHD_HTTP_HEADER_IF_NONE_MATCH);
    char tag[TAG_BYTES];
    if (!reads || exchange->status != 200 || !exchange->response) {
        return false;
    }
    make_tag(exchange, tag);
    bool same = known && is_among(known, tag);
    if (same) {
        respond_empty(exchange, 304);
    }
    response_header(exchange, "ETag", tag);
    response_header(exchange, "Cache-Control", "private, max-age=60, s-maxage=60");
    response_header(exchange, "Vary", "Accept, Authorization, Cookie, X-GitHub-OTP");
    return same;
}
