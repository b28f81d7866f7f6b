/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Fills a store with many deliveries, and measures how long the queries of each page of the console
 * take. */
#include "bench.h"
#include "cost.h"

#include "base/clock.h"
#include "base/mailbox.h"
#include "inbox/console.h"
#include "inbox/holds.h"
#include "inbox/inbox.h"
#include "inbox/installations.h"
#include "inbox/stats.h"

#include <errno.h>
#include <getopt.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "Usage: bench_console [--rows N] [--repeat N] [--directory DIR] [--postgres URL] [--limit MS]\n"
    "                     [--keep] [--page NAME]\n"
    "\n"
    "Fills a store with N deliveries (default 1000000) of the last 7 days, sums them as the host\n"
    "does, and measures each page's queries. DIR (default: the working one) gets an SQLite\n"
    "database; with --postgres it fills that server too. It fails if a page's median is above\n"
    "MS milliseconds. --keep: the SQLite database is DIR/bench.db and stays, and a store that has\n"
    "deliveries is not filled again. --page: only this page.\n"
    "\n"
    "For each page: the median and the longest time on the wall (ms); the processor time, of\n"
    "PostgreSQL's server too (ms); the pages of the store that it looked at, those of them that\n"
    "were not in the store's cache, and the rows (SQLite: steps of its machine, some ten a row).\n"
    "These are means of one view of the page. On a busy machine only they can be compared.\n";

#define DAY_MS 86400000LL
#define SAMPLES_MAX 100

struct bench {
    long rows;
    int repeat;
    double limit_ms;
    bool too_slow, keep;
    const char *directory, *postgres;
    /* NULL: all. */
    const char *page;
    /* Of the store that is measured; NULL: it is SQLite. */
    const char *server;
    int64_t now_ms;
    struct inbox *inbox;
    struct mailbox mailbox;
    bool finished;
};

/* ---- the rows ---- */

/* $N: the number of rows; $T: now. Every hundredth run is dead, every thousandth is parked or
 * queued; every tenth delivery has an effect. The texts are for both stores, except SERIES. */
#define SERIES_SQLITE                                                                              \
    "WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < $N) "
#define SERIES_POSTGRES "WITH s (i) AS (SELECT generate_series(1::bigint, $N)) "
#define AT "($T - 604800000 + i * (604800000 / $N))"
#define REPOSITORY "'octo/repo' || (i * 7919 % 500)"
#define NUMBER "(i * 104729 % 2000)"
#define GUID "'72d3162e-cc78-11e3-81ab-' || (100000000000 + i)"
#define EVENT                                                                                      \
    "CASE i % 4 WHEN 0 THEN 'push' WHEN 1 THEN 'issues' WHEN 2 THEN 'issue_comment'"               \
    " ELSE 'pull_request' END"
#define STATE                                                                                      \
    "CASE WHEN i % 100 = 0 THEN 'dead' WHEN i % 1000 = 1 THEN 'parked' WHEN i % 1000 = 2"          \
    " THEN 'queued' ELSE 'done' END"
static const char *const inserts[] = {
    "INSERT INTO deliveries (guid, event, action, installation, repository, sender, item,"
    " received_ms, body_codec, body_bytes, body) SELECT " GUID ", " EVENT ", 'opened', '7',"
    " " REPOSITORY ", 'person' || (i * 15485863 % 3000), '' || (i * 7919 % 500) || '#' || " NUMBER
    ", " AT ", 0, 1000, $B FROM s",
    "INSERT INTO runs (delivery, plugin, installation, state, attempt, due_ms, label, reason,"
    " finished_ms) SELECT i, CASE WHEN i % 50000 = 77 THEN 'rare' ELSE 'plugin' || (i % 5) END,"
    " '7', " STATE ", 1, " AT ", CASE WHEN i % 100 = 0 THEN 'error' ELSE '' END,"
    " CASE WHEN i % 100 = 0 THEN 'GitHub responded ' || (i / 100 % 60) || 0 || ' for /issues/' ||"
    " i ELSE '' END, CASE WHEN i % 1000 IN (1, 2) AND i % 100 <> 0 THEN NULL ELSE " AT
    " + 1500 END FROM s",
    "INSERT INTO audit (at_ms, plugin, installation, delivery, sender, item, method, url, state,"
    " counts, status) SELECT " AT ", 'plugin' || (i % 5), '7', " GUID ", 'person1',"
    " " REPOSITORY " || '#' || " NUMBER ", 'POST', '/repos/octo/repo/issues/1/comments',"
    " 'completed', $Y, 201 FROM s WHERE i % 10 = 0",
    "INSERT INTO journal (run, number, kind, state, token, key, marker, dry, at_ms, method, url,"
    " outcome, status, message, headers, body) SELECT i, 1, 'effect', CASE WHEN i % 5000 = 0 THEN"
    " 'intended' ELSE 'completed' END, 1, $E, '', $F, " AT ", 'POST', '/repos', 0, 201, '', $E, $E"
    " FROM s WHERE i % 10 = 0",
    "INSERT INTO actions (at_ms, who, what, target, result) SELECT " AT ", 'cli root', 'retry',"
    " " GUID ", 'due now' FROM s WHERE i % 100 = 0",
};

