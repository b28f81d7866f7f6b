/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Each round's salt is the result of the round before it. */
#include "config/webhook_fingerprint.h"

#include <assert.h>
#include <nettle/base16.h>
#include <nettle/pbkdf2.h>
#include <nettle/sha2.h>
#include <string.h>

#define ROUNDS 60
#define ITERATIONS_A_ROUND 10000

static_assert(WEBHOOK_FINGERPRINT_BYTES == SHA256_DIGEST_SIZE, "one block of PBKDF2");

void webhook_fingerprint_begin(struct webhook_fingerprint *fingerprint, const char *salt) {
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, strlen(salt), (const uint8_t *)salt);
    sha256_digest(&sha, sizeof fingerprint->digest, fingerprint->digest);
    fingerprint->rounds = 0;
}

bool webhook_fingerprint_step(struct webhook_fingerprint *fingerprint,
                              const struct secret *secret) {
    uint8_t salt[WEBHOOK_FINGERPRINT_BYTES];
    assert(fingerprint->rounds < ROUNDS);
    memcpy(salt, fingerprint->digest, sizeof salt);
    pbkdf2_hmac_sha256(secret->bytes, (const uint8_t *)secret->data, ITERATIONS_A_ROUND,
                       sizeof salt, salt, sizeof fingerprint->digest, fingerprint->digest);
    return ++fingerprint->rounds == ROUNDS;
}

void webhook_fingerprint_text(const struct webhook_fingerprint *fingerprint,
                              char text[WEBHOOK_FINGERPRINT_TEXT_MAX]) {
    assert(fingerprint->rounds == ROUNDS);
    base16_encode_update(text, sizeof fingerprint->digest, fingerprint->digest);
    text[WEBHOOK_FINGERPRINT_TEXT_MAX - 1] = '\0';
}
