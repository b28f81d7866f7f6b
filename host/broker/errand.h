/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the host itself asks GitHub as the app (BROKER_APP): sent with a fresh JWT, answered, and
 * nothing more. Plugins have no way here: it is not chosen by a URL, but by the kind that only the
 * host's own code submits.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_ERRAND_H
#define SNEK_BROKER_ERRAND_H

#include "broker/app.h"
#include "broker/broker.h"

struct errand;
TAILQ_HEAD(errands, errand); /* that are under way */

/* Takes the request on; it is answered into its mailbox, perhaps before this returns. */
void errand_begin(const struct app_way *way, struct errands *errands,
                  struct broker_request *request);

/* Answers every one that is under way SNEK_E_CANCELLED. */
void errands_cancel_all(struct errands *errands);

#endif
