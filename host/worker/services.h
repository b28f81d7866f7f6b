/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The services that a plugin asks for by name: their vtables, and what they need of each other. */
#ifndef SNEK_WORKER_SERVICES_H
#define SNEK_WORKER_SERVICES_H

#include "worker/worker.h"

#include <snekomatic/commands.h>
#include <snekomatic/config.h>
#include <snekomatic/event.h>
#include <snekomatic/github.h>
#include <snekomatic/store.h>

extern const struct snek_event_service service_event;
extern const struct snek_github_service service_github;
extern const struct snek_commands_service service_commands;
extern const struct snek_store_service service_store;
extern const struct snek_config_service service_config;

/* Frees what the services still hold for a run: responses that were forgotten. */
void services_release(struct run *run);

/* Sends one request with a JSON body ("" none) and waits: as github's send(). `flags` are enum
 * snek_request_flag. */
int32_t github_send(struct run *run, const char *method, const char *url, const char *body,
                    size_t body_bytes, uint32_t flags, struct snek_response **response);

#endif
