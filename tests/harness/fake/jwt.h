/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The app's JWTs: their keys, and their verification. */
#ifndef SNEK_HARNESS_FAKE_JWT_H
#define SNEK_HARNESS_FAKE_JWT_H

#include "fake/caller.h"

int jwt_read_key(const char *file, gnutls_pubkey_t *key, struct error *err);
/* Makes the caller CALLER_APP or CALLER_INVALID. */
void jwt_verify(const struct fake *fake, const char *jwt, struct caller *caller);

/* Makes an RSA key and accepts only it from now on. Returns the private key as PEM, the caller's;
 * NULL when that fails. */
char *jwt_make_key(struct fake *fake);

#endif
