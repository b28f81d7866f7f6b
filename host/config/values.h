/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The checks for the texts of single keys. Only this room includes it. */
#ifndef SNEK_CONFIG_VALUES_H
#define SNEK_CONFIG_VALUES_H

#include "base/error.h"

#include <stdint.h>

#define STORE_SQLITE "sqlite:"

/* Each is the `read` of a struct config_key. */
int read_path(const char *text, const char *directory, char **value, struct error *err);
int read_app_id(const char *text, const char *directory, char **value, struct error *err);
int read_user_agent(const char *text, const char *directory, char **value, struct error *err);
int read_store_url(const char *text, const char *directory, char **value, struct error *err);
int read_sentry_environment(const char *text, const char *directory, char **value,
                            struct error *err);
int read_installation(const char *text, const char *directory, char **value, struct error *err);
int read_sha256(const char *text, const char *directory, char **value, struct error *err);
int read_repository(const char *text, const char *directory, char **value, struct error *err);
/* "issues:write", without white space. */
int read_permission(const char *text, const char *directory, char **value, struct error *err);

/* Likewise, for URLs to which libcurl connects. Two files have them: urls.c judges each URL, and
 * unjudged_urls.c, which only the supervisor's program links, keeps it as it is. */
int read_api_url(const char *text, const char *directory, char **value, struct error *err);
int read_public_url(const char *text, const char *directory, char **value, struct error *err);
int read_sentry_dsn(const char *text, const char *directory, char **value, struct error *err);
/* The URL of a proxy without its credentials, which the caller frees. 0, or -1. unjudged_urls.c
 * gives NULL. */
int show_proxy(const char *url, char **shown);

/* HOST:PORT, in which an IPv6 address has brackets. `*host` is the caller's, without brackets. */
int read_listen(const char *text, char **host, uint16_t *port, struct error *err);
int read_port(const char *text, uint16_t *port, struct error *err);

/* A whole decimal number without anything around it. Returns 0 or -1. */
int read_integer(const char *text, int64_t *number);

/* `path`, or `directory`/`path` when it is relative; without "." and double slashes, so that two
 * spellings compare equal. The caller frees it; NULL when memory is short. */
char *absolute_path(const char *directory, const char *path);

/* `list` ends with NULL, or is NULL. */
void free_texts(char **list);

#endif
