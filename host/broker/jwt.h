/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Fresh JWTs of the app, asked for at the supervisor, which alone has the key. One question at a
 * time; everyone who waits when its answer comes gets that JWT, and nobody later.
 *
 * Threads: the broker's alone. No function calls answered() but jwt_handle(). */
#ifndef SNEK_BROKER_JWT_H
#define SNEK_BROKER_JWT_H

#include "base/error.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct jwt_source;

struct jwt_answer {
    int32_t outcome; /* 0, or a negative enum snek_error with `error` */
    const char *jwt; /* borrowed during the call; NULL when there is none */
    int32_t skew_s;  /* that was corrected for */
    uint32_t key;    /* that signed it: 0, or 1 during a rotation */
    const struct error *error;
};

struct jwt_waiter {
    void (*answered)(struct jwt_waiter *waiter, const struct jwt_answer *answer);
    bool waiting; /* set to false by whoever makes the waiter */
    TAILQ_ENTRY(jwt_waiter) link;
};

struct jwt_options {
    int fd;             /* SOCK_SEQPACKET; borrowed */
    int64_t timeout_ms; /* of a supervisor that does not answer */
    void (*lost)(void *context);
    void *context;
};

struct jwt_source *jwt_new(const struct jwt_options *options); /* NULL: no memory */
void jwt_free(struct jwt_source *source);                      /* takes NULL; nobody waits */

void jwt_ask(struct jwt_source *source, struct jwt_waiter *waiter, int64_t skew_s);
/* GitHub rejected a JWT of `key`: from now on the other one signs. False when there is no other, or
 * no telling: then nothing has changed. */
bool jwt_change_key(struct jwt_source *source, uint32_t key);
/* GitHub took one of `key`: says so once when it is the next one. */
void jwt_took_key(struct jwt_source *source, uint32_t key);
void jwt_forget(struct jwt_source *source, struct jwt_waiter *waiter); /* waiting or not */

/* What to wait for: false when there is no supervisor to wait for, then `fd` is untouched. */
bool jwt_wants(const struct jwt_source *source, struct curl_waitfd *fd);
/* The longest to wait before jwt_handle(), at most `most_ms`. */
int jwt_wait_ms(const struct jwt_source *source, int most_ms);
/* Asks, takes answers and gives up on late ones; calls answered() and lost(). */
void jwt_handle(struct jwt_source *source);

#endif
