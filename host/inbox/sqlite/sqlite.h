/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The store in an SQLite file of one host. */
#ifndef SNEK_INBOX_SQLITE_SQLITE_H
#define SNEK_INBOX_SQLITE_SQLITE_H

#include "inbox/common/store.h"

/* See inbox_open(), inbox_open_tool() and inbox_check(). */
int sqlite_open(const char *path, int64_t now_ms, struct store **store, struct error *err);
int sqlite_open_tool(const char *path, bool write, struct store **store, struct error *err);
int sqlite_check(const char *path, struct error *err);

#endif
