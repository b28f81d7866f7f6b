/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parts of `snekomatic hook`. One thread. */
#ifndef SNEK_CLI_HOOK_H
#define SNEK_CLI_HOOK_H

#include "cli/broker_client.h"

/* Where the requests go to. */
#define HOOK_CONFIG_PATH "/app/hook/config"

/* Prints why a request about the webhook failed. Returns the exit status. */
int hook_request_failed(const struct broker_request *request);

/* Changes the webhook secret here and at GitHub. It waits at most `wait_ms` for the other hosts of
 * the store. Returns the exit status. */
int hook_rotate(const struct config *config, struct broker_client *client, int64_t wait_ms);

#endif
