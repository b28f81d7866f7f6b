/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Measures how many deliveries a second ingest accepts and commits before their 202, how long that
 * takes, and how much processor time and memory it needs. It uses 1 to 256 connections, and
 * measures libmicrohttpd alone and the store's own rate of single commits in the same run on the
 * same machine. */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage[] =
    "Usage: bench_ingest [--seconds N] [--directory DIR] [--connections N] [--postgres URL] "
    "BODIES\n"
    "\n"
    "BODIES is the index.json of @octokit/webhooks-examples; DIR (default: the working one) gets\n"
    "the database, and should be on the disk whose rate is of interest, not in memory.\n";

void bench_fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    _exit(EX_SOFTWARE);
}

struct bench {
    struct bench_bodies bodies;
    double seconds;
    const char *directory;
    /* A URL; NULL: not measured. */
    const char *postgres;
    /* 0: the default. */
    unsigned connections;
};

static void make_place(const struct bench *bench, char *place, size_t room) {
    snprintf(place, room, "%s/bench-XXXXXX", bench->directory);
    if (!mkdtemp(place)) {
        bench_fail("%s: %s", place, strerror(errno));
    }
}

static void remove_place(const char *place) {
    static const char *const files[] = {"snekomatic.db", "snekomatic.db-wal", "snekomatic.db-shm"};
    char path[4200];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", place, files[i]);
        unlink(path);
    }
    rmdir(place);
}

static double single_commits(const struct bench *bench, const char *server) {
    char place[4096], url[4200];
    make_place(bench, place, sizeof place);
    snprintf(url, sizeof url, "sqlite:%s/snekomatic.db", place);
    double per_second =
        bench_single_commits(server ? server : url, &bench->bodies, bench->seconds / 4);
    remove_place(place);
    return per_second;
}

struct figures {
    struct bench_result result;
    struct bench_usage used;
};

/* `server` is a store's URL; NULL: an SQLite file of its own. */
static struct figures measure(const struct bench *bench, enum bench_target target,
                              const char *server, unsigned connections) {
    char place[4096], url[4200];
    struct figures figures;
    make_place(bench, place, sizeof place);
    snprintf(url, sizeof url, "sqlite:%s/snekomatic.db", place);
    struct bench_server process = bench_serve(target, server ? server : url);
    figures.result = bench_load(process.port, connections, bench->seconds, &bench->bodies);
    figures.used = bench_stop(process);
    remove_place(place);
    if (figures.result.rejected > 0) {
        bench_fail("%zu of %zu were not answered with 202", figures.result.rejected,
                   figures.result.answers);
    }
    return figures;
}

static void print(const char *name, unsigned connections, const struct figures *figures) {
    const struct bench_result *result = &figures->result;
    printf("%-8s %11u %9.0f %8.2f %8.2f %8.2f %10.0f %8.1f", name, connections, result->per_second,
           result->p50_ms, result->p99_ms, result->p999_ms,
           figures->used.cpu_s / (double)result->sent * 1e6, (double)figures->used.rss_kib / 1024);
}

/* The rate of single commits is taken before and after: a disk that others use, or that the
 * machine's owner throttles, is another one a minute later. */
static void compare_store(const struct bench *bench, const char *name, const char *server,
                          unsigned connections, const struct figures *bare) {
    double before = single_commits(bench, server);
    struct figures stored = measure(bench, BENCH_INBOX, server, connections);
    double single = (before + single_commits(bench, server)) / 2;
    print(name, connections, &stored);
    printf(" %8.2f %9.0f %8.2f\n", stored.result.per_second / bare->result.per_second, single,
           stored.result.per_second / single);
    fflush(stdout);
}

static void compare(const struct bench *bench, unsigned connections) {
    struct figures bare = measure(bench, BENCH_BARE, NULL, connections);
    print("bare", connections, &bare);
    puts("");
    compare_store(bench, "sqlite", NULL, connections, &bare);
    if (bench->postgres) {
        compare_store(bench, "postgres", bench->postgres, connections, &bare);
    }
}

static void compare_all(const struct bench *bench) {
    static const unsigned usual[] = {1, 16, 64, 256};
    printf("%zu bodies of %zu bytes in the mean; %.1f s each\n\n", bench->bodies.n,
           bench->bodies.mean_bytes, bench->seconds);
    printf("%-8s %11s %9s %8s %8s %8s %10s %8s %8s %9s %8s\n", "", "connections", "per s", "p50 ms",
           "p99 ms", "p99.9 ms", "CPU us/req", "RSS MiB", "/ bare", "single/s", "/ single");
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (!bench->connections) {
            compare(bench, usual[i]);
        }
    }
    if (bench->connections) {
        compare(bench, bench->connections);
    }
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"seconds", required_argument, NULL, 's'},
                                            {"directory", required_argument, NULL, 'd'},
                                            {"connections", required_argument, NULL, 'c'},
                                            {"postgres", required_argument, NULL, 'p'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct bench bench = {.seconds = 5, .directory = "."};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 's':
            bench.seconds = strtod(optarg, NULL);
            break;
        case 'd':
            bench.directory = optarg;
            break;
        case 'c':
            bench.connections = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'p':
            bench.postgres = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return EX_OK;
        default:
            return EX_USAGE;
        }
    }
    if (argc - optind != 1 || !(bench.seconds > 0)) {
        fputs(usage, stderr);
        return EX_USAGE;
    }
    bench.bodies = bench_bodies_load(argv[optind]);
    compare_all(&bench);
    for (size_t i = 0; i < bench.bodies.n; i++) {
        free(bench.bodies.all[i].json);
    }
    free(bench.bodies.all);
    return EX_OK;
}