/* Replaces $N, $T and the values whose spelling differs. */
static char *fill_in(const struct bench *bench, const char *sql, bool postgres) {
    size_t room = strlen(sql) + 4000, length = 0;
    char *out = malloc(room);
    if (!out) {
        bench_fail("out of memory");
    }
    length += (size_t)snprintf(out, room, "%s", "");
    for (; *sql; sql++) {
        if (*sql != '$') {
            out[length++] = *sql;
            continue;
        }
        char value[1400];
        switch (*++sql) {
        case 'N':
            snprintf(value, sizeof value, "%ld", bench->rows);
            break;
        case 'T':
            snprintf(value, sizeof value, "%lld", (long long)bench->now_ms);
            break;
        case 'B':
            snprintf(value, sizeof value, "%s",
                     postgres ? "decode(repeat('5a', 1000), 'hex')" : "zeroblob(1000)");
            break;
        case 'E':
            snprintf(value, sizeof value, "%s", postgres ? "''::bytea" : "x''");
            break;
        case 'Y':
            snprintf(value, sizeof value, "%s", postgres ? "true" : "1");
            break;
        default:
            snprintf(value, sizeof value, "%s", postgres ? "false" : "0");
            break;
        }
        length += (size_t)snprintf(out + length, room - length, "%s", value);
    }
    out[length] = '\0';
    return out;
}

/* "WITH s (...) INSERT ..." in PostgreSQL; SQLite wants the same order. */
static char *statement(const struct bench *bench, size_t nth, bool postgres) {
    char *text;
    if (asprintf(&text, "%s%s", postgres ? SERIES_POSTGRES : SERIES_SQLITE, inserts[nth]) < 0) {
        bench_fail("out of memory");
    }
    char *filled = fill_in(bench, text, postgres);
    free(text);
    return filled;
}

static void fill_sqlite(const struct bench *bench, const char *path) {
    sqlite3 *db;
    char *why = NULL;
    if (sqlite3_open(path, &db) != SQLITE_OK) {
        bench_fail("%s: %s", path, sqlite3_errmsg(db));
    }
    for (size_t i = 0; i < sizeof inserts / sizeof *inserts; i++) {
        char *sql = statement(bench, i, false);
        if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
            bench_fail("%s: %s", sql, why);
        }
        free(sql);
    }
    sqlite3_close(db);
}

static void fill_postgres(const struct bench *bench) {
    PGconn *connection = PQconnectdb(bench->postgres);
    for (size_t i = 0; i < sizeof inserts / sizeof *inserts; i++) {
        char *sql = statement(bench, i, true);
        PGresult *result = PQexec(connection, sql);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            bench_fail("%s: %s", sql, PQerrorMessage(connection));
        }
        PQclear(result);
        free(sql);
    }
    /* The server itself does so within the days in which these deliveries would have come. */
    PQclear(PQexec(connection, "VACUUM (ANALYZE)"));
    PQfinish(connection);
}

