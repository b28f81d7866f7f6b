/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Caches responses with their ETags. A conditional request costs no quota when GitHub answers 304,
 * and gives the cached body. The key is the token, URL, media type and API version, so that
 * installations and plugins never share a response. An entry leaves with its token; the least
 * recently used ones leave when the cache holds too many bytes.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_ETAG_CACHE_H
#define SNEK_BROKER_ETAG_CACHE_H

#include "broker/transport.h"

/* All entries, with their keys. */
#define ETAG_CACHE_BYTES_MAX ((size_t)32 << 20)
/* A larger response is not cached. */
#define ETAG_CACHE_RESPONSE_MAX ((size_t)1 << 20)

struct etag_cache;

struct etag_key {
    /* Not 0. */
    uint64_t token_id;
    const char *url, *accept, *version;
};

struct etag_cache_stats {
    size_t bytes;
    unsigned count;
};

/* NULL: no memory. */
struct etag_cache *etag_cache_new(size_t bytes_max);
/* Takes NULL. */
void etag_cache_free(struct etag_cache *cache);

/* The entity tag of the key's entry; NULL when there is none. Borrowed until the next call. */
const char *etag_cache_tag(struct etag_cache *cache, const struct etag_key *key);
/* After a 304: copies the entry into the transfer. False when the entry has left meanwhile. */
bool etag_cache_use(struct etag_cache *cache, const struct etag_key *key,
                    struct http_transfer *transfer);
/* Caches a 200 that has a tag and is not too large. */
void etag_cache_store(struct etag_cache *cache, const struct etag_key *key,
                      const struct http_transfer *transfer);
/* Drops the entries of one token. Takes NULL. */
void etag_cache_drop(struct etag_cache *cache, uint64_t token_id);
struct etag_cache_stats etag_cache_stats(const struct etag_cache *cache);

#endif
