/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Explains the PostgreSQL store's statements: they find rows by the intended indexes, in sessions
 * with the host's own settings. */
#include "postgres_plans.h"

#include "postgres_place.h"

#include "base/array.h"
#include "base/buffer.h"
#include "inbox/console.h"
#include "inbox/postgres/session.h"
#include "inbox/postgres/statements.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Explains a statement with the plan that does not depend on its parameters. */
static void expect_plan(PGconn *connection, enum postgres_sql sql, const char *parameters,
                        const char *index) {
    struct buffer text = BUFFER_INIT(65536), plan = BUFFER_INIT(65536);
    assert_int_equal(buffer_printf(&text, "DEALLOCATE ALL; PREPARE q AS %s; EXPLAIN EXECUTE q%s",
                                   postgres_statements[sql], parameters),
                     0);
    PGresult *result = PQexec(connection, text.data);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        fail_msg("%s", PQerrorMessage(connection));
    }
    for (int row = 0; row < PQntuples(result); row++) {
        assert_int_equal(buffer_append_text(&plan, PQgetvalue(result, row, 0)), 0);
        assert_int_equal(buffer_append_text(&plan, "\n"), 0);
    }
    PQclear(result);
    bool whole = strstr(plan.data, "Seq Scan on runs") ||
                 strstr(plan.data, "runs_delivery_plugin_key") ||
                 strstr(plan.data, "'queued'::text) AND (installation =");
    if (whole || !strstr(plan.data, index)) {
        fail_msg("not by %s:\n%s", index, plan.data);
    }
    buffer_finish(&text);
    buffer_finish(&plan);
}

static void due_runs_are_found_by_their_indexes_with_statistics_and_without(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        enum postgres_sql sql;
        const char *parameters, *index;
    } cases[] = {
        {PG_SQL_RUNS_DUE, "('invite', 1900000000000, true, 32, 16000000, '5', 7, 0)", "runs_turn"},
        {PG_SQL_RUNS_NEXT_DUE, "(E'invite\nping', '{0,0}')", "runs_due"},
        {PG_SQL_STATS, "('invite')", "Index Only Scan using runs_due"},
        {PG_SQL_STATS, "('invite')", "Index Only Scan using runs_waiting"},
        {PG_SQL_LIST_COUNT_QUEUED, "", "runs_turn"},
        {PG_SQL_LIST_COUNT_HELD, "", "runs_turn"},
        {PG_SQL_LIST_COUNT_HELD, "", "runs_held"},
        {PG_SQL_LIST_QUEUED, "(9, 9, 0, NULL, NULL, 'queued')", "Scan using runs_pkey"},
        {PG_SQL_LIST_HELD, "(9, 9, 0, NULL, NULL, 'held')", "Scan using runs_pkey"},
        {PG_SQL_RUNS_RECLAIM, "(1, 2, '{1,2}')", "runs_leased"},
        {PG_SQL_RUNS_TAKE, "(1, 30000, 2, '{1,2}')", "runs_pkey"},
        {PG_SQL_RUNS_END, "('{1,2}', '{3,4}', '{5,6}', 'done')", "runs_pkey"},
        {PG_SQL_RATE_LIMIT_DELAY, "(1, '7', 500)", "runs_turn"},
        {PG_SQL_RUNS_UNPARK, "(1, '7', 'guid')", "runs_parked"},
        {PG_SQL_INSTALLATIONS_LIMITED, "(1)", "(suspect = (false)) AND (installation = "},
    };
    (void)query(fixture->place,
                "INSERT INTO deliveries (guid, event, action, installation, repository, sender,"
                " item, received_ms, body_codec, body_bytes) SELECT i::text, 'push', '', '7', '',"
                " '', '', i, 0, 0 FROM generate_series(1, 5000) AS i");
    (void)query(
        fixture->place,
        "INSERT INTO runs (delivery, plugin, installation, state, due_ms) SELECT id,"
        " 'invite', (id % 30)::text, CASE WHEN id % 20 = 0 THEN 'queued' ELSE 'done' END, id FROM"
        " deliveries");
    PGconn *connection = PQconnectdb(((struct place *)fixture->place)->url);
    PQclear(PQexec(connection, postgres_settings));
    for (int analyzed = 0; analyzed < 2; analyzed++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            expect_plan(connection, cases[i].sql, cases[i].parameters, cases[i].index);
        }
        PQclear(PQexec(connection, "ANALYZE"));
    }
    PQfinish(connection);
}

