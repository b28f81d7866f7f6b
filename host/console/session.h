/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The rights to use the console: its two tokens, the sessions that they begin, and the pace of
 * failed attempts. Tokens are kept as hashes and compared in constant time. Ingest's thread.
 *
 *   token --console_login()--> session: a cookie, and a token for forms
 *
 * A session ends by logout, after 2 h without a request, after 12 h, and with the host (a reload
 * too, which may bring other tokens).
 */
#ifndef SNEK_CONSOLE_SESSION_H
#define SNEK_CONSOLE_SESSION_H

#include "base/secret.h"
#include "ingest/routes.h"
#include "ingest/token.h"

#include <stdbool.h>
#include <stdint.h>

/* With more, the one that was not used for longest ends. */
#define CONSOLE_SESSIONS_MAX 64
#define CONSOLE_IDLE_MS (2 * 60 * 60 * 1000)
#define CONSOLE_SESSION_MS (12 * 60 * 60 * 1000)
/* Between two wrong tokens of an address that count. */
#define CONSOLE_ATTEMPT_MS 1000
/* Addresses whose pace is known. With as many wrong tokens in a second, those of all other
 * addresses come too soon. */
#define CONSOLE_ADDRESSES_MAX 64
#define CONSOLE_HASH_BYTES 32
#define CONSOLE_COOKIE "snekomatic_console"
/* Bytes of a person's name and address, for the list of actions. */
#define CONSOLE_WHO_MAX 100

enum console_role { CONSOLE_NOBODY, CONSOLE_READER, CONSOLE_ADMIN };

struct console_session {
    /* "": free. */
    char cookie[HTTP_TOKEN_MAX];
    char form[HTTP_TOKEN_MAX];
    enum console_role role;
    char who[CONSOLE_WHO_MAX + 1];
    /* Monotonic. */
    int64_t began_ms, used_ms;
};

struct console_attempt {
    char address[HTTP_ADDRESS_MAX];
    /* Monotonic; the next wrong token counts from then on. */
    int64_t next_ms;
};

struct console_access {
    uint8_t admin[CONSOLE_HASH_BYTES], reader[CONSOLE_HASH_BYTES];
    bool has_reader;
    struct console_session sessions[CONSOLE_SESSIONS_MAX];
    struct console_attempt attempts[CONSOLE_ADDRESSES_MAX];
};

/* `reader` may be empty. */
void console_access_init(struct console_access *access, const struct secret *admin,
                         const struct secret *reader);
void console_access_finish(struct console_access *access);

/* CONSOLE_NOBODY: the token is wrong. `*too_soon`: the address sent another wrong one within
 * CONSOLE_ATTEMPT_MS. A right token always has its role, so wrong ones lock nobody out. */
enum console_role console_login(struct console_access *access, const char *token,
                                const char *address, int64_t now_ms, bool *too_soon);

/* NULL without random bytes. */
struct console_session *console_session_begin(struct console_access *access, enum console_role role,
                                              const char *who, int64_t now_ms);
/* The session of a header Cookie, which may be NULL; NULL: none. `uses`: a person, not a timer of
 * the page, asks. */
struct console_session *console_session_find(struct console_access *access, const char *cookies,
                                             int64_t now_ms, bool uses);
void console_session_end(struct console_session *session);

#endif
