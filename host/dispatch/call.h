/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a worker asked, on its way through the broker or the inbox. call.c makes, carries and
 * answers; effect.c has the rules of what changes something at GitHub.
 *
 * A call outlives its run and its worker; the answer to one that is gone is thrown away. But a
 * call that writes into its run's journal holds the run: its completion waits, so that no retry
 * begins while an effect of the attempt before is still under way. */
#ifndef SNEK_DISPATCH_CALL_H
#define SNEK_DISPATCH_CALL_H

#include "dispatch/private.h"
#include "inbox/journal.h"
#include "inbox/plugin_state.h"

#define QUESTION_OWNED_MAX 12

struct call {
    struct call *next, **at; /* the plugin's list, while its worker is the one that asked */
    struct plugin *plugin;
    uint64_t incarnation, run, request;
    struct run *held;            /* NULL: it holds none */
    struct journal_entry *entry; /* of the run's journal; valid while the run is there */
    struct broker_request broker;
    struct inbox_plugin_state item;
    struct inbox_intend intend;
    struct inbox_complete answer;
    const struct inbox_record **records; /* ours; those that `intend` or `item` writes */
    bool inverted;                       /* of `item`: a change that a dry run only asked about */

    /* Of an effect. */
    bool in_doubt;      /* an earlier try may have reached GitHub */
    char *comments_url; /* ours; where a comment in doubt is looked for; NULL: not a comment */
    unsigned page;      /* of that, from 1 */
    struct broker_request look;
    char *look_url; /* ours */

    char *owned[QUESTION_OWNED_MAX]; /* copies of what the call points to */
    unsigned n_owned;
    size_t bytes; /* counted in the plugin's */
    bool failed;  /* memory was short */
};

/* A copy that lives as long as the call; "" and call->failed when memory is short. */
const char *call_own(struct call *call, const char *data, size_t bytes);

/* Its worker is still there to be answered. */
bool call_wanted(const struct call *call);

/* What its run has learnt from an answer of the broker's. */
void call_note(struct run *run, const struct broker_request *answered);

void call_hold(struct call *call, struct run *run);

/* Fills `records` and `writer` with the reads not written yet and the call's entry. False when
 * memory is short. */
bool call_write(struct call *call, struct inbox_journal_writer *writer);
void call_not_written(struct call *call); /* the store could not */

/* The end of a call: frees it. Answers first, when somebody waits. */
void call_free(struct call *call);
void call_reply(struct call *call, int32_t outcome, int32_t status, const char *sentence,
                const struct buffer *headers, const struct buffer *body);
void call_fail(struct call *call, int32_t outcome, const char *sentence);

/* effect.c. Whether a request changes something at GitHub. */
bool effect_is(const struct http_call *request);
/* Makes the effect of call->broker, or of call->entry again when that is not NULL. */
void effect_begin(struct call *call, struct run *run, const uint8_t key[INBOX_KEY_BYTES],
                  const struct http_call *request);

#endif
