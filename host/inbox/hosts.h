/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The hosts of the store that run, and which webhook secrets each accepts. `snekomatic hook
 * --rotate` asks them by a salt; each host then publishes fingerprints of its secrets, made with
 * this salt. No secret is in the store, and a fingerprint is there only while it is asked for. */
#ifndef SNEK_INBOX_HOSTS_H
#define SNEK_INBOX_HOSTS_H

#include "inbox/operation.h"

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

/* Characters of a salt, and of a fingerprint: hexadecimal digits. */
#define INBOX_SALT_MAX 32
#define INBOX_FINGERPRINT_MAX 64
/* A question that is older than this counts no more. */
#define INBOX_SECRET_CHECK_MS 600000
/* A host that was not seen for this long does not run; it is listed for a day. */
#define INBOX_HOST_GONE_MS 90000
#define INBOX_HOST_LISTED_MS 86400000

/* A host reports that it runs, and learns which fingerprints are asked for. Result: 0. */
struct inbox_host_seen {
    struct inbox_operation operation;
    /* False: only reads `asked`. */
    bool write;
    /* The host stops: it is removed from the list. */
    bool gone;
    /* Borrowed. One line without a tab. */
    const char *name;
    /* Borrowed: the salt that it answers, and the fingerprints, separated by ","; "" for none. */
    const char *salt, *fingerprints;
    /* Wall clock; PostgreSQL uses its own. */
    int64_t now_ms;
    /* Out: "" when none is asked for. */
    char asked[INBOX_SALT_MAX + 1];
};

/* Lists the hosts. Result: 0. */
struct inbox_hosts {
    struct inbox_operation operation;
    /* Borrowed: asks all hosts for fingerprints with this salt; "": no more. NULL: asks nothing. */
    const char *ask;
    /* Wall clock; PostgreSQL uses its own. */
    int64_t now_ms;
    /* Out, the client's: "NAME\tAGE_MS\tSALT\tFINGERPRINTS\n" for each host. */
    struct buffer list;
};

#endif
