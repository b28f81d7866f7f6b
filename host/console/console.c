/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console's thread: takes tasks, one after the other, and waits for the store. */
#include "console/console.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "console/assets.h"
#include "console/gate.h"
#include "console/room.h"
#include "inbox/console.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -1: without a limit. */
static void wait_for_mail(const struct mailbox *mailbox, int most_ms) {
    struct pollfd mail = {.fd = mailbox->event_fd, .events = POLLIN};
    (void)poll(&mail, 1, most_ms);
}

/* ---- the store ---- */

/* The console's thread waits for one operation at a time. */
static _Thread_local bool is_done;

static void on_result(struct inbox_operation *operation) {
    assert(!is_done && operation->kind < INBOX_KINDS);
    is_done = true;
}

static int run(struct console *console, struct inbox *inbox, struct inbox_operation *operation,
               struct error *err) {
    operation->reply_to = &console->results;
    operation->on_result = on_result;
    is_done = false;
    inbox_submit(inbox, operation);
    while (!is_done) {
        wait_for_mail(&console->results, -1);
        mailbox_drain(&console->results);
    }
    if (operation->result < 0) {
        *err = operation->error;
    }
    return operation->result;
}

int room_read(struct console *console, struct inbox_operation *operation, struct error *err) {
    if (!console->reads &&
        inbox_open_reader(console->options.config->store.url, &console->reads, err) < 0) {
        console->reads = NULL;
        return -1;
    }
    return run(console, console->reads, operation, err);
}

int room_change(struct console *console, struct inbox_operation *operation, struct error *err) {
    return run(console, console->options.inbox, operation, err);
}

void room_note_action(struct console_task *task, const char *what, const char *target, int result,
                      const struct error *err, int64_t count) {
    struct console *console = task->console;
    struct error ignored;
    struct inbox_action_put put = {.operation = {.kind = INBOX_ACTION_PUT},
                                   .action = {.at_ms = clock_wall_ms()}};
    struct inbox_action *action = &put.action;
    text_repair(action->who, sizeof action->who, task->who, strlen(task->who));
    text_repair(action->what, sizeof action->what, what, strlen(what));
    text_repair(action->target, sizeof action->target, target, strlen(target));
    if (result < 0) {
        snprintf(action->result, sizeof action->result, "failed: %.250s", err->text);
    } else if (count >= 0) {
        snprintf(action->result, sizeof action->result, "%" PRId64 " changed", count);
    } else {
        snprintf(action->result, sizeof action->result, "nothing changed");
    }
    log_event(SNEK_LEVEL_INFO, "console_action", LOG_TEXT("who", action->who),
              LOG_TEXT("action", action->what), LOG_TEXT("target", action->target),
              LOG_TEXT("result", action->result));
    if (room_change(console, &put.operation, &ignored) < 0) {
        log_event(SNEK_LEVEL_WARNING, "console_action_not_stored",
                  LOG_TEXT("reason", ignored.text));
    }
    if (result >= 0) {
        console->options.on_changed(console->options.context);
    }
}

/* ---- tasks ---- */

static void on_task(struct mail *mail) {
    struct console_task *task = CONTAINER_OF(mail, struct console_task, mail);
    task->arrived_us = clock_monotonic_us();
    console_waiting_add(&task->console->waiting, task);
}

static bool is_limited(const struct console *console) {
    return !atomic_load(&console->quiesced) &&
           inbox_ingest_percent(console->options.inbox) >= CONSOLE_BUSY_PERCENT;
}

/* Handles the next task. */
static void handle_next(struct console *console, bool limited) {
    struct console_task *task = console_waiting_take(&console->waiting);
    int64_t began_us = clock_monotonic_us();
    if (console->held_us >= task->arrived_us) {
        task->waited_ms = (began_us - task->arrived_us) / 1000;
        task->dropped = !task->is_post && atomic_load(&task->left);
    }
    if (!task->dropped) {
        console_pages_handle(task);
    }
    if (limited && !task->dropped) {
        int64_t ended_us = clock_monotonic_us();
        console_budget_spend(&console->budget, ended_us - began_us, ended_us);
    }
    task->mail.open = gate_on_done;
    mailbox_post(http_mailbox(task->request), &task->mail);
}

/* A task that waits looks so often whether webhooks still keep the store busy. */
#define LIMITED_AGAIN_MS 100

/* Handles a task, if one waits and may be handled now. Returns the milliseconds until one may be;
 * -1: none waits. */
