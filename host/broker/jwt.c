/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The questions to the supervisor. */
#include "broker/jwt.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "broker/answer.h"
#include "supervisor/supervisor.h"

#include <snekomatic/types.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

TAILQ_HEAD(jwt_waiters, jwt_waiter);

struct jwt_source {
    struct jwt_options options;
    struct jwt_waiters waiters;
    int64_t waiting_since_ms; /* the first of them */
    int64_t skew_s;           /* the last that was given */
    int32_t asked_skew_s;
    uint32_t key, asked_key;
    bool alone; /* there is no other key */
    bool said;
    bool asked; /* an answer is to come */
    bool stale; /* those who asked for it have given up */
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
    free(source);
}

void jwt_ask(struct jwt_source *source, struct jwt_waiter *waiter, int64_t skew_s) {
    if (TAILQ_EMPTY(&source->waiters)) {
        source->waiting_since_ms = clock_monotonic_ms();
    }
    source->skew_s = skew_s;
    waiter->waiting = true;
    TAILQ_INSERT_TAIL(&source->waiters, waiter, link);
}

bool jwt_change_key(struct jwt_source *source, uint32_t key) {
    if (source->alone) {
        return false;
    }
    if (source->key == key) { /* else another request has changed it already */
        source->key = 1 - key;
    }
    return true;
}

void jwt_took_key(struct jwt_source *source, uint32_t key) {
    if (key == 1 && !source->said) {
        source->said = true;
        log_event(SNEK_LEVEL_WARNING, "private_key_next",
                  LOG_TEXT("reason", "GitHub rejects the private key and takes the next one: make "
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
    bool ask = !source->asked && !TAILQ_EMPTY(&source->waiters);
    *fd = (struct curl_waitfd){.fd = source->options.fd,
                               .events = (short)(CURL_WAIT_POLLIN | (ask ? CURL_WAIT_POLLOUT : 0))};
    return true;
}

int jwt_wait_ms(const struct jwt_source *source, int most_ms) {
    if (TAILQ_EMPTY(&source->waiters)) {
        return most_ms;
    }
    int64_t left_ms =
        source->lost ? 0
                     : source->waiting_since_ms + source->options.timeout_ms - clock_monotonic_ms();
    return left_ms <= 0 ? 0 : left_ms < most_ms ? (int)left_ms : most_ms;
}

/* Those who wait now, not those who ask again because of this answer. */
static void answer_all(struct jwt_source *source, const struct jwt_answer *answer) {
    struct jwt_waiters waiters = TAILQ_HEAD_INITIALIZER(waiters);
    struct jwt_waiter *waiter;
    TAILQ_CONCAT(&waiters, &source->waiters, link);
    while ((waiter = TAILQ_FIRST(&waiters))) {
        TAILQ_REMOVE(&waiters, waiter, link);
        waiter->waiting = false;
        waiter->answered(waiter, answer);
    }
}

static void fail_all(struct jwt_source *source, int32_t outcome, const char *why) {
    struct error err;
    (void)error_set(&err, "no JWT from the supervisor: %s", why);
    answer_all(source, &(struct jwt_answer){.outcome = outcome, .error = &err});
}

static void lose(struct jwt_source *source) {
    source->lost = true;
    source->options.lost(source->options.context);
}

/* It goes into a header. */
static bool is_jwt(const char *text) {
    return text[0] && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                        "0123456789-_.")] == '\0';
}

static void take(struct jwt_source *source, struct supervisor_reply *answer, size_t bytes) {
    bool wanted = source->asked && !source->stale;
    source->asked = false;
    source->stale = false;
    if (!wanted) {
        return;
    }
    bool whole = bytes > offsetof(struct supervisor_reply, text) && bytes <= sizeof *answer &&
                 memchr(answer->text, '\0', sizeof answer->text);
    if (!whole || (answer->ok && !is_jwt(answer->text))) {
        fail_all(source, SNEK_E_FAILED, "its answer makes no sense");
    } else if (answer->ok) {
        answer_all(source, &(struct jwt_answer){.jwt = answer->text,
                                                .skew_s = source->asked_skew_s,
                                                .key = source->asked_key});
    } else {
        char why[401];
        if (source->asked_key != 0) { /* no rotation is under way: they wait on, for the first */
            source->alone = true;
            source->key = 0;
            return;
        }
        text_clean(why, sizeof why, answer->text, strlen(answer->text));
        fail_all(source, SNEK_E_FAILED, why);
    }
}

static void receive(struct jwt_source *source) {
    struct supervisor_reply answer;
    for (;;) {
        memset(&answer, 0, sizeof answer);
        ssize_t got = recv(source->options.fd, &answer, sizeof answer, MSG_DONTWAIT);
        if (got > 0) {
            take(source, &answer, (size_t)got);
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            lose(source);
            break;
        } else if (errno == EAGAIN) {
            break;
        }
    }
    explicit_bzero(&answer, sizeof answer);
}

static void ask(struct jwt_source *source) {
    int64_t skew_s = source->skew_s;
    skew_s = skew_s > SUPERVISOR_SKEW_MAX_S ? SUPERVISOR_SKEW_MAX_S : skew_s;
    skew_s = skew_s < -SUPERVISOR_SKEW_MAX_S ? -SUPERVISOR_SKEW_MAX_S : skew_s;
    struct supervisor_message question = {
        .kind = SUPERVISOR_JWT, .skew_s = (int32_t)skew_s, .key = source->key};
    ssize_t sent =
        send(source->options.fd, &question, sizeof question, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent == (ssize_t)sizeof question) {
        source->asked = true;
        source->asked_skew_s = question.skew_s;
        source->asked_key = question.key;
    } else if (sent >= 0 || (errno != EAGAIN && errno != EINTR)) {
        lose(source);
    }
}

void jwt_handle(struct jwt_source *source) {
    if (!source->lost) {
        receive(source);
    }
    if (!source->lost && !source->asked && !TAILQ_EMPTY(&source->waiters)) {
        ask(source);
    }
    if (source->lost) {
        fail_all(source, SNEK_E_FAILED, "it is gone");
    } else if (!TAILQ_EMPTY(&source->waiters) && jwt_wait_ms(source, 1) == 0) {
        source->stale = source->asked;
        fail_all(source, SNEK_E_TIMEOUT, "it does not answer");
    }
}
