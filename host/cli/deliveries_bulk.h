/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic deliveries retry|discard` for many runs: a preview, and what carries it out. */
#ifndef SNEK_CLI_DELIVERIES_BULK_H
#define SNEK_CLI_DELIVERIES_BULK_H

#include "cli/store_client.h"
#include "inbox/admin.h"

#include <stdbool.h>
#include <stdint.h>

/* The runs that are wanted. NULL: any. */
struct deliveries_filter {
    const char *state, *plugin, *event;
    /* "OWNER/NAME". Case does not matter. */
    const char *repository;
    /* A part of the run's label or reason. Case does not matter. */
    const char *reason;
    /* Deliveries that were received from `since_ms` on and before `until_ms` (0: no end). */
    int64_t since_ms, until_ms;
};

/* The list of these runs. It does not compare `repository` and `reason`. */
struct inbox_list deliveries_filter_list(const struct deliveries_filter *filter);
/* Compares what the list does not. */
bool deliveries_filter_matches(const struct deliveries_filter *filter,
                               const struct inbox_entry *entry);

/* Prints how many runs the filter finds, and stores which they are. Returns the exit status. */
int deliveries_bulk_preview(struct store_client *store_client,
                            const struct deliveries_filter *filter, bool discards, bool json);

/* Retries or discards the runs of a preview. `per_minute`: so many retries are due in a minute; 0
 * all at once. Returns the exit status. */
int deliveries_bulk_apply(struct store_client *store_client, int64_t preview, bool discards,
                          int64_t per_minute, bool json);

#endif
