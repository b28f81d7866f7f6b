/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Receives notifications of other hosts that they have queued runs, and counts runs meanwhile. */
#ifndef SNEK_INBOX_POSTGRES_LISTEN_H
#define SNEK_INBOX_POSTGRES_LISTEN_H

#include "inbox/postgres/query.h"

/* See inbox_listen(). */
void postgres_listen(struct store *store, void (*on_queued)(void *context), void *context);
/* Takes a count of the runs over: with many runs it takes so long that webhooks would wait for it.
 * See store_methods. */
bool postgres_take_over(struct store *store, struct inbox_operation *operation);
/* Takes NULL. Posts the count that is under way as failed. */
void postgres_listener_free(struct listener *listener);

#endif
