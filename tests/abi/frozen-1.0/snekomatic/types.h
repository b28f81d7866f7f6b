/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The small types that the whole SDK shares. Sizes are fixed; structs grow only at their end; what
 * is added carries a [since 1.N]. */
#ifndef SNEKOMATIC_TYPES_H
#define SNEKOMATIC_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* This SDK's version of the ABI. */
#define SNEK_ABI_MAJOR 1
#define SNEK_ABI_MINOR 0

/* How a handler ends: one of these, or a negative enum snek_error, which is tried again later. */
enum snek_result {
    SNEK_DONE = 0,     /* handled [since 1.0] */
    SNEK_SKIPPED = 1,  /* nothing to do here; shown as such [since 1.0] */
    SNEK_RETRY = 2,    /* try again after the time given to snek_retry_after() [since 1.0] */
    SNEK_REJECTED = 3, /* cannot ever work; never tried again, shown with its reason [since 1.0] */
};

/* What can go wrong. Negative, so that `if (rc < 0) { return rc; }` passes it on, which makes the
 * host try the run again with backoff, with the reason that the failing call has left. */
enum snek_error {
    SNEK_E_FAILED = -1,          /* anything else [since 1.0] */
    SNEK_E_INVALID = -2,         /* a call was made wrongly; the reason says how [since 1.0] */
    SNEK_E_NOT_FOUND = -3,       /* GitHub: 404 or 410 [since 1.0] */
    SNEK_E_FORBIDDEN = -4,       /* GitHub: 403 that is no rate limit, or 401 [since 1.0] */
    SNEK_E_VALIDATION = -5,      /* GitHub: 400, 409 or 422 [since 1.0] */
    SNEK_E_RATE_LIMITED = -6,    /* GitHub: 429, or 403 with its signs [since 1.0] */
    SNEK_E_SERVER = -7,          /* GitHub: 5xx, or an answer that makes no sense [since 1.0] */
    SNEK_E_NETWORK = -8,         /* no answer: name, connection, TLS [since 1.0] */
    SNEK_E_TIMEOUT = -9,         /* none in time [since 1.0] */
    SNEK_E_TOO_LARGE = -10,      /* more than the host carries [since 1.0] */
    SNEK_E_FOREIGN_ORIGIN = -11, /* the URL leads away from the configured API [since 1.0] */
    SNEK_E_CANCELLED = -12,      /* the host stops, or has given the run up [since 1.0] */
    SNEK_E_NOT_GRANTED = -13,    /* the installation did not grant a declared permission; its runs
                                    wait until it does [since 1.0] */
    SNEK_E_NO_TARGET = -14,      /* this event has no place to reply or react [since 1.0] */
    SNEK_E_STORE = -15,          /* the store could not [since 1.0] */
    SNEK_E_STALE = -16,          /* the run is another's by now: what it asks is not done any more
                                    [since 1.0] */
    SNEK_E_REQUEUE = -17,  /* it would have to wait for long (a rate limit), or the host stops:
                              return, whatever you return the run is made again later
                              [since 1.0] */
    SNEK_E_IN_DOUBT = -18, /* an earlier attempt may have sent this already, and it may not be
                              repeated: see SNEK_REQUEST_REPEATABLE [since 1.0] */
};

enum snek_log_level {
    SNEK_LOG_DEBUG = 0,   /* [since 1.0] */
    SNEK_LOG_INFO = 1,    /* [since 1.0] */
    SNEK_LOG_WARNING = 2, /* [since 1.0] */
    SNEK_LOG_ERROR = 3,   /* [since 1.0] */
};

/* Whose a set or key is. */
enum snek_scope {
    SNEK_SCOPE_PLUGIN = 0,       /* one for the plugin, whatever the installation [since 1.0] */
    SNEK_SCOPE_INSTALLATION = 1, /* one for each installation [since 1.0] */
};

/* Text with its length in bytes. `data` also ends with a NUL that `bytes` does not count, so it
 * serves as a C string where no NUL can be within. `data` is NULL when there is no text. */
struct snek_text {
    const char
        *data; /* borrowed: until the handler returns, unless the call says otherwise [since 1.0] */
    uint64_t bytes; /* [since 1.0] */
};

#ifdef __cplusplus
}
#endif

#endif
