/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The bytes of a claim's share. A run that does not fit hides no run behind it. */
#include "inbox/common/share.h"

#include <assert.h>

struct share_room share_begin(struct inbox_claim_share *share) {
    return (struct share_room){.share = share, .left_bytes = share->most_bytes};
}

bool share_is_too_small(const struct inbox_claim_share *share, uint64_t bytes) {
    return bytes > share->most_bytes;
}

static void pass_over(struct inbox_claim_share *share, const struct share_candidate *candidate) {
    if (share->passed_over == 0 || candidate->due_ms < share->passed_over_due_ms) {
        share->passed_over = candidate->id;
        share->passed_over_due_ms = candidate->due_ms;
    }
}

bool share_takes(struct share_room *room, const struct share_candidate *candidate) {
    struct inbox_claim_share *share = room->share;
    if (room->taken >= share->runs) {
        return false;
    }
    bool fits = candidate->bytes <= room->left_bytes;
    if (!fits && !(share->alone && room->taken == 0)) {
        if (share_is_too_small(share, candidate->bytes)) {
            pass_over(share, candidate);
        }
        return false;
    }
    room->left_bytes -= fits ? candidate->bytes : room->left_bytes;
    room->taken++;
    share->first_taken = share->first_taken || candidate->id == share->first;
    return true;
}

static bool took_any(const struct inbox_claim *claim, size_t index) {
    for (size_t i = 0; i < claim->n_runs; i++) {
        if (claim->runs[i].share == index) {
            return true;
        }
    }
    return false;
}

void share_note_due(struct inbox_claim *claim, size_t index, int64_t ordinary_ms,
                    int64_t suspect_ms, int64_t none_ms) {
    assert(index < claim->n_shares);
    struct inbox_claim_share *share = &claim->shares[index];
    int64_t due_ms = ordinary_ms < suspect_ms ? ordinary_ms : suspect_ms;
    share->suspects_due = suspect_ms <= claim->now_ms;
    if (share->runs > 0 && ordinary_ms <= claim->now_ms && !took_any(claim, index)) {
        if (share->passed_over != 0) {
            due_ms = claim->now_ms + SHARE_PASSED_OVER_MS;
        } else if (none_ms != 0) {
            due_ms = none_ms;
        }
    }
    if (due_ms < claim->next_due_ms) {
        claim->next_due_ms = due_ms;
    }
}
