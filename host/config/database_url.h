/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks a PostgreSQL URL for characters that libpq and a person read differently. */
#ifndef SNEK_CONFIG_DATABASE_URL_H
#define SNEK_CONFIG_DATABASE_URL_H

#include <stdbool.h>

/* Does libpq read `url` (postgres://...) as a person does? A raw "/" or "@" in a password would
 * make libpq take a part of it for the host or the database, which logs show. */
bool database_url_is_clear(const char *url);

#endif
