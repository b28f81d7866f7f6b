/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How a run begins and ends: each end is one completion in the inbox and one line in the log. */
#include "dispatch/run.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/text.h"
#include "dispatch/backoff.h"
#include "inbox/timers.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* In an order, a run that failed so many times still holds its key; see inbox_order. With the
 * delays of backoff.c this is about 13 minutes. */
#define PLACE_ATTEMPTS_MAX 4
/* The longest delay that a plugin may ask for before a retry. */
#define RETRY_DELAY_MAX_MS (7 * INT64_C(86400000))
/* A run may wait for so long in all. */
#define WAIT_MAX_MS (30 * INT64_C(86400000))
#define WAIT_MIN_MS 1000

/* ---- the log ---- */

void run_log_fields(const struct run *run, enum log_level level, const char *message,
                    const struct log_field *fields) {
    struct log_field all[4 + RUN_LOG_FIELDS_MAX + 1] = {
        LOG_TEXT("delivery", run->data.guid), LOG_TEXT("plugin", run_group_name(run->group)),
        LOG_TEXT("installation", run->data.installation), LOG_NUMBER("attempt", run->data.attempt)};
    size_t n = 4;
    for (; fields->key; fields++) {
        assert(n < 4 + RUN_LOG_FIELDS_MAX);
        all[n++] = *fields;
    }
    log_write(level, message, all);
}

void run_log_paths(const struct run *run, struct frame_text paths) {
    if (paths.bytes > 0) {
        run_log(run, SNEK_LEVEL_DEBUG, "payload_read", LOG_TEXT("event", run->data.event),
                LOG_BYTES("paths", paths.data, paths.bytes));
    }
}

/* ---- the table and the groups ---- */

void run_table_init(struct run_table *table, const struct run_table_options *options) {
    *table = (struct run_table){.options = *options};
    TAILQ_INIT(&table->all);
    TAILQ_INIT(&table->ended);
}

void run_table_set_phase(struct run_table *table, enum run_phase phase) {
    assert(phase >= table->phase);
    table->phase = phase;
}

int64_t run_table_next_ms(const struct run_table *table) {
    int64_t next_ms = INT64_MAX;
    const struct run *run;
    TAILQ_FOREACH(run, &table->ended, link) {
        next_ms = run->finish_at_ms < next_ms ? run->finish_at_ms : next_ms;
    }
    return next_ms;
}

bool run_table_idle(const struct run_table *table) {
    return table->n_submitted == 0 && TAILQ_EMPTY(&table->ended);
}

uint64_t run_table_next_generation(struct run_table *table) {
    return ++table->last_generation;
}

static void free_list(struct run_list *runs) {
    struct run *run;
    while ((run = TAILQ_FIRST(runs))) {
        TAILQ_REMOVE(runs, run, link);
        run_free(run);
    }
}

void run_table_finish(struct run_table *table) {
    free_list(&table->ended);
}

void run_group_init(struct run_group *group, struct run_table *table,
                    const struct config_plugin *config) {
    *group = (struct run_group){.table = table, .config = config};
    TAILQ_INIT(&group->runs);
}

void run_group_set_description(struct run_group *group, const struct description *description,
                               struct metrics_plugin *metrics) {
    assert(description);
    group->metrics = metrics;
    atomic_store(&group->description, description);
}

void run_group_set_worker(struct run_group *group, struct worker_process *worker_process,
                          uint64_t generation) {
    assert((worker_process == NULL) == (generation == 0));
    group->worker_process = worker_process;
    group->generation = generation;
    if (!worker_process) {
        group->isolating = false;
    }
}

const char *run_group_name(const struct run_group *group) {
    const struct description *description = atomic_load(&group->description);
    return description ? description->name : group->config->as_written;
}

struct run *run_group_find(const struct run_group *group, uint64_t handle) {
    struct run *run;
    TAILQ_FOREACH(run, &group->runs, link) {
        if (run->handle == handle) {
            return run;
        }
    }
    return NULL;
}

static void send_cancel(const struct run *run) {
    if (run->sent && !run->ended && run->group->worker_process) {
        worker_process_send_cancel(run->group->worker_process, run->handle);
    }
}

void run_group_cancel(struct run_group *group) {
    const struct run *run;
    TAILQ_FOREACH(run, &group->runs, link) {
        send_cancel(run);
    }
}

