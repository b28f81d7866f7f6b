/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Carries a worker's questions to the broker and the inbox and their answers back. A question
 * outlives its run and its worker; the answer to one that is gone is thrown away. */
#include "dispatch/private.h"

#include <snekomatic/types.h>

#include <stdlib.h>
#include <string.h>

enum { OWNED_MAX = 6 };

struct question {
    struct question *next, **at; /* the plugin's list, while its worker is the one that asked */
    struct plugin *plugin;
    uint64_t incarnation, run, request;
    struct broker_request broker;
    struct inbox_item item;
    char *owned[OWNED_MAX]; /* copies of what the question points to */
    unsigned n_owned;
    size_t bytes; /* counted in the plugin's */
    bool failed;  /* memory was short */
};

static struct question *question_new(struct plugin *plugin, const struct run *run, uint64_t request,
                                     size_t bytes) {
    size_t max_bytes = (size_t)plugin->config->memory_mib << 20; /* it could hold no more itself */
    if (plugin->n_questions >= QUESTIONS_MAX || bytes > max_bytes - plugin->question_bytes) {
        runner_kill(plugin->runner, "was ended: it asked too many things at once");
        return NULL;
    }
    struct question *question = calloc(1, sizeof *question);
    if (!question) {
        runner_kill(plugin->runner, "was ended: the host is out of memory");
        return NULL;
    }
    question->plugin = plugin;
    question->incarnation = plugin->incarnation;
    question->run = run->handle;
    question->request = request;
    question->bytes = bytes;
    plugin->n_questions++;
    plugin->question_bytes += bytes;
    question->next = plugin->questions;
    question->at = &plugin->questions;
    if (question->next) {
        question->next->at = &question->next;
    }
    plugin->questions = question;
    return question;
}

static void question_free(struct question *question) {
    if (question->plugin->incarnation == question->incarnation) {
        question->plugin->n_questions--;
        question->plugin->question_bytes -= question->bytes;
        *question->at = question->next;
        if (question->next) {
            question->next->at = question->at;
        }
    }
    for (unsigned i = 0; i < question->n_owned; i++) {
        free(question->owned[i]);
    }
    broker_request_finish(&question->broker);
    buffer_finish(&question->item.value);
    free(question);
}

static const char *own(struct question *question, const char *data, size_t bytes) {
    char *copy = malloc(bytes + 1);
    if (!copy) {
        question->failed = true;
        return "";
    }
    memcpy(copy, data, bytes); /* a body may hold any byte */
    copy[bytes] = '\0';
    question->owned[question->n_owned++] = copy;
    return copy;
}

static bool still_wanted(const struct question *question) {
    return question->plugin->runner && question->plugin->incarnation == question->incarnation;
}

static void out_of_memory(struct question *question) {
    runner_kill(question->plugin->runner, "was ended: the host is out of memory");
    question_free(question);
}

/* ---- GitHub ---- */

int64_t question_waited_ms(const struct plugin *plugin, const struct run *run, int64_t now_ms,
                           bool *waits) {
    int64_t most_ms = 0;
    *waits = false;
    for (const struct question *question = plugin->questions; question; question = question->next) {
        if (question->run == run->handle && question->broker.reply_to) {
            int64_t since_ms = atomic_load(&question->broker.waited.since_ms);
            int64_t waited_ms = atomic_load(&question->broker.waited.total_ms) +
                                (since_ms > 0 ? now_ms - since_ms : 0);
            *waits = *waits || since_ms > 0;
            most_ms = waited_ms > most_ms ? waited_ms : most_ms;
        }
    }
    return most_ms;
}

/* What the run has learnt from an answer. */
static void note_answer(struct run *run, const struct broker_request *request) {
    run->gone = run->gone || request->installation_gone;
    if (run->deadline_ms != INT64_MAX) {
        run->deadline_ms += atomic_load(&request->waited.total_ms);
    }
    if (request->outcome == SNEK_E_REQUEUE && request->not_before_ms >= run->not_before_ms) {
        run->put_off = true;
        run->not_before_ms = request->not_before_ms;
        run->put_off_why = request->error;
    }
}

/* Once put off, a run gets nothing more done: its turn is over. */
static bool answer_put_off(struct plugin *plugin, const struct run *run, uint64_t request) {
    const struct buffer none = BUFFER_INIT(0);
    if (run->put_off) {
        runner_send_http_reply(plugin->runner, run->handle, request, SNEK_E_REQUEUE, 0,
                               run->put_off_why.text, &none, &none);
    }
    return run->put_off;
}

static void http_done(struct broker_request *request) {
    struct question *question = CONTAINER_OF(request, struct question, broker);
    struct run *run = still_wanted(question) ? run_find(question->plugin, question->run) : NULL;
    if (run) {
        note_answer(run, request);
    }
    if (still_wanted(question)) {
        runner_send_http_reply(question->plugin->runner, question->run, question->request,
                               request->outcome, request->status, request->error.text,
                               &request->headers, &request->answer);
    }
    question_free(question);
}

