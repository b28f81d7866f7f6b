/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The turns of installations. A plugin's claims take runs of its installations in turn, so the many
 * runs of one installation do not delay the few of another. This remembers for each plugin which
 * installation had the last turn. */
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

#endif
