/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Resolves the names of a server's hosts without blocking the caller. libpq resolves them inside
 * its "non-blocking" calls, where a slow name server can take longer than ingest may take for its
 * 503.
 *
 * Threads: each resolution has a short-lived thread of its own. It may outlive the caller, because
 * getaddrinfo() cannot be stopped. */
#ifndef SNEK_INBOX_POSTGRES_RESOLVE_H
#define SNEK_INBOX_POSTGRES_RESOLVE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Lists with commas, as libpq's parameters host, hostaddr and port take them: one item for each
 * address. `addresses` has an empty item for a host that is no name. */
struct resolved {
    char *hosts, *addresses, *ports;
};

struct resolution;

/* True when one of the hosts (with commas) is a name, and not an address or a socket's path. */
bool resolve_needs(const char *hosts);
/* Starts to resolve them. NULL when memory is short or no thread can be started. */
struct resolution *resolve_begin(const char *hosts, const char *ports);
/* Waits until `until_ms` (monotonic clock). 0 and `*resolved`, which resolve_end() frees; 1: not
 * yet; -1: none of the hosts has an address, and `err`. */
int resolve_wait(struct resolution *resolution, int64_t until_ms, const struct resolved **resolved,
                 struct error *err);
/* Takes NULL. */
void resolve_end(struct resolution *resolution);

#endif
