/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Receives notifications of other hosts that they have queued runs. */
#ifndef SNEK_INBOX_POSTGRES_LISTEN_H
#define SNEK_INBOX_POSTGRES_LISTEN_H

#include "inbox/postgres/query.h"

/* See inbox_listen(). */
void postgres_listen(struct store *store, void (*on_queued)(void *context), void *context);
/* Takes NULL. */
void postgres_listener_free(struct listener *listener);

#endif
