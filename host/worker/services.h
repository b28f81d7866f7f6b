/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The vtables of the services that a plugin asks for by name. */
#ifndef SNEK_WORKER_SERVICES_H
#define SNEK_WORKER_SERVICES_H

extern const struct snek_event_service service_event;
extern const struct snek_github_service service_github;
extern const struct snek_check_service service_check;
extern const struct snek_commands_service service_commands;
extern const struct snek_commit_service service_commit;
extern const struct snek_store_service service_store;
extern const struct snek_role_service service_role;
extern const struct snek_item_service service_item;
extern const struct snek_timer_service service_timer;
extern const struct snek_text_service service_text;
extern const struct snek_config_service service_config;
extern const struct snek_repository_config_service service_repository_config;

#endif
