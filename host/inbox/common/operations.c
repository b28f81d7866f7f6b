/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of the kinds of operations, and the functions of its rows. */
#include "inbox/common/operations.h"

#include "base/array.h"
#include "base/text.h"
#include "inbox/admin.h"
#include "inbox/common/codec.h"
#include "inbox/console.h"
#include "inbox/deliveries.h"
#include "inbox/holds.h"
#include "inbox/installations.h"
#include "inbox/maintenance.h"
#include "inbox/plugin_state.h"
#include "inbox/previews.h"
#include "inbox/pull.h"
#include "inbox/rate_limits.h"
#include "inbox/timers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A function is NULL when its step does nothing for this kind. */
struct operation_kind {
    void (*prepare)(struct inbox_operation *operation);
    void (*unprepare)(struct inbox_operation *operation);
    int (*check)(const struct inbox_operation *operation, struct error *err);
    size_t (*bytes)(const struct inbox_operation *operation);
    void (*clear)(struct inbox_operation *operation);
    /* Frees the results; clear() follows. */
    void (*free)(struct inbox_operation *operation);
    /* The operation has failed for good, and its client does not know it yet. */
    void (*fail)(struct inbox_operation *operation);
};

/* Tokens that the system gives at once, because glibc asks it for each arc4random_buf(). */
#define TOKENS_AT_ONCE 32

/* The token is positive and far below INT64_MAX, because the runs of one operation get consecutive
 * numbers from it. */
static int64_t random_token(void) {
    static _Thread_local int64_t tokens[TOKENS_AT_ONCE];
    static _Thread_local size_t left;
    if (left == 0) {
        arc4random_buf(tokens, sizeof tokens);
        left = TOKENS_AT_ONCE;
    }
    return (tokens[--left] & (INT64_MAX >> 1)) + 1;
}

/* ---- PUT ---- */

static void put_prepare(struct inbox_operation *operation) {
    struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    put->packed = codec_pack(put->body, put->body_bytes, &put->packed_bytes);
    put->first_token = random_token();
}

static void put_unprepare(struct inbox_operation *operation) {
    struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    free(put->packed);
    put->packed = NULL;
}

static int put_check(const struct inbox_operation *operation, struct error *err) {
    const struct inbox_put *put = CONTAINER_OF(operation, const struct inbox_put, operation);
    const struct {
        const char *what, *text;
        size_t max;
    } texts[] = {{"GUID", put->guid, INBOX_GUID_MAX},
                 {"event", put->event, INBOX_NAME_MAX},
                 {"action", put->action, INBOX_NAME_MAX},
                 {"installation", put->installation, INBOX_NAME_MAX},
                 {"repository's id", put->repository_id, INBOX_ITEM_MAX},
                 {"item", put->item, INBOX_ITEM_MAX}};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        if (strlen(texts[i].text) > texts[i].max) {
            return error_set(err, "storing a delivery: its %s is longer than %zu bytes",
                             texts[i].what, texts[i].max);
        }
    }
    for (size_t i = 0; i < put->n_runs; i++) {
        if (strlen(put->runs[i].plugin) > INBOX_NAME_MAX) {
            return error_set(err, "storing a delivery: a plugin's name is longer than %d bytes",
                             INBOX_NAME_MAX);
        }
    }
    return 0;
}

static size_t put_bytes(const struct inbox_operation *operation) {
    const struct inbox_put *put = CONTAINER_OF(operation, const struct inbox_put, operation);
    return put->packed ? put->packed_bytes : put->body_bytes;
}

static void put_clear(struct inbox_operation *operation) {
    struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    for (size_t i = 0; i < put->n_runs; i++) {
        put->runs[i].id = put->runs[i].token = 0;
    }
    put->unparked = 0;
    put->took_entry = false;
    put->superseded = NULL;
    put->n_superseded = 0;
}

static void put_free(struct inbox_operation *operation) {
    inbox_put_finish(CONTAINER_OF(operation, struct inbox_put, operation));
}

/* ---- CLAIM, FINISH, RENEW ---- */

static int finish_check(const struct inbox_operation *operation, struct error *err) {
    const struct inbox_finish *finish =
        CONTAINER_OF(operation, const struct inbox_finish, operation);
    return finish->lost && *finish->lost
               ? error_set(err, "storing the end of a run: the response of one of its effects was "
                                "not stored")
               : 0;
}

static void finish_clear(struct inbox_operation *operation) {
    CONTAINER_OF(operation, struct inbox_finish, operation)->next_due_ms = INT64_MAX;
}

