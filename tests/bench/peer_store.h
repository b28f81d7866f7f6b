/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One table of deliveries in SQLite or PostgreSQL, synced at each commit like the host's. Any error
 * ends the program. */
#ifndef SNEK_TESTS_BENCH_PEER_STORE_H
#define SNEK_TESTS_BENCH_PEER_STORE_H

#include <stdbool.h>
#include <stddef.h>

struct peer_row {
    const char *guid, *event;
    char *body;
    size_t bytes;
};

/* `url`: sqlite:PATH or a URL of PostgreSQL. Makes the table. */
struct peer_store *peer_store_open(const char *url);
void peer_store_begin(struct peer_store *store);
void peer_store_add(struct peer_store *store, const struct peer_row *row);
void peer_store_commit(struct peer_store *store);

#endif
