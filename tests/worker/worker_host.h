/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Acts as the host of the real snekomatic-worker: starts it over a socketpair with an empty
 * environment, sends frames to it and checks the frames that it sends. */
#ifndef SNEK_TESTS_WORKER_HOST_H
#define SNEK_TESTS_WORKER_HOST_H

#include "../unit/unit.h"

#include "protocol/frames.h"

#include <snekomatic/types.h>

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct worker_host {
    pid_t pid;
    int fd;
    /* enum frame_sandbox_level, and why it is not full; since the first frame. */
    int64_t level;
    char level_why[300];
};

/* A member that is 0 or NULL stands for a usual value. */
struct worker_options {
    const char *config;
    uint64_t concurrency, sandbox, memory_mib, log_level, protocol;
    /* Without descriptors 0 to 2, as the real host starts it. */
    bool quiet;
};

/* A frame from the worker. */
struct received {
    struct frame_head head;
    char *body;
    struct frame_reader reader;
};

/* For main(); the arguments are the worker and the directory of the built plugins. Copies the
 * plugins into a directory of safe owner and mode. */
int worker_tests_setup(int argc, char **argv);
void worker_tests_finish(void);
const char *worker_tests_directory(void);
/* The path of the copy. The fourth call from now overwrites the text. */
const char *plugin_path(const char *name);

void host_spawn(struct worker_host *host, bool quiet);
void host_load(struct worker_host *host, const char *path, const struct worker_options *options);
/* Spawns and loads, and receives DESCRIBED: the plugin is ready. */
void host_start(struct worker_host *host, const char *plugin, const struct worker_options *options);

void host_send(struct worker_host *host, const struct buffer *frame);
void host_run(struct worker_host *host, uint64_t run, const char *event, const char *action,
              const char *payload);
void host_run_from(struct worker_host *host, uint64_t run, const char *event, const char *action,
                   const char *payload, uint64_t bot_user);
/* The delivery arrived at this time: wall. */
void host_run_at(struct worker_host *host, uint64_t run, const char *event, const char *action,
                 const char *payload, int64_t received_ms);
void host_reply(struct worker_host *host, const struct received *call, int64_t outcome,
                uint64_t status, const char *sentence, const char *headers, const char *body);
void host_store_reply(struct worker_host *host, const struct received *call, int64_t outcome,
                      const char *value, size_t bytes);
void host_cancel(struct worker_host *host, uint64_t run);

/* Waits at most 20 s for the next frame, which must be of that kind. */
void host_receive(struct worker_host *host, enum frame_kind kind, struct received *received);
void received_finish(struct received *received);
#define AUTO_RECEIVED CLEANUP(received_finish)

/* The next number or text of the frame. Texts are copies in one of eight static places. */
int64_t received_number(struct received *received);
const char *received_text(struct received *received);
/* Fails when the frame has a further field. */
void received_end(struct received *received);

/* Receives a log line and compares it. */
void expect_log(struct worker_host *host, uint64_t run, const char *text);
/* Receives an HTTP call, to which the caller then replies. */
void expect_http(struct worker_host *host, struct received *received, const char *method,
                 const char *url, const char *body);
/* The same with every field; any flags are right when `flags` is below 0. */
void expect_http_with(struct worker_host *host, struct received *received, int64_t flags,
                      const char *method, const char *url, const char *accept, const char *type,
                      const char *headers, const char *repository, const char *body);
/* Receives the result; any reason is right when `reason` is NULL. */
void expect_result(struct worker_host *host, uint64_t run, int64_t result, const char *reason);
/* The worker closes the socket and exits with that status, or by that signal when it is negative.
 */
void expect_exit(struct worker_host *host, int status);
/* create() has succeeded; host_start() expects it. */
void expect_ready(struct worker_host *host);
/* Closes the host's end and expects exit status 0. */
void host_end(struct worker_host *host);

#endif
