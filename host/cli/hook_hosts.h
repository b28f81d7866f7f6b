/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Asks all hosts of the store which webhook secrets they accept. One thread. */
#ifndef SNEK_CLI_HOOK_HOSTS_H
#define SNEK_CLI_HOOK_HOSTS_H

#include "base/secret.h"
#include "cli/store_client.h"

/* The secrets that each host must accept. */
#define HOOK_HOSTS_SECRETS 2

/* 0: every host that runs accepts all of them; 1: not within `wait_ms`, and the hosts are listed on
 * standard error; -1: the store failed, which is printed too. */
int hook_hosts_confirm(struct store_client *store,
                       const struct secret *const secrets[HOOK_HOSTS_SECRETS], int64_t wait_ms);

#endif
