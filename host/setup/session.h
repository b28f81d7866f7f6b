/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The keys to the setup: the one-time link, the cookie that it is exchanged for, the token in each
 * form, and the states of the manifests that were sent to GitHub. All are random. They are compared
 * in constant time. One thread. */
#ifndef SNEK_SETUP_SESSION_H
#define SNEK_SETUP_SESSION_H

#include "base/error.h"
#include "ingest/token.h"

#include <stdbool.h>
#include <stdint.h>

#define SETUP_TOKEN_MAX HTTP_TOKEN_MAX
#define SETUP_LINK_MS (30 * 60 * 1000)
/* From the use of the link, and again from each form that is sent. GitHub keeps a code for an hour.
 */
#define SETUP_SESSION_MS (60 * 60 * 1000)
/* A person may go back and send another manifest. The oldest is forgotten. */
#define SETUP_ATTEMPTS_MAX 8

#define SETUP_NAME_MAX 34
#define SETUP_LOGIN_MAX 39
#define SETUP_ADDRESS_MAX 300

/* The choices of a person, checked. */
struct setup_choices {
    /* The person's own account owns the App; then there is no organization. Only the form sets it.
     */
    bool account;
    /* "": the person's own account. */
    char organization[SETUP_LOGIN_MAX + 1];
    char name[SETUP_NAME_MAX + 1];
    /* The origin at which GitHub reaches the host; "" in pull mode. */
    char address[SETUP_ADDRESS_MAX + 1];
    bool pull;
};

struct setup_attempt {
    char state[SETUP_TOKEN_MAX];
    struct setup_choices choices;
};

struct setup_session {
    char link[SETUP_TOKEN_MAX], cookie[SETUP_TOKEN_MAX], form[SETUP_TOKEN_MAX];
    bool claimed;
    /* Monotonic: the end of the link, then of the session. */
    int64_t until_ms;
    struct setup_attempt attempts[SETUP_ATTEMPTS_MAX];
    unsigned n_attempts;
};

/* 0, or -1 without random bytes. */
int setup_session_init(struct setup_session *session, int64_t now_ms, struct error *err);
void setup_session_finish(struct setup_session *session);

enum setup_claim { SETUP_CLAIMED, SETUP_LINK_WRONG, SETUP_LINK_LATE, SETUP_LINK_USED };

/* Exchanges the link for the cookie, once. */
enum setup_claim setup_session_claim(struct setup_session *session, const char *link,
                                     int64_t now_ms);

/* Does the value of the header Cookie have ours? It may be NULL. False after the session's end. */
bool setup_session_knows(const struct setup_session *session, const char *cookies, int64_t now_ms);
bool setup_session_form_matches(const struct setup_session *session, const char *token);

/* Remembers the choices and extends the session. Returns the attempt with its new state; NULL
 * without random bytes. */
const struct setup_attempt *setup_session_begin(struct setup_session *session,
                                                const struct setup_choices *choices,
                                                int64_t now_ms);
/* The choices of the newest attempt; NULL: there is none. */
const struct setup_choices *setup_session_last(const struct setup_session *session);
/* NULL: no manifest of this session had this state. */
const struct setup_attempt *setup_session_find(const struct setup_session *session,
                                               const char *state);

#define SETUP_COOKIE "snekomatic_setup"

#endif
