/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How a claim fills a share: which runs fit into its bytes, and which run it passes over because it
 * does not fit. Both stores use it. */
#ifndef SNEK_INBOX_COMMON_SHARE_H
#define SNEK_INBOX_COMMON_SHARE_H

#include "inbox/deliveries.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A claim that took no run of a share is repeated after this, if a run does not fit. */
#define SHARE_PASSED_OVER_MS 1000
/* How many due runs of an installation a claim looks at beyond those that it may take, to find runs
 * that fit. */
#define SHARE_LOOK_MAX 256

/* A due run. `bytes`: its body and its journal. */
struct share_candidate {
    int64_t id, due_ms;
    uint64_t bytes;
};

struct share_room {
    struct inbox_claim_share *share;
    uint64_t left_bytes;
    uint32_t taken;
};

struct share_room share_begin(struct inbox_claim_share *share);
/* True when the share is smaller than this one run. */
bool share_is_too_small(const struct inbox_claim_share *share, uint64_t bytes);
/* True when the claim takes the run. If the run is larger than the whole share, it is passed over:
 * the share gets the one that has been due the longest. */
bool share_takes(struct share_room *room, const struct share_candidate *candidate);
/* The first ordinary and the first suspect run that the claim left are due at these times
 * (INT64_MAX: there is none). Updates `suspects_due` and claim->next_due_ms. `none_ms` is when to
 * claim again if ordinary runs are due and the claim took none that would fit; 0: now. */
void share_note_due(struct inbox_claim *claim, size_t index, int64_t ordinary_ms,
                    int64_t suspect_ms, int64_t none_ms);

#endif