void run_group_requeue(struct run_group *group, const char *reason) {
    struct run *run;
    while ((run = TAILQ_FIRST(&group->runs))) {
        run_requeue(run, run->data.suspect, reason);
    }
}

void run_group_finish(struct run_group *group) {
    free_list(&group->runs);
}

/* ---- a run begins ---- */

struct run *run_new(struct run_group *group, struct inbox_run *data) {
    struct run *run = calloc(1, sizeof *run);
    if (!run) {
        inbox_run_finish(data);
        return NULL;
    }
    run->group = group;
    run->data = *data;
    run->payload_bytes = data->payload_bytes;
    run->deadline_ms = INT64_MAX;
    run->journal.memory_bytes = &group->journal_bytes;
    run->journal.entries_bytes = &group->journal_entries_bytes;
    TAILQ_INSERT_TAIL(&group->table->all, run, link_all);
    if (journal_load(&run->journal, &run->data) < 0) {
        run_free(run);
        return NULL;
    }
    return run;
}

void run_free(struct run *run) {
    assert(run->n_holds + run->n_records == 0 || run->group->table->phase == RUN_PHASE_CLOSED);
    TAILQ_REMOVE(&run->group->table->all, run, link_all);
    inbox_run_finish(&run->data);
    journal_finish(&run->journal);
    timer_list_finish(&run->timers);
    free(run->reason);
    free(run);
}

bool run_is_handled(const struct run *run) {
    const struct run *other;
    TAILQ_FOREACH(other, &run->group->table->all, link_all) {
        if (other != run && other->data.id == run->data.id) {
            return true;
        }
    }
    return false;
}

/* Both handlings are this host's, so the lease does not show that the first one is over. Only
 * memory does. */
static void end_earlier_handlings(const struct run *of) {
    struct run *run;
    TAILQ_FOREACH(run, &of->group->table->all, link_all) {
        if (run != of && run->data.id == of->data.id) {
            run_set_lease_lost(run);
        }
    }
}

void run_enter(struct run *run) {
    struct run_group *group = run->group;
    assert(!run->entered && !run->ended);
    run->entered = true;
    run->handle = ++group->table->last_handle;
    run->started_ms = clock_monotonic_ms();
    end_earlier_handlings(run);
    TAILQ_INSERT_TAIL(&group->runs, run, link);
    group->n_runs++;
    metrics_runs_now(group->metrics, group->n_runs);
    group->payload_bytes += run->payload_bytes;
    group->isolating = group->isolating || run->data.suspect;
}

void run_send(struct run *run, int64_t bot_user) {
    struct run_group *group = run->group;
    assert(run->entered && !run->sent && group->worker_process);
    struct error err;
    int unpacked = inbox_run_unpack(&run->data, &err);
    if (unpacked == INBOX_DAMAGED) {
        run_dead(run, run->data.crashes, err.text);
        return;
    }
    if (unpacked < 0) {
        run_failed(run, err.text, run->data.suspect, run->data.crashes);
        return;
    }
    struct worker_process_run frame = {.run = run->handle,
                                       .event = run->data.event,
                                       .action = run->data.action,
                                       .guid = run->data.guid,
                                       .installation = run->data.installation,
                                       .attempt = run->data.attempt,
                                       .received_ms = run->data.received_ms,
                                       .bot_user = bot_user,
                                       .app = group->table->options.app_id,
                                       .payload = run->data.payload};
    run_log(run, SNEK_LEVEL_INFO, "started", LOG_TEXT("event", run->data.event),
            LOG_TEXT("action", text_or_null(run->data.action)));
    metrics_run_started(group->metrics, clock_wall_ms() - run->data.due_ms);
    run->data.payload = NULL;
    run->sent = true;
    run->deadline_ms = clock_monotonic_ms() + group->config->deadline_ms;
    worker_process_send_run(group->worker_process, &frame);
}

void run_trust(struct run *run, int64_t asked_ms, int64_t lease_ms) {
    int64_t until_ms = asked_ms + lease_ms;
    run->trusted_until_ms = until_ms > run->trusted_until_ms ? until_ms : run->trusted_until_ms;
}

void run_set_lease_lost(struct run *run) {
    if (!run->lease_lost) {
        run->lease_lost = true;
        send_cancel(run);
    }
}

void run_set_late(struct run *run) {
    assert(run->sent);
    run->late = true;
}

