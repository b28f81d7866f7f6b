/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A session with the server: connected without waiting longer than allowed, its settings checked
 * and set, its statements prepared. */
#ifndef SNEK_INBOX_POSTGRES_SESSION_H
#define SNEK_INBOX_POSTGRES_SESSION_H

#include "inbox/postgres/query.h"

/* The settings of a host's session, as statements. */
extern const char postgres_settings[];

/* Continues to connect, at most until `until_ms`. 0: connected; -1: not (yet), and why. */
int postgres_connect(struct postgres_store *store, int64_t until_ms, struct error *err);
void postgres_disconnect(struct postgres_store *store);
/* Prepares the statements. 0, -1. */
int postgres_prepare(struct postgres_store *store, struct error *err);

#endif
