/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parts of `snekomatic hook`. One thread. */
#ifndef SNEK_CLI_HOOK_H
#define SNEK_CLI_HOOK_H

#include "cli/broker_client.h"

/* Where the requests go to. */
#define HOOK_CONFIG_PATH "/app/hook/config"

/* Prints why a request about the webhook failed. Returns the exit status. */
int hook_request_failed(const struct broker_request *request);

#endif
