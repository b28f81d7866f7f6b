/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How many requests a second the broker makes for many installations at a GitHub that takes a while
 * for each, over how many connections and in how much memory; and whether an installation that
 * waits for a rate limit delays the others. */
#include "github.h"

#include "base/clock.h"
#include "base/log.h"
#include "broker/broker.h"
#include "supervisor/messages.h"

#include <snekomatic/types.h>

#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage[] =
    "Usage: bench_broker [--installations N] [--latency-ms N] [--seconds N]\n"
    "\n"
    "Each installation (1000) has one request under way at a time, at a local GitHub that "
    "responds\n"
    "after the latency (100). Measured twice for so many seconds (5): undisturbed, and while one\n"
    "more installation waits for a rate limit with requests that go on coming.\n";

struct bench;

struct test_client {
    struct bench *bench;
    struct broker_request request;
    char installation[16];
    int64_t began_us;
    bool limited;
};

struct bench {
    unsigned installations;
    int64_t latency_ms, seconds;
    struct broker *broker;
    struct mailbox mailbox;
    int fds[2];
    pthread_t signer;
    /* one more than there are installations: the limited one */
    struct test_client *clients;
    double *taken_ms;
    size_t n_taken, max_taken, failed, deferred;
    unsigned under_way;
    bool measuring, ending;
};

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void *sign(void *context) {
    struct bench *bench = context;
    struct supervisor_message request;
    while (recv(bench->fds[1], &request, sizeof request, 0) == (ssize_t)sizeof request) {
        struct supervisor_reply response = {.ok = 1, .text = "benchmark"};
        send(bench->fds[1], &response, sizeof response, MSG_NOSIGNAL);
    }
    return NULL;
}

static void submit(struct test_client *client);

static void done(struct broker_request *request) {
    struct test_client *client = CONTAINER_OF(request, struct test_client, request);
    struct bench *bench = client->bench;
    bench->under_way--;
    if (client->limited) {
        bench->deferred += request->outcome == SNEK_E_REQUEUE;
    } else {
        bench->failed += request->outcome != 0;
        if (bench->measuring && bench->n_taken < bench->max_taken) {
            bench->taken_ms[bench->n_taken++] = (double)(now_us() - client->began_us) / 1000;
        }
    }
    broker_request_finish(request);
    if (!bench->ending) {
        submit(client);
    }
}

static void submit(struct test_client *client) {
    struct bench *bench = client->bench;
    client->request = (struct broker_request){.reply_to = &bench->mailbox,
                                              .on_done = done,
                                              .plugin = "bench",
                                              .delivery = "bench",
                                              .installation = client->installation,
                                              .permissions = "{\"issues\":\"read\"}",
                                              .method = "GET",
                                              .url = client->limited ? "/limited/x" : "/x"};
    client->began_us = now_us();
    bench->under_way++;
    broker_submit(bench->broker, &client->request);
}

static void pump(struct bench *bench, int64_t for_ms) {
    int64_t end_ms = clock_monotonic_ms() + for_ms, left_ms;
    while ((left_ms = end_ms - clock_monotonic_ms()) > 0) {
        struct pollfd fd = {.fd = bench->mailbox.event_fd, .events = POLLIN};
        poll(&fd, 1, (int)left_ms);
        mailbox_drain(&bench->mailbox);
    }
}

