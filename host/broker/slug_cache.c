/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sends GET /app at most once at a time, and serves every waiter from its response. */
#include "broker/slug_cache.h"

#include "base/clock.h"
#include "base/json.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <string.h>

/* Bytes; GitHub's are a name of at most 34 characters. */
#define SLUG_MAX 100
/* Then GitHub is asked again, because the app may have been renamed. */
#define SLUG_FOR_MS (60 * 60000)

TAILQ_HEAD(slug_waiters, slug_waiter);

struct slug_cache {
    const struct app_client *client;
    const char *app_id;
    /* "" until it is known. */
    char slug[SLUG_MAX + 1];
    /* Monotonic: when GitHub gave it. */
    int64_t stored_at_ms;
    struct app_request request;
    bool in_progress;
    struct slug_waiters waiters;
};

struct slug_cache *slug_cache_new(const struct app_client *client, const char *app_id) {
    struct slug_cache *cache = calloc(1, sizeof *cache);
    if (cache) {
        cache->client = client;
        cache->app_id = app_id;
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

/* Is the text of a number, or of a string, equal to `text`? */
static bool value_is(const struct buffer *body, const char *path, const char *text) {
    struct json_value value;
    if (!json_find(body->data, body->bytes, path, &value)) {
        return false;
    }
    if (value.type == JSON_STRING) {
        return json_text_is(value.raw + 1, value.raw_bytes - 2, text, strlen(text));
    }
    return value.raw_bytes == strlen(text) && memcmp(value.raw, text, value.raw_bytes) == 0;
}

static bool is_our_app(const struct slug_cache *cache, const struct buffer *body) {
    return !cache->app_id || value_is(body, "id", cache->app_id) ||
           value_is(body, "client_id", cache->app_id);
}

/* Stores the slug of a 2xx response. 0, or -1 and a sentence. */
static int store_slug(struct slug_cache *cache, const struct http_transfer *transfer,
                      struct error *err) {
    const struct buffer *body = &transfer->response;
    struct json_value value;
    if (body->bytes == 0 || !json_find(body->data, body->bytes, "slug", &value) ||
        value.type != JSON_STRING) {
        return error_set(err, "GET /app answered %d without a slug: check github.api_url",
                         (int)transfer->status);
    }
    if (!is_our_app(cache, body)) {
        return error_set(err,
                         "GET /app answered %d, but with another app than github.app_id %s: check "
                         "github.app_id, the private key and github.api_url",
                         (int)transfer->status, cache->app_id);
    }
    const char *slug = value.raw + 1;
    size_t bytes = value.raw_bytes - 2;
    bool valid = bytes > 0 && bytes <= SLUG_MAX;
    for (size_t i = 0; valid && i < bytes; i++) {
        valid = slug[i] > ' ' && slug[i] < 0x7F && slug[i] != '\\';
    }
    if (!valid) {
        return error_set(err, "GET /app answered %d with a slug that is none",
                         (int)transfer->status);
    }
    memcpy(cache->slug, slug, bytes);
    cache->slug[bytes] = '\0';
    cache->stored_at_ms = clock_monotonic_ms();
    return 0;
}

static void on_app_response(struct app_request *request) {
    struct slug_cache *cache = request->context;
    struct http_transfer *transfer = &request->transfer;
    assert(cache->in_progress);
    if (transfer->outcome == 0 && store_slug(cache, transfer, &transfer->error) < 0) {
        transfer->outcome = SNEK_E_SERVER;
    } else if (transfer->outcome == SNEK_E_NOT_FOUND) {
        struct error err = transfer->error;
        error_set(&transfer->error, "%s (check github.app_id and github.api_url)", err.text);
    }
    struct slug_waiter *waiter;
    while ((waiter = TAILQ_FIRST(&cache->waiters))) {
        slug_cache_forget(waiter);
        /* If GitHub does not respond, an old slug is better than none. */
        waiter->on_slug(waiter, cache->slug[0] ? cache->slug : NULL, request);
    }
    end_request(cache);
}

void slug_cache_get(struct slug_cache *cache, struct slug_waiter *waiter) {
    assert(!waiter->cache);
    if (cache->slug[0] && clock_monotonic_ms() - cache->stored_at_ms < SLUG_FOR_MS) {
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

void slug_cache_reset(struct slug_cache *cache) {
    cache->slug[0] = '\0';
}

void slug_cache_forget(struct slug_waiter *waiter) {
    if (waiter->cache) {
        TAILQ_REMOVE(&waiter->cache->waiters, waiter, link);
        waiter->cache = NULL;
    }
}