/* Does the store have deliveries of an earlier call? */
static bool is_filled(const struct bench *bench, const char *sqlite_path) {
    static const char sql[] = "SELECT 1 FROM deliveries LIMIT 1";
    bool filled = false;
    if (sqlite_path) {
        sqlite3 *db;
        sqlite3_stmt *statement = NULL;
        filled = sqlite3_open(sqlite_path, &db) == SQLITE_OK &&
                 sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW;
        sqlite3_finalize(statement);
        sqlite3_close(db);
        return filled;
    }
    PGconn *connection = PQconnectdb(bench->postgres);
    PGresult *result = PQexec(connection, sql);
    filled = PQntuples(result) > 0;
    PQclear(result);
    PQfinish(connection);
    return filled;
}

/* ---- operations ---- */

static void on_result(struct inbox_operation *operation) {
    CONTAINER_OF(operation->reply_to, struct bench, mailbox)->finished = true;
}

static void run(struct bench *bench, struct inbox_operation *operation) {
    operation->reply_to = &bench->mailbox;
    operation->on_result = on_result;
    bench->finished = false;
    inbox_submit(bench->inbox, operation);
    while (!bench->finished) {
        struct pollfd wanted = {.fd = bench->mailbox.event_fd, .events = POLLIN};
        poll(&wanted, 1, -1);
        mailbox_drain(&bench->mailbox);
    }
    if (operation->result < 0) {
        bench_fail("%s", operation->error.text);
    }
}

/* As the page does: until it has something to show (console/deliveries.c). Returns how many
 * entries. */
static size_t search(struct bench *bench, struct inbox_search_filter filter) {
    size_t found = 0;
    struct inbox_search search = {
        .operation = {.kind = INBOX_SEARCH}, .filter = filter, .most = 100};
    for (int i = 0; i <= 20 && found == 0 && (i == 0 || search.next.first != 0); i++) {
        search.before = search.next;
        run(bench, &search.operation);
        found += search.n_entries;
        inbox_entries_free(search.entries, search.n_entries);
    }
    return found;
}

/* ---- pages ---- */

/* Each returns how many things it found. `nth` makes each repetition ask for something else. */
typedef size_t page_function(struct bench *bench, int nth);

static size_t series(struct bench *bench, enum inbox_series_span span) {
    struct inbox_series series = {
        .operation = {.kind = INBOX_SERIES}, .span = span, .now_ms = bench->now_ms};
    size_t count = 0;
    run(bench, &series.operation);
    for (size_t i = 0; i < series.n_buckets; i++) {
        count += (size_t)series.buckets[i].count;
    }
    return count;
}

static size_t plugins(struct bench *bench) {
    struct inbox_plugins list = {.operation = {.kind = INBOX_PLUGINS}, .now_ms = bench->now_ms};
    run(bench, &list.operation);
    free(list.plugins);
    return list.n_plugins;
}

static size_t holds(struct bench *bench) {
    struct inbox_holds list = {.operation = {.kind = INBOX_HOLDS}, .now_ms = bench->now_ms};
    run(bench, &list.operation);
    free(list.holds);
    return list.n_holds;
}

static size_t overview(struct bench *bench, int nth) {
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    run(bench, &stats.operation);
    return series(bench, nth % 3) + (size_t)stats.dead + holds(bench);
}

static size_t newest(struct bench *bench, int nth) {
    (void)nth;
    return search(bench, (struct inbox_search_filter){0});
}

static size_t by_guid(struct bench *bench, int nth) {
    char guid[60];
    snprintf(guid, sizeof guid, "72d3162e-cc78-11e3-81ab-%lld",
             100000000000LL + 1 + nth * 997 % bench->rows);
    return search(bench, (struct inbox_search_filter){.guid = guid});
}

static size_t by_item(struct bench *bench, int nth) {
    char repository[40];
    long row = 1 + (long)nth * 7907 % bench->rows;
    snprintf(repository, sizeof repository, "Octo/repo%ld", row * 7919 % 500);
    return search(bench, (struct inbox_search_filter){.repository = repository,
                                                      .number = row * 104729 % 2000});
}

static size_t by_person(struct bench *bench, int nth) {
    char sender[40];
    snprintf(sender, sizeof sender, "person%d", nth * 31 % 3000);
    return search(bench, (struct inbox_search_filter){.sender = sender});
}

static size_t by_nobody(struct bench *bench, int nth) {
    char sender[40];
    snprintf(sender, sizeof sender, "nobody%d", nth);
    return search(bench, (struct inbox_search_filter){.sender = sender});
}

