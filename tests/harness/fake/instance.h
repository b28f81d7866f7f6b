/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One running fake: the lock, and what each module keeps in it. A member is written by the module
 * that is named above it only; other modules call that module's functions.
 *
 * Threads: libmicrohttpd gives each connection its own, so a delayed response delays nobody else.
 * The lock guards all members; a handler runs with the lock held. Delays and the sending of
 * webhooks happen without it. */
#ifndef SNEK_HARNESS_FAKE_INSTANCE_H
#define SNEK_HARNESS_FAKE_INSTANCE_H

#include "fake/fake.h"

#include "base/list.h"

#include <gnutls/abstract.h>
#include <jansson.h>
#include <pthread.h>

/* Bytes of "2025-01-31T23:59:59Z" and some. */
#define FAKE_TIME_MAX 24
#define FAKE_SLUG_MAX 100
/* The id of the app's bot user is the app's id and this. */
#define FAKE_BOT_ID_OFFSET 5000000

TAILQ_HEAD(token_list, token);

struct fake {
    pthread_mutex_t lock;

    /* server.c. `stop` wakes the delays when `stopping` or `releases` changes. `releases` counts up
     * and ends the delays that are under way. */
    pthread_cond_t stop;
    bool stopping;
    unsigned releases;
    int64_t app_id;
    char app_slug[FAKE_SLUG_MAX + 1];
    gnutls_pubkey_t keys[FAKE_KEYS_MAX];
    size_t n_keys;
    bool quiet;
    /* The start of each URL in responses: http://HOST:PORT. */
    char origin[128];
    /* The start of its pages for browsers: `origin` without a path. */
    char web_origin[128];

    /* state.c: settings and lists, complete. */
    json_t *state;
    json_int_t last_id;

    /* rate_limits.c: resource and caller -> {"used", "reset"}. */
    json_t *rates;

    /* failures.c: what a test asked for and no request has met yet. */
    json_t *failures;

    /* requests.c */
    json_t *requests;
    json_int_t requests_forgotten;
    json_int_t last_request;

    /* tokens.c: the newest first. */
    struct token_list tokens;
    uint64_t tokens_minted;

    /* manifests.c: manifests whose code nobody has used; the names of all apps. */
    json_t *manifests;
    json_t *app_names;
    /* The ids that accounts had with an earlier App, as in the state's installations. */
    json_t *former_installations;

    /* webhooks.c: deliveries in the order of their sending. Keys with a "_" are not GitHub's.
     * `sending` counts the deliveries on their way; `sent` wakes when it counts down. */
    json_t *deliveries;
    json_int_t last_delivery;
    unsigned sending;
    pthread_cond_t sent;
};

/* The clock, with the skew of the settings. */
int64_t fake_now_s(const struct fake *fake);
/* The format of GitHub's times. */
void fake_time_text(int64_t time_s, char text[FAKE_TIME_MAX]);
/* Ends the delays that are under way. */
void fake_release_delays(struct fake *fake);

#endif
