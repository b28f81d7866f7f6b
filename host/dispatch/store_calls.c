/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Carries a worker's calls of its store to the inbox, through the journal. A change is written
 * together with its record. */
#include "dispatch/calls.h"

#include "base/clock.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <string.h>

struct store_kind {
    enum inbox_kind kind;
    /* The operation that a dry run makes instead, and whether its result is inverted. */
    enum inbox_kind dry;
    bool change, inverted;
    const char *name;
};

static const struct store_kind store_kinds[] = {
    [FRAME_SET_HAS] = {INBOX_SET_HAS, INBOX_SET_HAS, false, false, "set_has"},
    [FRAME_SET_ADD] = {INBOX_SET_ADD, INBOX_SET_HAS, true, true, "set_add"},
    [FRAME_SET_REMOVE] = {INBOX_SET_REMOVE, INBOX_SET_HAS, true, false, "set_remove"},
    [FRAME_KEY_GET] = {INBOX_KEY_GET, INBOX_KEY_GET, false, false, "get"},
    [FRAME_KEY_PUT] = {INBOX_KEY_PUT, INBOX_KEY_PUT, true, false, "put"},
    [FRAME_KEY_DELETE] = {INBOX_KEY_DELETE, INBOX_KEY_GET, true, false, "remove"},
    [FRAME_RESERVE] = {INBOX_RESERVE, INBOX_RESERVE, false, false, "reserve"}};

static void record_item(struct call *call, struct run *run, int64_t outcome) {
    static const struct buffer nothing = BUFFER_INIT(0);
    if (call->held) {
        journal_set_changed(call->entry, call->entry->record.at_ms, outcome);
    } else if (run) {
        struct journal_response response = {.outcome = outcome,
                                            .now_ms = clock_wall_ms(),
                                            .sentence = "",
                                            .headers = &nothing,
                                            .body = &call->item.value};
        journal_set_response(&run->journal, call->entry, &response);
    }
}

/* Not recorded: it may fit in the next attempt. */
static void fail_full(struct call *call) {
    const struct run_group *group = call->group->runs;
    struct error err;
    error_set(&err,
              "the store of plugin %s is full: its sets and keys may have %u MiB. Let the plugin "
              "remove entries, or raise plugin.store_mib",
              run_group_name(group), (unsigned)group->config->store_mib);
    if (call->held) {
        call_not_written(call);
        journal_set_unsent(call->entry);
    }
    metrics_limit_reached(group->metrics, METRICS_LIMIT_STORE);
    call_fail_store(call, SNEK_E_TOO_LARGE, err.text);
}

static void fail_many_names(struct call *call) {
    struct error err;
    error_set(&err,
              "the run has made %d comments and check runs that are made once, as many as it may: "
              "make the others in other runs",
              INBOX_RESERVATIONS_MAX);
    call_fail_store(call, SNEK_E_TOO_LARGE, err.text);
}

static void on_item(struct inbox_operation *operation) {
    struct inbox_plugin_state *item = CONTAINER_OF(operation, struct inbox_plugin_state, operation);
    struct call *call = CONTAINER_OF(item, struct call, item);
    if (operation->result < 0) {
        if (call->held) {
            call_not_written(call);
            journal_set_uncertain(&call->held->journal, call->entry);
        }
        call_fail_store(call, SNEK_E_STORE, operation->error.text);
        return;
    }
    if (operation->result == INBOX_PLUGIN_STATE_STALE) {
        call_fail_store(call, SNEK_E_STALE, RUN_STALE_TEXT);
        return;
    }
    if (operation->result == INBOX_PLUGIN_STATE_FULL) {
        if (operation->kind == INBOX_RESERVE) {
            fail_many_names(call);
        } else {
            fail_full(call);
        }
        return;
    }
    int64_t outcome = call->inverted ? !operation->result : operation->result;
    if (call->held) {
        call_written(call);
    }
    if (call->entry) {
        record_item(call, call_run(call), outcome);
    }
    call_reply_store(call, outcome, item->value.data, item->value.bytes);
}

