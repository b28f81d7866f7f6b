/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* JWTs of the app, from the supervisor, which alone has the key. One call is in progress at a time.
 * Everyone who waits when its reply arrives gets that JWT. Later ones get a new one, except those
 * that accept a JWT of up to JWT_REUSE_MS ago: the supervisor starts a process for each signature,
 * so it can sign some tens a second, and pull mode reads hundreds of deliveries.
 *
 * Threads: the broker's alone. Only jwt_handle() calls on_jwt(). */
#ifndef SNEK_BROKER_JWT_H
#define SNEK_BROKER_JWT_H

#include "base/error.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* Far below the minutes for which GitHub accepts a JWT, and short for one that leaks. */
#define JWT_REUSE_MS 5000

struct jwt_source;

struct jwt_result {
    /* 0, or a negative enum snek_error with `error`. */
    int32_t outcome;
    /* Borrowed during the call; NULL when there is none. */
    const char *jwt;
    /* The clock skew that the JWT corrects. */
    int32_t skew_s;
    /* The key that signed it: 0, or 1 during a rotation. */
    uint32_t key;
    const struct error *error;
};

struct jwt_waiter {
    void (*on_jwt)(struct jwt_waiter *waiter, const struct jwt_result *result);
    /* The creator of the waiter sets it to false. */
    bool waiting;
    /* It accepts a JWT that another request had. */
    bool reuses;
    TAILQ_ENTRY(jwt_waiter) link;
};

struct jwt_options {
    /* SOCK_SEQPACKET; borrowed. */
    int fd;
    /* After it, a supervisor that does not reply is given up. */
    int64_t timeout_ms;
    void (*on_lost)(void *context);
    void *context;
};

/* NULL: no memory. */
struct jwt_source *jwt_new(const struct jwt_options *options);
/* Takes NULL. No waiter may be left. */
void jwt_free(struct jwt_source *source);

void jwt_request(struct jwt_source *source, struct jwt_waiter *waiter, int64_t skew_s);
/* GitHub rejected a JWT of `key`: from now on the other key signs. False when there is no other
 * key; then nothing changes. */
bool jwt_change_key(struct jwt_source *source, uint32_t key);
/* GitHub rejected a JWT: nobody gets it again. */
void jwt_drop(struct jwt_source *source);
/* GitHub accepted a JWT of `key`. Logs it once when that is the next key. */
void jwt_key_accepted(struct jwt_source *source, uint32_t key);
/* Waiting or not. */
void jwt_forget(struct jwt_source *source, struct jwt_waiter *waiter);

/* The descriptor to wait for. False when the supervisor is gone; then `fd` is untouched. */
bool jwt_wants(const struct jwt_source *source, struct curl_waitfd *fd);
/* The longest wait before jwt_handle(), at most `most_ms`. */
int jwt_wait_ms(const struct jwt_source *source, int most_ms);
/* Sends calls, takes replies, gives up on late ones, and wipes a JWT that is too old to reuse;
 * calls on_jwt() and on_lost(). */
void jwt_handle(struct jwt_source *source);

#endif
