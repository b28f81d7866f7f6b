/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Asks dispatch why a plugin has a run, or has none, and waits for the result. A question has two
 * holders, the page and dispatch; the last one frees it. */
#include "console/room.h"

#include "base/clock.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* dispatch responds earlier, unless the host is stopping. */
#define WAIT_MS (EXPLAIN_TIMEOUT_MS + 2000)
#define POLL_MS 100

struct question {
    struct explain explain;
    atomic_int holders;
    /* Only the console's thread uses it. */
    bool finished;
    /* The texts of explain.delivery. */
    char *texts[5];
};

static void release(struct question *question) {
    if (atomic_fetch_sub(&question->holders, 1) > 1) {
        return;
    }
    for (size_t i = 0; i < 5; i++) {
        free(question->texts[i]);
    }
    free(question->explain.result.items);
    payload_unref(question->explain.payload);
    free(question);
}

static void on_result(struct explain *explain) {
    struct question *question = CONTAINER_OF(explain, struct question, explain);
    question->finished = true;
    release(question);
}

static void on_dropped(struct explain *explain) {
    release(CONTAINER_OF(explain, struct question, explain));
}

/* NULL: out of memory. */
static struct question *make(struct console *console, const struct explain_delivery *delivery,
                             size_t plugin, struct payload *payload) {
    const char *const texts[] = {delivery->guid, delivery->event, delivery->action,
                                 delivery->installation, delivery->repository};
    struct question *question = calloc(1, sizeof *question);
    if (!question) {
        return NULL;
    }
    atomic_init(&question->holders, 1);
    for (size_t i = 0; i < 5; i++) {
        question->texts[i] = strdup(texts[i]);
        if (!question->texts[i]) {
            release(question);
            return NULL;
        }
    }
    question->explain = (struct explain){.delivery = {.guid = question->texts[0],
                                                      .event = question->texts[1],
                                                      .action = question->texts[2],
                                                      .installation = question->texts[3],
                                                      .repository = question->texts[4],
                                                      .received_ms = delivery->received_ms},
                                         .plugin = plugin,
                                         .payload = payload ? payload_ref(payload) : NULL,
                                         .reply_to = &console->results,
                                         .on_result = on_result,
                                         .on_dropped = on_dropped};
    return question;
}

void room_explain(struct console *console, const struct explain_delivery *delivery, size_t plugin,
                  struct payload *payload, struct explain_result *result) {
    *result = (struct explain_result){.host = EXPLAIN_NOT_LOADED};
    struct question *question = make(console, delivery, plugin, payload);
    if (!question) {
        return;
    }
    atomic_fetch_add(&question->holders, 1);
    console->options.explain(console->options.context, &question->explain);
    int64_t until_ms = clock_monotonic_ms() + WAIT_MS;
    while (!question->finished && !atomic_load(&console->closing) &&
           clock_monotonic_ms() < until_ms) {
        struct pollfd mail = {.fd = console->results.event_fd, .events = POLLIN};
        (void)poll(&mail, 1, POLL_MS);
        mailbox_drain(&console->results);
    }
    if (question->finished) {
        *result = question->explain.result;
        question->explain.result = (struct explain_result){.items = NULL};
    }
    release(question);
}
