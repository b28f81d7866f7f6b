/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* GET /app, once. */
#include "broker/slug.h"

#include "base/json.h"

#include <snekomatic/types.h>

#include <string.h>

#define SLUG_MAX 100 /* bytes; GitHub's are a name of at most 34 characters */

TAILQ_HEAD(slug_waiters, slug_waiter);

struct slug_source {
    const struct app_way *way;
    char slug[SLUG_MAX + 1]; /* "" until it is known */
    struct app_request asking;
    bool is_asking;
    struct slug_waiters waiters;
};

struct slug_source *slug_new(const struct app_way *way) {
    struct slug_source *source = calloc(1, sizeof *source);
    if (source) {
        source->way = way;
        TAILQ_INIT(&source->waiters);
    }
    return source;
}

static void end_asking(struct slug_source *source) {
    if (source->is_asking) {
        source->is_asking = false;
        app_request_finish(&source->asking);
    }
}

void slug_free(struct slug_source *source) {
    if (source) {
        end_asking(source);
        free(source);
    }
}

static int keep(struct slug_source *source, const struct buffer *body) {
    struct json_value value;
    if (!json_find(body->data ? body->data : "", body->bytes, "slug", &value) ||
        value.type != JSON_STRING) {
        return -1;
    }
    const char *slug = value.raw + 1;
    size_t bytes = value.raw_bytes - 2;
    if (bytes == 0 || bytes > SLUG_MAX) {
        return -1;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (slug[i] <= ' ' || slug[i] >= 0x7F || slug[i] == '\\') {
            return -1;
        }
    }
    memcpy(source->slug, slug, bytes);
    source->slug[bytes] = '\0';
    return 0;
}

static void asked(struct app_request *asking) {
    struct slug_source *source = asking->context;
    struct exchange *exchange = &asking->exchange;
    if (exchange->outcome == 0 && keep(source, &exchange->answer) < 0) {
        exchange->outcome = SNEK_E_SERVER;
        (void)error_set(&exchange->error, "GET /app answered %d without a slug",
                        (int)exchange->status);
    }
    struct slug_waiter *waiter;
    while ((waiter = TAILQ_FIRST(&source->waiters))) {
        slug_forget(waiter);
        waiter->answered(waiter, source->slug[0] ? source->slug : NULL, asking);
    }
    end_asking(source);
}

void slug_get(struct slug_source *source, struct slug_waiter *waiter) {
    if (source->slug[0]) {
        waiter->answered(waiter, source->slug, NULL);
        return;
    }
    if (!source->is_asking) {
        struct error err;
        int32_t outcome = app_request_init(&source->asking, source->way, "GET", "/app", NULL, &err);
        source->is_asking = true;
        if (outcome < 0) {
            source->asking.exchange.outcome = outcome;
            source->asking.exchange.error = err;
            waiter->answered(waiter, NULL, &source->asking);
            end_asking(source);
            return;
        }
        source->asking.done = asked;
        source->asking.context = source;
        app_send(&source->asking);
    }
    waiter->source = source;
    TAILQ_INSERT_TAIL(&source->waiters, waiter, link);
}

void slug_forget(struct slug_waiter *waiter) {
    if (waiter->source) {
        TAILQ_REMOVE(&waiter->source->waiters, waiter, link);
        waiter->source = NULL;
    }
}
