/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A fake GitHub for the benchmarks, in a process of its own on a loopback port. Each
 * response takes the given latency. It knows tokens, and gives every other request the same
 * response. */
#ifndef SNEK_TESTS_BENCH_GITHUB_H
#define SNEK_TESTS_BENCH_GITHUB_H

#include <stdint.h>
#include <sys/types.h>

struct github {
    pid_t pid;
    int port;
    int report_fd;
};

struct github_report {
    /* most: the largest number at one time. */
    uint64_t requests, tokens, connections, most_connections;
};

/* Below /limited/ it responds with a secondary limit of ten minutes. */
struct github github_start(int64_t latency_ms);
struct github_report github_stop(struct github github);

/* The same within this process: call github_step() when github_fd() is readable, and after the
 * milliseconds that it returned (-1: no limit). `on_request` gets the text of each request when it
 * is complete. */
typedef void github_on_request(void *context, const char *request);
struct github_server *github_open(int64_t latency_ms, github_on_request *on_request, void *context);
int github_port(const struct github_server *server);
int github_fd(const struct github_server *server);
int github_step(struct github_server *server);
void github_close(struct github_server *server);

#endif
