/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the store does for an operation, beside the time on the wall: processor time, and the pages
 * and rows that it reads. On a busy machine these say more than the time. */
#ifndef SNEK_TESTS_COST_H
#define SNEK_TESTS_COST_H

#include <stdint.h>

/* Sums since some beginning; subtract two of them. */
struct cost {
    /* Of this process, and of PostgreSQL's backends that serve it. */
    double own_cpu_ms, server_cpu_ms;
    /* Pages that the store looked at, and those of them that were not in its cache. */
    int64_t pages, missed;
    /* PostgreSQL: entries of indexes and rows that it read. SQLite: steps of its machine, some ten
     * a row. */
    int64_t rows;
};

/* Call it before the first SQLite connection is opened. cost_sqlite() is about the one that was
 * opened last, while no thread uses it. */
void cost_watch_sqlite(void);
struct cost cost_sqlite(void);

/* The processor time of the server's sessions of this database, except of the caller's own. They
 * have to be idle. */
struct cost cost_postgres_cpu(const char *url);
/* What the sessions read. It counts only those that have ended, so it waits for the end of all
 * others. */
struct cost cost_postgres_reads(const char *url);

#endif
