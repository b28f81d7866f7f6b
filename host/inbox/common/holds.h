/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Code of both stores for holds. */
#ifndef SNEK_INBOX_COMMON_HOLDS_H
#define SNEK_INBOX_COMMON_HOLDS_H

#include "inbox/deliveries.h"
#include "inbox/holds.h"

/* Held runs whose hold has ended, and that one claim makes due again. The next claim goes on. */
#define HOLDS_RELEASED_MAX 500
/* A hold that ended by its time is kept for so long, which shows what happened. */
#define HOLDS_KEPT_MS (INT64_C(24) * 3600 * 1000)

/* Sets the scope and the cause from their names in the store. 0, or -1 for an unknown name. */
int hold_read_names(struct inbox_hold *hold, const char *scope, const char *cause);

/* The hold of the claim that covers a run of it; NULL for none. */
const struct inbox_hold *hold_of_run(const struct inbox_claim *claim, const struct inbox_run *run);
/* Does the hold cover only a part of the runs that go in one order with this one? Then the run
 * gives its place in their line up while it is held. */
bool hold_parts_line(const struct inbox_hold *hold, const struct inbox_run *run);
/* Does the hold count towards INBOX_HOLDS_MAX? */
bool hold_counts(const struct inbox_hold *hold);
/* The store has set the claim's run aside: frees it, and removes it from the claim. */
void hold_remove_run(struct inbox_claim *claim, size_t index);
/* The next claim is due at the latest when a hold ends. */
void holds_note_ends(struct inbox_claim *claim);

#endif
