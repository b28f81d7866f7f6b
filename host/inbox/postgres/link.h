/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Talks with a PostgreSQL server that may be slow, stopped or gone: no wait is longer than it was
 * allowed to be. No error says anything of a URL but host, port, user and database.
 *
 * Threads: none of its own; a connection is used by one thread. */
#ifndef SNEK_INBOX_POSTGRES_LINK_H
#define SNEK_INBOX_POSTGRES_LINK_H

#include "base/error.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/* So long a server that owes us an answer may keep silent. Together with what a new connection may
 * take (postgres.c) it stays under the 5 s within which ingest is to say 503. */
#define LINK_SILENCE_MS 3000

/* Where a URL leads, and how. */
struct link_target {
    PQconninfoOption *options; /* ours */
    char *shown;               /* postgres://HOST:PORT/DATABASE; ours */
};

/* 0, or -1 with what is wrong (not with the URL, which may hold a password). */
int link_target_init(struct link_target *target, const char *url, struct error *err);
/* Wipes; takes an empty one. */
void link_target_finish(struct link_target *target);

/* Begins to connect; NULL when memory is short. PQfinish() ends it. */
PGconn *link_begin(const struct link_target *target);
/* Waits until the connection is made, at most until `until_ms` (monotonic). 0 it is; 1 not yet; -1
 * it cannot be. */
int link_continue(PGconn *connection, int64_t until_ms, struct error *err);

/* Has the server closed this idle connection? Waits for nothing. */
bool link_is_closed(PGconn *connection);

/* Sends what waits, until PQgetResult() would not block. 0, or -1 when the server was silent for
 * LINK_SILENCE_MS or the connection is lost. */
int link_wait(PGconn *connection, struct error *err);
int link_wait_for(PGconn *connection, int64_t silence_ms, struct error *err);

/* Runs one or more statements outside of the pipeline; the last one's result. 0, or -1 with "WHAT:
 * why". */
int link_run(PGconn *connection, const char *sql, int64_t silence_ms, PGresult **result,
             struct error *err, const char *what);

/* Is the reason of a failed connection one that may pass, such as a server that is starting? */
bool link_may_come(const char *reason);

/* Both set `err` to "WHAT: why"; -1. */
int link_lost(PGconn *connection, struct error *err, const char *what);
int link_rejected(const PGresult *result, struct error *err, const char *what);

#endif
