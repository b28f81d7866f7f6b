/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The audit: one row for each effect of any run, much longer than the delivery and the journal are
 * kept. It also is what the limits for effects count.
 *
 *   INTEND --row--> intended --COMPLETE--> completed · unsent
 *          '------> found (an earlier attempt had written it) · dry (plugin.dry_run)
 *
 * The store writes a row in the transaction of its intent, and the response in the transaction that
 * records it. Nothing else changes a row, and only pruning deletes one. A row that stays intended
 * is in doubt. */
#ifndef SNEK_INBOX_AUDIT_H
#define SNEK_INBOX_AUDIT_H

#include "inbox/operation.h"

#include <stddef.h>
#include <stdint.h>

#define INBOX_HOUR_MS INT64_C(3600000)
/* The loop breaker: a plugin may make so many effects on one item in this time. One more starts a
 * hold on the plugin's runs of the item (holds.h), for ten minutes. A further hold that begins
 * within an hour after the end of the last one takes twice as long, up to an hour. */
#define INBOX_ITEM_EFFECTS_MAX 20
#define INBOX_ITEM_WINDOW_MS INT64_C(600000)
#define INBOX_LOOP_WAIT_MS INT64_C(600000)
#define INBOX_LOOP_WAIT_MAX_MS INBOX_HOUR_MS
#define INBOX_LOOP_MEMORY_MS INBOX_HOUR_MS
/* Bytes. */
#define INBOX_REQUEST_ID_MAX 100

/* An effect that is intended. Borrowed texts. */
struct inbox_effect {
    const char *plugin, *installation;
    /* GUID and login. */
    const char *delivery, *sender;
    /* "owner/name#number" in lower case, or what else the effect is about; "" none. */
    const char *item;
    /* The most requests of the plugin in the installation in any hour; 0: no limit. */
    int64_t per_hour;
};

enum inbox_audit_state {
    INBOX_AUDIT_INTENDED,
    INBOX_AUDIT_COMPLETED,
    INBOX_AUDIT_UNSENT,
    INBOX_AUDIT_FOUND,
    INBOX_AUDIT_DRY,
};

/* "intended", "completed" ... */
const char *inbox_audit_state_name(enum inbox_audit_state state);

/* The texts are freed with the entry. */
struct inbox_audit_entry {
    /* Wall clock: of the intent. */
    int64_t at_ms;
    char *plugin, *installation, *sender, *item, *method, *url, *state;
    /* 0: none came. */
    int32_t status;
    /* GitHub's, of the response; "" none. */
    char *request_id;
};

/* Reads the rows of a delivery, in order. Result: 0, also for an unknown delivery. */
struct inbox_audit_read {
    struct inbox_operation operation;
    const char *delivery;
    /* Out: inbox_audit_free(). */
    struct inbox_audit_entry *entries;
    size_t n_entries;
};

/* Frees what one entry owns. */
void inbox_audit_entry_finish(struct inbox_audit_entry *entry);
/* Takes NULL. */
void inbox_audit_free(struct inbox_audit_entry *entries, size_t n_entries);

#endif
