/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Plays the host to the real snekomatic-worker: starts it over a socketpair with an empty
 * environment, says frames, and hears what it says. */
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
};

struct worker_options {
    const char *config;                                             /* NULL: {} */
    uint64_t concurrency, sandbox, memory_mib, log_level, protocol; /* 0: a usual one */
    bool quiet; /* without descriptors 0 to 2, as the host starts it */
};

/* What the worker said. */
struct said {
    struct frame_head head;
    char *body;
    struct frame_reader reader;
};

/* From main(): the worker, the built plugins' directory. Makes a safe directory with copies. */
int worker_tests_setup(int argc, char **argv);
void worker_tests_finish(void);
const char *worker_tests_directory(void);
const char *
plugin_path(const char *name); /* of the copy; overwritten by the fourth call from now */

void host_spawn(struct worker_host *host, bool quiet);
void host_load(struct worker_host *host, const char *path, const struct worker_options *options);
/* Spawns, loads, and takes DESCRIBED: a plugin that is ready. */
void host_start(struct worker_host *host, const char *plugin, const struct worker_options *options);

void host_send(struct worker_host *host, const struct buffer *frame);
void host_run(struct worker_host *host, uint64_t run, const char *event, const char *action,
              const char *payload);
void host_run_from(struct worker_host *host, uint64_t run, const char *event, const char *action,
                   const char *payload, bool from_self);
void host_reply(struct worker_host *host, const struct said *question, int64_t outcome,
                uint64_t status, const char *sentence, const char *headers, const char *body);
void host_store_reply(struct worker_host *host, const struct said *question, int64_t outcome,
                      const char *value, size_t bytes);
void host_cancel(struct worker_host *host, uint64_t run);

/* Waits (at most 20 s) for the next frame, which must be of that kind. */
void host_hear(struct worker_host *host, enum frame_kind kind, struct said *said);
void said_finish(struct said *said);
#define AUTO_SAID CLEANUP(said_finish)

/* The next number or text of what was said; texts are copies in one of eight static places. */
int64_t said_number(struct said *said);
const char *said_text(struct said *said);
void said_end(struct said *said); /* nothing is left over */

/* Hears a log line and compares it. */
void expect_log(struct worker_host *host, uint64_t run, const char *text);
/* Hears a request, which the caller then answers. */
void expect_http(struct worker_host *host, struct said *said, const char *method, const char *url,
                 const char *body);
/* Every field; `flags` below 0: whatever they are. */
void expect_http_with(struct worker_host *host, struct said *said, int64_t flags,
                      const char *method, const char *url, const char *accept, const char *type,
                      const char *headers, const char *repository, const char *body);
/* Hears the result; `reason` NULL: any. */
void expect_result(struct worker_host *host, uint64_t run, int64_t result, const char *reason);
/* The worker closes and exits with that status, or by that signal when it is negative. */
void expect_exit(struct worker_host *host, int status);
/* Closes the host's end and expects a clean end. */
void host_end(struct worker_host *host);

#endif
