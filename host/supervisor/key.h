/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The app's private key and the JWT that it signs. One thread at a time uses a key. */
#ifndef SNEK_SUPERVISOR_KEY_H
#define SNEK_SUPERVISOR_KEY_H

#include "base/error.h"
#include "base/secret.h"

#include <stdint.h>

struct app_key;

/* Reads PEM (PKCS#1 or PKCS#8), PEM with literal \n, or base64 of a PEM. The key must be RSA of at
 * least 2048 bits. 0 and `*key`, or -1 and an error that holds no byte of the key. */
int app_key_parse(const struct secret *text, struct app_key **key, struct error *err);
void app_key_free(struct app_key *key); /* takes NULL; wipes */

/* Makes a JWT for the app: RS256, iat 60 s back, exp 8 min after `now_s` (GitHub allows 10 min:
 * docs.github.com "Generating a JSON Web Token (JWT) for a GitHub App"), iss `app_id`. The caller
 * overwrites and frees `*jwt`. */
int app_key_sign_jwt(struct app_key *key, const char *app_id, int64_t now_s, char **jwt,
                     struct error *err);

#endif