static void claim_prepare(struct inbox_operation *operation) {
    CONTAINER_OF(operation, struct inbox_claim, operation)->first_token = random_token();
}

static void claim_clear(struct inbox_operation *operation) {
    struct inbox_claim *claim = CONTAINER_OF(operation, struct inbox_claim, operation);
    claim->runs = NULL;
    claim->n_runs = 0;
    claim->next_due_ms = INT64_MAX;
    claim->set_aside = 0;
    claim->holds = NULL;
    claim->n_holds = 0;
    for (size_t i = 0; i < claim->n_shares; i++) {
        claim->shares[i].suspects_due = false;
        claim->shares[i].first_taken = false;
        claim->shares[i].passed_over = 0;
        claim->shares[i].passed_over_due_ms = 0;
    }
}

static void claim_free(struct inbox_operation *operation) {
    struct inbox_claim *claim = CONTAINER_OF(operation, struct inbox_claim, operation);
    inbox_runs_free(claim->runs, claim->n_runs);
    free(claim->holds);
}

static void claim_unprepare(struct inbox_operation *operation) {
    struct inbox_claim *claim = CONTAINER_OF(operation, struct inbox_claim, operation);
    free(claim->holds);
    claim->holds = NULL;
    claim->n_holds = 0;
    if (claim->n_runs == 0) {
        /* The room of runs that were set aside: who gets no run has nothing to free. */
        free(claim->runs);
        claim->runs = NULL;
    }
}

static void renew_clear(struct inbox_operation *operation) {
    struct inbox_renew *renew = CONTAINER_OF(operation, struct inbox_renew, operation);
    for (size_t i = 0; i < renew->n_held; i++) {
        renew->held[i].ours = false;
    }
}

/* ---- the journal, and the plugins' sets and keys ---- */

static size_t writer_bytes(const struct inbox_journal_writer *writer) {
    size_t bytes = 0;
    for (size_t i = 0; i < writer->n_records; i++) {
        bytes += writer->records[i]->headers.bytes + writer->records[i]->body.bytes;
    }
    return bytes;
}

static size_t intend_bytes(const struct inbox_operation *operation) {
    return writer_bytes(&CONTAINER_OF(operation, const struct inbox_intend, operation)->writer);
}

static void intend_clear(struct inbox_operation *operation) {
    struct inbox_intend *intend = CONTAINER_OF(operation, struct inbox_intend, operation);
    intend->audit = intend->wait_until_ms = 0;
    intend->new_hold = false;
}

static void complete_fail(struct inbox_operation *operation) {
    const struct inbox_complete *complete =
        CONTAINER_OF(operation, const struct inbox_complete, operation);
    if (complete->lost) {
        *complete->lost = true;
    }
}

static size_t complete_bytes(const struct inbox_operation *operation) {
    const struct inbox_complete *complete =
        CONTAINER_OF(operation, const struct inbox_complete, operation);
    return complete->record->headers.bytes + complete->record->body.bytes;
}

static size_t plugin_state_bytes(const struct inbox_operation *operation) {
    const struct inbox_plugin_state *state =
        CONTAINER_OF(operation, const struct inbox_plugin_state, operation);
    return state->value_in_bytes + writer_bytes(&state->writer);
}

static void key_get_clear(struct inbox_operation *operation) {
    CONTAINER_OF(operation, struct inbox_plugin_state, operation)->value =
        (struct buffer)BUFFER_INIT(0);
}

static void key_get_free(struct inbox_operation *operation) {
    buffer_finish(&CONTAINER_OF(operation, struct inbox_plugin_state, operation)->value);
}

/* ---- timers.h ---- */

static size_t timers_bytes(const struct inbox_operation *operation) {
    const struct inbox_finish *finish =
        CONTAINER_OF(operation, const struct inbox_finish, operation);
    size_t bytes = 0;
    for (size_t i = 0; i < finish->n_timers; i++) {
        bytes += finish->timers[i].body_bytes;
    }
    return bytes;
}

static void timers_due_clear(struct inbox_operation *operation) {
    struct inbox_timers_due *due = CONTAINER_OF(operation, struct inbox_timers_due, operation);
    due->timers = NULL;
    due->n_timers = 0;
}

static void timers_due_free(struct inbox_operation *operation) {
    struct inbox_timers_due *due = CONTAINER_OF(operation, struct inbox_timers_due, operation);
    inbox_due_timers_free(due->timers, due->n_timers);
}

