/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How a run begins and ends: each end is one completion in the inbox and one line in the log. */
#include "dispatch/private.h"

#include "base/clock.h"
#include "base/fault.h"

#include <snekomatic/types.h>

#include <stdlib.h>
#include <string.h>

struct run *run_find(struct plugin *plugin, uint64_t handle) {
    for (struct run *run = plugin->runs; run; run = run->next) {
        if (run->handle == handle) {
            return run;
        }
    }
    return NULL;
}

void run_disown(struct plugin *plugin, int64_t id) {
    for (struct run *run = plugin->runs; run; run = run->next) {
        if (run->data.id == id && !run->disowned) {
            run->disowned = true;
            if (run->sent && plugin->worker_process) {
                worker_process_send_cancel(plugin->worker_process, run->handle);
            }
        }
    }
    for (struct run *run = plugin->dispatch->unfinished; run; run = run->next) {
        run->disowned = run->disowned || (run->plugin == plugin && run->data.id == id);
    }
}

void run_free(struct run *run) {
    inbox_run_finish(&run->data);
    journal_finish(&run->journal);
    free(run->reason);
    free(run);
}

void run_enter(struct run *run) {
    struct plugin *plugin = run->plugin;
    run->handle = ++plugin->dispatch->last_handle;
    run->started_ms = clock_monotonic_ms();
    run->deadline_ms = INT64_MAX;
    run_disown(plugin, run->data.id); /* (run, attempt, lease) may be the same: the lease is ours */
    run->next = plugin->runs;
    plugin->runs = run;
    plugin->n_runs++;
    plugin->payload_bytes += run->payload_bytes;
    plugin->solitary = plugin->solitary || run->data.suspect;
}

void run_begin(struct run *run) {
    static const char suffix[] = "[bot]";
    const char *sender = run->data.sender ? run->data.sender : "";
    size_t bytes = strlen(sender), suffix_bytes = sizeof suffix - 1;
    bool may_be_us = run->plugin->description->n_commands > 0 && bytes > suffix_bytes &&
                     strcmp(sender + bytes - suffix_bytes, suffix) == 0;
    if (may_be_us) {
        call_slug(run->plugin, run); /* the bot never answers itself */
    } else {
        run_send(run, false);
    }
}

void run_send(struct run *run, bool from_self) {
    struct plugin *plugin = run->plugin;
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
                                       .from_self = from_self,
                                       .payload = run->data.payload};
    log_event(SNEK_LEVEL_INFO, "started", LOG_TEXT("delivery", run->data.guid),
              LOG_TEXT("plugin", plugin_name(plugin)), LOG_TEXT("event", run->data.event),
              LOG_TEXT("action", *run->data.action ? run->data.action : NULL),
              LOG_TEXT("installation", run->data.installation),
              LOG_NUMBER("attempt", run->data.attempt));
    int64_t due_ms = run->due_ms > 0 ? run->due_ms : run->data.due_ms;
    metrics_run_started(plugin->metrics, clock_wall_ms() - due_ms);
    run->data.payload = NULL;
    run->sent = true;
    run->deadline_ms = clock_monotonic_ms() + plugin->config->deadline_ms;
    worker_process_send_run(plugin->worker_process, &frame);
}

static void leave_plugin(struct run *run) {
    struct plugin *plugin = run->plugin;
    struct run **at = &plugin->runs;
    while (*at != run) {
        at = &(*at)->next;
    }
    *at = run->next;
    run->next = NULL;
    plugin->n_runs--;
    plugin->payload_bytes -= run->payload_bytes;
    if (plugin->n_runs == 0) {
        plugin->solitary = false;
    }
    plugin->dispatch->claim_wanted = true;
}