static void fill_broker(struct question *question, const struct run *run,
                        void (*done)(struct broker_request *)) {
    const struct plugin *plugin = question->plugin;
    question->broker = (struct broker_request){
        .reply_to = &plugin->dispatch->mailbox,
        .done = done,
        .plugin = plugin_name(plugin),
        .delivery = own(question, run->data.guid, strlen(run->data.guid)),
        .attempt = run->data.attempt,
        .installation = own(question, run->data.installation, strlen(run->data.installation)),
        .permissions = plugin->description->permissions_json,
    };
}

void question_http(struct plugin *plugin, struct run *run, const struct runner_request *request) {
    if (answer_put_off(plugin, run, request->request)) {
        return;
    }
    struct question *question = question_new(plugin, run, request->request, request->body.bytes);
    if (!question) {
        return;
    }
    fill_broker(question, run, http_done);
    question->broker.kind = BROKER_REQUEST;
    question->broker.method = own(question, request->method.data, request->method.bytes);
    question->broker.url = own(question, request->url.data, request->url.bytes);
    question->broker.body = own(question, request->body.data, request->body.bytes);
    question->broker.body_bytes = request->body.bytes;
    if (question->failed) {
        out_of_memory(question);
        return;
    }
    broker_submit(plugin->dispatch->options.broker, &question->broker);
}

/* ---- is the sender this bot? ---- */

static void slug_done(struct broker_request *request) {
    struct question *question = CONTAINER_OF(request, struct question, broker);
    struct run *run = still_wanted(question) ? run_find(question->plugin, question->run) : NULL;
    if (run && request->outcome == SNEK_E_REQUEUE) {
        run_requeue(run, run->data.suspect, request->error.text);
    } else if (run && request->outcome < 0) {
        (void)error_wrap(&request->error, "cannot tell whether this bot wrote it itself");
        run_failed(run, request->error.text, run->data.suspect, run->data.crashes);
    } else if (run) {
        const char *sender = run->data.sender ? run->data.sender : "";
        size_t bytes = request->answer.bytes;
        bool self = strncmp(sender, request->answer.data ? request->answer.data : "", bytes) == 0 &&
                    strcmp(sender + bytes, "[bot]") == 0;
        run_send(run, self);
    }
    question_free(question);
}

void question_slug(struct plugin *plugin, struct run *run) {
    struct question *question = question_new(plugin, run, 0, 0);
    if (!question) {
        return;
    }
    fill_broker(question, run, slug_done);
    question->broker.kind = BROKER_SLUG;
    if (question->failed) {
        out_of_memory(question);
        return;
    }
    broker_submit(plugin->dispatch->options.broker, &question->broker);
}

/* ---- the store ---- */

static void item_done(struct inbox_operation *operation) {
    struct inbox_item *item = CONTAINER_OF(operation, struct inbox_item, operation);
    struct question *question = CONTAINER_OF(item, struct question, item);
    if (still_wanted(question)) {
        struct runner *runner = question->plugin->runner;
        if (operation->result < 0) {
            runner_send_store_reply(runner, question->run, question->request, SNEK_E_STORE,
                                    operation->error.text,
                                    strnlen(operation->error.text, FRAME_REASON_MAX));
        } else {
            runner_send_store_reply(runner, question->run, question->request, operation->result,
                                    item->value.data, item->value.bytes);
        }
    }
    question_free(question);
}

void question_store(struct plugin *plugin, struct run *run, const struct runner_store *request) {
    static const enum inbox_kind kinds[] = {
        [FRAME_SET_HAS] = INBOX_SET_HAS,       [FRAME_SET_ADD] = INBOX_SET_ADD,
        [FRAME_SET_REMOVE] = INBOX_SET_REMOVE, [FRAME_KEY_GET] = INBOX_KEY_GET,
        [FRAME_KEY_PUT] = INBOX_KEY_PUT,       [FRAME_KEY_DELETE] = INBOX_KEY_DELETE};
    struct question *question = question_new(plugin, run, request->request, request->value.bytes);
    if (!question) {
        return;
    }
    const char *scope = request->per_installation ? run->data.installation : "";
    question->item = (struct inbox_item){
        .operation = {.kind = kinds[request->operation],
                      .reply_to = &plugin->dispatch->mailbox,
                      .done = item_done},
        .plugin = plugin_name(plugin),
        .scope = own(question, scope, strlen(scope)),
        .set = own(question, request->set.data, request->set.bytes),
        .name = own(question, request->name.data, request->name.bytes),
        .value_in = own(question, request->value.data, request->value.bytes),
        .value_in_bytes = request->value.bytes,
        .value = BUFFER_INIT(FRAME_STORE_VALUE_MAX),
    };
    if (question->failed) {
        out_of_memory(question);
        return;
    }
    inbox_submit(plugin->dispatch->options.inbox, &question->item.operation);
}
