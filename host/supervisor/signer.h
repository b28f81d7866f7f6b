/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The app's keys, and the answers to the question for a JWT. Inside of this room only. Any one
 * thread. */
#ifndef SNEK_SUPERVISOR_SIGNER_H
#define SNEK_SUPERVISOR_SIGNER_H

#include "config/config.h"
#include "supervisor/key.h"
#include "supervisor/messages.h"

/* The second one, during a rotation, may be NULL. 0, or -1; signer_free_keys() in either case. */
int signer_read_keys(const struct config *config, struct app_key *keys[SUPERVISOR_KEYS_MAX],
                     struct error *err);
void signer_free_keys(struct app_key *keys[SUPERVISOR_KEYS_MAX]);

/* Answers on `fd`; logs what cannot be sent. */
void signer_answer(struct app_key *const keys[SUPERVISOR_KEYS_MAX], const char *app_id,
                   const struct supervisor_message *question, int fd);

#endif
