/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The installations that wait: for the end of a rate limit, or for a permission that their parked
 * runs lack. Lists them, and ends their waits. */
#ifndef SNEK_INBOX_INSTALLATIONS_H
#define SNEK_INBOX_INSTALLATIONS_H

#include "inbox/limits.h"
#include "inbox/operation.h"
#include "inbox/rate_limits.h"

#include <stddef.h>
#include <stdint.h>

/* Rows that a list has at most. */
#define INBOX_WAITING_INSTALLATIONS_MAX 5000

/* A limit of an installation, or the parked runs of one of its plugins. */
struct inbox_waiting_installation {
    char installation[INBOX_NAME_MAX + 1];
    /* Wall clock; 0 for none, and in a row of parked runs. */
    int64_t until_ms[INBOX_RATE_LIMIT_RESOURCES];
    /* "" in a row of limits. */
    char plugin[INBOX_NAME_MAX + 1];
    int64_t parked;
    /* The reason of one of the parked runs; it may be cut off. */
    char reason[256];
    /* OWNER/NAME of a repository of a run that waits; "": the store knows none. */
    char repository[INBOX_NAME_MAX + 1];
};

/* INBOX_INSTALLATIONS lists the limits that end after `now_ms`, then the parked runs. Result: 0. */
struct inbox_installations {
    struct inbox_operation operation;
    int64_t now_ms;
    /* Out: free() it. */
    struct inbox_waiting_installation *rows;
    size_t n_rows;
};

/* INBOX_INSTALLATION_RELEASE ends the limits of the installation, so that hosts forget those that
 * they know of too (see inbox_rate_limit.released_ms). Its queued runs that waited for that, and
 * its parked runs, are due at `now_ms`. Runs that wait for a retry go on waiting. Result: 0. */
struct inbox_installation_release {
    struct inbox_operation operation;
    const char *installation;
    int64_t now_ms;
    /* Out: how many limits of installations ended, and runs became due. */
    int64_t limits, delayed, parked;
};

#endif
