/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts the server of the contract tests, and makes the places of their stores. */
#include "postgres_place.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct server server;

void start_server(struct server *started, char *const settings[]) {
    int in[2], out[2];
    char *argv[8] = {(char *)(uintptr_t) "python3", (char *)(uintptr_t)POSTGRES_SERVER};
    for (size_t i = 0; settings && settings[i]; i++) {
        argv[2 + i] = settings[i];
    }
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    started->helper = fork();
    assert_true(started->helper >= 0);
    if (started->helper == 0) {
        (void)dup2(in[0], 0);
        (void)dup2(out[1], 1);
        (void)execvp(argv[0], argv);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    started->input = in[1];
    AUTO_FILE FILE *answer = fdopen(out[0], "r");
    int postmaster = 0;
    if (fscanf(answer, "%d %d", &started->port, &postmaster) != 2) {
        fail_msg("no PostgreSQL server could be started; see standard error");
    }
    started->postmaster = postmaster;
}

void stop_server(struct server *stopped) {
    (void)close(stopped->input);
    (void)waitpid(stopped->helper, NULL, 0);
}

int set_up_server(void **state) {
    (void)state;
    /* Found long before the host's own lock_timeout, on a slow machine too. */
    static char setting[] = "deadlock_timeout=50";
    char *const settings[] = {setting, NULL};
    start_server(&server, settings);
    return 0;
}

int tear_down_server(void **state) {
    (void)state;
    stop_server(&server);
    return 0;
}

void url_of(char url[256], int port, const char *schema) {
    (void)snprintf(url, 256,
                   "postgres://snek:" PASSWORD "@127.0.0.1:%d/postgres?options=-csearch_path%%3D%s",
                   port, schema);
}

int64_t query_at(const char *url, const char *sql) {
    PGconn *connection = PQconnectdb(url);
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    }
    int64_t number = PQntuples(result) > 0 ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    PQclear(result);
    PQfinish(connection);
    return number;
}

int64_t query(void *data, const char *sql) {
    return query_at(((struct place *)data)->url, sql);
}

void *make(void) {
    static unsigned count;
    char sql[96];
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    (void)snprintf(place->schema, sizeof place->schema, "place_%u", ++count);
    url_of(place->url, server.port, place->schema);
    (void)snprintf(sql, sizeof sql, "CREATE SCHEMA %s", place->schema);
    (void)query(place, sql);
    return place;
}

void remove_place(void *data) {
    char sql[96];
    struct place *place = data;
    (void)snprintf(sql, sizeof sql, "SET client_min_messages = error; DROP SCHEMA %s CASCADE",
                   place->schema);
    (void)query(place, sql);
    free(place);
}

static int open_place(void *data, int64_t now_ms, struct inbox **inbox, struct error *err) {
    return inbox_open(((struct place *)data)->url, now_ms, inbox, err);
}

static void poison(void *data, const char *text) {
    static const char *const events[] = {"INSERT ON deliveries", "UPDATE ON journal"};
    static const char *const columns[] = {"guid", "message"};
    for (size_t i = 0; i < 2; i++) {
        char sql[512];
        (void)snprintf(
            sql, sizeof sql,
            "CREATE FUNCTION reject%zu() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.%s = '%s' THEN RAISE EXCEPTION 'poisoned'; END IF; RETURN NEW; END $$;"
            "CREATE TRIGGER poison BEFORE %s FOR EACH ROW EXECUTE FUNCTION reject%zu()",
            i, columns[i], text, events[i], i);
        (void)query(data, sql);
    }
}

const struct contract_store postgres = {
    .make = make, .remove = remove_place, .open = open_place, .query = query, .poison = poison};