/* The pages that the statement reads, by EXPLAIN's first line about buffers. */
static long pages_of(PGconn *connection, enum postgres_sql sql, const char *parameters) {
    struct buffer text = BUFFER_INIT(65536);
    long hit = 0, from_disk = 0;
    assert_int_equal(buffer_printf(&text,
                                   "DEALLOCATE ALL; PREPARE q AS %s; EXPLAIN (ANALYZE, BUFFERS,"
                                   " TIMING OFF) EXECUTE q%s",
                                   postgres_statements[sql], parameters),
                     0);
    PGresult *result = PQexec(connection, text.data);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        fail_msg("%s", PQerrorMessage(connection));
    }
    for (int row = 0; row < PQntuples(result); row++) {
        const char *buffers = strstr(PQgetvalue(result, row, 0), "Buffers: shared");
        if (buffers) {
            const char *disk = strstr(buffers, "read=");
            const char *cached = strstr(buffers, "hit=");
            hit = cached ? strtol(cached + strlen("hit="), NULL, 10) : 0;
            from_disk = disk ? strtol(disk + strlen("read="), NULL, 10) : 0;
            break;
        }
    }
    assert_true(hit + from_disk > 0);
    PQclear(result);
    buffer_finish(&text);
    return hit + from_disk;
}

/* For at most 130 rows, by an index. */
static void expect_few_pages(PGconn *connection, enum postgres_sql sql, const char *parameters) {
    long pages = pages_of(connection, sql, parameters);
    if (pages > 800) {
        fail_msg("%ld pages: %s", pages, postgres_statements[sql]);
    }
}

/* A claim happens each time that a slot is free, so it may not read all that waits. */
static void a_claim_reads_no_runs_that_are_not_due(void **state) {
    struct fixture *fixture = *state;
    (void)query(fixture->place,
                "INSERT INTO deliveries (guid, event, action, installation, repository, sender,"
                " item, received_ms, body_codec, body_bytes) SELECT i::text, 'push', '', '7', '',"
                " '', '', i, 0, 0 FROM generate_series(1, 30000) AS i");
    (void)query(fixture->place,
                "INSERT INTO runs (delivery, plugin, installation, state, due_ms) SELECT id,"
                " 'invite', (id % 3)::text, 'queued', 1000000 + id FROM deliveries");
    PGconn *connection = PQconnectdb(((struct place *)fixture->place)->url);
    PQclear(PQexec(connection, postgres_settings));
    for (int analyzed = 0; analyzed < 2; analyzed++) {
        long none = pages_of(connection, PG_SQL_RUNS_DUE,
                             "('invite', 1000000, true, 32, 16000000, '1', 0, 0)");
        long three = pages_of(connection, PG_SQL_RUNS_DUE,
                              "('invite', 1000003, true, 32, 16000000, '1', 1, 0)");
        if (none > 200 || three > 200) {
            fail_msg("%ld pages are read when no run is due, and %ld when three are", none, three);
        }
        PQclear(PQexec(connection, "ANALYZE"));
    }
    PQfinish(connection);
}

static void insert_deliveries(struct fixture *fixture, const char *body, int n) {
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO deliveries (guid, event, action, installation, repository, sender,"
                   " item, received_ms, body_codec, body_bytes, body) SELECT i::text, 'push', '',"
                   " '7', '', '', '', i, 0, 0, %s FROM generate_series(1, %d) AS i",
                   body, n);
    (void)query(fixture->place, sql);
}

