/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The journal of one run in memory: what its earlier attempts left in the inbox, and what this
 * attempt adds. A retry is given again what it was answered before, so that its handler goes the
 * same way (design.md, "Effects"): the n-th equal request of an attempt meets the n-th equal
 * record. That way ends at the last effect that stands: what was read after it led to nothing, or
 * to what GitHub rejected, and is read anew. Else a handler that had read a stale sha would be
 * given it again, and rejected again, until its run is dead.
 *
 * Bounded: of what a run reads, so much is kept; what does not fit is read anew by a retry.
 * Threads: the loop's. Entries live until journal_finish(), at the same place. */
#ifndef SNEK_DISPATCH_JOURNAL_H
#define SNEK_DISPATCH_JOURNAL_H

#include "inbox/deliveries.h"
#include "inbox/journal.h"

#define JOURNAL_ANSWER_MAX ((size_t)1 << 20) /* bytes of one answer, with its headers … */
#define JOURNAL_KEPT_MAX ((size_t)4 << 20)   /* … and of all reads of a run */
#define JOURNAL_READS_MAX 4096
#define JOURNAL_EFFECTS_MAX 10000

struct journal_entry {
    struct inbox_record record;
    bool met;      /* by a request of this attempt */
    bool busy;     /* that request is under way */
    bool in_inbox; /* as it is here */
    bool left;     /* of a read: an earlier attempt's is in the inbox, perhaps another */
};

struct journal {
    struct journal_entry **entries; /* in order */
    size_t n_entries, room;
    size_t kept_bytes, n_reads, n_changes;
    bool strayed; /* it goes another way than before; said once */
};

/* What an entry is found by. `parts` are (data, bytes) pairs. */
struct journal_part {
    const void *data;
    size_t bytes;
};
void journal_key(const struct journal_part *parts, size_t n_parts, uint8_t key[INBOX_KEY_BYTES]);

/* Has it happened, or may it have: is the record that of a change, or of an effect that GitHub took
 * or that got no answer? */
bool journal_stands(const struct inbox_record *record);

/* Takes the run's records over. 0, or -1 when memory is short. */
int journal_load(struct journal *journal, struct inbox_run *run);
void journal_finish(struct journal *journal);

/* The first entry of this key that was not met yet, met now; NULL when there is none. */
struct journal_entry *journal_meet(struct journal *journal, const uint8_t key[INBOX_KEY_BYTES]);

/* An effect of this key that was met in this attempt and got no answer; NULL when there is none. */
struct journal_entry *journal_in_doubt(struct journal *journal, const uint8_t key[INBOX_KEY_BYTES]);

/* A new entry, met; NULL when there may be no more of its kind, or memory is short: a read goes
 * on without, anything else must not. */
struct journal_entry *journal_add(struct journal *journal, enum inbox_record_kind kind,
                                  const uint8_t key[INBOX_KEY_BYTES], struct journal_part method,
                                  struct journal_part url);

struct journal_answer {
    int64_t outcome, now_ms;
    int32_t status;
    const char *sentence; /* "" none */
    const struct buffer *headers, *body;
};

/* Puts an answer into the entry; one that is too large is not kept of a read, which is
 * INBOX_UNSENT then, and kept without what came with it of anything else. */
void journal_answer(struct journal *journal, struct journal_entry *entry,
                    const struct journal_answer *answer);

/* What the next commit writes: every read that was answered and is not in the inbox yet, or that
 * takes the place of one there, which must not come back; then `last`. The caller's to free(); NULL
 * when memory is short. The entries count as written. */
const struct inbox_record **journal_unwritten(struct journal *journal, struct journal_entry *last,
                                              size_t *n_records);

/* True once: an effect of an earlier attempt that GitHub had accepted was not asked for yet, though
 * now a new one is. */
bool journal_strays(struct journal *journal);

#endif