static size_t by_rare_plugin(struct bench *bench, int nth) {
    (void)nth;
    return search(bench, (struct inbox_search_filter){.plugin = "rare"});
}

static size_t by_reason(struct bench *bench, int nth) {
    char reason[40];
    snprintf(reason, sizeof reason, "responded %d0 ", nth % 60);
    return search(bench, (struct inbox_search_filter){.reason = reason});
}

static size_t by_dead(struct bench *bench, int nth) {
    (void)nth;
    return search(bench, (struct inbox_search_filter){.state = "dead"});
}

static size_t by_parked(struct bench *bench, int nth) {
    (void)nth;
    return search(bench, (struct inbox_search_filter){.state = "parked"});
}

static size_t by_queued(struct bench *bench, int nth) {
    (void)nth;
    return search(bench, (struct inbox_search_filter){.state = "queued"});
}

static size_t by_in_doubt(struct bench *bench, int nth) {
    (void)nth;
    return search(bench, (struct inbox_search_filter){.state = "in doubt"});
}

static size_t by_done(struct bench *bench, int nth) {
    (void)nth;
    return search(bench, (struct inbox_search_filter){.state = "done"});
}

static size_t by_time(struct bench *bench, int nth) {
    int64_t until_ms = bench->now_ms - (1 + nth % 6) * DAY_MS;
    return search(
        bench, (struct inbox_search_filter){.since_ms = until_ms - DAY_MS, .until_ms = until_ms});
}

static size_t one_delivery(struct bench *bench, int nth) {
    char guid[60];
    snprintf(guid, sizeof guid, "72d3162e-cc78-11e3-81ab-%lld",
             100000000000LL + 10 + 10LL * (nth * 997 % (bench->rows / 10)));
    struct inbox_show show = {.operation = {.kind = INBOX_SHOW}, .guid = guid};
    struct inbox_body body = {.operation = {.kind = INBOX_BODY}, .guid = guid};
    struct inbox_actions actions = {
        .operation = {.kind = INBOX_ACTIONS}, .most = 20, .target = guid};
    run(bench, &show.operation);
    run(bench, &body.operation);
    run(bench, &actions.operation);
    size_t found = show.n_runs + show.n_requests + show.n_audit;
    inbox_show_finish(&show);
    payload_unref(body.body);
    free(actions.actions);
    return found;
}

static size_t timeline(struct bench *bench, int nth) {
    char repository[40];
    long row = 10 + (long)nth * 79070 % bench->rows;
    snprintf(repository, sizeof repository, "octo/repo%ld", row * 7919 % 500);
    struct inbox_timeline timeline = {.operation = {.kind = INBOX_TIMELINE},
                                      .repository = repository,
                                      .number = row * 104729 % 2000,
                                      .most = 50};
    run(bench, &timeline.operation);
    size_t found = timeline.n_entries + timeline.n_effects;
    inbox_timeline_finish(&timeline);
    return found;
}

static size_t failures(struct bench *bench, int nth) {
    (void)nth;
    struct inbox_failures failures = {.operation = {.kind = INBOX_FAILURES}};
    run(bench, &failures.operation);
    inbox_failures_free(failures.groups, failures.n_groups);
    return failures.n_groups;
}

static size_t plugins_page(struct bench *bench, int nth) {
    (void)nth;
    return plugins(bench) + holds(bench);
}

static size_t installations(struct bench *bench, int nth) {
    (void)nth;
    struct inbox_installations list = {.operation = {.kind = INBOX_INSTALLATIONS},
                                       .now_ms = bench->now_ms};
    run(bench, &list.operation);
    free(list.rows);
    return list.n_rows;
}

static size_t recovery(struct bench *bench, int nth) {
    (void)nth;
    struct inbox_recovery recovery = {.operation = {.kind = INBOX_RECOVERY}};
    run(bench, &recovery.operation);
    return (size_t)recovery.missing;
}

static size_t actions(struct bench *bench, int nth) {
    (void)nth;
    struct inbox_actions actions = {.operation = {.kind = INBOX_ACTIONS}, .most = 200};
    run(bench, &actions.operation);
    free(actions.actions);
    return actions.n_actions;
}

