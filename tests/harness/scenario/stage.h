/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Performs a scenario's steps in its world and judges what came of each. */
#ifndef SNEK_SCENARIO_STAGE_H
#define SNEK_SCENARIO_STAGE_H

#include "scenario/payload.h"
#include "scenario/world.h"

#define GUID_BYTES 37
#define PLUGIN_NAME_BYTES 101
#define STAGE_RUNS_MAX 256

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

struct stage {
    struct world *world;
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
    char guids[STAGE_RUNS_MAX][GUID_BYTES]; /* of the deliveries that it is about */
    size_t n_guids;
    size_t runs_wanted; /* outcomes to wait for */
    json_t *requests;   /* that came, but for the host's own; NULL until they are asked for */
};

/* What differs from what was expected, for people: lines. */
struct verdict {
    struct buffer text;
};

void stage_init(struct stage *stage, struct world *world);
void stage_finish(struct stage *stage);

/* Performs and judges one step; false when something differs. */
bool stage_step(struct stage *stage, const json_t *step, struct verdict *verdict);

/* The host ends, and [end] is judged: the state, and that nothing else was asked. */
bool stage_end(struct stage *stage, struct verdict *verdict);

/* Does a line since the step began match? */
bool stage_is_logged(const struct stage *stage, const char *pattern);

/* -- between stage.c and judge.c -- */

__attribute__((format(printf, 2, 3))) void verdict_say(struct verdict *verdict, const char *format,
                                                       ...);
/* Asks the fake for the requests since the last step, once all are answered. */
int stage_take_requests(struct stage *stage, struct error *err);
/* One of the step's `fail` as the fake takes it. The caller's. */
json_t *stage_failure(const json_t *fail);
void judge_step(struct stage *stage, struct verdict *verdict);
void judge_end(struct stage *stage, struct verdict *verdict);

#endif