bool run_note_log(struct run *run, size_t bytes) {
    uint32_t most = run->group->config->log_bytes_per_run;
    if (run->log_bytes > most) {
        return false;
    }
    run->log_bytes += bytes;
    if (run->log_bytes <= most) {
        return true;
    }
    struct error reason;
    error_set(
        &reason,
        "it logs more than plugin.log_bytes_per_run, %u bytes, in one run: the host drops its "
        "further lines; raise the key if they are needed",
        most);
    run_log(run, SNEK_LEVEL_WARNING, "plugin", LOG_TEXT("reason", reason.text));
    return false;
}

bool run_set_timer(struct run *run, int64_t delay_ms, struct frame_text key,
                   struct frame_text payload) {
    if (!run->group->config->dry_run) {
        return timer_list_add(&run->timers, delay_ms, key, payload);
    }
    run_log(run, SNEK_LEVEL_INFO, "dry_run",
            LOG_TEXT("timer", payload.bytes > 0 ? "set" : "cancelled"),
            LOG_BYTES("key", key.data, key.bytes), LOG_NUMBER("in_ms", delay_ms),
            LOG_BYTES("payload", payload.data, payload.bytes));
    return true;
}

void run_note_effect(struct run *run) {
    run->sent_effect = true;
}

void run_note_lost_response(struct run *run, int64_t settled_ms) {
    run->settled_ms = settled_ms > run->settled_ms ? settled_ms : run->settled_ms;
}

/* NULL: this host does not remember the claim. */
static const struct sent_claim *find_sent(const struct run_table *table, int64_t token) {
    for (size_t i = 0; i < CLAIMS_REMEMBERED; i++) {
        if (token != 0 && table->sent_here[i].token == token) {
            return &table->sent_here[i];
        }
    }
    return NULL;
}

bool run_sent_here(const struct run *run, int64_t token, int64_t *settled_ms) {
    if (token == run->data.token) {
        *settled_ms = run->settled_ms;
        return true;
    }
    const struct sent_claim *sent = find_sent(run->group->table, token);
    if (!sent) {
        return false;
    }
    *settled_ms = sent->settled_ms;
    return true;
}

/* Only once no effect is under way: discarded and retried by hand, the run may begin again while
 * this handling still waits for GitHub. */
static void remember(const struct run *run) {
    struct run_table *table = run->group->table;
    assert(run->n_holds == 0);
    if (run->sent_effect && !find_sent(table, run->data.token)) {
        table->sent_here[table->next_sent_here] =
            (struct sent_claim){.token = run->data.token, .settled_ms = run->settled_ms};
        table->next_sent_here = (table->next_sent_here + 1) % CLAIMS_REMEMBERED;
    }
}

void run_note_response(struct run *run, const struct broker_request *request) {
    run->installation_gone = run->installation_gone || request->installation_gone;
    run->not_granted = run->not_granted || request->outcome == SNEK_E_NOT_GRANTED;
    if (run->deadline_ms != INT64_MAX) {
        run->deadline_ms += atomic_load(&request->waited.total_ms);
    }
    if (request->outcome == SNEK_E_REQUEUE) {
        run_defer(run, request->not_before_ms, request->error.text);
    }
}

void run_defer(struct run *run, int64_t not_before_ms, const char *reason) {
    if (!run->rejected && (!run->deferred || not_before_ms >= run->not_before_ms)) {
        run->deferred = true;
        run->not_before_ms = not_before_ms;
        error_set(&run->stopped_reason, "%s", reason);
    }
}

void run_reject(struct run *run, const char *reason) {
    run->rejected = true;
    error_set(&run->stopped_reason, "%s", reason);
}

/* ---- a run ends ---- */

static void leave_group(struct run *run) {
    struct run_group *group = run->group;
    assert(run->entered && !run->ended && group->n_runs > 0);
    TAILQ_REMOVE(&group->runs, run, link);
    group->n_runs--;
    metrics_runs_now(group->metrics, group->n_runs);
    group->payload_bytes -= run->payload_bytes;
    if (group->n_runs == 0) {
        group->isolating = false;
    }
    run->ended = true;
    group->table->options.on_slot_free(group->table->options.context);
}

/* For a run that comes back and has an order: do later runs of its key pass it? */
static struct log_field place_of(const struct run *run) {
    const struct inbox_finish *finish = &run->finish;
    bool again = inbox_finish_is_queued(finish);
    const char *place = again && finish->keeps_place ? "kept" : "given_up";
    bool comes_back = again || finish->how == INBOX_PARK;
    return LOG_TEXT("place", comes_back && *finish->order_key ? place : NULL);
}

