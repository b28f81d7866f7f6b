/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One worker with a plugin under trial: it gets deliveries, and GitHub's part is played badly. One
 * thread. */
#ifndef SNEK_CLI_PLUGIN_TRIAL_H
#define SNEK_CLI_PLUGIN_TRIAL_H

#include "base/loop.h"
#include "protocol/description.h"
#include "worker_process/worker_process.h"

#include <stdbool.h>

/* How every request of the plugin ends. */
enum trial_github {
    /* 200 (201 for a POST) and an object with an id. */
    TRIAL_GITHUB_OBJECT,
    /* 200 and an empty list. */
    TRIAL_GITHUB_LIST,
    /* 200 and `null`. */
    TRIAL_GITHUB_NULL,
    /* 200 and no JSON. */
    TRIAL_GITHUB_TORN,
    TRIAL_GITHUB_MISSING,
    TRIAL_GITHUB_FAILS,
    /* No response. */
    TRIAL_GITHUB_LOST,
    TRIAL_GITHUB_KINDS,
};

/* The id of the app that the deliveries are for. */
#define TRIAL_APP "1"

struct trial_delivery {
    const char *event, *action;
    /* Borrowed. */
    const char *json;
    size_t bytes;
    enum trial_github github;
    /* It is cancelled as soon as it was sent. */
    bool cancelled;
};

struct trial;

/* `loop`, `starter` and `spec` are borrowed until trial_free(). NULL when memory is short. */
struct trial *trial_new(struct loop *loop, struct worker_starter *starter,
                        const struct worker_process_spec *spec);

/* Starts the worker, unless it runs. 0 when the plugin is ready. -1: `*why`, borrowed until the
 * next call, says how it failed. */
int trial_start(struct trial *trial, const char **why);
/* Starts the worker if necessary, and handles one delivery. Results as above. */
int trial_deliver(struct trial *trial, const struct trial_delivery *delivery, const char **why);
/* Ends the worker, if it runs. Results as above. */
int trial_end(struct trial *trial, const char **why);
/* The last failure was a deadline. */
bool trial_was_late(const struct trial *trial);
/* The function whose allocation failed in the last delivery, because the spec's failing_allocation
 * was reached, for people; "": none did. Borrowed until the next delivery. */
const char *trial_failed_allocation(const struct trial *trial);

/* The plugin's description, from the first start that got so far; NULL before. */
const struct description *trial_description(const struct trial *trial);

/* Kills the worker if it runs. Takes NULL. */
void trial_free(struct trial *trial);

#endif
