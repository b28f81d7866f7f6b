/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the texts of single keys may be. Only this room includes this. */
#ifndef SNEK_CONFIG_VALUES_H
#define SNEK_CONFIG_VALUES_H

#include "base/error.h"

#include <stdint.h>

#define STORE_SQLITE "sqlite:"

/* As struct config_key's `read`. */
int read_path(const char *text, const char *directory, char **value, struct error *err);
int read_app_id(const char *text, const char *directory, char **value, struct error *err);
int read_user_agent(const char *text, const char *directory, char **value, struct error *err);
int read_api_url(const char *text, const char *directory, char **value, struct error *err);
int read_store_url(const char *text, const char *directory, char **value, struct error *err);
int read_sentry_dsn(const char *text, const char *directory, char **value, struct error *err);
int read_sentry_environment(const char *text, const char *directory, char **value,
                            struct error *err);
int read_installation(const char *text, const char *directory, char **value, struct error *err);
int read_repository(const char *text, const char *directory, char **value, struct error *err);

/* HOST:PORT, an IPv6 address in brackets; `*host` is the caller's, without them. */
int read_listen(const char *text, char **host, uint16_t *port, struct error *err);
int read_port(const char *text, uint16_t *port, struct error *err);

/* A whole number in decimal, nothing around it. 0 or -1. */
int read_integer(const char *text, int64_t *number);

/* `path` as it stands, or under `directory` when it is relative; without "." and double slashes,
 * so that two ways to write a place compare equal. The caller's; NULL when memory is short. */
char *absolute_path(const char *directory, const char *path);

void free_texts(char **list); /* NULL-terminated; takes NULL */

#endif