/* Other operations of the group wait for the step. */
static void a_step_of_pruning_reads_no_other_runs(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        enum postgres_sql sql;
        const char *parameters;
    } steps[] = {
        {PG_SQL_PRUNE_LOOK, "(0, 0, 1000000, 1000000, 100)"},
        {PG_SQL_PRUNE_READS, "('{1,2,3,4,5,6,7,8,9,10}')"},
        {PG_SQL_PRUNE_RESPONSES, "('{1,2,3,4,5,6,7,8,9,10}')"},
        {PG_SQL_PRUNE_BODIES, "('{1,2,3,4,5,6,7,8,9,10}', 1000000, 1000000)"},
        {PG_SQL_RUNS_END_UNCONFIGURED, "(1, E'\ninvite\n', 0, 0, 100, 100, 1)"},
        {PG_SQL_UNWANTED, "(E'\ninvite\n')"},
        {PG_SQL_MARK_END, "(2000, E'\ninvite\n')"},
        {PG_SQL_RUNS_MARK, "(2000, 2500, E'\nother\n')"},
    };
    insert_deliveries(fixture, "''", 20000);
    (void)query(fixture->place,
                "INSERT INTO runs (delivery, plugin, installation, state, due_ms, finished_ms)"
                " SELECT id, 'gone', '7', CASE WHEN id % 50 = 0 THEN 'queued' ELSE 'done' END, 1,"
                " 1 FROM deliveries");
    PGconn *connection = PQconnectdb(((struct place *)fixture->place)->url);
    PQclear(PQexec(connection, postgres_settings));
    for (int analyzed = 0; analyzed < 2; analyzed++) {
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            long pages = pages_of(connection, steps[i].sql, steps[i].parameters);
            if (pages > 1000) {
                fail_msg("statement %zu of a step reads %ld pages", i, pages);
            }
        }
        PQclear(PQexec(connection, "ANALYZE"));
    }
    PQfinish(connection);
}

