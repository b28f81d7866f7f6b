/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The turns of installations. A plugin's claims take runs of its installations in turn, so the many
 * runs of one installation do not delay the few of another. This remembers for each plugin which
 * installation had the last turn, and before which time it has no queued run.
 *
 * The second is for PostgreSQL. Another session's snapshot, such as that of a backup, keeps the
 * index entries of all runs that were queued since it began. A claim that begins at a due time does
 * not visit the rows of those before. */
#ifndef SNEK_INBOX_COMMON_TURNS_H
#define SNEK_INBOX_COMMON_TURNS_H

#include "inbox/deliveries.h"

#include <stddef.h>

/* Installations that one claim looks at. */
#define TURNS_MAX 256
/* How many queued runs of an installation one operation delays when the installation waits for its
 * rate limit. Later claims delay the others. */
#define TURNS_DELAYED_MAX 500

struct turns {
    struct turn *turns;
    size_t n_turns;
};

/* Frees what it holds. */
void turns_finish(struct turns *turns);

/* Returns the installation that had the last turn; "" when none had one. Valid until the next
 * call. */
const char *turns_last(const struct turns *turns, const char *plugin);

/* Runs `first` and later of the claim were taken for this plugin, one of each installation first.
 * If memory is short, the next claim begins with the first installation. */
void turns_took(struct turns *turns, const char *plugin, const struct inbox_claim *claim,
                size_t first);
/* The claim looked at the plugin's installations up to this one, and took no run. */
void turns_passed(struct turns *turns, const char *plugin, const char *installation);

/* No queued run of the plugin is due before this time (wall clock), as far as this host knows; 0:
 * the claim must look at all. That is so at first, once in TURNS_FULL_MS, because another host may
 * queue an old run, and after the clock was set back. */
#define TURNS_FULL_MS 60000
int64_t turns_due_from(const struct turns *turns, const char *plugin, int64_t now_ms);

/* A claim at `now_ms` that began at `from_ms` found `due_ms` as the time of the plugin's next run;
 * INT64_MAX: it has none. */
void turns_note_due(struct turns *turns, const char *plugin, int64_t now_ms, int64_t from_ms,
                    int64_t due_ms);
/* A run of the plugin is queued, due at `due_ms`. */
void turns_queued(struct turns *turns, const char *plugin, int64_t due_ms);
/* Another host has queued runs of some plugin, due at `due_ms` or later. */
void turns_queued_elsewhere(struct turns *turns, int64_t due_ms);
/* Old runs of any plugin may be queued: the next claims look at all. */
void turns_forget_due(struct turns *turns);

#endif
