/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The writer: one thread that does the operations which wait, in groups, on the store that it is
 * given. It is all there is to an inbox that is open. */
#ifndef SNEK_INBOX_COMMON_WRITER_H
#define SNEK_INBOX_COMMON_WRITER_H

#include "inbox/common/store.h"
#include "inbox/inbox.h"

/* Starts the writer. Takes the store, which is freed on failure too. 0 and `*inbox`, or -1. */
int writer_start(struct store *store, struct inbox **inbox, struct error *err);

#endif
