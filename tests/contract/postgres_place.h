/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A PostgreSQL server of the test program's own, with a schema for each test. */
#ifndef SNEK_TESTS_POSTGRES_PLACE_H
#define SNEK_TESTS_POSTGRES_PLACE_H

#include "inbox_contract.h"

#include <stdint.h>
#include <sys/types.h>

/* tests/postgres/server.py's. */
#define PASSWORD "pg-s3cret-word"

struct server {
    pid_t helper;
    /* Its end ends the server. */
    int input;
    int port;
    pid_t postmaster;
};

/* The program's server. */
extern struct server server;

/* `settings` are postgresql.conf's, and end with NULL. */
void start_server(struct server *started, char *const settings[]);
void stop_server(struct server *stopped);
int set_up_server(void **state);
int tear_down_server(void **state);

/* The `place` of a fixture. */
struct place {
    char schema[32], url[256];
};

void url_of(char url[256], int port, const char *schema);
/* The first column of the first row, on a connection of its own. */
int64_t query_at(const char *url, const char *sql);
int64_t query(void *place, const char *sql);

/* Make and remove a place: see contract_store. */
void *make(void);
void remove_place(void *place);

extern const struct contract_store postgres;

#endif