/* Said once it lasts: whoever reads the line may count on it. */
static void log_end(struct run *run, int result) {
    struct inbox_finish *finish = &run->finish;
    bool stale = result == INBOX_STALE;
    if (result == INBOX_GRANTED) {
        finish->how = INBOX_REQUEUE;
        finish->label = "requeued";
    }
    bool again = finish->how == INBOX_RETRY || finish->how == INBOX_REQUEUE;
    metrics_run_ended(run->plugin->metrics, stale ? "stale" : finish->label, run->took_ms);
    bool trouble = stale || finish->how == INBOX_RETRY || finish->how == INBOX_DEAD ||
                   finish->how == INBOX_PARK;
    log_event(trouble ? SNEK_LEVEL_WARNING : SNEK_LEVEL_INFO,
              stale ? "completion_stale" : finish->label, LOG_TEXT("delivery", run->data.guid),
              LOG_TEXT("plugin", plugin_name(run->plugin)), LOG_TEXT("event", run->data.event),
              LOG_TEXT("action", *run->data.action ? run->data.action : NULL),
              LOG_TEXT("installation", run->data.installation),
              LOG_NUMBER("attempt", run->data.attempt), LOG_NUMBER("ms", run->took_ms),
              LOG_TEXT("reason", *finish->reason ? finish->reason : NULL),
              again ? LOG_NUMBER("again_ms", finish->due_ms - finish->now_ms)
                    : (struct log_field){.key = "again_ms"});
}

static void finish_later(struct run *run, int64_t when_ms) {
    struct dispatch *dispatch = run->plugin->dispatch;
    run->finish_again_ms = when_ms;
    run->next = dispatch->unfinished;
    dispatch->unfinished = run;
}

static void finish_done(struct inbox_operation *operation) {
    struct inbox_finish *finish = CONTAINER_OF(operation, struct inbox_finish, operation);
    struct run *run = CONTAINER_OF(finish, struct run, finish);
    struct dispatch *dispatch = run->plugin->dispatch;
    dispatch->asked--;
    if (operation->result < 0) {
        log_event(SNEK_LEVEL_ERROR, "completion_failed", LOG_TEXT("delivery", run->data.guid),
                  LOG_TEXT("plugin", plugin_name(run->plugin)), LOG_TEXT("event", run->data.event),
                  LOG_TEXT("installation", run->data.installation),
                  LOG_NUMBER("attempt", run->data.attempt),
                  LOG_TEXT("reason", operation->error.text));
        finish_later(run, clock_monotonic_ms() + FINISH_AGAIN_MS);
        return;
    }
    log_end(run, operation->result);
    if (finish->due_ms < dispatch->next_due_ms) {
        dispatch->next_due_ms = finish->due_ms;
    }
    run_free(run);
}

static void submit_finish(struct run *run) {
    struct dispatch *dispatch = run->plugin->dispatch;
    if (run->disowned) {
        log_end(run, INBOX_STALE);
        run_free(run);
        return;
    }
    dispatch->asked++;
    inbox_submit(dispatch->options.inbox, &run->finish.operation);
}

void run_finish_again(struct dispatch *dispatch, int64_t now_ms) {
    for (struct run **at = &dispatch->unfinished; *at;) {
        struct run *run = *at;
        if (run->finish_again_ms <= now_ms) {
            *at = run->next;
            run->next = NULL;
            submit_finish(run);
        } else {
            at = &run->next;
        }
    }
}

void run_release(struct run *run) {
    run->holds--;
    run->plugin->dispatch->holds--;
    if (run->holds == 0 && run->ended && !run->plugin->dispatch->closed) {
        run->finish_again_ms = 0;
        run_finish_again(run->plugin->dispatch, clock_monotonic_ms());
    }
}

