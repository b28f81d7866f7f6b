/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tokens of one repository that GitHub rejected, counted: a plugin that asks for ever new ones is
 * not to use up the app's own rate limit, at which every installation would wait. What GitHub says
 * of a repository counts for the plugin; what it says of the installation (a permission that is not
 * granted) for the plugin there, so that one that waits for many owners' consent is at ease.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_REJECTED_H
#define SNEK_BROKER_REJECTED_H

#include "base/error.h"
#include "inbox/limits.h"

#include <stdint.h>

#define REJECTED_MAX 20       /* within … */
#define REJECTED_FOR_MS 60000 /* … so long, until whose end no more are asked for */
#define REJECTED_KEPT 64

struct rejected {
    struct rejected_row {
        char plugin[INBOX_NAME_MAX + 1];
        char installation[INBOX_NAME_MAX + 1]; /* "": any */
        unsigned count;                        /* 0: free */
        int64_t since_ms;                      /* monotonic: its first */
    } rows[REJECTED_KEPT];
};

/* GitHub rejected it, as `outcome` (enum snek_error) tells. */
void rejected_count(struct rejected *rejected, const char *plugin, const char *installation,
                    int32_t outcome);

/* 0: GitHub may be asked; or a negative enum snek_error and a sentence. Never NOT_GRANTED, for
 * which a run would wait that nobody comes for: it may be granted by now. */
int32_t rejected_check(const struct rejected *rejected, const char *plugin,
                       const char *installation, struct error *err);

#endif
