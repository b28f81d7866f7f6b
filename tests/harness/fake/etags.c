/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Conditional requests: an answer's ETag is a token's own, as at GitHub, and what has not changed
 * is a 304 that costs nothing. */
#include "fake/internal.h"

#include <nettle/sha2.h>
#include <string.h>

#define TAG_BYTES (2 * SHA256_DIGEST_SIZE + 5) /* W/"...", and the end */

static void hash_text(struct sha256_ctx *hash, const char *text) {
    sha256_update(hash, strlen(text) + 1, (const uint8_t *)text);
}

static void make_tag(const struct call *call, char tag[TAG_BYTES]) {
    struct sha256_ctx hash;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char *body = json_dumps(call->answer, JSON_COMPACT);
    const char *link = text_of(call->headers, "Link");
    sha256_init(&hash);
    sha256_update(&hash, sizeof call->caller.token, (const uint8_t *)&call->caller.token);
    hash_text(&hash, body ? body : "");
    hash_text(&hash, link ? link : "");
    sha256_digest(&hash, sizeof digest, digest);
    free(body);
    (void)strcpy(tag, "W/\"");
    for (size_t i = 0; i < sizeof digest; i++) {
        (void)snprintf(tag + 3 + 2 * i, 3, "%02x", digest[i]);
    }
    (void)strcat(tag, "\"");
}

/* Weakly compared (RFC 9110, 13.1.2): what is in the quotes counts. */
static bool is_among(const char *list, const char *tag) {
    return strcmp(list, "*") == 0 || strstr(list, tag + 2);
}

bool answer_has_not_changed(struct call *call) {
    bool reads = strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0;
    const char *known = MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND,
                                                    MHD_HTTP_HEADER_IF_NONE_MATCH);
    char tag[TAG_BYTES];
    if (!reads || call->status != 200 || !call->answer) {
        return false;
    }
    make_tag(call, tag);
    bool same = known && is_among(known, tag);
    if (same) {
        answer_empty(call, 304);
    }
    answer_header(call, "ETag", tag);
    answer_header(call, "Cache-Control", "private, max-age=60, s-maxage=60");
    answer_header(call, "Vary", "Accept, Authorization, Cookie, X-GitHub-OTP");
    return same;
}
