/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A broker between a fake supervisor and a fake GitHub that answers as the path says. Standard
 * output is caught from start to stop, and no line of it may hold a token or a JWT. */
#ifndef SNEK_TESTS_BROKER_FIXTURE_H
#define SNEK_TESTS_BROKER_FIXTURE_H

#include "unit.h"

#include "broker/broker.h"
#include "http_server.h"

#include <pthread.h>
#include <stdatomic.h>

/* Every token of the fake starts so. */
#define TOKEN_MARK "ghs_"
#define JWT_MARK "eyJ" /* every JWT too */

enum supervisor_mood { SUPERVISOR_ANSWERS, SUPERVISOR_SAYS_NO, SUPERVISOR_WAITS };

struct fixture {
    struct broker *broker;
    struct mailbox mailbox;
    struct inbox *inbox; /* NULL none */
    struct http_server *server;
    char api_url[64];
    int supervisor_fds[2]; /* the broker's, the supervisor's */
    pthread_t supervisor;
    int log_fd, stdout_fd;
    /* The requests that were caught, after fixture_stop(). */
    char *log;

    /* Knobs and counters of the fakes. */
    atomic_int mood;
    /* How long the supervisor takes for a JWT. */
    atomic_int sign_ms;
    /* Times that the inbox was asked whose a run is. */
    atomic_int lease_check_count;
    atomic_int lost;        /* calls of supervisor_lost() */
    atomic_int jwts;        /* questions */
    atomic_int last_skew_s; /* of the last question */
    /* Token requests that were answered 201. */
    atomic_int last_token_id;
    atomic_int token_asks; /* token requests in all */
    /* The app's quota of 5000 after the next token request; 0: GitHub does not tell. */
    atomic_int app_remaining;
    /* The lifetime of new tokens; 3600. */
    atomic_int token_life_s;
    /* How long GitHub takes for a token; 20. */
    atomic_int mint_ms;
    /* The repository that a token is for; NULL: not told. */
    _Atomic(const char *) reaches;
    atomic_int clock_off_s; /* GitHub's clock less ours */
    atomic_int requests;    /* with a token */
    /* So many of the next /flaky/ or /limited/ requests fail. */
    atomic_int flaky;
    /* The response of /graphql; NULL: as flaky. */
    _Atomic(const char *) graphql;
    /* The responses below /kept/. */
    atomic_int edition;
    atomic_int unchanged; /* answers of 304 */
    atomic_int app_asks;  /* GET /app */
    /* So many of the next requests as the app get this status; 0: no answer at all. */
    atomic_int app_broken, app_broken_how;
    atomic_int app_heard; /* of those */
    /* So many of the next requests as the app find it at a limit … */
    atomic_int app_limited;
    /* … that ends after so long. */
    atomic_int app_limit_s;
    atomic_int minting, most_minting; /* token requests at once */
    /* Things that GitHub would not have taken. */
    atomic_int wrong;
    /* "STATUS BODY": the response to each token request, to GET /app, and to /say. NULL: as usual.
     */
    _Atomic(const char *) token_says;
    _Atomic(const char *) app_says;
    _Atomic(const char *) api_says;
    pthread_mutex_t lock;
    /* The last token request's; under the lock. */
    char token_body[256];
    char token_target[256]; /* likewise */
    char last_body[256];    /* the last request's; likewise */
};

struct asked {
    struct broker_request request;
    bool done;
};

void fixture_start(struct fixture *fixture, int64_t timeout_ms);
/* And with an inbox in which every run is still held: a request's `holder` counts. */
void fixture_start_with_inbox(struct fixture *fixture, int64_t timeout_ms);
/* Ends everything, the broker too if it is still there; asserts that nothing leaked. */
void fixture_stop(struct fixture *fixture);

/* Fills in a request of plugin "invite", installation "42", permissions {"members":"write"}. */
void fixture_fill(struct fixture *fixture, struct asked *asked, const char *method, const char *url,
                  const char *body);
void fixture_wait(struct fixture *fixture, struct asked *asked, size_t count);
/* Both; the answer is to be finished by the caller. */
void fixture_ask(struct fixture *fixture, struct asked *asked, const char *method, const char *url,
                 const char *body);

#endif
