/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The schema of an SQLite store. `db` was just opened. Each returns 0, or -1 and `err`. */
#ifndef SNEK_INBOX_SQLITE_SCHEMA_H
#define SNEK_INBOX_SQLITE_SCHEMA_H

#include "base/error.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* Fails when it is another application's database, which must stay as it is. */
int sqlite_check_identity(sqlite3 *db, struct error *err);
int sqlite_migrate(sqlite3 *db, int64_t now_ms, struct error *err);
/* Checks that the schema can be migrated to this build's. */
int sqlite_check_schema(sqlite3 *db, struct error *err);
/* Checks that the schema is exactly this build's. */
int sqlite_check_version(sqlite3 *db, struct error *err);
int sqlite_compare_schema(sqlite3 *db, struct error *err);
/* Does it consist of the statements of the migrations, as they are written? Then it is this
 * build's. False: the comparison must find out. */
bool sqlite_has_written_schema(sqlite3 *db);
int sqlite_find_adopted(sqlite3 *db, bool *adopted, struct error *err);

#endif
