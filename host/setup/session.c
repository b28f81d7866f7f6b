/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes and compares the setup's random tokens. */
#include "setup/session.h"

#include <assert.h>
#include <errno.h>
#include <nettle/base64.h>
#include <nettle/memops.h>
#include <string.h>
#include <sys/random.h>

#define TOKEN_BYTES 32

static_assert(BASE64_ENCODE_RAW_LENGTH(TOKEN_BYTES) == SETUP_TOKEN_MAX,
              "the NUL takes the place of the padding");

static int make_token(char token[SETUP_TOKEN_MAX]) {
    uint8_t bytes[TOKEN_BYTES];
    char text[BASE64_ENCODE_RAW_LENGTH(TOKEN_BYTES)];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        return -1;
    }
    base64_encode_raw(text, sizeof bytes, bytes);
    for (size_t i = 0; i < SETUP_TOKEN_MAX - 1; i++) {
        token[i] = text[i];
        if (text[i] == '+') {
            token[i] = '-';
        } else if (text[i] == '/') {
            token[i] = '_';
        }
    }
    token[SETUP_TOKEN_MAX - 1] = '\0';
    explicit_bzero(bytes, sizeof bytes);
    explicit_bzero(text, sizeof text);
    return 0;
}

/* Only the length of `token`, which is no secret, decides how long it takes. */
static bool equal(const char token[SETUP_TOKEN_MAX], const char *given, size_t given_bytes) {
    return given_bytes == SETUP_TOKEN_MAX - 1 && memeql_sec(token, given, given_bytes);
}

int setup_session_init(struct setup_session *session, int64_t now_ms, struct error *err) {
    *session = (struct setup_session){.until_ms = now_ms + SETUP_LINK_MS};
    if (make_token(session->link) < 0 || make_token(session->cookie) < 0 ||
        make_token(session->form) < 0) {
        return error_set(err, "the system gives no random bytes: %s", strerror(errno));
    }
    return 0;
}

void setup_session_finish(struct setup_session *session) {
    explicit_bzero(session, sizeof *session);
}

enum setup_claim setup_session_claim(struct setup_session *session, const char *link,
                                     int64_t now_ms) {
    if (!equal(session->link, link, strlen(link))) {
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
    static const char name[] = SETUP_COOKIE "=";
    if (!session->claimed || now_ms >= session->until_ms) {
        return false;
    }
    while (cookies && *cookies) {
        cookies += strspn(cookies, "; ");
        size_t bytes = strcspn(cookies, ";");
        size_t value_bytes = bytes;
        while (value_bytes > 0 && cookies[value_bytes - 1] == ' ') {
            value_bytes--;
        }
        if (value_bytes >= sizeof name - 1 && memcmp(cookies, name, sizeof name - 1) == 0 &&
            equal(session->cookie, cookies + sizeof name - 1, value_bytes - (sizeof name - 1))) {
            return true;
        }
        cookies += bytes;
    }
    return false;
}

bool setup_session_form_matches(const struct setup_session *session, const char *token) {
    return token && equal(session->form, token, strlen(token));
}

const struct setup_attempt *setup_session_begin(struct setup_session *session,
                                                const struct setup_choices *choices,
                                                int64_t now_ms) {
    struct setup_attempt *attempt = &session->attempts[session->n_attempts % SETUP_ATTEMPTS_MAX];
    if (make_token(attempt->state) < 0) {
        return NULL;
    }
    attempt->choices = *choices;
    session->n_attempts++;
    session->until_ms = now_ms + SETUP_SESSION_MS;
    return attempt;
}

const struct setup_attempt *setup_session_find(const struct setup_session *session,
                                               const char *state) {
    unsigned count =
        session->n_attempts < SETUP_ATTEMPTS_MAX ? session->n_attempts : SETUP_ATTEMPTS_MAX;
    for (unsigned i = 0; i < count; i++) {
        if (equal(session->attempts[i].state, state, strlen(state))) {
            return &session->attempts[i];
        }
    }
    return NULL;
}
