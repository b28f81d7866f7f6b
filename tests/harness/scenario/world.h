/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A scenario's own world: a folder, a fake GitHub and a host, each a process of its own through the
 * real binaries, on ports of their own. One thread. */
#ifndef SNEK_SCENARIO_WORLD_H
#define SNEK_SCENARIO_WORLD_H

#include "scenario/client.h"
#include "scenario/lines.h"
#include "scenario/scenario.h"

#include <limits.h>
#include <sys/types.h>

#define WORLD_APP_ID "31415"
#define WORLD_APP_SLUG "sneks-bot"
#define WORLD_SECRET "not a secret: the scenarios' own"
#define WORLD_FOLDERS_MAX 8

struct world_options {
    const char *plugin_folders[WORLD_FOLDERS_MAX]; /* where bare names are looked for first */
    size_t n_plugin_folders;
    const char *self, *snekomatic, *payloads; /* programs, and the folder of the payloads */
    const char *root;                         /* a folder for all worlds; has app.pem */
    int64_t timeout_ms;
};

struct world {
    const struct world_options *options;
    const struct scenario *scenario;
    char folder[PATH_MAX];
    pid_t fake, host; /* the host's supervisor; 0: not running */
    struct lines fake_lines, host_lines;
    struct client client;
    char fake_url[160], host_url[160];
};

/* Makes root/app.pem, a fresh key. */
int world_make_key(const char *root, struct error *err);

/* 0, or -1 with why it could not start; finish it in both cases. `number` names its folder. */
int world_start(struct world *world, const struct world_options *options,
                const struct scenario *scenario, unsigned number, struct error *err);
void world_finish(struct world *world);

int world_start_host(struct world *world, struct error *err); /* until it is ready */
int world_stop_host(struct world *world, struct error *err);  /* SIGTERM; it must exit with 0 */

/* From now on SIGINT and SIGTERM make world_tick() fail, so that worlds are ended and removed. */
void world_catch_signals(void);
bool world_interrupted(void);

/* To the fake's control API: "requests", "state", ... */
int world_ask_fake(struct world *world, const char *method, const char *what, const json_t *body,
                   json_t **answer, struct error *err);

/* Waits a moment and takes in what was said. -1 when the host has ended, with how. */
int world_tick(struct world *world, struct error *err);

/* SIGKILLs the host or its workers; -1 when there is none. */
int world_kill(struct world *world, bool worker, struct error *err);

#endif
