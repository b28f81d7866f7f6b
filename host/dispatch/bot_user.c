/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds the id of the app's bot user, once, and begins the runs that need it. */
#include "dispatch/bot_user.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the store ---- */

static void on_stored(struct inbox_operation *operation) {
    struct inbox_bot_user *stored = CONTAINER_OF(operation, struct inbox_bot_user, operation);
    struct bot_user *bot = CONTAINER_OF(stored, struct bot_user, operation);
    bot->busy = false;
    if (operation->result < 0) {
        /* GitHub is asked again, now or at the next start. */
        log_event(SNEK_LEVEL_WARNING, "bot_user_not_stored",
                  LOG_TEXT("reason", operation->error.text));
    } else if (bot->id == 0) {
        bot->id = stored->user;
    }
}

static void submit(struct bot_user *bot, struct mailbox *mailbox, enum inbox_kind kind) {
    assert(!bot->busy);
    bot->busy = true;
    bot->operation = (struct inbox_bot_user){
        .operation = {.kind = kind, .reply_to = mailbox, .on_result = on_stored},
        .app = bot->app,
        .user = bot->id};
    inbox_submit(bot->inbox, &bot->operation.operation);
}

int bot_user_init(struct bot_user *bot, struct inbox *inbox, const char *api_url,
                  const char *app_id) {
    *bot = (struct bot_user){.inbox = inbox};
    if (asprintf(&bot->app, "%s %s", api_url, app_id) < 0) {
        bot->app = NULL;
        return -1;
    }
    return 0;
}

void bot_user_read(struct bot_user *bot, struct mailbox *mailbox) {
    submit(bot, mailbox, INBOX_BOT_USER_GET);
}

void bot_user_finish(struct bot_user *bot) {
    free(bot->app);
}

/* ---- GitHub ---- */

static void fail(struct call *call, struct run *run, struct broker_request *request) {
    run_note_response(run, request);
    error_wrap(&request->error, "cannot find out whether this bot itself caused the event");
    bool closing =
        request->outcome == SNEK_E_CANCELLED && call->group->runs->table->phase > RUN_PHASE_SERVING;
    if (run->deferred) {
        run_requeue_at(run, run->not_before_ms, request->error.text);
    } else if (closing || run->not_granted || run->installation_gone) {
        run_result(run, request->outcome, 0,
                   (struct frame_text){request->error.text, strlen(request->error.text)});
    } else {
        run_failed(run, request->error.text, run->data.suspect, run->data.crashes);
    }
    call_free(call);
}

/* 0 when the response has no id of a user. */
static int64_t id_of(const struct buffer *body) {
    struct json_value value;
    int64_t id;
    bool found = body->bytes > 0 && json_find(body->data, body->bytes, "id", &value) &&
                 json_to_integer(&value, &id);
    return found && id > 0 ? id : 0;
}

static void on_user(struct broker_request *request) {
    struct call *call = CONTAINER_OF(request, struct call, broker);
    struct bot_user *bot = call->bot_user;
    struct run *run = call_run(call);
    int64_t id = request->outcome == 0 ? id_of(&request->response) : 0;
    if (request->outcome == 0 && id == 0) {
        request->outcome = SNEK_E_SERVER;
        error_set(&request->error, "%s %s answered %d without the id of a user", request->method,
                  request->url, (int)request->status);
    }
    if (id > 0) {
        bot->id = id;
        if (!bot->busy) {
            submit(bot, request->reply_to, INBOX_BOT_USER_PUT);
        }
    }
    if (run && request->outcome < 0) {
        fail(call, run, request);
        return;
    }
    if (run) {
        run_send(run, id);
    }
    call_free(call);
}

/* Any installation's token can read a user, so the token has no more than `metadata: read`. */
static void request_user(struct call *call, const struct run *run, const char *slug,
                         size_t slug_bytes) {
    char *url = NULL;
    call_fill_broker(call, run, on_user);
    if (asprintf(&url, "/users/%.*s%%5Bbot%%5D", (int)slug_bytes, slug) < 0) {
        call_out_of_memory(call);
        return;
    }
    call->broker.kind = BROKER_REQUEST;
    call->broker.permissions = "{\"metadata\":\"read\"}";
    call->broker.optional = "";
    call->broker.method = "GET";
    call->broker.url = call_own_text(call, url);
    if (call->failed) {
        call_out_of_memory(call);
        return;
    }
    broker_submit(call->group->broker, &call->broker);
}

static void on_slug(struct broker_request *request) {
    struct call *call = CONTAINER_OF(request, struct call, broker);
    struct run *run = call_run(call);
    if (!run) {
        call_free(call);
    } else if (request->outcome < 0) {
        fail(call, run, request);
    } else {
        AUTO_BUFFER struct buffer slug = request->response;
        request->response = (struct buffer)BUFFER_INIT(0);
        broker_request_finish(request);
        request_user(call, run, slug.data ? slug.data : "", slug.bytes);
    }
}

static void ask(struct bot_user *bot, struct call_group *group, struct run *run) {
    struct call *call = call_new(group, run, 0, 0);
    if (!call) {
        return;
    }
    call_fill_broker(call, run, on_slug);
    call->bot_user = bot;
    call->broker.kind = BROKER_SLUG;
    call->broker.fresh = true;
    if (call->failed) {
        call_out_of_memory(call);
        return;
    }
    broker_submit(group->broker, &call->broker);
}

bool bot_user_may_be(const char *sender) {
    static const char suffix[] = "[bot]";
    size_t bytes = strlen(sender), suffix_bytes = sizeof suffix - 1;
    return bytes > suffix_bytes && strcmp(sender + bytes - suffix_bytes, suffix) == 0;
}

void bot_user_begin_run(struct bot_user *bot, struct call_group *group, struct run *run) {
    if (!bot_user_may_be(run->data.sender ? run->data.sender : "")) {
        run_send(run, 0);
    } else if (bot->id > 0) {
        run_send(run, bot->id);
    } else {
        ask(bot, group, run);
    }
}
