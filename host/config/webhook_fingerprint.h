/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A fingerprint of a webhook secret, which shows whether two hosts have the same one. It is slow to
 * make (600,000 iterations of PBKDF2 with HMAC-SHA256), because a secret that a person invented may
 * be guessed by whoever reads the store. It is made in rounds of some milliseconds, so that no loop
 * stands still. Any thread. */
#ifndef SNEK_CONFIG_WEBHOOK_FINGERPRINT_H
#define SNEK_CONFIG_WEBHOOK_FINGERPRINT_H

#include "base/secret.h"

#include <stdbool.h>
#include <stdint.h>

#define WEBHOOK_FINGERPRINT_BYTES 32
/* Hexadecimal digits and NUL. */
#define WEBHOOK_FINGERPRINT_TEXT_MAX (2 * WEBHOOK_FINGERPRINT_BYTES + 1)

struct webhook_fingerprint {
    uint8_t digest[WEBHOOK_FINGERPRINT_BYTES];
    unsigned rounds;
};

/* `salt` is a text. */
void webhook_fingerprint_begin(struct webhook_fingerprint *fingerprint, const char *salt);
/* Makes one more round of the secret, the same each time. True: that was the last one. */
bool webhook_fingerprint_step(struct webhook_fingerprint *fingerprint, const struct secret *secret);
void webhook_fingerprint_text(const struct webhook_fingerprint *fingerprint,
                              char text[WEBHOOK_FINGERPRINT_TEXT_MAX]);

#endif
