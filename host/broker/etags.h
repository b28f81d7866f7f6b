/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Answers that are asked for again only if they changed: a 304 costs no quota and gives the kept
 * body. An answer is kept under the very token that it was given to, its URL, media type and API
 * version, so that none is ever shared between installations or plugins; it goes when its token
 * does, and the least recently used go when there are too many bytes.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_ETAGS_H
#define SNEK_BROKER_ETAGS_H

#include "broker/transport.h"

#define ETAGS_BYTES_MAX ((size_t)32 << 20) /* of all that is kept, keys too */
#define ETAGS_ANSWER_MAX ((size_t)1 << 20) /* a larger one is not kept */

struct etags;

struct etag_key {
    uint64_t mint; /* of the token; not 0 */
    const char *url, *accept, *version;
};

struct etags_figures {
    size_t bytes;
    unsigned count;
};

struct etags *etags_new(size_t bytes_max); /* NULL: no memory */
void etags_free(struct etags *etags);      /* takes NULL */

/* The entity tag of what is kept under the key; NULL nothing. Borrowed until the next call. */
const char *etags_tag(struct etags *etags, const struct etag_key *key);
/* The answer was 304: puts the kept one in its place. False when it is gone meanwhile. */
bool etags_use(struct etags *etags, const struct etag_key *key, struct exchange *exchange);
/* Keeps a 200 that has a tag and is not too large. */
void etags_keep(struct etags *etags, const struct etag_key *key, const struct exchange *exchange);
void etags_drop(struct etags *etags, uint64_t mint); /* takes NULL */
struct etags_figures etags_figures(const struct etags *etags);

#endif