/* Logged after the completion was committed, so the line is reliable. */
static void log_end(struct run *run, int result) {
    struct inbox_finish *finish = &run->finish;
    bool stale = result == INBOX_STALE;
    if (result == INBOX_GRANTED) {
        finish->how = INBOX_REQUEUE;
        finish->label = "requeued";
    }
    if (result == INBOX_SUPERSEDED) {
        finish->how = INBOX_DONE;
        finish->label = "superseded";
    }
    const char *message = stale ? "completion_stale" : finish->label;
    metrics_run_ended(run->group->metrics, stale ? "stale" : finish->label, run->took_ms);
    bool trouble = stale || finish->how == INBOX_RETRY || finish->how == INBOX_DEAD ||
                   finish->how == INBOX_PARK;
    struct log_field again = {.key = "again_ms"};
    if (inbox_finish_is_queued(finish)) {
        again = LOG_NUMBER("again_ms", finish->due_ms - finish->now_ms);
    }
    run_log(run, trouble ? SNEK_LEVEL_WARNING : SNEK_LEVEL_INFO, message,
            LOG_TEXT("event", run->data.event), LOG_TEXT("action", text_or_null(run->data.action)),
            LOG_NUMBER("ms", run->took_ms), LOG_TEXT("reason", text_or_null(finish->reason)),
            LOG_TEXT("order", text_or_null(finish->order_key)), place_of(run), again);
}

/* Must the completion wait for a call? A record that is with the inbox holds it back only if the
 * completion could not fail with it: after the failure of another one, which set run->record_lost
 * for good, and when there is no completion, because the lease is lost and the run is freed. */
static bool is_held_back(const struct run *run) {
    bool waits_for_records = run->waits_for_records || run->lease_lost;
    return run->n_holds > 0 || (run->n_records > 0 && waits_for_records);
}

/* INT64_MAX: when no call holds it back any more. */
static void finish_later(struct run *run, int64_t when_ms) {
    assert(run->ended);
    run->finish_at_ms = when_ms;
    TAILQ_INSERT_TAIL(&run->group->table->ended, run, link);
}

static void submit_finish(struct run *run);

/* How long a failed run waits for its next attempt. */
static int64_t retry_wait_ms(const struct run *run) {
    return backoff_ms(run->data.attempt, run->group->table->options.first_retry_ms);
}

/* The run cannot set its timers, so it failed. */
static void fail_for_timers(struct run *run) {
    struct inbox_finish *finish = &run->finish;
    bool last = run->data.attempt >= run->group->table->options.max_attempts;
    struct error reason;
    error_set(&reason,
              "the plugin has %d timers in this installation, which is the most: cancel some, or "
              "use fewer keys",
              INBOX_TIMERS_MAX);
    free(run->reason);
    run->reason = strdup(reason.text);
    finish->operation.kind = INBOX_FINISH;
    finish->how = last ? INBOX_DEAD : INBOX_RETRY;
    finish->label = last ? "dead" : "retry";
    finish->reason = run->reason ? run->reason : "";
    finish->due_ms = last ? INT64_MAX : finish->now_ms + retry_wait_ms(run);
    finish->n_timers = 0;
    submit_finish(run);
}

static void on_finished(struct inbox_operation *operation) {
    struct inbox_finish *finish = CONTAINER_OF(operation, struct inbox_finish, operation);
    struct run *run = CONTAINER_OF(finish, struct run, finish);
    struct run_table *table = run->group->table;
    assert(table->n_submitted > 0);
    table->n_submitted--;
    if (operation->result < 0) {
        run_log(run, SNEK_LEVEL_ERROR, "completion_failed", LOG_TEXT("event", run->data.event),
                LOG_TEXT("reason", operation->error.text));
        finish_later(run,
                     is_held_back(run) ? INT64_MAX : clock_monotonic_ms() + RUN_FINISH_RETRY_MS);
        return;
    }
    if (operation->result == INBOX_TIMERS_FULL && finish->n_timers > 0) {
        fail_for_timers(run);
        return;
    }
    log_end(run, operation->result);
    table->options.on_queued(table->options.context, finish->due_ms);
    table->options.on_queued(table->options.context, finish->next_due_ms);
    run_free(run);
}