/* Another session's snapshot, such as that of a backup, keeps the index entries of deleted rows. */
static void forgetting_reads_no_rows_that_earlier_steps_deleted(void **state) {
    struct fixture *fixture = *state;
    enum { STEP = 100, STEPS = 100 };
    long pages[STEPS];
    insert_deliveries(fixture, "NULL", STEP * STEPS);
    PGconn *backup = PQconnectdb(((struct place *)fixture->place)->url);
    PQclear(PQexec(backup, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1"));
    PGconn *connection = PQconnectdb(((struct place *)fixture->place)->url);
    PQclear(PQexec(connection, postgres_settings));
    for (int i = 0; i < STEPS; i++) {
        char parameters[64];
        (void)snprintf(parameters, sizeof parameters, "(%d, %d, 1000000, %d)", i * STEP, i * STEP,
                       STEP);
        pages[i] = pages_of(connection, PG_SQL_PRUNE_FORGET, parameters);
    }
    /* The newest one stays. */
    assert_int_equal(query(fixture->place, "SELECT count(*) FROM deliveries"), 1);
    if (pages[STEPS - 1] > pages[0] + 50) {
        fail_msg("the first step reads %ld pages, and the last one %ld", pages[0],
                 pages[STEPS - 1]);
    }
    PQfinish(connection);
    PQfinish(backup);
}

/* The same snapshot keeps the entries of runs that were queued since it began. */
static void a_claim_reads_no_runs_that_have_ended_under_a_snapshot(void **state) {
    static const struct {
        enum postgres_sql sql;
        const char *parameters;
        long most;
    } claims[] = {
        {PG_SQL_RUNS_DUE, "('invite', 1900000000000, true, 32, 16000000, '1', 0, 1029000)", 6000},
        {PG_SQL_RUNS_NEXT_DUE, "('invite', '{1029000}')", 50},
        /* Once in a minute a claim does not know where its runs begin. */
        {PG_SQL_RUNS_DUE, "('invite', 1900000000000, true, 32, 16000000, '1', 0, 0)", 9000}};
    struct fixture *fixture = *state;
    insert_deliveries(fixture, "NULL", 30000);
    (void)query(fixture->place,
                "INSERT INTO runs (delivery, plugin, installation, state, due_ms) SELECT id,"
                " 'invite', (id % 30)::text, 'queued', 1000000 + id FROM deliveries");
    PGconn *backup = PQconnectdb(((struct place *)fixture->place)->url);
    PQclear(PQexec(backup, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1"));
    (void)query(fixture->place,
                "UPDATE runs SET state = 'done', finished_ms = 1 WHERE due_ms < 1029900");
    PGconn *connection = PQconnectdb(((struct place *)fixture->place)->url);
    PQclear(PQexec(connection, postgres_settings));
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        long pages = pages_of(connection, claims[i].sql, claims[i].parameters);
        print_message("# %ld pages: %s\n", pages, claims[i].parameters);
        if (pages > claims[i].most) {
            fail_msg("%ld pages: %s", pages, claims[i].parameters);
        }
    }
    PQfinish(connection);
    PQfinish(backup);
}

/* Each claim looks for runs whose hold has ended. Those of other holds stay. */
static void a_claim_reads_no_runs_that_stay_held(void **state) {
    struct fixture *fixture = *state;
    insert_deliveries(fixture, "''", 20000);
    (void)query(fixture->place, "INSERT INTO runs (delivery, plugin, installation, state, due_ms,"
                                " hold) SELECT id, 'invite', '7', 'held', 1, 1 FROM deliveries");
    (void)query(fixture->place,
                "INSERT INTO holds (plugin, scope, value, cause, reason, since_ms, until_ms)"
                " VALUES ('invite', 'installation', '7', 'paused', '', 1, 0)");
    PGconn *connection = PQconnectdb(((struct place *)fixture->place)->url);
    PQclear(PQexec(connection, postgres_settings));
    for (int analyzed = 0; analyzed < 2; analyzed++) {
        long pages = pages_of(connection, PG_SQL_RUNS_RELEASE, "(1900000000000, 500)");
        if (pages > 100) {
            fail_msg("%ld pages, analyzed: %d", pages, analyzed);
        }
        PQclear(PQexec(connection, "ANALYZE"));
    }
    PQfinish(connection);
}

/* The runs of a paused plugin stay queued, and there may be a million of them. */
static void lists_of_queued_runs_read_no_runs_of_a_paused_plugin(void **state) {
    static const struct {
        enum postgres_sql sql;
        const char *parameters;
        long most;
    } cases[] = {{PG_SQL_LIST_COUNT_QUEUED, "", 100},
                 {PG_SQL_LIST_COUNT_WAITING, "", 100},
                 {PG_SQL_LIST_QUEUED, "(9000000, 9, 0, NULL, NULL, 'queued')", 200},
                 /* These read the first 5001 of the held ones. */
                 {PG_SQL_LIST_COUNT_HELD, "", 600}};
    struct fixture *fixture = *state;
    (void)query(fixture->place,
                "INSERT INTO deliveries (guid, event, action, installation, repository, sender,"
                " item, received_ms, body_codec, body_bytes) SELECT i::text, 'push', '', '7', '',"
                " '', '', i, 0, 0 FROM generate_series(1, 30000) AS i");
    (void)query(fixture->place,
                "INSERT INTO runs (delivery, plugin, installation, state, due_ms) SELECT id,"
                " CASE WHEN id % 10000 = 0 THEN 'ping' ELSE 'invite' END, '7', 'queued', id"
                " FROM deliveries");
    (void)query(fixture->place, "INSERT INTO holds (plugin, scope, value, cause, reason, since_ms,"
                                " until_ms) VALUES ('invite', 'plugin', '', 'paused', '', 1, 0)");
    PGconn *connection = PQconnectdb(((struct place *)fixture->place)->url);
    PQclear(PQexec(connection, postgres_settings));
    for (int analyzed = 0; analyzed < 2; analyzed++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            long pages = pages_of(connection, cases[i].sql, cases[i].parameters);
            if (pages > cases[i].most) {
                fail_msg("%ld pages, analyzed %d: %s", pages, analyzed,
                         postgres_statements[cases[i].sql]);
            }
        }
        PQclear(PQexec(connection, "ANALYZE"));
    }
    PQfinish(connection);
}

/* The planner reads a whole table only if it finds no index, like in the host's sessions. */
static void statements_use_indexes_and_are_planned_once(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        enum postgres_sql sql;
        const char *values, *index;
    } all[] = {{PG_SQL_PUT,
                "'push', '', '7', '', '', '', 1, 0, 0, '', 'guid', 1, 'invite', '{f}', 1, 1, 1,"
                " 'item 1#1', '{0}'",
                "runs_holder"},
               {PG_SQL_RUNS_DUE, "'invite', 1, true, 10, 1000, '', 0, 0", "runs_turn"},
               {PG_SQL_ORDER_PROMOTE, "'invite', 'item 1#1'", "runs_blocked"},
               {PG_SQL_ORDER_PROMOTE, "'invite', 'item 1#1'", "runs_holder"},
               {PG_SQL_ORDER_DUE, "1, 64", "runs_outside"},
               {PG_SQL_ORDER_LOCK_DELIVERY, "1", "runs_delivery_plugin_key"},
               {PG_SQL_SUPERSEDE, "1, 'guid', 'invite', 'item 1#1', 1", "runs_coalesce"},
               {PG_SQL_RUN_SUPERSEDED, "1, 1, 'invite', 'item 1#1', 1, 1, 1", "runs_coalesce"}};
    PGconn *connection = PQconnectdb(((struct place *)fixture->place)->url);
    PQclear(PQexec(connection, postgres_settings));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char sql[16384];
        snprintf(sql, sizeof sql, "PREPARE q%zu AS %s", i, postgres_statements[all[i].sql]);
        PQclear(PQexec(connection, sql));
        snprintf(sql, sizeof sql, "EXPLAIN EXECUTE q%zu (%s)", i, all[i].values);
        PGresult *plan = PQexec(connection, sql);
        if (PQresultStatus(plan) != PGRES_TUPLES_OK) {
            fail_msg("%s: %s", sql, PQerrorMessage(connection));
        }
        bool found = false;
        for (int row = 0; row < PQntuples(plan); row++) {
            found = found || strstr(PQgetvalue(plan, row, 0), all[i].index);
            if (strstr(PQgetvalue(plan, row, 0), "Seq Scan on ")) {
                fail_msg("%s: %s", PQgetvalue(plan, row, 0), postgres_statements[all[i].sql]);
            }
        }
        if (!found) {
            fail_msg("not by %s: %s", all[i].index, postgres_statements[all[i].sql]);
        }
        PQclear(plan);
    }
    /* To plan a PUT anew takes longer than to execute it. */
    PGresult *anew = PQexec(connection, "SELECT sum(custom_plans) FROM pg_prepared_statements");
    assert_string_equal(PQgetvalue(anew, 0, 0), "0");
    PQclear(anew);
    PQfinish(connection);
}

