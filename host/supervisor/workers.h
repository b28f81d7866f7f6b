/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The workers of one host: starts them by the configuration, reports their ends, and kills them.
 * The host is not trusted: every packet of it is checked, and the number of workers and the rate of
 * starts are bounded. Only this room includes it. One thread. */
#ifndef SNEK_SUPERVISOR_WORKERS_H
#define SNEK_SUPERVISOR_WORKERS_H

#include "base/throttle.h"
#include "plugin_file/plugin_file.h"
#include "supervisor/deployment.h"
#include "supervisor/messages.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* A worker that is replaced may not be gone yet when the next one starts. */
#define WORKERS_MAX (2 * CONFIG_PLUGINS_MAX)

struct worker_slot {
    /* The host's id of it. */
    uint64_t id;
    /* 0: the slot is free. */
    pid_t pid;
    uint32_t plugin;
    /* It was reaped, and its end is not reported yet. */
    bool ended;
    int code, status;
};

struct workers {
    /* All borrowed. A plugin's copy is made at its first start, if a reload has not made it. */
    struct deployment *deployment;
    struct plugin_files *files;
    const char *worker_path;
    struct worker_slot slots[WORKERS_MAX];
    struct throttle starts;
};

/* For a host of this deployment. Nothing is to be freed. */
void workers_init(struct workers *workers, struct deployment *deployment,
                  struct plugin_files *files, const char *worker_path);

/* Each handles one packet of the host, and replies on `control_fd`. */
void workers_start(struct workers *workers, const struct supervisor_control *packet,
                   int control_fd);
void workers_stop(struct workers *workers, const struct supervisor_control *packet);

/* A child was found by waitid(WNOWAIT), before it is reaped. True when it is a worker. */
bool workers_on_exit(struct workers *workers, const siginfo_t *info);

/* Reports ends to the host. True when one could not be reported yet, because the host does not
 * read. */
bool workers_report(struct workers *workers, int control_fd);

/* Its host has ended: kills all workers, and reports none. */
void workers_kill_all(struct workers *workers);
/* For workers that the kernel does not end. */
void workers_forget_all(struct workers *workers);
/* False once all have been reaped. */
bool workers_any_alive(const struct workers *workers);

#endif
