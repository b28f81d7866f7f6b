/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Performs a scenario's steps in its environment, and collects the results, requests and log lines
 * of each. verify.c compares them with what the step expects. */
#ifndef SNEK_SCENARIO_STEP_RUNNER_H
#define SNEK_SCENARIO_STEP_RUNNER_H

#include "scenario/environment.h"
#include "scenario/payload.h"
#include "scenario/verify.h"

#include "base/list.h"

#define GUID_BYTES 37
#define PLUGIN_NAME_BYTES 101
#define STEP_RUNS_MAX 256

/* The end of a run's attempt. */
struct outcome {
    char guid[GUID_BYTES], plugin[PLUGIN_NAME_BYTES];
    char result[24];
    char reason[FIELD_MAX];
    /* When a run that waits is due again, on the runner's clock. */
    int64_t due_ms;
};

struct delivery {
    TAILQ_ENTRY(delivery) link;
    char guid[GUID_BYTES];
    /* The name of the step that delivered it; "": it has none. */
    char step[128];
    struct payload payload;
};

TAILQ_HEAD(delivery_list, delivery);

struct step_runner {
    struct environment *environment;
    /* The newest comes first. */
    struct delivery_list deliveries;
    /* Runs that wait for a retry. */
    struct outcome *waiting;
    size_t n_waiting;
    /* The steps advanced the clock by this much. */
    int64_t advanced_ms;
    /* The host's timers and schedules follow, from the first such step on. */
    bool fired;
    /* The last request that a step was compared with. */
    json_int_t last_request;

    /* The current step. Its lines of the log begin at `log_start`; those before `log_at` have been
     * read. */
    const json_t *step;
    size_t log_start, log_at;
    struct outcome *outcomes;
    size_t n_outcomes;
    /* The deliveries that the step is about, and the number of outcomes that it waits for.
     * SIZE_MAX: the host has not reported the number yet. */
    char guids[STEP_RUNS_MAX][GUID_BYTES];
    size_t n_guids;
    size_t runs_wanted;
    /* The requests of plugins that came; NULL until the fake was asked. */
    json_t *requests;
    /* The lines of TOML for each step so far, or null, when expectations are recorded. */
    json_t *recorded;
};

void step_runner_init(struct step_runner *runner, struct environment *environment);
void step_runner_finish(struct step_runner *runner);

/* Performs and verifies one step. False: something differs. */
bool step_runner_perform(struct step_runner *runner, const json_t *step,
                         struct differences *differences);

/* Ends the host and verifies [end]: the state, and that no further request came. */
bool step_runner_end(struct step_runner *runner, struct differences *differences);

/* Reads the requests since the last step from the fake, once all have their response. */
int step_runner_take_requests(struct step_runner *runner, struct error *err);

/* One of the step's `fail` in the fake's form. The caller's. */
json_t *step_runner_failure(const json_t *fail);

#endif