/* "(NULL, NULL)" for the parameters of a statement. A generic plan does not depend on them. */
static void null_parameters(const char *sql, char *out, size_t room) {
    int most = 0;
    for (const char *at = sql; (at = strchr(at, '$')); at++) {
        int number = atoi(at + 1);
        most = number > most ? number : most;
    }
    size_t length = 0;
    for (int i = 0; i < most; i++) {
        length += (size_t)snprintf(out + length, room - length, "%sNULL", i == 0 ? "(" : ", ");
    }
    snprintf(out + length, room - length, "%s", most > 0 ? ")" : "");
}

static void the_statements_of_the_console_use_indexes(void **state) {
    struct fixture *fixture = *state;
    PGconn *connection = PQconnectdb(((struct place *)fixture->place)->url);
    PQclear(PQexec(connection, postgres_settings));
    for (int i = 0; i < CONSOLE_SQL_COUNT; i++) {
        static const char *const tables[] = {"deliveries", "runs", "audit", "journal", "actions"};
        const char *text = postgres_statements[PG_SQL_CONSOLE + i];
        char sql[16384], parameters[200];
        null_parameters(text, parameters, sizeof parameters);
        snprintf(sql, sizeof sql, "DEALLOCATE ALL; PREPARE q AS %s; EXPLAIN EXECUTE q%s", text,
                 parameters);
        PGresult *plan = PQexec(connection, sql);
        if (PQresultStatus(plan) != PGRES_TUPLES_OK) {
            fail_msg("%s: %s", sql, PQerrorMessage(connection));
        }
        for (int row = 0; row < PQntuples(plan); row++) {
            const char *scan = strstr(PQgetvalue(plan, row, 0), "Seq Scan on ");
            for (size_t k = 0; scan && k < sizeof tables / sizeof *tables; k++) {
                if (strncmp(scan + strlen("Seq Scan on "), tables[k], strlen(tables[k])) == 0) {
                    fail_msg("%s: %s", scan, text);
                }
            }
        }
        PQclear(plan);
    }
    PQfinish(connection);
}

