/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Answers the question for a JWT. Inside of this room only. Any one thread. */
#ifndef SNEK_SUPERVISOR_SIGNER_H
#define SNEK_SUPERVISOR_SIGNER_H

#include "supervisor/supervisor.h"

/* Answers on `fd`; logs what cannot be sent. */
void signer_answer(struct app_key *key, const char *app_id,
                   const struct supervisor_question *question, int fd);

#endif