static const struct {
    const char *name;
    page_function *function;
} pages[] = {
    {"overview", overview},
    {"search: newest", newest},
    {"search: GUID", by_guid},
    {"search: owner/repo#12", by_item},
    {"search: person", by_person},
    {"search: nobody", by_nobody},
    {"search: rare plugin", by_rare_plugin},
    {"search: reason", by_reason},
    {"search: dead", by_dead},
    {"search: parked", by_parked},
    {"search: queued", by_queued},
    {"search: in doubt", by_in_doubt},
    {"search: done", by_done},
    {"search: time", by_time},
    {"one delivery", one_delivery},
    {"timeline", timeline},
    {"failures", failures},
    {"plugins", plugins_page},
    {"installations", installations},
    {"recovery", recovery},
    {"actions", actions},
};

/* ---- measuring ---- */

static int by_value(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void open_inbox(struct bench *bench, const char *url, bool tool) {
    struct error err = {.text = ""};
    int opened = tool ? inbox_open_reader(url, &bench->inbox, &err)
                      : inbox_open(url, bench->now_ms, &bench->inbox, &err);
    if (opened < 0) {
        bench_fail("%s", err.text);
    }
}

/* PostgreSQL plans a statement anew the first times. */
#define WARM_UP 6

/* Loads a page `times` times, in a session of its own after a warm-up. */
static struct cost load_page(struct bench *bench, const char *url, size_t page, int times,
                             double *ms, size_t *found) {
    struct cost before, after;
    open_inbox(bench, url, true);
    for (int i = 0; i < WARM_UP; i++) {
        (void)pages[page].function(bench, i);
    }
    before = bench->server ? cost_postgres_cpu(url) : cost_sqlite();
    for (int i = 0; i < times; i++) {
        double began = bench_now();
        *found += pages[page].function(bench, i);
        ms[i] = (bench_now() - began) * 1000;
    }
    after = bench->server ? cost_postgres_cpu(url) : cost_sqlite();
    inbox_free(bench->inbox);
    return (struct cost){.own_cpu_ms = after.own_cpu_ms - before.own_cpu_ms,
                         .server_cpu_ms = after.server_cpu_ms - before.server_cpu_ms,
                         .pages = after.pages - before.pages,
                         .missed = after.missed - before.missed,
                         .rows = after.rows - before.rows};
}

static struct cost cost_of_page(struct bench *bench, const char *url, size_t page, double *ms,
                                size_t *found) {
    if (!bench->server) {
        return load_page(bench, url, page, bench->repeat, ms, found);
    }
    /* PostgreSQL counts what a session read at its end. So one session only warms up, and the
     * difference to the other one is what the page cost. */
    struct cost first = cost_postgres_reads(url);
    (void)load_page(bench, url, page, 0, ms, found);
    struct cost second = cost_postgres_reads(url);
    struct cost cost = load_page(bench, url, page, bench->repeat, ms, found);
    struct cost third = cost_postgres_reads(url);
    cost.pages = third.pages - second.pages - (second.pages - first.pages);
    cost.missed = third.missed - second.missed - (second.missed - first.missed);
    cost.rows = third.rows - second.rows - (second.rows - first.rows);
    return cost;
}

static void measure(struct bench *bench, const char *url, size_t page) {
    double ms[SAMPLES_MAX];
    size_t found = 0;
    int times = bench->repeat;
    struct cost cost = cost_of_page(bench, url, page, ms, &found);
    qsort(ms, (size_t)times, sizeof *ms, by_value);
    double median = ms[times / 2];
    bool slow = bench->limit_ms > 0 && median > bench->limit_ms;
    printf("  %-22s %8.1f %8.1f %8.2f %8.2f %8lld %8lld %9lld   %zu%s\n", pages[page].name, median,
           ms[times - 1], cost.own_cpu_ms / times, cost.server_cpu_ms / times,
           (long long)(cost.pages / times), (long long)(cost.missed / times),
           (long long)(cost.rows / times), found / (size_t)times, slow ? "   TOO SLOW" : "");
    fflush(stdout);
    bench->too_slow = bench->too_slow || slow;
}

/* Sums the deliveries as the elected host does. */
static void digest(struct bench *bench) {
    struct inbox_digest step = {.operation = {.kind = INBOX_DIGEST}, .now_ms = bench->now_ms};
    double began = bench_now(), longest = 0;
    int steps = 0;
    do {
        double at = bench_now();
        run(bench, &step.operation);
        double took = bench_now() - at;
        longest = took > longest ? took : longest;
        steps++;
    } while (step.more);
    printf("  summed in %d steps: mean %.2f ms, longest %.1f ms\n", steps,
           (bench_now() - began) * 1000 / steps, longest * 1000);
}

static void fill(struct bench *bench, const char *url, const char *sqlite_path) {
    double began = bench_now();
    if (sqlite_path) {
        fill_sqlite(bench, sqlite_path);
    } else {
        fill_postgres(bench);
    }
    printf("  filled in %.0f s\n", bench_now() - began);
    fflush(stdout);
    open_inbox(bench, url, false);
    digest(bench);
    inbox_free(bench->inbox);
}

static void bench_store(struct bench *bench, const char *url, const char *sqlite_path) {
    bench->server = sqlite_path ? NULL : url;
    open_inbox(bench, url, false);
    inbox_free(bench->inbox);
    printf("%s, %ld deliveries\n", sqlite_path ? "SQLite" : "PostgreSQL", bench->rows);
    if (!bench->keep || !is_filled(bench, sqlite_path)) {
        fill(bench, url, sqlite_path);
    }
    printf("  %-22s %8s %8s %8s %8s %8s %8s %9s   %s\n", "page", "median", "longest", "CPU",
           "server", "pages", "missed", sqlite_path ? "steps" : "rows", "found");
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (!bench->page || strcmp(bench->page, pages[i].name) == 0) {
            measure(bench, url, i);
        }
    }
}

