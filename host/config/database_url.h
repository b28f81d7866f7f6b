/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks a PostgreSQL URL for characters that libpq and a person read differently, and adds a
 * password to one. */
#ifndef SNEK_CONFIG_DATABASE_URL_H
#define SNEK_CONFIG_DATABASE_URL_H

#include <stdbool.h>

/* Does libpq read `url` (postgres://...) as a person does? A raw "/" or "@" in a password would
 * make libpq take a part of it for the host or the database, which logs show. */
bool database_url_is_clear(const char *url);

/* `url` with the password as a parameter, unless it has one already. The caller frees it; NULL when
 * memory is short. */
char *database_url_with_password(const char *url, const char *password);

#endif
