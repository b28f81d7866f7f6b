/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The schema of a PostgreSQL store. Each returns 0, or -1 and `err`. */
#ifndef SNEK_INBOX_POSTGRES_SCHEMA_H
#define SNEK_INBOX_POSTGRES_SCHEMA_H

#include "base/error.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/* Checks that the schema can be migrated to this build's. */
int postgres_check_schema(PGconn *connection, struct error *err);
/* Checks that the schema is exactly this build's. */
int postgres_check_version(PGconn *connection, struct error *err);
int postgres_migrate(PGconn *connection, int64_t now_ms, struct error *err);
int postgres_compare_schema(PGconn *connection, struct error *err);
int postgres_find_adopted(PGconn *connection, bool *adopted, struct error *err);

#endif
