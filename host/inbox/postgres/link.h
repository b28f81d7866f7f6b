/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Connects to a PostgreSQL server that may be slow, stopped or gone. Every wait has a time limit.
 * An error shows only the host, port, user and database of a URL.
 *
 * Threads: it starts none. One thread uses a connection. */
#ifndef SNEK_INBOX_POSTGRES_LINK_H
#define SNEK_INBOX_POSTGRES_LINK_H

#include "base/error.h"
#include "inbox/postgres/resolve.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/* How long the host waits for a response of the server. This time plus the time for a new
 * connection (CONNECT_PATIENCE_MS in store.c) is less than the 5 s within which ingest responds
 * with 503. */
#define LINK_SILENCE_MS 3000

/* The parsed URL of a store. */
struct link_target {
    PQconninfoOption *options; /* ours */
    char *shown;               /* postgres://HOST:PORT/DATABASE; ours */
};

/* 0, or -1 and `err`, which never has the URL, because the URL may hold a password. */
int link_target_init(struct link_target *target, const char *url, struct error *err);
/* Overwrites the secrets and frees. An empty target is allowed. */
void link_target_finish(struct link_target *target);

/* True when the host is a name that link_resolve() must resolve before link_begin(). */
bool link_has_name(const struct link_target *target);
/* Starts to resolve it. NULL when memory is short. */
struct resolution *link_resolve(const struct link_target *target);
/* Begins to connect. `resolved` is NULL when the host is no name. NULL when memory is short. The
 * caller ends the connection with PQfinish(). */
PGconn *link_begin(const struct link_target *target, const struct resolved *resolved);
/* Waits until the connection is made, at most until `until_ms` (monotonic clock). 0: connected; 1:
 * not yet; -1: failed, with `err`. */
int link_continue(PGconn *connection, int64_t until_ms, struct error *err);

/* True when the server has closed this idle connection. Does not wait. */
bool link_is_closed(PGconn *connection);

/* Sends the queued data and waits until PQgetResult() would not block. 0, or -1 when the server was
 * silent for LINK_SILENCE_MS or the connection is lost. */
int link_wait(PGconn *connection, struct error *err);
int link_wait_for(PGconn *connection, int64_t silence_ms, struct error *err);

/* Runs one or more statements outside of the pipeline; the last one's result. 0, or -1 with "WHAT:
 * why". */
int link_run(PGconn *connection, const char *sql, int64_t silence_ms, PGresult **result,
             struct error *err, const char *what);

/* True when the reason for a failed connection may be temporary, for example because the server is
 * starting. */
bool link_is_temporary(const char *reason);

/* Both set `err` to "WHAT: why"; -1. */
int link_lost(PGconn *connection, struct error *err, const char *what);
int link_rejected(const PGresult *result, struct error *err, const char *what);

#endif
