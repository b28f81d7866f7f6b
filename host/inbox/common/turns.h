/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whose turn it is: a plugin's claims go round its installations, so that the many runs of one
 * installation do not hold up the few of another. This remembers where each plugin's round is. */
#ifndef SNEK_INBOX_COMMON_TURNS_H
#define SNEK_INBOX_COMMON_TURNS_H

#include "inbox/deliveries.h"

#include <stddef.h>

/* Installations that one claim looks at. */
#define TURNS_MAX 256
/* Queued runs of an installation that waits for its rate limit, which one operation delays. The
 * claims that meet more of them delay those. */
#define TURNS_DELAYED_MAX 500

struct turns {
    struct turn *turns;
    size_t n_turns;
};

/* Frees what it holds. */
void turns_finish(struct turns *turns);

/* The installation that had the last turn; "" none had. Valid until the next call. */
const char *turns_last(const struct turns *turns, const char *plugin);

/* Runs `first` and later of the claim were taken for this plugin, one of each installation first.
 * Short memory only makes the next round begin at the start. */
void turns_took(struct turns *turns, const char *plugin, const struct inbox_claim *claim,
                size_t first);

#endif
