/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The services that a plugin asks for by name: their vtables, and what they need of each other. */
#ifndef SNEK_WORKER_SERVICES_H
#define SNEK_WORKER_SERVICES_H

#include "worker/request.h"
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

/* Frees what the services still hold for a run: responses and lists that were forgotten. */
void services_release(struct run *run);

/* Sends and waits: as github's send(). */
int32_t github_send(struct run *run, const struct outgoing *outgoing,
                    struct snek_response **response);

/* pages.c: the slots of the same names. */
int32_t pages_begin(struct snek_run *run, const struct snek_request *request,
                    struct snek_pages **pages);
int32_t pages_begin_graphql(struct snek_run *run, const struct snek_graphql *query,
                            const char *path, const char *cursor, struct snek_pages **pages);
int32_t pages_next(struct snek_pages *pages);
uint32_t pages_item(struct snek_pages *pages, const char *path, struct snek_value *value);
struct snek_response *pages_page(struct snek_pages *pages);
void pages_free(struct snek_pages *pages);

/* service_github.c: find() in a part of the response's body. */
uint32_t response_find(struct snek_response *response, const char *json, size_t bytes,
                       const char *path, struct snek_value *value);

#endif
