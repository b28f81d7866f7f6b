/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The inbox: the store of deliveries, of their runs, and of the plugins' sets and keys. A store is
 * an SQLite file of one host, or a PostgreSQL database that many hosts share. Both keep the
 * contract of the headers in this folder, and one test suite (tests/contract) checks both.
 *
 * This header opens and closes a store. operation.h explains how to use it. */
#ifndef SNEK_INBOX_INBOX_H
#define SNEK_INBOX_INBOX_H

#include "base/error.h"
#include "inbox/operation.h"

#include <stdbool.h>
#include <stdint.h>

/* Opens or creates the store at `url`: sqlite:PATH, or postgres://... as libpq takes it (TLS is
 * required for a server that is not on this machine, unless the URL has an sslmode). Applies the
 * migrations, compares the schema with what this build expects, rejects unsafe settings. If a host
 * died while a run was running, the attempt counts. In an SQLite file, which one host uses, the run
 * is due again at once; in PostgreSQL it is due when its lease expires. When hosts die twice in a
 * row while a run runs, the run becomes a suspect, because it may be the cause; each further time
 * counts as a crash. Starts the writer. 0 and `*inbox`; or -1 and `err`, which names the problem
 * and the place but never a password. */
int inbox_open(const char *url, int64_t now_ms, struct inbox **inbox, struct error *err);

/* inbox_open() in two steps, for what needs an inbox before its store may be opened. Operations
 * that are submitted in between wait. inbox_start() does the second step, once. 0, or -1; then the
 * inbox is as before, for inbox_free(). */
int inbox_new(struct inbox **inbox, struct error *err);
int inbox_start(struct inbox *inbox, const char *url, int64_t now_ms, struct error *err);

/* Returns a store's URL without its password, for display. The caller frees it. NULL and `err` when
 * `url` is not valid. */
char *inbox_show_url(const char *url, struct error *err);

/* Opens a store for a tool. A running host may have the store open. The store must exist with
 * exactly this build's schema. Nothing is migrated, locked against others or recovered. Without
 * `write` only reads succeed. 0 and `*inbox`, or -1. */
int inbox_open_tool(const char *url, bool write, struct inbox **inbox, struct error *err);

/* Opens a store for many reads beside the host's own inbox, as inbox_open_tool() does without
 * `write`. PostgreSQL plans each statement once. */
int inbox_open_reader(const char *url, struct inbox **inbox, struct error *err);

/* Checks that inbox_open() would accept the store at `url`, and changes nothing. A host may have
 * the store open. A store that does not exist yet or needs a migration is accepted. 0, or -1 and
 * `err`. */
int inbox_check(const char *url, struct error *err);

/* From now until inbox_free(), the inbox calls `on_queued` on one of its threads when another host
 * has queued runs. It may miss some. Call this function at most once. */
void inbox_listen(struct inbox *inbox, void (*on_queued)(void *context), void *context);

/* True when the last transaction committed; for /readyz. Any thread. */
bool inbox_healthy(const struct inbox *inbox);

/* The part of the last second, in percent, in which the writer carried out groups with deliveries.
 * Any thread. */
unsigned inbox_ingest_percent(struct inbox *inbox);

/* Finishes the operations that were submitted (they fail if the store was never opened), stops the
 * writer, closes the store; takes NULL. No
 * thread may submit any more; results may still wait in the mailboxes. */
void inbox_free(struct inbox *inbox);

#endif
