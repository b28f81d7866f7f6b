/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The small types that the whole SDK shares.
 *
 * Sizes are fixed, and structs grow only at their end. A member without a tag is part of ABI 1.0;
 * a member that was added later carries the tag "since" with its minor. */
#ifndef SNEKOMATIC_TYPES_H
#define SNEKOMATIC_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The ABI of these headers. */
#define SNEK_ABI_MAJOR 1
#define SNEK_ABI_MINOR 0

/* How a handler ends: one of these, or a negative enum snek_error.
 *
 *   handler returns ---+-- SNEK_DONE, SNEK_SKIPPED ---> the next matching handler, then the run
 * ends
 *                      +-- SNEK_RETRY ----------------> the run starts again after the given delay
 *                      +-- SNEK_REJECTED -------------> the run ends and is never retried
 *                      +-- SNEK_WAIT -----------------> the run starts again after the given time;
 *                      |                                it has not failed
 *                      '-- a negative error ----------> the run starts again after a backoff
 */
enum snek_result {
    /* The plugin handled the delivery. */
    SNEK_DONE = 0,
    /* The plugin had nothing to do. The host shows the run as skipped, with its reason. */
    SNEK_SKIPPED = 1,
    /* The host retries the run after the delay that snek_retry_after() set. */
    SNEK_RETRY = 2,
    /* The run fails permanently. The host shows it with its reason and never retries it. */
    SNEK_REJECTED = 3,
    /* The handler waits for something, such as the checks of a pull request: the host starts the
     * run again after the time that snek_wait() set. The run loses no attempt, and it may wait for
     * 30 days in all; then it fails. Later runs of its order pass it meanwhile. */
    SNEK_WAIT = 4
};

/* Errors are negative, so that `if (result < 0) { return result; }` passes them on. Then the host
 * retries the run after a backoff. The call that failed has left the reason. The host rejects the
 * run instead when the call was a change that can never succeed: its target is locked, archived or
 * deleted, its owner has blocked the bot, or its text is too long. */
enum snek_error {
    /* Any other error. */
    SNEK_E_FAILED = -1,
    /* The plugin made a call with invalid arguments. The reason names them. */
    SNEK_E_INVALID = -2,
    /* GitHub responded with 404 or 410. */
    SNEK_E_NOT_FOUND = -3,
    /* GitHub responded with 401, or with 403 for another cause than a rate limit. */
    SNEK_E_FORBIDDEN = -4,
    /* GitHub responded with another 4xx: it rejects the request as it is. */
    SNEK_E_VALIDATION = -5,
    /* A rate limit: GitHub responded with 429, or with a 403 or 422 that says so. */
    SNEK_E_RATE_LIMITED = -6,
    /* GitHub responded with 5xx, or with a response that cannot be read. */
    SNEK_E_SERVER = -7,
    /* There was no response: name resolution, connection or TLS failed. */
    SNEK_E_NETWORK = -8,
    /* There was no response in time. */
    SNEK_E_TIMEOUT = -9,
    /* A request, response or list exceeds a limit of the host. */
    SNEK_E_TOO_LARGE = -10,
    /* The URL leads to another origin than the configured API. */
    SNEK_E_FOREIGN_ORIGIN = -11,
    /* The host stops, or the deadline of the run has passed. */
    SNEK_E_CANCELLED = -12,
    /* The installation did not grant a permission that the plugin declares, or is suspended. The
     * host parks the plugin's runs of that installation until that has changed. */
    SNEK_E_NOT_GRANTED = -13,
    /* The event has no target for a reply or a reaction. */
    SNEK_E_NO_TARGET = -14,
    /* The host's store failed. */
    SNEK_E_STORE = -15,
    /* The run lost its lease: another attempt handles the delivery, so the host sends nothing more
     * for this one. */
    SNEK_E_STALE = -16,
    /* The request would have to wait for a rate limit longer than 5 s, or the host stops. Return
     * from the handler: the host ignores its result and starts the run again later. */
    SNEK_E_REQUEUE = -17,
    /* An earlier attempt may have sent this request already, and the host may not repeat it. See
     * SNEK_REQUEST_REPEATABLE. */
    SNEK_E_IN_DOUBT = -18,
    /* Another run of the plugin makes the same comment or check run at this moment. Return it: the
     * host starts the run again when the other one may have ended. The run loses no attempt. */
    SNEK_E_BUSY = -19,
    /* The branch has another head than the request expects (GraphQL's STALE_DATA), so nothing was
     * committed. Read again what the commit changes and commit on top of the new head, or return
     * it: the host retries the run, but rejects it when the event itself names the old head. */
    SNEK_E_MOVED = -20
};

enum snek_log_level {
    SNEK_LOG_DEBUG = 0,
    SNEK_LOG_INFO = 1,
    SNEK_LOG_WARNING = 2,
    SNEK_LOG_ERROR = 3
};

/* The owner of a stored set or key. */
enum snek_scope {
    /* One for the plugin, shared by all installations. */
    SNEK_SCOPE_PLUGIN = 0,
    /* One for each installation. */
    SNEK_SCOPE_INSTALLATION = 1
};

/* The roles of a person in the repository of an event, to be combined with `|`: a person with any
 * of them is accepted. A level includes the higher ones: SNEK_ROLE_WRITE accepts maintainers and
 * admins too. It is the effective permission, which GitHub computes from all grants: collaborators,
 * teams, the organization. */
enum snek_role_flag {
    /* Everybody who can write the text. */
    SNEK_ROLE_ANYBODY = 0,
    /* The author of the issue, pull request or discussion. */
    SNEK_ROLE_AUTHOR = 1,
    SNEK_ROLE_TRIAGE = 2,
    SNEK_ROLE_WRITE = 4,
    SNEK_ROLE_MAINTAIN = 8,
    SNEK_ROLE_ADMIN = 16,
    /* A member of the organization that owns the repository, also a private one. The plugin must
     * declare {"members", "read"}. */
    SNEK_ROLE_ORG_MEMBER = 32
};

/* A text with its length. A NUL that `bytes` does not count follows the text, so it is also a C
 * string unless a NUL is within it. */
struct snek_text {
    /* Borrowed until the handler returns, unless the call's comment says otherwise. NULL when there
     * is no text. */
    const char *data;
    uint64_t bytes;
};

/* The value for a `{name}` in a text or a URL. */
struct snek_parameter {
    const char *name;
    const char *value;
};

#ifdef __cplusplus
}
#endif

#endif