static int compare(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double part(const struct bench *bench, double share) {
    return bench->n_taken ? bench->taken_ms[(size_t)((double)(bench->n_taken - 1) * share)] : 0;
}

static void measure(struct bench *bench, const char *what) {
    struct rusage before, after;
    bench->n_taken = 0;
    bench->failed = 0;
    getrusage(RUSAGE_SELF, &before);
    bench->measuring = true;
    int64_t began_us = now_us();
    pump(bench, bench->seconds * 1000);
    double seconds = (double)(now_us() - began_us) / 1e6;
    bench->measuring = false;
    getrusage(RUSAGE_SELF, &after);
    qsort(bench->taken_ms, bench->n_taken, sizeof *bench->taken_ms, compare);
    double cpu_s = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) +
                   (double)(after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
                   (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) / 1e6 +
                   (double)(after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
    printf("%-12s %8.0f requests/s   p50 %6.1f ms   p99 %6.1f ms   %5.0f us of CPU each   "
           "%zu failed\n",
           what, (double)bench->n_taken / seconds, part(bench, 0.5), part(bench, 0.99),
           cpu_s * 1e6 / (double)(bench->n_taken ? bench->n_taken : 1), bench->failed);
    fflush(stdout);
}

static void set_up(struct bench *bench, int port) {
    char url[64];
    struct error err;
    struct broker_options options = {.api_url = url, .user_agent = "snekomatic/bench"};
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    bench->max_taken = (size_t)bench->seconds * 100000;
    bench->taken_ms = calloc(bench->max_taken, sizeof *bench->taken_ms);
    bench->clients = calloc(bench->installations + 1, sizeof *bench->clients);
    if (!bench->taken_ms || !bench->clients || mailbox_init(&bench->mailbox) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, bench->fds) < 0 ||
        pthread_create(&bench->signer, NULL, sign, bench) != 0) {
        abort();
    }
    options.supervisor_fd = bench->fds[0];
    if (broker_new(&options, &bench->broker, &err) < 0) {
        fprintf(stderr, "bench: %s\n", err.text);
        exit(EX_SOFTWARE);
    }
    for (unsigned i = 0; i <= bench->installations; i++) {
        bench->clients[i].bench = bench;
        bench->clients[i].limited = i == bench->installations;
        snprintf(bench->clients[i].installation, sizeof bench->clients[i].installation, "%u",
                 i + 1);
    }
}

static void tear_down(struct bench *bench) {
    bench->ending = true;
    while (bench->under_way > 0) {
        pump(bench, 10);
    }
    broker_free(bench->broker);
    shutdown(bench->fds[1], SHUT_RDWR);
    pthread_join(bench->signer, NULL);
    mailbox_finish(&bench->mailbox);
    free(bench->clients);
    free(bench->taken_ms);
}

static void run(struct bench *bench) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct github github = github_start(bench->latency_ms);
    set_up(bench, github.port);
    printf("%u installations, each with one request under way; a response takes %lld ms: at "
           "most %.0f requests/s\n",
           bench->installations, (long long)bench->latency_ms,
           bench->installations * 1000.0 / (double)(bench->latency_ms ? bench->latency_ms : 1));
    for (unsigned i = 0; i < bench->installations; i++) {
        submit(&bench->clients[i]);
    }
    /* tokens and connections */
    pump(bench, 1000 + 5 * bench->latency_ms);
    measure(bench, "undisturbed");
    submit(&bench->clients[bench->installations]);
    pump(bench, 5 * bench->latency_ms);
    measure(bench, "one waits");
    size_t deferred = bench->deferred;
    tear_down(bench);
    struct github_report report = github_stop(github);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%llu connections (at most %llu at a time), %llu tokens, %ld MiB of memory at most; "
           "the one that waits was sent back %zu times\n",
           (unsigned long long)report.connections, (unsigned long long)report.most_connections,
           (unsigned long long)report.tokens, used.ru_maxrss / 1024, deferred);
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"installations", required_argument, NULL, 'i'},
                                            {"latency-ms", required_argument, NULL, 'l'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct bench bench = {.installations = 1000, .latency_ms = 100, .seconds = 5};
    int option;
    while ((option = getopt_long(argc, argv, "i:l:s:h", options, NULL)) != -1) {
        long value = optarg ? strtol(optarg, NULL, 10) : 0;
        switch (option) {
        case 'i':
            bench.installations = (unsigned)value;
            break;
        case 'l':
            bench.latency_ms = value;
            break;
        case 's':
            bench.seconds = value;
            break;
        default:
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? EX_OK : EX_USAGE;
        }
    }
    if (bench.installations == 0 || bench.installations > 100000 || bench.latency_ms < 0 ||
        bench.seconds <= 0 || bench.seconds > 600) {
        fputs(usage, stderr);
        return EX_USAGE;
    }
    log_setup(SNEK_LEVEL_ERROR, LOG_LOGFMT);
    run(&bench);
    return EX_OK;
}
