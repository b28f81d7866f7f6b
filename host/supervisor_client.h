/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host's end of the control socket (supervisor/messages.h): gets the settings, reports that the
 * host is ready, and has workers started. Main thread. */
#ifndef SNEK_SUPERVISOR_CLIENT_H
#define SNEK_SUPERVISOR_CLIENT_H

#include "base/error.h"
#include "base/list.h"
#include "base/loop.h"
#include "config/config.h"
#include "config/settings.h"
#include "worker_process/starter.h"

#include <stdbool.h>
#include <stdint.h>

TAILQ_HEAD(worker_start_list, worker_start);

struct supervisor_client {
    struct worker_starter starter;
    struct loop *loop;
    struct loop_source control;
    struct worker_start_list starts;
    uint64_t last_id;
    /* SUPERVISOR_GO has come. */
    bool go;
    /* The supervisor has ended. */
    void (*on_lost)(void *context);
    void *context;
};

/* Says HELLO and waits for the settings. The process must not be dumpable any more.
 * `*descriptions_fd` is the caller's: the file for description_file_read(). 0, or -1. */
int supervisor_client_hello(struct settings **settings, int *descriptions_fd, struct error *err);

/* Watches the socket. `client` is borrowed until supervisor_client_finish(), to which all workers
 * must have been freed. 0, or -1. */
int supervisor_client_init(struct supervisor_client *client, struct loop *loop,
                           void (*on_lost)(void *context), void *context, struct error *err);
void supervisor_client_finish(struct supervisor_client *client);

/* SUPERVISOR_LOADED, SUPERVISOR_READY or SUPERVISOR_ALIVE. 0, or -1. */
int supervisor_client_report(uint32_t kind, struct error *err);
/* The host cannot start; `why` is for the one who asked for a reload. A lost report is no harm. */
void supervisor_client_report_failure(const struct error *why);
/* The configuration is wrong. 0; or -1, and the supervisor does not know it. */
int supervisor_client_report_problems(const struct config_problems *problems);

#endif
