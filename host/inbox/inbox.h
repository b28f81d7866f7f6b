/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The inbox: the store of deliveries, of their runs, and of the plugins' sets and keys. A store is
 * an SQLite file of one host, or a PostgreSQL database that many hosts share. Both keep the
 * contract of the headers in this folder, and one test suite (tests/contract) checks both.
 *
 * This header opens and closes a store. operation.h tells how to use it. */
#ifndef SNEK_INBOX_INBOX_H
#define SNEK_INBOX_INBOX_H

#include "base/error.h"
#include "inbox/operation.h"

#include <stdbool.h>
#include <stdint.h>

/* Opens or creates the store at `url`: sqlite:PATH, or postgres://... as libpq takes it (TLS is
 * required for a server that is not on this machine, unless the URL has an sslmode). Applies the
 * migrations, compares the schema with what this build expects, rejects unsafe settings. In an
 * SQLite file, which is one host's, runs that a dead host left running are due again at once, with
 * their attempt counted; in PostgreSQL when their lease expires. A run that was left twice in a row
 * is a suspect from then on, and each further time counts as a crash: it may be what kills the
 * host. Starts the writer. 0 and `*inbox`; or -1 with what is wrong and where, never with a
 * password. */
int inbox_open(const char *url, int64_t now_ms, struct inbox **inbox, struct error *err);

/* A store's URL without its password, to show it; the caller's to free. NULL and `err` when it is
 * not such a URL. */
char *inbox_show_url(const char *url, struct error *err);

/* Opens a store that a running host may have open, as a tool does. The store must exist with
 * exactly this build's schema. Nothing is migrated, locked against others or recovered. Without
 * `write` only reads succeed. 0 and `*inbox`, or -1. */
int inbox_open_tool(const char *url, bool write, struct inbox **inbox, struct error *err);

/* Would inbox_open() take the store at `url`? Changes nothing, also while a host has it open. A
 * store that does not exist yet, or has to be migrated first, is fine. 0, or -1 with what is
 * wrong. */
int inbox_check(const char *url, struct error *err);

/* From now on, until inbox_free(), `on_queued` is called when another host has queued runs: on a
 * thread of the inbox, and not necessarily each time. Once. */
void inbox_listen(struct inbox *inbox, void (*on_queued)(void *context), void *context);

/* Whether the last transaction committed; for /readyz. Any thread. */
bool inbox_healthy(const struct inbox *inbox);

/* Finishes the operations that were submitted, stops the writer, closes the store; takes NULL.
 * Nobody may submit any more; results may still wait in the mailboxes. */
void inbox_free(struct inbox *inbox);

#endif
