/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Prints deliveries on standard output, as a table or as JSON. Text that strangers wrote cannot
 * control the terminal. One thread. */
#ifndef SNEK_CLI_DELIVERIES_H
#define SNEK_CLI_DELIVERIES_H

#include "cli/store_client.h"
#include "inbox/admin.h"
#include "inbox/console.h"

#include <jansson.h>

struct deliveries_output {
    /* NULL for a table. */
    json_t *json;
    bool any;
};

/* Prints a list: begin, add each entry, then end (returns the exit status) or abandon. */
void deliveries_begin(struct deliveries_output *output, bool json);
void deliveries_add(struct deliveries_output *output, const struct inbox_entry *entry);
int deliveries_end(struct deliveries_output *output);
void deliveries_abandon(struct deliveries_output *output);

/* Prints one delivery: its entries, each with the journal of its run, its rows in the audit, and
 * what persons did with it. Returns the exit status. */
int deliveries_show(const struct inbox_entry *entries, const struct inbox_journal_read *journals,
                    size_t n_entries, const struct inbox_audit_read *audit,
                    const struct inbox_actions *actions, bool json);
/* Prints the audit of a delivery that the store has forgotten. Returns the exit status. */
int deliveries_show_audit(const struct inbox_audit_read *audit, bool json);

/* Prints `text` without control characters, in at least `width` columns. */
void deliveries_print_text(const char *text, int width);
/* Prints and releases `json`. Returns the exit status. */
int deliveries_print_json(json_t *json);

#endif
