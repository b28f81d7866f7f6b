/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One call of a worker, on its way through the broker or the inbox: what all kinds of calls share.
 * calls.c carries reads of GitHub, store_calls.c those of the store, effect.c effects.
 *
 * A call outlives its run and its worker; a response to a run or a worker that is gone is dropped.
 * But a call that writes into its run's journal holds the run: the run's completion waits, so that
 * no retry begins while an effect of the attempt before it is still under way. See effect.c for
 * what happens between the response of an effect and its commit.
 *
 * call.c writes the first part of struct call; the parts below belong to the file that they name.
 * Threads: the loop's. */
#ifndef SNEK_DISPATCH_CALL_H
#define SNEK_DISPATCH_CALL_H

#include "dispatch/effect_item.h"
#include "dispatch/run.h"
#include "inbox/journal.h"
#include "inbox/plugin_state.h"

#define CALL_OWNED_MAX 12
/* The calls of a plugin that are under way at once, and the bytes of their bodies. A further call
 * waits in its worker. Calls of a worker that died count until they end, so that a plugin gains
 * nothing by crashing. */
#define CALLS_MAX 64
#define CALL_BODIES_MAX ((size_t)8 << 20)
/* Bytes of responses that the plugin's worker has not read. If a response does not fit, its run is
 * requeued and comes back later. */
#define CALL_RESPONSES_MAX ((size_t)8 << 20)
#define CALL_CROWDED_MS 1000

struct bot_user;
struct call;
TAILQ_HEAD(call_list, call);

/* The calls of one plugin: of its present worker and of earlier ones. */
struct call_group {
    struct run_group *runs;
    struct broker *broker;
    const char *api_url;
    struct call_list calls;
    unsigned n_calls;
    /* The sum of their bodies. */
    size_t bytes;
    /* Effects whose response the store could not record, of this worker and of earlier ones. */
    struct call_list unrecorded;
};

struct call {
    TAILQ_ENTRY(call) link;
    struct call_group *group;
    uint64_t generation, run, request;
    /* The run that it holds; NULL: none. */
    struct run *held;
    /* In the run's journal; valid while the run is there. NULL: none. */
    struct journal_entry *entry;
    /* Lists what the next commit writes; ours. */
    const struct inbox_record **records;
    size_t n_records;
    /* Copies of what the call points to. */
    char *owned[CALL_OWNED_MAX];
    unsigned n_owned;
    /* Counted in the group's. */
    size_t bytes;
    /* Memory was short for a copy. */
    bool failed;

    /* calls.c fills it; of an effect, effect.c. */
    struct broker_request broker;

    /* bot_user.c. */
    struct bot_user *bot_user;

    /* store_calls.c. */
    struct inbox_plugin_state item;
    /* A dry run of a change only looks whether the entry or key exists, and inverts that result. */
    bool inverted;

    /* effect.c. */
    struct call_effect {
        struct inbox_intend intend;
        /* For the audit and the limits. */
        struct inbox_effect audited;
        char item[EFFECT_ITEM_MAX + 1];
        char request_id[INBOX_REQUEST_ID_MAX + 1];
        /* Monotonic: when the intent was submitted. */
        int64_t intended_at_ms;
        struct inbox_complete complete;
        /* In the group's list of effects that are unrecorded, until then (monotonic). */
        TAILQ_ENTRY(call) link_unrecorded;
        int64_t record_at_ms;
        /* An earlier attempt to send it may have reached GitHub. */
        bool in_doubt;
        /* The URL of the list that would have the comment or check run; owned. NULL: the effect
         * makes neither. */
        char *list_url;
        bool is_check_run;
        /* The page of that list, from 1. */
        unsigned page;
        struct broker_request search;
        char *search_url; /* ours */
    } effect;
};

void call_group_init(struct call_group *group, struct run_group *runs, struct broker *broker,
                     const char *api_url);
/* True when a call with a body of so many bytes may begin now. */
bool call_group_has_room(const struct call_group *group, size_t bytes);

/* A call of `run` with so many bytes. NULL: the worker was killed, because memory is short. */
struct call *call_new(struct call_group *group, const struct run *run, uint64_t request,
                      size_t bytes);
void call_free(struct call *call);

/* A copy that lives as long as the call. "" and call->failed when memory is short. */
const char *call_own(struct call *call, const char *data, size_t bytes);
/* Gives the call a text that free() takes. */
const char *call_own_text(struct call *call, char *text);

/* True while its worker waits for the response. */
bool call_wanted(const struct call *call);
/* Its run, while the worker has it; else NULL. */
struct run *call_run(const struct call *call);

/* The call's entry in the run's journal. With `hold`, the call writes it: it holds the run, and the
 * entry is busy until the call ends. */
void call_set_entry(struct call *call, struct journal_entry *entry);
void call_hold(struct call *call, struct run *run);

/* Fills `records` and `writer` with the reads that are not written yet and the call's entry. False
 * when memory is short. */
bool call_write(struct call *call, struct inbox_journal_writer *writer);
/* Call it after the store has written them or failed to. */
void call_written(struct call *call);
void call_not_written(struct call *call);

/* Fills the call's broker request with what all requests of the run have. */
void call_fill_broker(struct call *call, const struct run *run,
                      void (*on_done)(struct broker_request *));

/* Responds to the worker, if it waits, with the response in the call's broker request. The call
 * goes on, and must not respond again. */
void call_send_broker_reply(struct call *call);

/* The end of a call: each responds to the worker, if it waits, and frees the call. */
void call_reply(struct call *call, int32_t outcome, int32_t status, const char *sentence,
                const struct buffer *headers, const struct buffer *body);
/* Like call_reply(), with the response in the call's broker request. */
void call_reply_broker(struct call *call);
void call_fail(struct call *call, int32_t outcome, const char *sentence);
void call_reply_store(struct call *call, int64_t outcome, const char *value, size_t bytes);
void call_fail_store(struct call *call, int64_t outcome, const char *sentence);
/* Kills the worker: without memory the call cannot be made. */
void call_out_of_memory(struct call *call);

/* How long the run's calls that are under way have waited for rate limits, which does not count
 * towards its deadline. `*waits`: one of them waits now. */
int64_t call_waited_ms(const struct call_group *group, const struct run *run, int64_t now_ms,
                       bool *waits);

#endif
