/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The data that a plugin stores: sets of entries, and keys with a value. */
#ifndef SNEK_INBOX_PLUGIN_STATE_H
#define SNEK_INBOX_PLUGIN_STATE_H

#include "base/buffer.h"
#include "inbox/journal.h"
#include "inbox/operation.h"

#include <stddef.h>
#include <stdint.h>

/* Each entry and each key counts so many bytes of the quota, and the bytes of its scope, its names
 * and its value. */
#define INBOX_PLUGIN_STATE_ITEM_BYTES 64

/* SET_HAS: 1 yes, 0 no. SET_ADD, SET_REMOVE, KEY_DELETE: 1 changed, 0 nothing to change. KEY_GET: 1
 * and `value`, which buffer_finish() frees; 0 none. KEY_PUT: 0. With a `writer`, the store writes
 * the change and the writer's records in one commit. The last record belongs to the change and gets
 * its outcome.
 *
 * The store counts the bytes of each plugin's sets and keys as they change, and rejects what does
 * not fit into the quota. A change that makes nothing larger always fits. Hosts that share a store
 * and write at the same instant may exceed the quota by one group of changes.
 *
 * RESERVE: 1 when the run `writer.run` has reserved `name`, now or before; 0 when another run of
 * the plugin has it that has not ended. A name is free again once its run is done or dead. It needs
 * no record: a retry of the run reserves it again. A run has INBOX_RESERVATIONS_MAX names at most.
 *
 * The table of the original bot, persistent_set_sent_invitation, appears to every plugin as the set
 * "sent_invitation" of the empty scope: SET_HAS also looks there if the store has that table. */
enum inbox_plugin_state_outcome {
    /* With a `writer`: this host does not hold the run any more, and nothing was written. */
    INBOX_PLUGIN_STATE_STALE = 2,
    /* SET_ADD and KEY_PUT: it does not fit into the quota, and nothing was written. RESERVE: the
     * run has as many names as it may have. */
    INBOX_PLUGIN_STATE_FULL = 3,
};

/* The limit is that of the effects of a run (dispatch/journal.h). */
#define INBOX_RESERVATIONS_MAX 10000

struct inbox_plugin_state {
    struct inbox_operation operation;
    /* Without a writer, n_records is 0. */
    struct inbox_journal_writer writer;
    /* The change failed before with the same record, and may have been committed all the same. Then
     * the inbox has the record, and the result is the outcome in it. */
    bool repeats;
    const char *plugin;
    /* "" or an installation. */
    const char *scope;
    /* For the set operations. */
    const char *set;
    /* The entry or the key. */
    const char *name;
    /* For KEY_PUT. */
    const char *value_in;
    size_t value_in_bytes;
    /* For SET_ADD and KEY_PUT: the bytes that all sets and keys of the plugin may have; 0: any
     * number. */
    int64_t quota_bytes;
    /* Out. */
    struct buffer value;
};

#endif