/* The one way out of a plugin's list. `wait_ms` is for RETRY and REQUEUE. */
static void finish(struct run *run, enum inbox_finish_how how, const char *label,
                   const char *reason, int64_t wait_ms, bool suspect, int64_t crashes) {
    bool again = how == INBOX_RETRY || how == INBOX_REQUEUE;
    int64_t now_ms = clock_wall_ms();
    run->took_ms = clock_monotonic_ms() - run->started_ms;
    leave_plugin(run);
    run->reason = strdup(reason);
    run->finish = (struct inbox_finish){
        .operation = {.kind = INBOX_FINISH,
                      .reply_to = &run->plugin->dispatch->mailbox,
                      .on_result = finish_done},
        .run = run->data.id,
        .attempt = run->data.attempt,
        .lease = run->data.lease,
        .how = how,
        .label = label,
        .reason = run->reason ? run->reason : "",
        .now_ms = now_ms,
        .due_ms = again || how == INBOX_PARK ? now_ms + wait_ms : INT64_MAX,
        .suspect = suspect,
        .crashes = crashes,
        .has_journal = run->journal.n_entries > 0,
    };
    fault_point("before_completion",
                run->plugin->worker_process ? worker_process_pid(run->plugin->worker_process) : 0);
    run->ended = true;
    if (run->holds > 0) {
        finish_later(run, INT64_MAX);
    } else {
        submit_finish(run);
    }
}

void run_dead(struct run *run, int64_t crashes, const char *reason) {
    finish(run, INBOX_DEAD, "dead", reason, 0, run->data.suspect, crashes);
}

/* How often the host died with a run in it is only known when that run is claimed again. */
bool run_is_spent(struct run *run) {
    int64_t most = run->plugin->dispatch->options.config->dispatch.max_attempts;
    struct error reason;
    if (run->data.crashes >= CRASHES_MAX) {
        (void)error_set(&reason, "the host died each of the last %d times that it ran alone",
                        CRASHES_MAX);
    } else if (run->data.attempt > most) {
        (void)error_set(&reason,
                        "no attempt is left of dispatch.max_attempts, %lld, and the host "
                        "died in the last (or the number was lowered)",
                        (long long)most);
    } else {
        return false;
    }
    run_dead(run, run->data.crashes, reason.text);
    return true;
}

static void retry(struct run *run, const char *reason, int64_t wait_ms, bool suspect,
                  int64_t crashes) {
    if (run->data.attempt >= run->plugin->dispatch->options.config->dispatch.max_attempts) {
        run_dead(run, crashes, reason);
    } else {
        finish(run, INBOX_RETRY, "retry", reason, wait_ms, suspect, crashes);
    }
}

void run_failed(struct run *run, const char *reason, bool suspect, int64_t crashes) {
    retry(run, reason, run_backoff_ms(run->data.attempt), suspect, crashes);
}

void run_requeue(struct run *run, bool suspect, const char *reason) {
    int64_t wait_ms = run->due_ms - clock_wall_ms(); /* of one that was held */
    finish(run, INBOX_REQUEUE, "requeued", reason, wait_ms > 0 ? wait_ms : 0, suspect,
           run->data.crashes);
}

static void come_back(struct run *run) {
    int64_t wait_ms = run->not_before_ms - clock_wall_ms();
    finish(run, INBOX_REQUEUE, "requeued", run->put_off_why.text, wait_ms > 0 ? wait_ms : 0,
           run->data.suspect, run->data.crashes);
}

void run_result(struct run *run, int64_t result, int64_t delay_ms, struct frame_text reason_text) {
    if (run->put_off) {
        come_back(run);
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
        delay_ms = delay_ms < 0 ? 0 : delay_ms > RETRY_DELAY_MAX_MS ? RETRY_DELAY_MAX_MS : delay_ms;
        retry(run, why, delay_ms, false, 0);
        break;
    case SNEK_E_CANCELLED:
        if (run->plugin->dispatch->draining) {
            run_requeue(run, run->data.suspect, "the host stopped");
            break;
        }
        /* fall through */
    default:
        why = *why ? why : "the handler returned an error without saying why";
        if (run->not_granted) {
            finish(run, INBOX_PARK, "parked", why, 0, run->data.suspect, run->data.crashes);
        } else if (run->gone) {
            run_dead(run, 0, why);
        } else {
            run_failed(run, why, false, 0);
        }
    }
}
