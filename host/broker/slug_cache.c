/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sends GET /app at most once at a time, and serves every waiter from its response. */
#include "broker/slug_cache.h"

#include "base/json.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <string.h>

/* Bytes; GitHub's are a name of at most 34 characters. */
#define SLUG_MAX 100

TAILQ_HEAD(slug_waiters, slug_waiter);

struct slug_cache {
    const struct app_client *client;
    /* "" until it is known. */
    char slug[SLUG_MAX + 1];
    struct app_request request;
    bool in_progress;
    struct slug_waiters waiters;
};

struct slug_cache *slug_cache_new(const struct app_client *client) {
    struct slug_cache *cache = calloc(1, sizeof *cache);
    if (cache) {
        cache->client = client;
        TAILQ_INIT(&cache->waiters);
    }
    return cache;
}

static void end_request(struct slug_cache *cache) {
    if (cache->in_progress) {
        cache->in_progress = false;
        app_request_finish(&cache->request);
    }
}

void slug_cache_free(struct slug_cache *cache) {
    if (cache) {
        assert(TAILQ_EMPTY(&cache->waiters));
        end_request(cache);
        free(cache);
    }
}

static int store_slug(struct slug_cache *cache, const struct buffer *body) {
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
    memcpy(cache->slug, slug, bytes);
    cache->slug[bytes] = '\0';
    return 0;
}

static void on_app_response(struct app_request *request) {
    struct slug_cache *cache = request->context;
    struct http_transfer *transfer = &request->transfer;
    assert(cache->in_progress);
    if (transfer->outcome == 0 && store_slug(cache, &transfer->response) < 0) {
        transfer->outcome = SNEK_E_SERVER;
        error_set(&transfer->error, "GET /app answered %d without a slug", (int)transfer->status);
    }
    struct slug_waiter *waiter;
    while ((waiter = TAILQ_FIRST(&cache->waiters))) {
        slug_cache_forget(waiter);
        waiter->on_slug(waiter, cache->slug[0] ? cache->slug : NULL, request);
    }
    end_request(cache);
}

void slug_cache_get(struct slug_cache *cache, struct slug_waiter *waiter) {
    assert(!waiter->cache);
    if (cache->slug[0]) {
        waiter->on_slug(waiter, cache->slug, NULL);
        return;
    }
    if (!cache->in_progress) {
        struct error err;
        int32_t outcome =
            app_request_init(&cache->request, cache->client, "GET", "/app", NULL, &err);
        cache->in_progress = true;
        if (outcome < 0) {
            cache->request.transfer.outcome = outcome;
            cache->request.transfer.error = err;
            waiter->on_slug(waiter, NULL, &cache->request);
            end_request(cache);
            return;
        }
        cache->request.on_done = on_app_response;
        cache->request.context = cache;
        app_send(&cache->request);
    }
    waiter->cache = cache;
    TAILQ_INSERT_TAIL(&cache->waiters, waiter, link);
}

void slug_cache_forget(struct slug_waiter *waiter) {
    if (waiter->cache) {
        TAILQ_REMOVE(&waiter->cache->waiters, waiter, link);
        waiter->cache = NULL;
    }
}
