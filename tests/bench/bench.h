/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parts of the benchmark: bodies.c makes the bodies, load.c sends them, serve.c runs the
 * measured servers, ingest.c compares. Any error ends the program with a sentence. */
#ifndef SNEK_TESTS_BENCH_H
#define SNEK_TESTS_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_SECRET "a secret of the benchmark"

_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct bench_body {
    char *json;
    size_t bytes;
    char event[101], signature[72]; /* "sha256=…" */
};

struct bench_bodies {
    struct bench_body *all;
    size_t n;
    size_t mean_bytes;
};

/* The examples of @octokit/webhooks-examples (its index.json) of 8 to 25 kB, each with an
 * installation and a signature. */
struct bench_bodies bench_bodies_load(const char *path);

/* Where the deliveries go. */
enum bench_target {
    /* libmicrohttpd alone: it reads the body and responds 202. */
    BENCH_BARE,
    /* ingest and an inbox. Every delivery makes a run, which no dispatch claims. */
    BENCH_INBOX
};

struct bench_server {
    pid_t pid;
    int port;
};
struct bench_usage {
    double cpu_s;
    /* The peak. */
    long rss_kib;
};

/* Runs in a process of its own. `url` is the store's. */
struct bench_server bench_serve(enum bench_target target, const char *url);
struct bench_usage bench_stop(struct bench_server server);

/* Measures the commits a second of an inbox that gets one delivery after the other. */
double bench_single_commits(const char *url, const struct bench_bodies *bodies, double seconds);

struct bench_result {
    double per_second;
    double p50_ms, p99_ms, p999_ms;
    /* Including the warm-up. */
    size_t sent;
    /* Counted responses; rejected: any status but 202. */
    size_t answers, rejected;
};

/* Sends for this long over this many connections, each of which waits for its response. */
struct bench_result bench_load(int port, unsigned connections, double seconds,
                               const struct bench_bodies *bodies);

double bench_now(void); /* seconds, monotonic */

#endif