static int handle_waiting(struct console *console) {
    if (console_waiting_is_empty(&console->waiting)) {
        return -1;
    }
    bool limited = is_limited(console);
    int64_t now_us = clock_monotonic_us();
    int64_t wait_us = limited ? console_budget_wait_us(&console->budget, now_us) : 0;
    if (wait_us == 0) {
        handle_next(console, limited);
        return 0;
    }
    console->held_us = now_us;
    return wait_us < LIMITED_AGAIN_MS * 1000 ? (int)(wait_us / 1000) + 1 : LIMITED_AGAIN_MS;
}

void room_submit(struct console_task *task) {
    task->mail.open = on_task;
    mailbox_post(&task->console->mailbox, &task->mail);
}

/* It woke the thread. */
static void on_quiesce(struct mail *mail) {
    assert(atomic_load(&CONTAINER_OF(mail, struct console, quiesce_mail)->quiesced));
}

static void on_stop(struct mail *mail) {
    CONTAINER_OF(mail, struct console, stop_mail)->stopping = true;
}

/* Added to the nice value of the console's threads: beside busy threads of the host they then get
 * about a tenth of a processor. */
#define YIELD 10

/* The budget bounds what pages take, and this bounds how long webhooks wait for a processor. Only
 * the calling thread changes, and the thread of `reads`, which it starts, inherits the value. */
static void yield_to_others(void) {
    errno = 0;
    if (nice(YIELD) == -1 && errno != 0) {
        log_event(SNEK_LEVEL_WARNING, "console_priority", LOG_TEXT("reason", strerror(errno)));
    }
}

static void *serve(void *context) {
    struct console *console = context;
    yield_to_others();
    while (!console->stopping) {
        wait_for_mail(&console->mailbox, handle_waiting(console));
        mailbox_drain(&console->mailbox);
    }
    /* Ingest has ended before, and waited for them. */
    assert(console_waiting_is_empty(&console->waiting));
    inbox_free(console->reads);
    return NULL;
}

/* ---- life ---- */

static int start_thread(struct console *console, struct error *err) {
    /* The main thread handles all signals. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&console->thread, NULL, serve, console);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        return error_set(err, "the console gets no thread (%s): " ERROR_FIX_THREADS,
                         strerror(error));
    }
    return 0;
}

static int init_mailboxes(struct console *console, struct error *err) {
    static const char format[] = "the console does not start (%s): " ERROR_FIX_FILES_OR_MEMORY;
    if (mailbox_init(&console->mailbox) < 0) {
        return error_set(err, format, strerror(errno));
    }
    if (mailbox_init(&console->results) < 0) {
        error_set(err, format, strerror(errno));
        mailbox_finish(&console->mailbox);
        return -1;
    }
    return 0;
}

static void finish(struct console *console) {
    mailbox_finish(&console->mailbox);
    mailbox_finish(&console->results);
    console_access_finish(&console->access);
    free(console);
}

int console_new(const struct console_options *options, struct console **console,
                struct error *err) {
    struct console *made = calloc(1, sizeof *made);
    if (!made) {
        return error_set(err, "the console does not start: out of memory");
    }
    if (init_mailboxes(made, err) < 0) {
        free(made);
        return -1;
    }
    made->options = *options;
    made->started_ms = clock_monotonic_ms();
    assets_init();
    made->stop_mail.open = on_stop;
    made->quiesce_mail.open = on_quiesce;
    console_waiting_init(&made->waiting);
    made->route = (struct http_route){.path = CONSOLE_PATH "/*",
                                      .methods = "GET, HEAD, POST",
                                      .max_body_bytes = CONSOLE_FORM_BYTES_MAX,
                                      .is_page = true,
                                      .on_request = gate_on_request,
                                      .on_left = gate_on_left,
                                      .release = gate_release,
                                      .context = made};
    console_access_init(&made->access, options->admin_token, options->read_token);
    if (start_thread(made, err) < 0) {
        finish(made);
        return -1;
    }
    *console = made;
    return 0;
}

const struct http_route *console_route(const struct console *console) {
    return &console->route;
}

void console_quiesce(struct console *console) {
    if (console && !atomic_exchange(&console->quiesced, true)) {
        mailbox_post(&console->mailbox, &console->quiesce_mail);
    }
}

void console_stop(struct console *console) {
    if (console) {
        atomic_store(&console->closing, true);
        mailbox_post(&console->mailbox, &console->stop_mail);
        pthread_join(console->thread, NULL);
    }
}

void console_free(struct console *console) {
    if (!console) {
        return;
    }
    /* Late explanations, and the response to a request that the broker has ended. */
    mailbox_drain(&console->results);
    assert(!console->app_view.busy);
    app_view_finish(&console->app_view);
    finish(console);
}
