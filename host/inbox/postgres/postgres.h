/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The store in a PostgreSQL database, which many hosts may share. */
#ifndef SNEK_INBOX_POSTGRES_POSTGRES_H
#define SNEK_INBOX_POSTGRES_POSTGRES_H

#include "inbox/common/store.h"

/* See inbox_open(), inbox_open_tool(), inbox_open_reader(), inbox_check() and inbox_show_url(). */
int postgres_open(const char *url, int64_t now_ms, struct store **store, struct error *err);
int postgres_open_tool(const char *url, bool write, struct store **store, struct error *err);
int postgres_open_reader(const char *url, struct store **store, struct error *err);
int postgres_check(const char *url, struct error *err);
char *postgres_show_url(const char *url, struct error *err);

#endif
