/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parts of the benchmarks' programs: bodies.c makes the bodies, load.c sends them, and common.c
 * has what all use. Any error ends the program with a sentence. */
#ifndef SNEK_TESTS_BENCH_H
#define SNEK_TESTS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

struct bench_load_options {
    /* On the loopback address. */
    int port;
    unsigned connections;
    /* The first responses do not count: those of this time. */
    double warm_up_s;
    double seconds;
    /* Deliveries a second; 0: each connection sends as soon as it has its response. */
    double rate;
    /* A new connection for each delivery. */
    bool fresh;
    /* One delivery only, without a warm-up. */
    bool first;
    /* A delivery is finished once GitHub got a comment with its GUID; NULL: once it has its
     * response. */
    struct github_server *github;
};

/* For github_open(): finds the delivery of a comment. `context`: a struct bench_comments. */
struct bench_comments {
    /* Set while a load runs. */
    struct load *load;
};
void bench_on_request(void *context, const char *request);

struct bench_result {
    double per_second;
    double p50_ms, p99_ms, p999_ms;
    /* Including the warm-up. */
    size_t sent;
    /* Counted responses; rejected: any status but 2xx. */
    size_t responses, rejected;
};

struct bench_result bench_load(const struct bench_load_options *options,
                               const struct bench_bodies *bodies, struct bench_comments *comments);

/* Seconds; monotonic. */
double bench_now(void);

#endif
