/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares tokens, and keeps sessions and the pace of attempts. */
#include "console/session.h"

#include <assert.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

static_assert(CONSOLE_HASH_BYTES == SHA256_DIGEST_SIZE, "the hash of a token");

static void hash(const char *text, size_t bytes, uint8_t digest[CONSOLE_HASH_BYTES]) {
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, bytes, (const uint8_t *)text);
    sha256_digest(&context, CONSOLE_HASH_BYTES, digest);
    explicit_bzero(&context, sizeof context);
}

void console_access_init(struct console_access *access, const struct secret *admin,
                         const struct secret *reader) {
    assert(admin->bytes > 0);
    *access = (struct console_access){.has_reader = reader->bytes > 0};
    hash(admin->data, admin->bytes, access->admin);
    if (access->has_reader) {
        hash(reader->data, reader->bytes, access->reader);
    }
}

void console_access_finish(struct console_access *access) {
    explicit_bzero(access, sizeof *access);
}

/* ---- attempts ---- */

static struct console_attempt *find_attempt(struct console_access *access, const char *address,
                                            int64_t now_ms) {
    struct console_attempt *free_place = NULL;
    for (size_t i = 0; i < CONSOLE_ADDRESSES_MAX; i++) {
        struct console_attempt *attempt = &access->attempts[i];
        if (strcmp(attempt->address, address) == 0) {
            return attempt;
        }
        if (attempt->next_ms <= now_ms) {
            free_place = attempt;
        }
    }
    return free_place;
}

enum console_role console_login(struct console_access *access, const char *token,
                                const char *address, int64_t now_ms, bool *too_soon) {
    uint8_t digest[CONSOLE_HASH_BYTES];
    *too_soon = false;
    hash(token, strlen(token), digest);
    bool admin = memeql_sec(digest, access->admin, sizeof digest);
    bool reader = memeql_sec(digest, access->reader, sizeof digest) && access->has_reader;
    explicit_bzero(digest, sizeof digest);
    if (admin) {
        return CONSOLE_ADMIN;
    }
    if (reader) {
        return CONSOLE_READER;
    }
    struct console_attempt *attempt = find_attempt(access, address, now_ms);
    *too_soon = !attempt || attempt->next_ms > now_ms;
    if (!*too_soon) {
        snprintf(attempt->address, sizeof attempt->address, "%s", address);
        attempt->next_ms = now_ms + CONSOLE_ATTEMPT_MS;
    }
    return CONSOLE_NOBODY;
}

/* ---- sessions ---- */

static bool is_over(const struct console_session *session, int64_t now_ms) {
    return !*session->cookie || now_ms - session->used_ms >= CONSOLE_IDLE_MS ||
           now_ms - session->began_ms >= CONSOLE_SESSION_MS;
}

struct console_session *console_session_begin(struct console_access *access, enum console_role role,
                                              const char *who, int64_t now_ms) {
    struct console_session *place = &access->sessions[0];
    for (size_t i = 1; i < CONSOLE_SESSIONS_MAX && !is_over(place, now_ms); i++) {
        struct console_session *session = &access->sessions[i];
        if (is_over(session, now_ms) || session->used_ms < place->used_ms) {
            place = session;
        }
    }
    struct console_session made = {.role = role, .began_ms = now_ms, .used_ms = now_ms};
    if (http_token_make(made.cookie) < 0 || http_token_make(made.form) < 0) {
        return NULL;
    }
    snprintf(made.who, sizeof made.who, "%s", who);
    *place = made;
    explicit_bzero(&made, sizeof made);
    return place;
}

static struct console_session *find(struct console_access *access, const char *cookie, size_t bytes,
                                    int64_t now_ms) {
    for (size_t i = 0; i < CONSOLE_SESSIONS_MAX; i++) {
        struct console_session *session = &access->sessions[i];
        if (!is_over(session, now_ms) && http_token_is(session->cookie, cookie, bytes)) {
            return session;
        }
    }
    return NULL;
}

struct console_session *console_session_find(struct console_access *access, const char *cookies,
                                             int64_t now_ms, bool uses) {
    const char *value;
    size_t bytes = 0;
    while ((value = http_cookie_next(&cookies, CONSOLE_COOKIE, &bytes))) {
        struct console_session *session = find(access, value, bytes, now_ms);
        if (session) {
            session->used_ms = uses ? now_ms : session->used_ms;
            return session;
        }
    }
    return NULL;
}

void console_session_end(struct console_session *session) {
    explicit_bzero(session, sizeof *session);
}
