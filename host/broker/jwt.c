/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The calls to the supervisor, and who waits for their replies. */
#include "broker/jwt.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "broker/broker.h"
#include "supervisor/messages.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

_Static_assert(SUPERVISOR_SKEW_MAX_S * 1000 == BROKER_SKEW_MAX_MS,
               "who searches for a comment must allow for the skew that is corrected");

/* GitHub's Date is in whole seconds, so the measured skew varies by one. */
#define SKEW_KEPT_S 10

TAILQ_HEAD(jwt_waiters, jwt_waiter);

struct jwt_source {
    struct jwt_options options;
    struct jwt_waiters waiters;
    /* The first of them waits since then. */
    int64_t waiting_since_ms;
    /* The last waiter's. */
    int64_t skew_s;
    int32_t sent_skew_s;
    uint32_t key, sent_key;
    int64_t sent_ms;
    /* The last JWT, while it may be used again. Empty: there is none. */
    char kept[SUPERVISOR_JWT_MAX];
    int64_t kept_ms;
    int32_t kept_skew_s;
    uint32_t kept_key;
    /* There is no other key. */
    bool single_key;
    /* The acceptance of the next key is logged. */
    bool logged;
    /* A call is in progress. */
    bool sent;
    /* Those who waited for the call in progress have given up. */
    bool stale;
    /* The supervisor is gone. */
    bool lost;
};

struct jwt_source *jwt_new(const struct jwt_options *options) {
    struct jwt_source *source = calloc(1, sizeof *source);
    if (source) {
        source->options = *options;
        TAILQ_INIT(&source->waiters);
    }
    return source;
}

void jwt_free(struct jwt_source *source) {
    assert(!source || TAILQ_EMPTY(&source->waiters));
    if (source) {
        jwt_drop(source);
    }
    free(source);
}

void jwt_drop(struct jwt_source *source) {
    explicit_bzero(source->kept, sizeof source->kept);
}

static bool is_kept(const struct jwt_source *source) {
    return source->kept[0] && clock_monotonic_ms() - source->kept_ms < JWT_REUSE_MS;
}

/* A JWT for another clock or of another key is no use. */
static bool fits_kept(const struct jwt_source *source, const struct jwt_waiter *waiter) {
    int64_t off_s = source->skew_s - source->kept_skew_s;
    return waiter->reuses && source->key == source->kept_key && off_s > -SKEW_KEPT_S &&
           off_s < SKEW_KEPT_S;
}

static bool can_serve(const struct jwt_source *source) {
    const struct jwt_waiter *waiter;
    TAILQ_FOREACH(waiter, &source->waiters, link) {
        if (fits_kept(source, waiter)) {
            return true;
        }
    }
    return false;
}

void jwt_request(struct jwt_source *source, struct jwt_waiter *waiter, int64_t skew_s) {
    if (TAILQ_EMPTY(&source->waiters)) {
        source->waiting_since_ms = clock_monotonic_ms();
    }
    source->skew_s = skew_s;
    assert(!waiter->waiting);
    waiter->waiting = true;
    TAILQ_INSERT_TAIL(&source->waiters, waiter, link);
}

bool jwt_change_key(struct jwt_source *source, uint32_t key) {
    if (source->single_key) {
        return false;
    }
    /* Else another request has changed it already. */
    if (source->key == key) {
        source->key = 1 - key;
    }
    return true;
}

void jwt_key_accepted(struct jwt_source *source, uint32_t key) {
    if (key == 1 && !source->logged) {
        source->logged = true;
        log_event(SNEK_LEVEL_WARNING, "private_key_next",
                  LOG_TEXT("reason",
                           "GitHub rejects the private key and accepts the next one: make "
                           "it github.private_key_file"));
    }
}

void jwt_forget(struct jwt_source *source, struct jwt_waiter *waiter) {
    if (waiter->waiting) {
        TAILQ_REMOVE(&source->waiters, waiter, link);
        waiter->waiting = false;
    }
}

bool jwt_wants(const struct jwt_source *source, struct curl_waitfd *fd) {
    if (source->lost) {
        return false;
    }
    *fd = (struct curl_waitfd){.fd = source->options.fd, .events = CURL_WAIT_POLLIN};
    if (!source->sent && !TAILQ_EMPTY(&source->waiters)) {
        fd->events |= CURL_WAIT_POLLOUT;
    }
    return true;
}

/* How long those who wait still do. */
static int64_t patience_ms(const struct jwt_source *source) {
    return source->waiting_since_ms + source->options.timeout_ms - clock_monotonic_ms();
}

int jwt_wait_ms(const struct jwt_source *source, int most_ms) {
    if (source->kept[0]) {
        int64_t kept_ms = source->kept_ms + JWT_REUSE_MS - clock_monotonic_ms();
        kept_ms = kept_ms <= 0 || can_serve(source) ? 0 : kept_ms;
        most_ms = kept_ms < most_ms ? (int)kept_ms : most_ms;
    }
    if (TAILQ_EMPTY(&source->waiters)) {
        return most_ms;
    }
    int64_t left_ms = patience_ms(source);
    if (source->lost || left_ms <= 0) {
        return 0;
    }
    return left_ms < most_ms ? (int)left_ms : most_ms;
}