/* ---- RATE_LIMIT_GET ---- */

static void rate_limit_clear(struct inbox_operation *operation) {
    struct inbox_rate_limit *limit = CONTAINER_OF(operation, struct inbox_rate_limit, operation);
    memset(limit->until_ms, 0, sizeof limit->until_ms);
    limit->released_ms = 0;
}

/* ---- holds.h ---- */

/* GitHub ignores the case of letters in a name, so the store has lower case only. */
static void hold_prepare(struct inbox_operation *operation) {
    text_to_lower(CONTAINER_OF(operation, struct inbox_hold_change, operation)->hold.value);
}

static void holds_clear(struct inbox_operation *operation) {
    struct inbox_holds *holds = CONTAINER_OF(operation, struct inbox_holds, operation);
    holds->holds = NULL;
    holds->n_holds = 0;
}

static void holds_free(struct inbox_operation *operation) {
    free(CONTAINER_OF(operation, struct inbox_holds, operation)->holds);
}

/* ---- admin.h ---- */

static void list_clear(struct inbox_operation *operation) {
    struct inbox_list *list = CONTAINER_OF(operation, struct inbox_list, operation);
    list->entries = NULL;
    list->n_entries = 0;
    list->next = (struct inbox_list_position){0};
}

static void list_free(struct inbox_operation *operation) {
    struct inbox_list *list = CONTAINER_OF(operation, struct inbox_list, operation);
    inbox_entries_free(list->entries, list->n_entries);
}

static void body_clear(struct inbox_operation *operation) {
    CONTAINER_OF(operation, struct inbox_body, operation)->body = NULL;
}

static void body_free(struct inbox_operation *operation) {
    payload_unref(CONTAINER_OF(operation, struct inbox_body, operation)->body);
}

static void journal_read_clear(struct inbox_operation *operation) {
    struct inbox_journal_read *read = CONTAINER_OF(operation, struct inbox_journal_read, operation);
    read->records = NULL;
    read->n_records = 0;
}

static void journal_read_free(struct inbox_operation *operation) {
    struct inbox_journal_read *read = CONTAINER_OF(operation, struct inbox_journal_read, operation);
    inbox_records_free(read->records, read->n_records);
}

static void change_clear(struct inbox_operation *operation) {
    CONTAINER_OF(operation, struct inbox_change, operation)->runs = 0;
}

static void preview_clear(struct inbox_operation *operation) {
    CONTAINER_OF(operation, struct inbox_preview, operation)->in_doubt = 0;
}

static void preview_apply_clear(struct inbox_operation *operation) {
    struct inbox_preview_apply *apply =
        CONTAINER_OF(operation, struct inbox_preview_apply, operation);
    apply->guid[0] = apply->plugin[0] = apply->state[0] = '\0';
}

static void installations_clear(struct inbox_operation *operation) {
    struct inbox_installations *list =
        CONTAINER_OF(operation, struct inbox_installations, operation);
    list->rows = NULL;
    list->n_rows = 0;
}

static void installations_free(struct inbox_operation *operation) {
    free(CONTAINER_OF(operation, struct inbox_installations, operation)->rows);
}

static void installation_release_clear(struct inbox_operation *operation) {
    struct inbox_installation_release *release =
        CONTAINER_OF(operation, struct inbox_installation_release, operation);
    release->limits = release->delayed = release->parked = 0;
}

static void audit_clear(struct inbox_operation *operation) {
    struct inbox_audit_read *read = CONTAINER_OF(operation, struct inbox_audit_read, operation);
    read->entries = NULL;
    read->n_entries = 0;
}

static void audit_free(struct inbox_operation *operation) {
    struct inbox_audit_read *read = CONTAINER_OF(operation, struct inbox_audit_read, operation);
    inbox_audit_free(read->entries, read->n_entries);
}

/* ---- console.h ---- */

static void search_clear(struct inbox_operation *operation) {
    struct inbox_search *search = CONTAINER_OF(operation, struct inbox_search, operation);
    search->entries = NULL;
    search->n_entries = 0;
    search->next = (struct inbox_search_position){0};
    search->reached_ms = 0;
}

static void search_free(struct inbox_operation *operation) {
    struct inbox_search *search = CONTAINER_OF(operation, struct inbox_search, operation);
    inbox_entries_free(search->entries, search->n_entries);
}

static void show_clear(struct inbox_operation *operation) {
    struct inbox_show *show = CONTAINER_OF(operation, struct inbox_show, operation);
    *show = (struct inbox_show){.operation = show->operation, .guid = show->guid};
}