static void fill_item(struct call *call, const struct run *run, const struct store_call *request,
                      enum inbox_kind kind) {
    const char *scope = request->per_installation ? run->data.installation : "";
    call->item = (struct inbox_plugin_state){
        .operation = {.kind = kind,
                      .reply_to = run->group->table->options.mailbox,
                      .on_result = on_item},
        .plugin = run_group_name(run->group),
        .scope = call_own(call, scope, strlen(scope)),
        .set = call_own(call, request->set.data, request->set.bytes),
        .name = call_own(call, request->name.data, request->name.bytes),
        .value_in = call_own(call, request->value.data, request->value.bytes),
        .value_in_bytes = request->value.bytes,
        .quota_bytes = (int64_t)run->group->config->store_mib << 20,
        .value = BUFFER_INIT(FRAME_STORE_VALUE_MAX),
    };
}

static void item_key(const struct call *call, const struct store_kind *kind,
                     const struct store_call *request, uint8_t key[INBOX_KEY_BYTES]) {
    const struct inbox_plugin_state *item = &call->item;
    const struct journal_part parts[] = {{kind->name, strlen(kind->name)},
                                         {item->scope, strlen(item->scope)},
                                         {request->set.data, request->set.bytes},
                                         {request->name.data, request->name.bytes},
                                         {request->value.data, request->value.bytes}};
    journal_key(parts, sizeof parts / sizeof *parts, key);
}

/* The change is committed with its record, so the record says "completed" before it is. */
static bool hold_change(struct call *call, struct run *run) {
    call_hold(call, run);
    journal_set_changed(call->entry, clock_wall_ms(), call->entry->record.outcome);
    call->item.repeats = journal_repeats(&run->journal, call->entry);
    return call_write(call, &call->item.writer);
}

/* Enters the call into the journal. False: it has got its response. */
static bool enter_item(struct call *call, struct run *run, const struct store_kind *kind,
                       const struct store_call *request) {
    uint8_t key[INBOX_KEY_BYTES];
    item_key(call, kind, request, key);
    call_set_entry(call, journal_match(&run->journal, key));
    if (call->entry && call->entry->record.state == INBOX_COMPLETED) {
        const struct inbox_record *record = &call->entry->record;
        call_reply_store(call, record->outcome, record->body.data, record->body.bytes);
        return false;
    }
    if (!kind->change && journal_reads_anew(&run->journal)) {
        run_log(run, SNEK_LEVEL_INFO, "reads_anew", LOG_TEXT("method", kind->name),
                LOG_BYTES("url", request->name.data, request->name.bytes),
                LOG_TEXT("reason", "the run's record has no response for this read of the store: "
                                   "it came after the last effect that stands"));
    }
    bool change = kind->change && !run->group->config->dry_run;
    if (!call->entry) {
        call_set_entry(call,
                       journal_add(&run->journal, change ? INBOX_CHANGE : INBOX_READ, key,
                                   (struct journal_part){kind->name, strlen(kind->name)},
                                   (struct journal_part){request->name.data, request->name.bytes}));
    }
    if (change && !call->entry) {
        call_fail_store(call, SNEK_E_TOO_LARGE, "the run changes more than its journal holds");
        return false;
    }
    if (change && !hold_change(call, run)) {
        call_out_of_memory(call);
        return false;
    }
    return true;
}

void calls_store(struct call_group *group, struct run *run, const struct store_call *request) {
    assert(request->operation < sizeof store_kinds / sizeof *store_kinds);
    const struct store_kind *kind = &store_kinds[request->operation];
    struct call *call = call_new(group, run, request->request, request->value.bytes);
    if (!call) {
        return;
    }
    bool dry = run->group->config->dry_run && kind->change;
    call->inverted = dry && kind->inverted;
    fill_item(call, run, request, dry ? kind->dry : kind->kind);
    if (call->failed) {
        call_out_of_memory(call);
        return;
    }
    if (request->operation == FRAME_RESERVE) {
        if (run->group->config->dry_run) {
            call_reply_store(call, 1, NULL, 0);
            return;
        }
        /* It is never replayed: what counts is the run that has the name now. */
        call->item.writer.run = run->data.id;
    } else if (!enter_item(call, run, kind, request)) {
        return;
    }
    if (dry && request->operation == FRAME_KEY_PUT) {
        /* The plugin sees a write that succeeded. */
        call_reply_store(call, 0, NULL, 0);
        return;
    }
    inbox_submit(run->group->table->options.inbox, &call->item.operation);
}