/* Serves those who wait now, not those who wait again because of this result. */
static void serve_all(struct jwt_source *source, const struct jwt_result *result) {
    struct jwt_waiters waiters = TAILQ_HEAD_INITIALIZER(waiters);
    struct jwt_waiter *waiter;
    TAILQ_CONCAT(&waiters, &source->waiters, link);
    while ((waiter = TAILQ_FIRST(&waiters))) {
        TAILQ_REMOVE(&waiters, waiter, link);
        waiter->waiting = false;
        waiter->on_jwt(waiter, result);
    }
}

/* Serves those that accept the JWT of another request. */
static void serve_kept(struct jwt_source *source) {
    struct jwt_result result = {
        .jwt = source->kept, .skew_s = source->kept_skew_s, .key = source->kept_key};
    struct jwt_waiter *waiter, *next;
    TAILQ_FOREACH_SAFE(waiter, &source->waiters, link, next) {
        if (fits_kept(source, waiter)) {
            TAILQ_REMOVE(&source->waiters, waiter, link);
            waiter->waiting = false;
            waiter->on_jwt(waiter, &result);
        }
    }
}

static void keep(struct jwt_source *source, const char *jwt) {
    memcpy(source->kept, jwt, strlen(jwt) + 1);
    source->kept_ms = source->sent_ms;
    source->kept_skew_s = source->sent_skew_s;
    source->kept_key = source->sent_key;
}

static void fail_all(struct jwt_source *source, int32_t outcome, const char *reason) {
    struct error err;
    error_set(&err, "no JWT from the supervisor: %s", reason);
    serve_all(source, &(struct jwt_result){.outcome = outcome, .error = &err});
}

static void lose(struct jwt_source *source) {
    source->lost = true;
    source->options.on_lost(source->options.context);
}

/* It goes into a header, so it may have only these characters. */
static bool is_jwt(const char *text) {
    return text[0] && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                        "0123456789-_.")] == '\0';
}

static void on_reply(struct jwt_source *source, struct supervisor_reply *reply, size_t bytes) {
    bool wanted = source->sent && !source->stale;
    source->sent = false;
    source->stale = false;
    if (!wanted) {
        return;
    }
    bool whole = bytes > offsetof(struct supervisor_reply, text) && bytes <= sizeof *reply &&
                 memchr(reply->text, '\0', sizeof reply->text);
    if (!whole || (reply->ok && !is_jwt(reply->text))) {
        fail_all(source, SNEK_E_FAILED, "its reply is malformed");
    } else if (reply->ok) {
        keep(source, reply->text);
        serve_all(source, &(struct jwt_result){.jwt = reply->text,
                                               .skew_s = source->sent_skew_s,
                                               .key = source->sent_key});
    } else if (source->sent_key != 0) {
        /* No rotation is in progress: they wait on, for the first key. */
        source->single_key = true;
        source->key = 0;
    } else {
        char reason[401];
        text_clean(reason, sizeof reason, reply->text, strlen(reply->text));
        fail_all(source, SNEK_E_FAILED, reason);
    }
}

static void receive(struct jwt_source *source) {
    struct supervisor_reply reply;
    for (;;) {
        memset(&reply, 0, sizeof reply);
        ssize_t bytes = recv(source->options.fd, &reply, sizeof reply, MSG_DONTWAIT);
        if (bytes > 0) {
            on_reply(source, &reply, (size_t)bytes);
        } else if (bytes == 0 || (errno != EAGAIN && errno != EINTR)) {
            lose(source);
            break;
        } else if (errno == EAGAIN) {
            break;
        }
    }
    explicit_bzero(&reply, sizeof reply);
}

static void send_call(struct jwt_source *source) {
    int64_t skew_s = source->skew_s;
    skew_s = skew_s > SUPERVISOR_SKEW_MAX_S ? SUPERVISOR_SKEW_MAX_S : skew_s;
    skew_s = skew_s < -SUPERVISOR_SKEW_MAX_S ? -SUPERVISOR_SKEW_MAX_S : skew_s;
    struct supervisor_message message = {
        .kind = SUPERVISOR_JWT, .skew_s = (int32_t)skew_s, .key = source->key};
    ssize_t sent = send(source->options.fd, &message, sizeof message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent == (ssize_t)sizeof message) {
        source->sent = true;
        source->sent_ms = clock_monotonic_ms();
        source->sent_skew_s = message.skew_s;
        source->sent_key = message.key;
    } else if (sent >= 0 || (errno != EAGAIN && errno != EINTR)) {
        lose(source);
    }
}

void jwt_handle(struct jwt_source *source) {
    if (!source->lost) {
        receive(source);
    }
    if (is_kept(source)) {
        serve_kept(source);
    } else if (source->kept[0]) {
        jwt_drop(source);
    }
    if (!source->lost && !source->sent && !TAILQ_EMPTY(&source->waiters)) {
        send_call(source);
    }
    if (source->lost) {
        fail_all(source, SNEK_E_FAILED, "it is gone");
    } else if (!TAILQ_EMPTY(&source->waiters) && patience_ms(source) <= 0) {
        source->stale = source->sent;
        fail_all(source, SNEK_E_TIMEOUT, "it does not reply");
    }
}
