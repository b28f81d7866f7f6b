/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Parses and verifies the HMAC signature of a delivery. */
#include "ingest/signature.h"

#include <string.h>

#include <nettle/hmac.h>
#include <nettle/memops.h>

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t digest_bytes(enum signature_kind kind) {
    return kind == SIGNATURE_SHA256 ? SHA256_DIGEST_SIZE : SHA1_DIGEST_SIZE;
}

int signature_parse(enum signature_kind kind, const char *value, size_t bytes,
                    struct signature *signature) {
    const char *prefix = kind == SIGNATURE_SHA256 ? "sha256=" : "sha1=";
    size_t prefix_bytes = strlen(prefix), n = digest_bytes(kind);
    struct signature parsed = {.kind = kind};
    if (bytes != prefix_bytes + 2 * n || memcmp(value, prefix, prefix_bytes) != 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(value[prefix_bytes + 2 * i]);
        int low = hex_digit(value[prefix_bytes + 2 * i + 1]);
        if (high < 0 || low < 0) {
            return -1;
        }
        parsed.digest[i] = (uint8_t)(high << 4 | low);
    }
    *signature = parsed;
    return 0;
}

static void make_digest(enum signature_kind kind, const struct secret *secret, const void *body,
                        size_t body_bytes, uint8_t digest[SIGNATURE_DIGEST_MAX]) {
    union {
        struct hmac_sha256_ctx sha256;
        struct hmac_sha1_ctx sha1;
    } hmac;
    const uint8_t *key = (const uint8_t *)secret->data;
    if (kind == SIGNATURE_SHA256) {
        hmac_sha256_set_key(&hmac.sha256, secret->bytes, key);
        hmac_sha256_update(&hmac.sha256, body_bytes, body);
        hmac_sha256_digest(&hmac.sha256, SHA256_DIGEST_SIZE, digest);
    } else {
        hmac_sha1_set_key(&hmac.sha1, secret->bytes, key);
        hmac_sha1_update(&hmac.sha1, body_bytes, body);
        hmac_sha1_digest(&hmac.sha1, SHA1_DIGEST_SIZE, digest);
    }
    /* Its state is derived from the secret and could sign other bodies. */
    explicit_bzero(&hmac, sizeof hmac);
}

bool signature_verify(const struct signature *signature, const void *body, size_t body_bytes,
                      const struct secret *secrets, size_t n_secrets) {
    int matches = 0;
    for (size_t i = 0; i < n_secrets; i++) {
        uint8_t digest[SIGNATURE_DIGEST_MAX];
        /* Skip an unset secret: anybody can sign with an empty one. */
        if (secrets[i].bytes > 0) {
            make_digest(signature->kind, &secrets[i], body, body_bytes, digest);
            matches |= memeql_sec(digest, signature->digest, digest_bytes(signature->kind));
        }
    }
    return matches != 0;
}