static void submit_finish(struct run *run) {
    struct run_table *table = run->group->table;
    assert(run->ended && !is_held_back(run));
    run->finish_at_ms = 0;
    remember(run);
    if (run->lease_lost) {
        log_end(run, INBOX_STALE);
        run_free(run);
        return;
    }
    run->finish.lost = run->n_records > 0 ? &run->record_lost : NULL;
    table->n_submitted++;
    inbox_submit(table->options.inbox, &run->finish.operation);
}

static void submit_held_back(struct run *run) {
    struct run_table *table = run->group->table;
    if (run->ended && run->finish_at_ms == INT64_MAX && !is_held_back(run) &&
        table->phase != RUN_PHASE_CLOSED) {
        TAILQ_REMOVE(&table->ended, run, link);
        submit_finish(run);
    }
}

void run_table_tick(struct run_table *table, int64_t now_ms) {
    struct run *run, *next;
    TAILQ_FOREACH_SAFE(run, &table->ended, link, next) {
        if (run->finish_at_ms <= now_ms) {
            TAILQ_REMOVE(&table->ended, run, link);
            submit_finish(run);
        }
    }
}

void run_hold(struct run *run) {
    run->n_holds++;
    run->group->table->n_holds++;
}

void run_release(struct run *run) {
    struct run_table *table = run->group->table;
    assert(run->n_holds > 0 && table->n_holds > 0);
    run->n_holds--;
    table->n_holds--;
    submit_held_back(run);
}

void run_begin_record(struct run *run) {
    assert(run->n_holds > 0);
    run->n_holds--;
    run->n_records++;
    submit_held_back(run);
}

void run_end_record(struct run *run, bool stored) {
    assert(run->n_records > 0);
    run->n_records--;
    run->n_holds++;
    run->waits_for_records = run->waits_for_records || !stored;
}

/* The one way out of a group. `wait_ms` is for RETRY, REQUEUE, WAIT and PARK. */
static void finish(struct run *run, enum inbox_finish_how how, const char *label,
                   const char *reason, int64_t wait_ms, bool suspect, int64_t crashes) {
    struct worker_process *worker_process = run->group->worker_process;
    bool comes_back = how != INBOX_DONE && how != INBOX_DEAD, waits = how == INBOX_WAIT;
    int64_t now_ms = clock_wall_ms();
    run->took_ms = clock_monotonic_ms() - run->started_ms;
    leave_group(run);
    run->reason = strdup(reason);
    run->finish = (struct inbox_finish){
        .operation = {.kind = INBOX_FINISH,
                      .reply_to = run->group->table->options.mailbox,
                      .on_result = on_finished},
        .run = run->data.id,
        .token = run->data.token,
        .plugin = run_group_name(run->group),
        .order_key = run->data.order_key,
        .coalesce_key = run->data.coalesce_key,
        .how = how,
        .label = label,
        .reason = run->reason ? run->reason : "",
        .now_ms = now_ms,
        .due_ms = comes_back ? now_ms + wait_ms : INT64_MAX,
        .waited_ms = run->data.waited_ms + (waits ? wait_ms : 0),
        .suspect = suspect,
        .crashes = crashes,
        .has_journal = run->journal.n_entries > 0,
        .keeps_place = how == INBOX_REQUEUE || (!waits && run->data.attempt <= PLACE_ATTEMPTS_MAX),
    };
    if (how == INBOX_DONE && run->timers.n_changes > 0 && strcmp(label, "rejected") != 0) {
        run->finish.operation.kind = INBOX_FINISH_TIMERS;
        run->finish.installation = run->data.installation;
        run->finish.timers = run->timers.changes;
        run->finish.n_timers = run->timers.n_changes;
    }
    fault_point("before_completion", worker_process ? worker_process_pid(worker_process) : 0);
    if (is_held_back(run)) {
        finish_later(run, INT64_MAX);
    } else {
        submit_finish(run);
    }
}

void run_dead(struct run *run, int64_t crashes, const char *reason) {
    finish(run, INBOX_DEAD, "dead", reason, 0, run->data.suspect, crashes);
}

/* How often the host died with a run in it is only known when that run is claimed again. */
bool run_fail_if_exhausted(struct run *run) {
    int64_t most = run->group->table->options.max_attempts;
    struct error reason;
    if (run->data.crashes >= RUN_CRASHES_MAX) {
        error_set(&reason, "the host died each of the last %d times that the run was alone in it",
                  RUN_CRASHES_MAX);
    } else if (run->data.attempt > most) {
        error_set(&reason,
                  "no attempt is left of dispatch.max_attempts, %lld, and the host "
                  "died in the last one (or the number was lowered)",
                  (long long)most);
    } else {
        return false;
    }
    run_dead(run, run->data.crashes, reason.text);
    return true;
}