static void bench_kept(struct bench *bench) {
    char path[4300], url[4400];
    snprintf(path, sizeof path, "%s/bench.db", bench->directory);
    snprintf(url, sizeof url, "sqlite:%s", path);
    bench_store(bench, url, path);
}

static void bench_sqlite(struct bench *bench) {
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char place[4200], path[4300], url[4400];
    snprintf(place, sizeof place, "%s/bench-XXXXXX", bench->directory);
    if (!mkdtemp(place)) {
        bench_fail("%s: %s", place, strerror(errno));
    }
    snprintf(path, sizeof path, "%s/snekomatic.db", place);
    snprintf(url, sizeof url, "sqlite:%s", path);
    bench_store(bench, url, path);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char file[4310];
        snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
        unlink(file);
    }
    rmdir(place);
}

static void parse(struct bench *bench, int argc, char **argv) {
    static const struct option known[] = {
        {"rows", required_argument, NULL, 'n'},      {"repeat", required_argument, NULL, 'r'},
        {"directory", required_argument, NULL, 'd'}, {"postgres", required_argument, NULL, 'p'},
        {"limit", required_argument, NULL, 'l'},     {"keep", no_argument, NULL, 'k'},
        {"page", required_argument, NULL, 'o'},      {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'n':
            bench->rows = strtol(optarg, NULL, 10);
            break;
        case 'r':
            bench->repeat = (int)strtol(optarg, NULL, 10);
            break;
        case 'd':
            bench->directory = optarg;
            break;
        case 'p':
            bench->postgres = optarg;
            break;
        case 'l':
            bench->limit_ms = strtod(optarg, NULL);
            break;
        case 'k':
            bench->keep = true;
            break;
        case 'o':
            bench->page = optarg;
            break;
        default:
            fputs(usage, stderr);
            exit(EX_USAGE);
        }
    }
    if (optind < argc || bench->rows < 100 || bench->repeat < 1 || bench->repeat > SAMPLES_MAX) {
        fputs(usage, stderr);
        exit(EX_USAGE);
    }
}

int main(int argc, char **argv) {
    struct bench bench = {
        .rows = 1000000, .repeat = 20, .directory = ".", .now_ms = clock_wall_ms()};
    parse(&bench, argc, argv);
    if (mailbox_init(&bench.mailbox) < 0) {
        bench_fail("cannot make a mailbox");
    }
    cost_watch_sqlite();
    if (bench.keep) {
        bench_kept(&bench);
    } else {
        bench_sqlite(&bench);
    }
    if (bench.postgres) {
        bench_store(&bench, bench.postgres, NULL);
    }
    mailbox_finish(&bench.mailbox);
    return bench.too_slow ? EXIT_FAILURE : EXIT_SUCCESS;
}
