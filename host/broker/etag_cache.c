/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A bounded map from (token, URL, media type, API version) to a response and its ETag. */
#include "broker/etag_cache.h"

#include "base/lru_map.h"
#include "broker/headers.h"
#include "broker/response.h"
#include "metrics/metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TAG_MAX 256
#define KEY_MAX (64u << 10)

struct cached_response {
    struct lru_entry entry;
    uint64_t token_id;
    char *tag;
    struct buffer headers, body;
};

struct etag_cache {
    struct lru_map map;
};

static struct cached_response *cached_of(struct lru_entry *entry) {
    return CONTAINER_OF(entry, struct cached_response, entry);
}

static void cached_free(struct cached_response *cached) {
    buffer_finish(&cached->headers);
    buffer_finish(&cached->body);
    free(cached->tag);
    free(cached);
}

static void on_evict(struct lru_entry *entry, void *context) {
    (void)context;
    cached_free(cached_of(entry));
}

struct etag_cache *etag_cache_new(size_t bytes_max) {
    struct etag_cache *cache = calloc(1, sizeof *cache);
    if (cache) {
        lru_map_init(&cache->map,
                     &(struct lru_map_options){.bytes_max = bytes_max, .on_evict = on_evict});
    }
    return cache;
}

void etag_cache_free(struct etag_cache *cache) {
    if (cache) {
        lru_map_finish(&cache->map);
        metrics_etag_cache(0);
        free(cache);
    }
}

static int build_key(const struct etag_key *key, struct buffer *bytes) {
    assert(key->token_id != 0);
    int failed = buffer_append(bytes, (const char *)&key->token_id, sizeof key->token_id);
    failed |= lru_map_key_part(bytes, key->url);
    failed |= lru_map_key_part(bytes, key->accept);
    failed |= lru_map_key_part(bytes, key->version);
    return failed ? -1 : 0;
}

static struct cached_response *find(struct etag_cache *cache, const struct etag_key *key) {
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT(KEY_MAX);
    if (build_key(key, &bytes) < 0) {
        return NULL;
    }
    struct lru_entry *entry = lru_map_find(&cache->map, bytes.data, bytes.bytes);
    return entry ? cached_of(entry) : NULL;
}

static void drop(struct etag_cache *cache, struct cached_response *cached) {
    lru_map_remove(&cache->map, &cached->entry);
    cached_free(cached);
    metrics_etag_cache(cache->map.bytes);
}

const char *etag_cache_tag(struct etag_cache *cache, const struct etag_key *key) {
    const struct cached_response *cached = find(cache, key);
    return cached ? cached->tag : NULL;
}

static int copy(struct buffer *to, const struct buffer *from) {
    struct buffer made = BUFFER_INIT(to->max);
    if (buffer_append(&made, from->data ? from->data : "", from->bytes) < 0) {
        buffer_finish(&made);
        return -1;
    }
    buffer_finish(to);
    *to = made;
    return 0;
}

bool etag_cache_use(struct etag_cache *cache, const struct etag_key *key,
                    struct http_transfer *transfer) {
    const struct cached_response *cached = find(cache, key);
    if (!cached || copy(&transfer->headers, &cached->headers) < 0 ||
        copy(&transfer->response, &cached->body) < 0) {
        return false;
    }
    metrics_conditional(true);
    transfer->status = 200;
    transfer->outcome = 0;
    transfer->error.text[0] = '\0';
    return true;
}

static struct cached_response *cached_new(const struct etag_key *key,
                                          const struct http_transfer *transfer, const char *tag,
                                          size_t tag_bytes) {
    struct cached_response *cached = calloc(1, sizeof *cached);
    if (!cached) {
        return NULL;
    }
    cached->token_id = key->token_id;
    cached->headers = (struct buffer)BUFFER_INIT(transfer->headers.max);
    cached->body = (struct buffer)BUFFER_INIT(transfer->response.max);
    cached->tag = strndup(tag, tag_bytes);
    if (!cached->tag || !headers_is_value(cached->tag) ||
        copy(&cached->headers, &transfer->headers) < 0 ||
        copy(&cached->body, &transfer->response) < 0) {
        cached_free(cached);
        return NULL;
    }
    return cached;
}

void etag_cache_store(struct etag_cache *cache, const struct etag_key *key,
                      const struct http_transfer *transfer) {
    size_t tag_bytes = 0;
    const char *tag = response_header(&transfer->headers, "etag", &tag_bytes);
    struct cached_response *old = find(cache, key);
    if (transfer->status != 200 || transfer->outcome != 0) {
        /* A failure may pass, and a response that is too large is not there. */
        return;
    }
    if (old) {
        metrics_conditional(false);
        drop(cache, old);
    }
    if (!tag || tag_bytes == 0 || tag_bytes > TAG_MAX ||
        transfer->response.bytes > ETAG_CACHE_RESPONSE_MAX) {
        return;
    }
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT(KEY_MAX);
    struct cached_response *cached = cached_new(key, transfer, tag, tag_bytes);
    if (!cached) {
        return;
    }
    size_t cost = sizeof *cached + tag_bytes + 1 + cached->headers.capacity + cached->body.capacity;
    if (build_key(key, &bytes) < 0 ||
        lru_map_put(&cache->map, &cached->entry, bytes.data, bytes.bytes, cost) < 0) {
        cached_free(cached);
        return;
    }
    metrics_etag_cache(cache->map.bytes);
}

void etag_cache_drop(struct etag_cache *cache, uint64_t token_id) {
    struct lru_entry *entry, *next;
    for (entry = cache ? lru_map_first(&cache->map) : NULL; entry; entry = next) {
        next = lru_map_next(entry);
        if (cached_of(entry)->token_id == token_id) {
            drop(cache, cached_of(entry));
        }
    }
}

struct etag_cache_stats etag_cache_stats(const struct etag_cache *cache) {
    return (struct etag_cache_stats){.bytes = cache->map.bytes,
                                     .count = (unsigned)cache->map.count};
}
