/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host's own requests as the app (BROKER_APP): each is sent with a fresh JWT, and its response
 * is passed on. Plugins cannot send them: a request's kind selects them, never its URL, and only
 * the host's own code sets the kind.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_APP_CALL_H
#define SNEK_BROKER_APP_CALL_H

#include "broker/app_client.h"
#include "broker/broker.h"

struct app_call;
TAILQ_HEAD(app_calls, app_call); /* that are in progress */

/* Starts the request; its result goes to its mailbox, perhaps before this returns. */
void app_call_begin(const struct app_client *client, struct app_calls *calls,
                    struct broker_request *request);

/* Ends every call in progress with SNEK_E_CANCELLED. */
void app_calls_cancel_all(struct app_calls *calls);

#endif