static void show_free(struct inbox_operation *operation) {
    inbox_show_finish(CONTAINER_OF(operation, struct inbox_show, operation));
}

static void timeline_clear(struct inbox_operation *operation) {
    struct inbox_timeline *timeline = CONTAINER_OF(operation, struct inbox_timeline, operation);
    timeline->entries = NULL;
    timeline->effects = NULL;
    timeline->n_entries = timeline->n_effects = 0;
    timeline->next = (struct inbox_search_position){0};
    timeline->reached_ms = 0;
}

static void timeline_free(struct inbox_operation *operation) {
    inbox_timeline_finish(CONTAINER_OF(operation, struct inbox_timeline, operation));
}

static void failures_clear(struct inbox_operation *operation) {
    struct inbox_failures *failures = CONTAINER_OF(operation, struct inbox_failures, operation);
    failures->groups = NULL;
    failures->n_groups = 0;
    failures->cut = false;
}

static void failures_free(struct inbox_operation *operation) {
    struct inbox_failures *failures = CONTAINER_OF(operation, struct inbox_failures, operation);
    inbox_failures_free(failures->groups, failures->n_groups);
}

static void series_clear(struct inbox_operation *operation) {
    struct inbox_series *series = CONTAINER_OF(operation, struct inbox_series, operation);
    memset(series->buckets, 0, sizeof series->buckets);
    series->n_buckets = 0;
    series->first_ms = series->summed_ms = 0;
}

static void digest_clear(struct inbox_operation *operation) {
    CONTAINER_OF(operation, struct inbox_digest, operation)->more = false;
}

static void plugins_clear(struct inbox_operation *operation) {
    struct inbox_plugins *list = CONTAINER_OF(operation, struct inbox_plugins, operation);
    list->plugins = NULL;
    list->n_plugins = 0;
}

static void plugins_free(struct inbox_operation *operation) {
    free(CONTAINER_OF(operation, struct inbox_plugins, operation)->plugins);
}

static void recovery_clear(struct inbox_operation *operation) {
    struct inbox_recovery *recovery = CONTAINER_OF(operation, struct inbox_recovery, operation);
    *recovery = (struct inbox_recovery){.operation = recovery->operation};
}

static void actions_clear(struct inbox_operation *operation) {
    struct inbox_actions *list = CONTAINER_OF(operation, struct inbox_actions, operation);
    list->actions = NULL;
    list->n_actions = 0;
    list->more = false;
}

static void actions_free(struct inbox_operation *operation) {
    free(CONTAINER_OF(operation, struct inbox_actions, operation)->actions);
}

/* ---- pull.h ---- */

static void pull_due_clear(struct inbox_operation *operation) {
    struct inbox_pull_due *due = CONTAINER_OF(operation, struct inbox_pull_due, operation);
    due->n_waiting = 0;
    due->n_total = 0;
    due->next_due_ms = due->oldest_ms = INT64_MAX;
}

/* ---- maintenance.h ---- */

static void prune_clear(struct inbox_operation *operation) {
    struct inbox_prune *prune = CONTAINER_OF(operation, struct inbox_prune, operation);
    prune->bodies = prune->forgotten = prune->audited = prune->marked = prune->ended = 0;
    prune->next = prune->after;
    prune->next.steps++;
    prune->more = false;
}

