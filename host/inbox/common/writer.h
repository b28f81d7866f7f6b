/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The writer: one thread that carries out the waiting operations in groups on its store. An open
 * inbox consists of a writer and its store. */
#ifndef SNEK_INBOX_COMMON_WRITER_H
#define SNEK_INBOX_COMMON_WRITER_H

#include "inbox/common/store.h"
#include "inbox/inbox.h"

/* Starts the writer of a new inbox; it owns the store from now on. A failure frees the store. 0, or
 * -1. */
int writer_start(struct inbox *inbox, struct store *store, struct error *err);

#endif