/* A few runs of each state among many that are done. The plans do not depend on the parameters. */
static void pages_of_the_console_read_no_other_deliveries(void **state) {
    static const char filters[] = "0, 9223372036854775807, NULL, NULL, NULL, NULL, NULL, %s, NULL";
    static const struct {
        enum console_sql sql;
        const char *before, *state, *after;
    } cases[] = {
        {CONSOLE_SEARCH_GUID, "0, 99999", "NULL", ", '500', 100"},
        {CONSOLE_SEARCH_RANGE, "500, 630", "NULL", ", 100"},
        {CONSOLE_SEARCH_DEAD, "9000000, 1", "'dead'", ", 100"},
        {CONSOLE_SEARCH_QUEUED, "99999, 99999", "'queued'", ", 100"},
        {CONSOLE_SEARCH_BLOCKED, "99999, 99999", "'blocked'", ", 100"},
        {CONSOLE_SEARCH_HELD, "99999, 99999", "'held'", ", 100"},
        {CONSOLE_SEARCH_RUNNING, "99999, 99999", "'running'", ", 100"},
        {CONSOLE_SEARCH_PARKED, "99999, 99999", "'parked'", ", 100"},
        {CONSOLE_SEARCH_WAITING, "99999, 99999", "'waiting'", ", 100"},
        {CONSOLE_SEARCH_IN_DOUBT, "99999, 99999", "NULL", ", 100"},
    };
    struct fixture *fixture = *state;
    insert_deliveries(fixture, "''", 20000);
    (void)query(fixture->place,
                "INSERT INTO runs (delivery, plugin, installation, state, due_ms, label,"
                " finished_ms) SELECT id, 'invite', '7', CASE id % 1000 WHEN 1 THEN 'dead' WHEN 2"
                " THEN 'queued' WHEN 3 THEN 'blocked' WHEN 4 THEN 'held' WHEN 5 THEN 'running'"
                " WHEN 6 THEN 'parked' WHEN 7 THEN 'queued' ELSE 'done' END, 1, CASE id % 1000"
                " WHEN 7 THEN 'waiting' ELSE '' END, 1 FROM deliveries");
    (void)query(fixture->place,
                "INSERT INTO journal (run, number, kind, state, token, key, marker, dry, at_ms,"
                " method, url, outcome, status, message, headers, body) SELECT id, 1, 'effect',"
                " 'intended', 1, '', '', false, 1, 'POST', '', 0, 0, '', '', '' FROM runs WHERE"
                " id % 1000 = 8");
    PGconn *connection = PQconnectdb(((struct place *)fixture->place)->url);
    PQclear(PQexec(connection, postgres_settings));
    for (int analyzed = 0; analyzed < 2; analyzed++) {
        for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
            char parameters[300], middle[200];
            snprintf(middle, sizeof middle, filters, cases[i].state);
            snprintf(parameters, sizeof parameters, "(%s, %s%s)", cases[i].before, middle,
                     cases[i].after);
            enum postgres_sql sql = (enum postgres_sql)(PG_SQL_CONSOLE + cases[i].sql);
            expect_few_pages(connection, sql, parameters);
        }
        expect_few_pages(connection, (enum postgres_sql)(PG_SQL_CONSOLE + CONSOLE_FAILURES_DEAD),
                         "");
        expect_few_pages(connection, (enum postgres_sql)(PG_SQL_CONSOLE + CONSOLE_FAILURES_PARKED),
                         "");
        /* By its statistics of a million deliveries the server prefers other joins, which read all
         * of them. */
        PQclear(PQexec(connection, "ANALYZE; SET enable_nestloop = off"));
    }
    PQfinish(connection);
}