static const struct operation_kind kinds[INBOX_KINDS] = {
    [INBOX_PUT] = {.prepare = put_prepare,
                   .unprepare = put_unprepare,
                   .check = put_check,
                   .bytes = put_bytes,
                   .clear = put_clear,
                   .free = put_free},
    [INBOX_CLAIM] = {.prepare = claim_prepare,
                     .unprepare = claim_unprepare,
                     .clear = claim_clear,
                     .free = claim_free},
    [INBOX_FINISH] = {.check = finish_check, .clear = finish_clear},
    [INBOX_FINISH_TIMERS] = {.check = finish_check, .bytes = timers_bytes, .clear = finish_clear},
    [INBOX_TIMERS_DUE] = {.clear = timers_due_clear, .free = timers_due_free},
    [INBOX_FIRE] = {.prepare = put_prepare,
                    .unprepare = put_unprepare,
                    .check = put_check,
                    .bytes = put_bytes,
                    .clear = put_clear,
                    .free = put_free},
    [INBOX_RENEW] = {.clear = renew_clear},
    [INBOX_INTEND] = {.bytes = intend_bytes, .clear = intend_clear},
    [INBOX_COMPLETE] = {.bytes = complete_bytes, .fail = complete_fail},
    [INBOX_AUDIT_READ] = {.clear = audit_clear, .free = audit_free},
    [INBOX_SET_ADD] = {.bytes = plugin_state_bytes},
    [INBOX_SET_REMOVE] = {.bytes = plugin_state_bytes},
    [INBOX_KEY_GET] = {.clear = key_get_clear, .free = key_get_free},
    [INBOX_KEY_PUT] = {.bytes = plugin_state_bytes},
    [INBOX_KEY_DELETE] = {.bytes = plugin_state_bytes},
    [INBOX_RESERVE] = {.bytes = plugin_state_bytes},
    [INBOX_RATE_LIMIT_GET] = {.clear = rate_limit_clear},
    [INBOX_HOLD_PUT] = {.prepare = hold_prepare},
    [INBOX_HOLD_END] = {.prepare = hold_prepare},
    [INBOX_HOLDS] = {.clear = holds_clear, .free = holds_free},
    [INBOX_LIST] = {.clear = list_clear, .free = list_free},
    [INBOX_BODY] = {.clear = body_clear, .free = body_free},
    [INBOX_JOURNAL_READ] = {.clear = journal_read_clear, .free = journal_read_free},
    [INBOX_RERUN] = {.clear = change_clear},
    [INBOX_DISCARD] = {.clear = change_clear},
    [INBOX_PULL_DUE] = {.clear = pull_due_clear},
    [INBOX_INSTALLATIONS] = {.clear = installations_clear, .free = installations_free},
    [INBOX_INSTALLATION_RELEASE] = {.clear = installation_release_clear},
    [INBOX_PREVIEW] = {.clear = preview_clear},
    [INBOX_PREVIEW_APPLY] = {.clear = preview_apply_clear},
    [INBOX_SEARCH] = {.clear = search_clear, .free = search_free},
    [INBOX_SHOW] = {.clear = show_clear, .free = show_free},
    [INBOX_TIMELINE] = {.clear = timeline_clear, .free = timeline_free},
    [INBOX_FAILURES] = {.clear = failures_clear, .free = failures_free},
    [INBOX_SERIES] = {.clear = series_clear},
    [INBOX_DIGEST] = {.clear = digest_clear},
    [INBOX_PLUGINS] = {.clear = plugins_clear, .free = plugins_free},
    [INBOX_RECOVERY] = {.clear = recovery_clear},
    [INBOX_ACTIONS] = {.clear = actions_clear, .free = actions_free},
    [INBOX_PRUNE] = {.clear = prune_clear},
};

static const struct operation_kind *kind_of(const struct inbox_operation *operation) {
    assert(operation->kind >= 0 && operation->kind < INBOX_KINDS);
    return &kinds[operation->kind];
}

void operation_prepare(struct inbox_operation *operation) {
    if (kind_of(operation)->prepare) {
        kind_of(operation)->prepare(operation);
    }
}

void operation_unprepare(struct inbox_operation *operation) {
    if (kind_of(operation)->unprepare) {
        kind_of(operation)->unprepare(operation);
    }
}

void operation_open_result(struct mail *mail) {
    struct inbox_operation *operation = CONTAINER_OF(mail, struct inbox_operation, mail);
    operation->on_result(operation);
}

void operation_post(struct inbox_operation *operation) {
    operation_unprepare(operation);
    operation->mail.open = operation_open_result;
    mailbox_post(operation->reply_to, &operation->mail);
}

void operation_post_failure(struct inbox_operation *operation, const struct error *error) {
    if (kind_of(operation)->fail) {
        kind_of(operation)->fail(operation);
    }
    operation->result = -1;
    operation->error = *error;
    operation_post(operation);
}

int operation_check(const struct inbox_operation *operation, struct error *err) {
    const struct operation_kind *kind = kind_of(operation);
    return kind->check ? kind->check(operation, err) : 0;
}

size_t operation_bytes(const struct inbox_operation *operation) {
    const struct operation_kind *kind = kind_of(operation);
    return kind->bytes ? kind->bytes(operation) : 0;
}

void operation_clear(struct inbox_operation *operation) {
    operation->result = 0;
    operation->error.text[0] = '\0';
    if (kind_of(operation)->clear) {
        kind_of(operation)->clear(operation);
    }
}

void operation_revoke(struct inbox_operation *operation) {
    if (kind_of(operation)->free) {
        kind_of(operation)->free(operation);
    }
    operation_clear(operation);
}
