/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "broker/etags.h"

#include "broker/answer.h"
#include "broker/headers.h"
#include "metrics/metrics.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#define TAG_MAX 256

TAILQ_HEAD(kept_list, kept);

struct kept {
    struct etag_key key; /* its texts are ours, in `texts` */
    char *texts, *tag;   /* `tag` likewise */
    struct buffer headers, answer;
    size_t bytes;
    TAILQ_ENTRY(kept) link;
};

struct etags {
    void *tree;              /* of tsearch(), by key */
    struct kept_list by_use; /* the last used first */
    size_t bytes_max;
    struct etags_figures figures;
};

static int compare_keys(const void *a, const void *b) {
    const struct etag_key *left = &((const struct kept *)a)->key;
    const struct etag_key *right = &((const struct kept *)b)->key;
    if (left->mint != right->mint) {
        return left->mint < right->mint ? -1 : 1;
    }
    int order = strcmp(left->url, right->url);
    order = order ? order : strcmp(left->accept, right->accept);
    return order ? order : strcmp(left->version, right->version);
}

struct etags *etags_new(size_t bytes_max) {
    struct etags *etags = calloc(1, sizeof *etags);
    if (etags) {
        etags->bytes_max = bytes_max;
        TAILQ_INIT(&etags->by_use);
    }
    return etags;
}

static void kept_free(struct kept *kept) {
    buffer_finish(&kept->headers);
    buffer_finish(&kept->answer);
    free(kept->texts);
    free(kept);
}

static void forget(struct etags *etags, struct kept *kept) {
    (void)tdelete(kept, &etags->tree, compare_keys);
    TAILQ_REMOVE(&etags->by_use, kept, link);
    etags->figures.bytes -= kept->bytes;
    etags->figures.count--;
    metrics_kept(etags->figures.bytes);
    kept_free(kept);
}

void etags_free(struct etags *etags) {
    if (etags) {
        struct kept *kept;
        while ((kept = TAILQ_FIRST(&etags->by_use))) {
            forget(etags, kept);
        }
        free(etags);
    }
}

static struct kept *find(struct etags *etags, const struct etag_key *key) {
    struct kept wanted = {.key = *key};
    struct kept **found = tfind(&wanted, &etags->tree, compare_keys);
    if (!found) {
        return NULL;
    }
    TAILQ_REMOVE(&etags->by_use, *found, link);
    TAILQ_INSERT_HEAD(&etags->by_use, *found, link);
    return *found;
}

const char *etags_tag(struct etags *etags, const struct etag_key *key) {
    const struct kept *kept = find(etags, key);
    return kept ? kept->tag : NULL;
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

bool etags_use(struct etags *etags, const struct etag_key *key, struct exchange *exchange) {
    const struct kept *kept = find(etags, key);
    if (!kept || copy(&exchange->headers, &kept->headers) < 0 ||
        copy(&exchange->answer, &kept->answer) < 0) {
        return false;
    }
    metrics_conditional(true);
    exchange->status = 200;
    exchange->outcome = 0;
    exchange->error.text[0] = '\0';
    return true;
}

/* The key's texts and the tag, one behind the other. */
static int own_texts(struct kept *kept, const struct etag_key *key, const char *tag,
                     size_t tag_bytes) {
    size_t url = strlen(key->url) + 1, accept = strlen(key->accept) + 1;
    size_t version = strlen(key->version) + 1;
    kept->bytes = url + accept + version + tag_bytes + 1;
    kept->texts = malloc(kept->bytes);
    if (!kept->texts) {
        return -1;
    }
    kept->key =
        (struct etag_key){.mint = key->mint,
                          .url = memcpy(kept->texts, key->url, url),
                          .accept = memcpy(kept->texts + url, key->accept, accept),
                          .version = memcpy(kept->texts + url + accept, key->version, version)};
    kept->tag = kept->texts + url + accept + version;
    memcpy(kept->tag, tag, tag_bytes);
    kept->tag[tag_bytes] = '\0';
    return headers_is_value(kept->tag) ? 0 : -1;
}

void etags_keep(struct etags *etags, const struct etag_key *key, const struct exchange *exchange) {
    size_t tag_bytes = 0;
    const char *tag = answer_header(&exchange->headers, "etag", &tag_bytes);
    struct kept *old = find(etags, key);
    if (exchange->status != 200 || exchange->outcome != 0) {
        return; /* a failure, which may pass, or an answer that is not there (too large) */
    }
    if (old) {
        metrics_conditional(false);
        forget(etags, old);
    }
    if (!tag || tag_bytes == 0 || tag_bytes > TAG_MAX ||
        exchange->answer.bytes > ETAGS_ANSWER_MAX) {
        return;
    }
    struct kept *kept = calloc(1, sizeof *kept);
    if (!kept) {
        return;
    }
    kept->headers = (struct buffer)BUFFER_INIT(exchange->headers.max);
    kept->answer = (struct buffer)BUFFER_INIT(exchange->answer.max);
    if (own_texts(kept, key, tag, tag_bytes) < 0 || copy(&kept->headers, &exchange->headers) < 0 ||
        copy(&kept->answer, &exchange->answer) < 0 || !tsearch(kept, &etags->tree, compare_keys)) {
        kept_free(kept);
        return;
    }
    kept->bytes += sizeof *kept + kept->headers.capacity + kept->answer.capacity;
    TAILQ_INSERT_HEAD(&etags->by_use, kept, link);
    etags->figures.bytes += kept->bytes;
    etags->figures.count++;
    metrics_kept(etags->figures.bytes);
    while (etags->figures.bytes > etags->bytes_max) {
        forget(etags, TAILQ_LAST(&etags->by_use, kept_list));
    }
}

void etags_drop(struct etags *etags, uint64_t mint) {
    struct kept *kept, *next;
    for (kept = etags ? TAILQ_FIRST(&etags->by_use) : NULL; kept; kept = next) {
        next = TAILQ_NEXT(kept, link);
        if (kept->key.mint == mint) {
            forget(etags, kept);
        }
    }
}

struct etags_figures etags_figures(const struct etags *etags) {
    return etags->figures;
}
