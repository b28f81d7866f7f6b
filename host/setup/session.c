/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes and compares the setup's random tokens. */
#include "setup/session.h"

#include "ingest/token.h"

#include <errno.h>
#include <string.h>

int setup_session_init(struct setup_session *session, int64_t now_ms, struct error *err) {
    *session = (struct setup_session){.until_ms = now_ms + SETUP_LINK_MS};
    if (http_token_make(session->link) < 0 || http_token_make(session->cookie) < 0 ||
        http_token_make(session->form) < 0) {
        return error_set(err, "the system gives no random bytes: %s", strerror(errno));
    }
    return 0;
}

void setup_session_finish(struct setup_session *session) {
    explicit_bzero(session, sizeof *session);
}

enum setup_claim setup_session_claim(struct setup_session *session, const char *link,
                                     int64_t now_ms) {
    if (!http_token_is(session->link, link, strlen(link))) {
        return SETUP_LINK_WRONG;
    }
    if (session->claimed) {
        return SETUP_LINK_USED;
    }
    if (now_ms >= session->until_ms) {
        return SETUP_LINK_LATE;
    }
    session->claimed = true;
    session->until_ms = now_ms + SETUP_SESSION_MS;
    return SETUP_CLAIMED;
}

bool setup_session_knows(const struct setup_session *session, const char *cookies, int64_t now_ms) {
    size_t bytes = 0;
    if (!session->claimed || now_ms >= session->until_ms) {
        return false;
    }
    const char *value;
    while ((value = http_cookie_next(&cookies, SETUP_COOKIE, &bytes))) {
        if (http_token_is(session->cookie, value, bytes)) {
            return true;
        }
    }
    return false;
}

bool setup_session_form_matches(const struct setup_session *session, const char *token) {
    return token && http_token_is(session->form, token, strlen(token));
}

const struct setup_attempt *setup_session_begin(struct setup_session *session,
                                                const struct setup_choices *choices,
                                                int64_t now_ms) {
    struct setup_attempt *attempt = &session->attempts[session->n_attempts % SETUP_ATTEMPTS_MAX];
    if (http_token_make(attempt->state) < 0) {
        return NULL;
    }
    attempt->choices = *choices;
    session->n_attempts++;
    session->until_ms = now_ms + SETUP_SESSION_MS;
    return attempt;
}

const struct setup_choices *setup_session_last(const struct setup_session *session) {
    return session->n_attempts > 0
               ? &session->attempts[(session->n_attempts - 1) % SETUP_ATTEMPTS_MAX].choices
               : NULL;
}

const struct setup_attempt *setup_session_find(const struct setup_session *session,
                                               const char *state) {
    unsigned count =
        session->n_attempts < SETUP_ATTEMPTS_MAX ? session->n_attempts : SETUP_ATTEMPTS_MAX;
    for (unsigned i = 0; i < count; i++) {
        if (http_token_is(session->attempts[i].state, state, strlen(state))) {
            return &session->attempts[i];
        }
    }
    return NULL;
}
