/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Performs a scenario's steps in its world and judges what came of each. */
#ifndef SNEK_SCENARIO_STEP_RUNNER_H
#define SNEK_SCENARIO_STEP_RUNNER_H

#include "scenario/environment.h"
#include "scenario/payload.h"

#define GUID_BYTES 37
#define PLUGIN_NAME_BYTES 101
#define STEP_RUNS_MAX 256

/* How a run ended, or that it waits. */
struct outcome {
    char guid[GUID_BYTES], plugin[PLUGIN_NAME_BYTES];
    char result[24];
    char reason[FIELD_MAX];
    int64_t due_ms; /* of one that waits, on the stage's clock */
};

struct delivery {
    struct delivery *next; /* older */
    char guid[GUID_BYTES];
    char step[128]; /* its name, "" none */
    struct payload payload;
};

struct step_runner {
    struct environment *environment;
    struct delivery *deliveries; /* the newest first */
    struct outcome *waiting;     /* runs that wait for a retry */
    size_t n_waiting;
    int64_t advanced_ms;     /* by steps, on top of the real time */
    json_int_t last_request; /* that was judged */

    /* Of the current step. */
    const json_t *step;
    size_t log_start, log_at; /* its lines begin there; those before log_at were looked at */
    struct outcome *outcomes;
    size_t n_outcomes;
    char guids[STEP_RUNS_MAX][GUID_BYTES]; /* of the deliveries that it is about */
    size_t n_guids;
    size_t runs_wanted; /* outcomes to wait for */
    json_t *requests;   /* that came, but for the host's own; NULL until they are asked for */
};

/* What differs from what was expected, for people: lines. */
struct differences {
    struct buffer text;
};

void step_runner_init(struct step_runner *runner, struct environment *environment);
void step_runner_finish(struct step_runner *runner);

/* Performs and judges one step; false when something differs. */
bool step_runner_perform(struct step_runner *runner, const json_t *step,
                         struct differences *differences);

/* The host ends, and [end] is judged: the state, and that nothing else was asked. */
bool step_runner_end(struct step_runner *runner, struct differences *differences);

/* Does a line since the step began match? */
bool step_runner_is_logged(const struct step_runner *runner, const char *pattern);

/* -- between runner.c and verify.c -- */

__attribute__((format(printf, 2, 3))) void differences_add(struct differences *differences,
                                                           const char *format, ...);
/* Asks the fake for the requests since the last step, once all are answered. */
int step_runner_take_requests(struct step_runner *runner, struct error *err);
/* One of the step's `fail` as the fake takes it. The caller's. */
json_t *step_runner_failure(const json_t *fail);
void verify_step(struct step_runner *runner, struct differences *differences);
void verify_end(struct step_runner *runner, struct differences *differences);

#endif