/* Their ids come from an index, and only the runs of a page are read. */
static void a_page_reads_few_of_the_runs_of_a_state(void **state) {
    static const struct {
        enum console_sql sql;
        const char *state;
    } cases[] = {{CONSOLE_SEARCH_QUEUED, "queued"}, {CONSOLE_SEARCH_PARKED, "parked"}};
    struct fixture *fixture = *state;
    insert_deliveries(fixture, "''", 8000);
    (void)query(fixture->place,
                "INSERT INTO runs (delivery, plugin, installation, state, due_ms) SELECT id,"
                " 'invite', '7', CASE id % 2 WHEN 1 THEN 'queued' ELSE 'parked' END, 1"
                " FROM deliveries");
    PGconn *connection = PQconnectdb(((struct place *)fixture->place)->url);
    PQclear(PQexec(connection, postgres_settings));
    PQclear(PQexec(connection, "VACUUM (ANALYZE) runs"));
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char parameters[200];
        snprintf(parameters, sizeof parameters,
                 "(99999, 99999, 0, 9223372036854775807, NULL, NULL, NULL, NULL, NULL, '%s', NULL,"
                 " 101)",
                 cases[i].state);
        enum postgres_sql sql = (enum postgres_sql)(PG_SQL_CONSOLE + cases[i].sql);
        assert_in_range(pages_of(connection, sql, parameters), 101, 1500);
    }
    PQfinish(connection);
}

/* In databases of many locales, lower() changes other letters than ASCII's too. */
static void a_search_takes_the_case_of_ascii_letters_alone_as_equal(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *sender;
        size_t found;
    } cases[] = {{"\xc3\x84NNE", 1}, {"\xc3\x84nne", 1}, {"\xc3\xa4nne", 0}};
    (void)query(fixture->place,
                "ALTER TABLE deliveries ALTER COLUMN sender TYPE text COLLATE \"en-x-icu\"");
    fixture_close(fixture);
    fixture_open(fixture, FIXTURE_NOW);
    struct inbox_put put = put_of("guid");
    put.sender = "\xc3\x84NNE";
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct inbox_search search = {
            .operation = {.kind = INBOX_SEARCH}, .filter = {.sender = cases[i].sender}, .most = 10};
        assert_int_equal(fixture_do(fixture, &search.operation), 0);
        assert_int_equal(search.n_entries, cases[i].found);
        inbox_entries_free(search.entries, search.n_entries);
    }
}

size_t postgres_plan_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest ours[] = {
        CONTRACT(due_runs_are_found_by_their_indexes_with_statistics_and_without),
        CONTRACT(a_claim_reads_no_runs_that_are_not_due),
        CONTRACT(a_step_of_pruning_reads_no_other_runs),
        CONTRACT(forgetting_reads_no_rows_that_earlier_steps_deleted),
        CONTRACT(a_claim_reads_no_runs_that_have_ended_under_a_snapshot),
        CONTRACT(a_claim_reads_no_runs_that_stay_held),
        CONTRACT(lists_of_queued_runs_read_no_runs_of_a_paused_plugin),
        CONTRACT(a_search_takes_the_case_of_ascii_letters_alone_as_equal),
        CONTRACT(statements_use_indexes_and_are_planned_once),
        CONTRACT(the_statements_of_the_console_use_indexes),
        CONTRACT(pages_of_the_console_read_no_other_deliveries),
        CONTRACT(a_page_reads_few_of_the_runs_of_a_state),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}