static void retry(struct run *run, const char *reason, int64_t wait_ms, bool suspect,
                  int64_t crashes) {
    if (run->data.attempt >= run->group->table->options.max_attempts) {
        run_dead(run, crashes, reason);
    } else {
        finish(run, INBOX_RETRY, "retry", reason, wait_ms, suspect, crashes);
    }
}

void run_failed(struct run *run, const char *reason, bool suspect, int64_t crashes) {
    retry(run, reason, retry_wait_ms(run), suspect, crashes);
}

static void requeue(struct run *run, int64_t due_ms, bool suspect, const char *reason) {
    int64_t wait_ms = due_ms - clock_wall_ms();
    finish(run, INBOX_REQUEUE, "requeued", reason, wait_ms > 0 ? wait_ms : 0, suspect,
           run->data.crashes);
}

void run_requeue(struct run *run, bool suspect, const char *reason) {
    requeue(run, run->data.due_ms, suspect, reason);
}

void run_requeue_at(struct run *run, int64_t due_ms, const char *reason) {
    bool later = due_ms > run->data.due_ms;
    requeue(run, later ? due_ms : run->data.due_ms, run->data.suspect, reason);
}

static int64_t bounded_delay(const struct run *run, int64_t delay_ms) {
    if (delay_ms > RETRY_DELAY_MAX_MS) {
        run_log(run, SNEK_LEVEL_WARNING, "plugin",
                LOG_TEXT("reason", "snek_retry_after() takes at most 7 days, and the host retries "
                                   "after these; use snek_wait() to wait for something"));
        return RETRY_DELAY_MAX_MS;
    }
    return delay_ms < 0 ? 0 : delay_ms;
}

/* The last wait ends with the 30 days. A handler that then asks for more gets no answer to what it
 * waits for, so the run is dead: a person sees it and may retry it. */
static void wait_for(struct run *run, int64_t delay_ms, const char *why) {
    int64_t left_ms = WAIT_MAX_MS - run->data.waited_ms;
    if (left_ms < WAIT_MIN_MS) {
        struct error reason;
        error_set(&reason, "it has waited for 30 days in all, which is the most: %s", why);
        run_dead(run, 0, reason.text);
        return;
    }
    delay_ms = delay_ms < WAIT_MIN_MS ? WAIT_MIN_MS : delay_ms;
    finish(run, INBOX_WAIT, "waiting", why, delay_ms < left_ms ? delay_ms : left_ms, false, 0);
}

static void on_error_result(struct run *run, const char *reason) {
    const char *why = *reason ? reason : "the handler returned an error without saying why";
    if (run->not_granted) {
        finish(run, INBOX_PARK, "parked", why, 0, run->data.suspect, run->data.crashes);
    } else if (run->installation_gone) {
        run_dead(run, 0, why);
    } else {
        run_failed(run, why, false, 0);
    }
}

void run_result(struct run *run, int64_t result, int64_t delay_ms, struct frame_text reason_text) {
    if (run->rejected) {
        finish(run, INBOX_DONE, "rejected", run->stopped_reason.text, 0, false, 0);
        return;
    }
    if (run->deferred) {
        requeue(run, run->not_before_ms, run->data.suspect, run->stopped_reason.text);
        return;
    }
    AUTO_FREE char *reason = strndup(reason_text.data, reason_text.bytes);
    const char *why = reason ? reason : "";
    switch (result) {
    case SNEK_DONE:
        finish(run, INBOX_DONE, "done", why, 0, false, 0);
        break;
    case SNEK_SKIPPED:
        finish(run, INBOX_DONE, "skipped", why, 0, false, 0);
        break;
    case SNEK_REJECTED:
        finish(run, INBOX_DONE, "rejected", why, 0, false, 0);
        break;
    case SNEK_RETRY:
        retry(run, why, bounded_delay(run, delay_ms), false, 0);
        break;
    case SNEK_WAIT:
        wait_for(run, delay_ms, why);
        break;
    case SNEK_E_CANCELLED:
        if (run->group->table->phase != RUN_PHASE_SERVING) {
            run_requeue(run, run->data.suspect, "the host stopped");
            break;
        }
        /* fall through */
    default:
        on_error_result(run, why);
    }
}
