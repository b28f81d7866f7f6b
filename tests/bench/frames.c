/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Measures the round trip of a run through the frames: from the first byte of the RUN frame to the
 * last byte of the RESULT frame of a handler that returns at once, and the time from the start of a
 * worker until it is ready. The program plays the host to the real worker. */
#include "../worker/worker_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WARM_UP 1000
#define ROUNDS 20000
#define STARTS 50

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *what, double *took_us, size_t n) {
    qsort(took_us, n, sizeof *took_us, compare);
    printf("%-28s p50 %8.1f us   p90 %8.1f us   p99 %8.1f us\n", what, took_us[n / 2],
           took_us[n * 9 / 10], took_us[n * 99 / 100]);
}

/* `payload_bytes` of JSON, most of it one text. */
static char *payload_of(size_t payload_bytes) {
    char *payload = malloc(payload_bytes + 1);
    assert_non_null(payload);
    memset(payload, 'x', payload_bytes);
    memcpy(payload, "{\"text\":\"", 9);
    memcpy(payload + payload_bytes - 2, "\"}", 3);
    return payload;
}

static void measure_runs(struct worker_host *host, const char *what, size_t payload_bytes) {
    static double took_us[ROUNDS];
    char *payload = payload_of(payload_bytes);
    for (uint64_t i = 0; i < WARM_UP + ROUNDS; i++) {
        double start_us = now_us();
        host_run(host, i + 1, "probe", "", payload);
        expect_result(host, i + 1, 0, NULL);
        if (i >= WARM_UP) {
            took_us[i - WARM_UP] = now_us() - start_us;
        }
    }
    report(what, took_us, ROUNDS);
    free(payload);
}

static void measure_starts(void) {
    double took_us[STARTS];
    for (size_t i = 0; i < STARTS; i++) {
        struct worker_host host;
        double start_us = now_us();
        host_start(&host, "bench", NULL);
        took_us[i] = now_us() - start_us;
        host_end(&host);
    }
    report("worker: start to ready", took_us, STARTS);
}

int main(int argc, char **argv) {
    struct worker_host host;
    if (worker_tests_setup(argc, argv) < 0) {
        return 1;
    }
    host_start(&host, "bench", NULL);
    measure_runs(&host, "run: payload of 100 bytes", 100);
    measure_runs(&host, "run: payload of 20000 bytes", 20000);
    host_end(&host);
    measure_starts();
    worker_tests_finish();
    return 0;
}
