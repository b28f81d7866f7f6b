/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the app's keys and replies to requests for a JWT. Only this room includes it. One thread at
 * a time. */
#ifndef SNEK_SUPERVISOR_SIGNER_H
#define SNEK_SUPERVISOR_SIGNER_H

#include "config/config.h"
#include "supervisor/key.h"
#include "supervisor/messages.h"

/* The second key is NULL unless a rotation is under way. 0, or -1; call signer_free_keys() in
 * either case. */
int signer_read_keys(const struct config *config, struct app_key *keys[SUPERVISOR_KEYS_MAX],
                     struct error *err);
void signer_free_keys(struct app_key *keys[SUPERVISOR_KEYS_MAX]);

/* Sends the reply on `fd`. Logs a reply that cannot be sent. */
void signer_reply(struct app_key *const keys[SUPERVISOR_KEYS_MAX], const char *app_id,
                  const struct supervisor_message *message, int fd);

#endif
