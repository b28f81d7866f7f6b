/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Asks for the webhook and, if nothing is listed, for installations; logs each change. */
#include "maintenance/hook_watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "maintenance/delivery_log.h"

#include <snekomatic/types.h>

#include <jansson.h>

#define ASK_INTERVAL_MS 3600000
#define EMPTY_INTERVAL_MS 60000
/* GitHub may list an event late. */
#define EVENT_MS 120000

void hook_watch_init(struct hook_watch *watch, struct broker *broker, struct mailbox *mailbox,
                     int64_t retention_ms) {
    *watch =
        (struct hook_watch){.broker = broker, .mailbox = mailbox, .retention_ms = retention_ms};
}

bool hook_watch_expects_event(const struct buffer *body, int64_t retention_ms,
                              int64_t github_now_ms) {
    json_t *list = json_loadb(body->data ? body->data : "", body->bytes, 0, NULL), *installation;
    bool expects = false;
    size_t i;
    json_array_foreach(list, i, installation) {
        const char *created_at = json_string_value(json_object_get(installation, "created_at"));
        int64_t created_ms;
        if (created_at && delivery_log_read_time(created_at, &created_ms) == 0) {
            int64_t age_ms = github_now_ms - created_ms;
            expects = expects || (age_ms > EVENT_MS && age_ms < retention_ms - ASK_INTERVAL_MS);
        }
    }
    json_decref(list);
    return expects;
}

static void set_state(struct hook_watch *watch, enum hook_state state) {
    enum hook_state before =
        (enum hook_state)atomic_exchange_explicit(&watch->state, (int)state, memory_order_relaxed);
    if (state == before) {
        return;
    }
    if (state == HOOK_INACTIVE) {
        log_event(
            SNEK_LEVEL_WARNING, "pull_webhook_inactive",
            LOG_TEXT("reason", "the App has no active webhook, so GitHub lists no deliveries"),
            LOG_TEXT("hint", "in the App's settings check Active under Webhook, and set a "
                             "Webhook URL such as https://snekomatic.invalid/webhook/github"));
    } else if (state == HOOK_SILENT) {
        log_event(SNEK_LEVEL_WARNING, "pull_no_deliveries",
                  LOG_TEXT("reason", "the App was installed, but GitHub's list of deliveries is "
                                     "empty, though it should have that event"),
                  LOG_TEXT("hint", "in the App's settings check Active under Webhook; Advanced > "
                                   "Recent deliveries shows the same list"));
    } else if (before == HOOK_INACTIVE || before == HOOK_SILENT) {
        log_event(SNEK_LEVEL_INFO, "pull_webhook_ok");
    }
}

static void send(struct hook_watch *watch, const char *url,
                 void (*on_response)(struct broker_request *)) {
    watch->request = (struct broker_request){.kind = BROKER_APP,
                                             .reply_to = watch->mailbox,
                                             .on_done = on_response,
                                             .method = "GET",
                                             .url = url};
    watch->under_way = true;
    broker_submit(watch->broker, &watch->request);
}

static void on_installations(struct broker_request *request) {
    struct hook_watch *watch = CONTAINER_OF(request, struct hook_watch, request);
    watch->under_way = false;
    if (!watch->closed && request->outcome == 0) {
        bool silent =
            hook_watch_expects_event(&request->response, watch->retention_ms, watch->github_now_ms);
        set_state(watch, silent ? HOOK_SILENT : HOOK_OK);
    }
    broker_request_finish(request);
}

/* Other failures say nothing about the webhook; the reading of the list reports them. */
static void on_config(struct broker_request *request) {
    struct hook_watch *watch = CONTAINER_OF(request, struct hook_watch, request);
    int32_t outcome = request->outcome;
    watch->under_way = false;
    broker_request_finish(request);
    if (watch->closed) {
        return;
    }
    if (outcome == SNEK_E_NOT_FOUND) {
        set_state(watch, HOOK_INACTIVE);
    } else if (outcome == 0 && watch->list_is_empty) {
        send(watch, "/app/installations?per_page=100", on_installations);
    } else if (outcome == 0) {
        set_state(watch, HOOK_OK);
    }
}

int64_t hook_watch_tick(struct hook_watch *watch, bool list_is_empty, int64_t github_now_ms,
                        int64_t now_ms) {
    if (watch->under_way || watch->closed) {
        return INT64_MAX;
    }
    int64_t interval_ms = list_is_empty ? EMPTY_INTERVAL_MS : ASK_INTERVAL_MS;
    /* The list has become empty, or is no longer so. */
    if (watch->list_is_empty != list_is_empty && watch->next_ms > now_ms + EMPTY_INTERVAL_MS) {
        watch->next_ms = now_ms + EMPTY_INTERVAL_MS;
    }
    watch->list_is_empty = list_is_empty;
    if (watch->next_ms > now_ms) {
        return watch->next_ms;
    }
    watch->github_now_ms = github_now_ms;
    watch->next_ms = now_ms + interval_ms;
    send(watch, "/app/hook/config", on_config);
    return INT64_MAX;
}

const char *hook_watch_name(struct hook_watch *watch) {
    static const char *const names[] = {[HOOK_UNKNOWN] = "unknown",
                                        [HOOK_OK] = "ok",
                                        [HOOK_INACTIVE] = "inactive",
                                        [HOOK_SILENT] = "silent"};
    return names[atomic_load_explicit(&watch->state, memory_order_relaxed)];
}

void hook_watch_close(struct hook_watch *watch) {
    watch->closed = true;
}
