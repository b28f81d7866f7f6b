/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parts of the console's operations; console.c has their table. Each returns the operation's
 * result, or -1 and `err`. */
#ifndef SNEK_INBOX_COMMON_CONSOLE_PARTS_H
#define SNEK_INBOX_COMMON_CONSOLE_PARTS_H

#include "inbox/common/console.h"
#include "inbox/console.h"

/* Fills an entry from the columns of SHARED_LIST_COLUMNS. 0; -1: out of memory. */
int console_entry(const struct console_row *row, struct inbox_entry *entry);
/* Fills a row of the audit from the first columns of CONSOLE_AUDIT_COLUMNS. 0, -1. */
int console_audit_entry(const struct console_row *row, struct inbox_audit_entry *entry);

/* console_search.c */
int console_search(struct console_store *store, struct inbox_search *search, struct error *err);

/* console_show.c */
int console_show(struct console_store *store, struct inbox_show *show, struct error *err);
int console_timeline(struct console_store *store, struct inbox_timeline *timeline,
                     struct error *err);

/* console_failures.c */
int console_failures(struct console_store *store, struct inbox_failures *failures,
                     struct error *err);

/* console_series.c */
int console_series(struct console_store *store, struct inbox_series *series, struct error *err);
int console_digest(struct console_store *store, struct inbox_digest *digest, struct error *err);

/* console_lists.c */
int console_plugins(struct console_store *store, struct inbox_plugins *list, struct error *err);
int console_recovery(struct console_store *store, struct inbox_recovery *recovery,
                     struct error *err);
int console_action_put(struct console_store *store, struct inbox_action_put *put,
                       struct error *err);
int console_actions(struct console_store *store, struct inbox_actions *list, struct error *err);

#endif
