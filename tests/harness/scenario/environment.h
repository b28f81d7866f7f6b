/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The environment of one scenario: a folder, a fake GitHub and a host. Each is a process of its
 * own, started from the real binaries, on a port of its own. One thread uses it. */
#ifndef SNEK_SCENARIO_ENVIRONMENT_H
#define SNEK_SCENARIO_ENVIRONMENT_H

#include "scenario/client.h"
#include "scenario/lines.h"
#include "scenario/memory_check.h"
#include "scenario/scenario.h"

#include <limits.h>
#include <sys/types.h>

#define ENVIRONMENT_APP_ID "31415"
#define ENVIRONMENT_APP_SLUG "sneks-bot"
#define ENVIRONMENT_SECRET "not a secret: the scenarios' own"
#define ENVIRONMENT_FOLDERS_MAX 8

struct environment_options {
    /* A plugin's bare name is looked for in these first. */
    const char *plugin_folders[ENVIRONMENT_FOLDERS_MAX];
    size_t n_plugin_folders;
    /* Two programs, and the folder of the payloads. */
    const char *self, *snekomatic, *payloads;
    /* The folder of all environments. It has app.pem. */
    const char *root;
    int64_t timeout_ms;
    /* Borrowed. */
    struct warnings *warnings;
    /* What comes in a step without expectations becomes its expectations. */
    bool record;
    enum memory_check memory_check;
};

struct environment {
    const struct environment_options *options;
    const struct scenario *scenario;
    /* Ours; NULL: workers run as they are. */
    char *worker_wrapper;
    char folder[PATH_MAX];
    /* The fake, and the host's supervisor; 0: it is not running. */
    pid_t fake, host;
    struct lines fake_lines, host_lines;
    struct client client;
    char fake_url[160], host_url[160];
};

/* Makes root/app.pem, a fresh key. */
int environment_make_key(const char *root, struct error *err);

/* 0, or -1 with why it could not start. Finish it in both cases. `number` names its folder. */
int environment_start(struct environment *environment, const struct environment_options *options,
                      const struct scenario *scenario, unsigned number, struct error *err);
void environment_finish(struct environment *environment);

/* Starts the host and waits until it is ready. */
int environment_start_host(struct environment *environment, struct error *err);
/* Sends SIGTERM. The host must exit with 0. */
int environment_stop_host(struct environment *environment, struct error *err);

/* From now on SIGINT and SIGTERM make environment_tick() fail, so that environments are ended and
 * removed. */
void environment_catch_signals(void);
bool environment_interrupted(void);

/* The host's timers and schedules fire that are due within `ms` from now on; it then logs
 * msg=time_advanced. `ms` may only grow. */
int environment_advance(const struct environment *environment, int64_t ms, struct error *err);

/* The runs of a delivery that wait for a retry are due now: `snekomatic deliveries retry`. */
int environment_retry(struct environment *environment, const char *guid, struct error *err);

/* Calls the fake's control API: "requests", "state", ... */
int environment_call_fake(struct environment *environment, const char *method, const char *what,
                          const json_t *body, json_t **response, struct error *err);

/* Waits a moment and reads the logs. -1 when the host has ended, with how. */
int environment_tick(struct environment *environment, struct error *err);

/* SIGKILLs the host or its workers; -1 when there is none. */
int environment_kill(struct environment *environment, bool worker, struct error *err);

#endif
