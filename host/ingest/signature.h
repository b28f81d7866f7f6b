/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* GitHub's signature of a delivery: an HMAC over the raw bytes of the body, in a header.
 * https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries */
#ifndef SNEK_INGEST_SIGNATURE_H
#define SNEK_INGEST_SIGNATURE_H

#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGNATURE_DIGEST_MAX 32

enum signature_kind {
    /* X-Hub-Signature-256: "sha256=" and 64 hex digits */
    SIGNATURE_SHA256,
    /* X-Hub-Signature: "sha1=" and 40; only for senders that cannot send SHA-256. */
    SIGNATURE_SHA1,
};

struct signature {
    enum signature_kind kind;
    uint8_t digest[SIGNATURE_DIGEST_MAX];
};

/* Parses the header's value. Returns 0, or -1 unless it is exactly the prefix and the digits. */
int signature_parse(enum signature_kind kind, const char *value, size_t bytes,
                    struct signature *signature);

/* Does one of the secrets verify the signature? Tries all secrets and compares each in constant
 * time, so that the time reveals neither a byte nor which secret matched. An empty secret never
 * matches. */
bool signature_verify(const struct signature *signature, const void *body, size_t body_bytes,
                      const struct secret *secrets, size_t n_secrets);

#endif
