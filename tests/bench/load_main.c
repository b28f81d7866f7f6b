/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sends deliveries to a server and prints, as JSON, how many it stored and how long it took. */
#include "bench.h"
#include "github.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage[] =
    "Usage: bench_load --port N [OPTION]... BODIES\n"
    "       bench_load --github MS [OPTION]... BODIES\n"
    "\n"
    "OPTION is --connections N (64), --seconds N (5), --warm-up SECONDS (0.3; not counted), --rate "
    "N,\n"
    "--fresh or --first.\n"
    "BODIES is the index.json of @octokit/webhooks-examples. --rate: so many a second, whether or\n"
    "not responses come; --fresh: a new connection for each delivery; --first: one delivery only.\n"
    "--github MS: plays GitHub, with this latency. Prints its port first, and then reads the\n"
    "server's port. A delivery ends with the comment that has its GUID.\n";

/* The server asks GitHub while it starts. */
static void wait_for_server(struct bench_load_options *load) {
    struct pollfd ready[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = github_fd(load->github), .events = POLLIN}};
    char line[32];
    printf("%d\n", github_port(load->github));
    fflush(stdout);
    do {
        int wait_ms = github_step(load->github);
        poll(ready, 2, wait_ms);
    } while (!(ready[0].revents & (POLLIN | POLLHUP)));
    if (fgets(line, sizeof line, stdin)) {
        load->port = (int)strtol(line, NULL, 10);
    }
}

/* False after a mistake. */
static bool read_options(int argc, char **argv, struct bench_load_options *load,
                         struct bench_comments *comments) {
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"connections", required_argument, NULL, 'c'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {"rate", required_argument, NULL, 'r'},
                                            {"warm-up", required_argument, NULL, 'w'},
                                            {"fresh", no_argument, NULL, 'f'},
                                            {"first", no_argument, NULL, '1'},
                                            {"github", required_argument, NULL, 'g'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'p':
            load->port = (int)strtol(optarg, NULL, 10);
            break;
        case 'c':
            load->connections = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 's':
            load->seconds = strtod(optarg, NULL);
            break;
        case 'w':
            load->warm_up_s = strtod(optarg, NULL);
            break;
        case 'r':
            load->rate = strtod(optarg, NULL);
            break;
        case 'f':
            load->fresh = true;
            break;
        case 'g':
            load->github = github_open(strtol(optarg, NULL, 10), bench_on_request, comments);
            break;
        case '1':
            load->connections = 1;
            load->first = true;
            break;
        default:
            return false;
        }
    }
    return argc - optind == 1 && load->connections > 0 && load->seconds > 0;
}

int main(int argc, char **argv) {
    struct bench_load_options load = {.connections = 64, .seconds = 5, .warm_up_s = 0.3};
    struct bench_comments comments = {.load = NULL};
    bool valid = read_options(argc, argv, &load, &comments);
    if (valid && load.github) {
        wait_for_server(&load);
    }
    if (!valid || load.port == 0) {
        fputs(usage, stderr);
        return EX_USAGE;
    }
    struct bench_bodies bodies = bench_bodies_load(argv[optind]);
    struct bench_result result = bench_load(&load, &bodies, &comments);
    printf("{\"per_second\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f,"
           " \"sent\": %zu, \"rejected\": %zu, \"bodies\": %zu, \"mean_bytes\": %zu}\n",
           result.per_second, result.p50_ms, result.p99_ms, result.p999_ms, result.sent,
           result.rejected, bodies.n, bodies.mean_bytes);
    for (size_t i = 0; i < bodies.n; i++) {
        free(bodies.all[i].json);
    }
    free(bodies.all);
    if (load.github) {
        github_close(load.github);
    }
    return result.sent > 0 ? EX_OK : EX_SOFTWARE;
}
