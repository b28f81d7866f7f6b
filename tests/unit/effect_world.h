/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A world for the tests of dispatch/effect: small fakes of the inbox, the broker and the worker, in
 * which one allocation may fail, and the attempts of one run. */
#ifndef SNEK_TESTS_EFFECT_WORLD_H
#define SNEK_TESTS_EFFECT_WORLD_H

#include "unit.h"

#include "dispatch/call.h"

/* So many allocations succeed before one fails; negative: none fails. */
extern int until_failure;

#define RECORDS_MAX 8
#define COMMENTS_MAX 8
#define PENDING_MAX 16

struct world {
    /* The journal in the inbox, by number. */
    struct inbox_record records[RECORDS_MAX];
    size_t n_records;
    char *comments[COMMENTS_MAX];
    size_t n_comments;
    /* The next response to an effect gets lost. */
    bool lose;
    /* After GitHub's status, the next response to a POST fails here with this; 0: it does not. */
    int32_t cut_off;
    /* The bytes of responses that the worker has not read. */
    size_t unread_bytes;
    /* GitHub writes the next comment only when this test says so. */
    bool late;
    char *late_comment;
    /* The response to an effect that is no POST. */
    int32_t status, status_outcome;
    unsigned n_effects;
    struct inbox_operation *operations[PENDING_MAX];
    struct broker_request *requests[PENDING_MAX];
    size_t n_operations, n_requests;
    /* The n-th operation from now on fails, counted from 1; 0: none does. */
    int store_fails_at;
    /* It was carried out all the same: its commit's result got lost. */
    bool store_did;
    /* Ends of runs that were stored; and one of them while an effect had no response. */
    unsigned n_ends;
    bool ended_in_doubt;
    /* The worker has got a response, or was killed. */
    bool replied, killed;
    int32_t outcome;
};

extern struct world world;

extern struct run_table table;
extern struct run_group group;
extern struct call_group calls;

void begin_world(void);
/* Nothing is left in memory. */
void end_world(void);
/* The clocks stand still between two attempts. */
void pass(int64_t ms);

/* Does the first of the operations that were submitted; only the callbacks of dispatch may run out
 * of memory. */
void pump_operation(void);
void pump_request(void);
/* Does all that was submitted. */
void pump(void);

struct frame_text text(const char *data);

/* An attempt of the run makes requests of this method, URL and name ("": none). */
extern const char *method, *url, *once;
struct run *begin_attempt(int64_t token);
void begin_call(struct run *run);
/* The worker gets the response, or is killed. */
void make_call(struct run *run);
/* The host requeues the run. */
void end_attempt(void);

#endif
