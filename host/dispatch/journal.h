/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The journal of one run in memory: the records that its earlier attempts left in the inbox, and
 * the records that this attempt adds. A retry gets the recorded responses again, so that its
 * handler takes the same path: the n-th equal request of an attempt matches the n-th equal record.
 *
 * Replay ends at the last effect that stands. Reads after it led to nothing, or to a request that
 * GitHub rejected, so they are made anew. Otherwise a handler that had read a stale sha would get
 * it again, and GitHub would reject its request again, until the run is dead.
 *
 * Bounds: the journal keeps a limited number of bytes. A retry reads anew what did not fit, and
 * gets the response of an effect that did not fit without its body. Responses leave memory once
 * they are committed. Threads: the loop's. An entry keeps its address until journal_finish(). Only
 * journal.c writes these structs. */
#ifndef SNEK_DISPATCH_JOURNAL_H
#define SNEK_DISPATCH_JOURNAL_H

#include "inbox/deliveries.h"
#include "inbox/journal.h"

/* Bytes of one response with its headers. */
#define JOURNAL_RESPONSE_MAX ((size_t)1 << 20)
/* Bytes of all reads of a run, and of all its effects. */
#define JOURNAL_KEPT_MAX ((size_t)4 << 20)
#define JOURNAL_EFFECTS_KEPT_MAX ((size_t)4 << 20)
/* Bytes of the response of a named effect that stays in memory. */
#define JOURNAL_NAMED_KEPT_MAX ((size_t)64 << 10)
/* Bytes in memory of all runs of a plugin. */
#define JOURNAL_MEMORY_MAX ((size_t)8 << 20)
/* Bytes in memory of the entries themselves, with their methods and URLs, of all runs of a plugin.
 * Beyond half of it no read is entered, and beyond all of it no change or effect is made. */
#define JOURNAL_ENTRIES_MAX ((size_t)8 << 20)
/* A run whose own entries have fewer bytes than this may make a change or effect all the same. */
#define JOURNAL_ENTRIES_OWN ((size_t)256 << 10)
#define JOURNAL_READS_MAX 4096
#define JOURNAL_EFFECTS_MAX 10000

struct journal_entry {
    struct inbox_record record;
    /* A request of this attempt has matched it. */
    bool matched;
    /* The request that matched it is under way. */
    bool busy;
    /* The inbox is writing the record's response, so it stays in memory. */
    bool lent;
    /* The inbox has this record in its present form. */
    bool in_inbox;
    /* The inbox has a record of an earlier attempt under this number. */
    bool from_earlier_attempt;
    /* The plugin names the effect: its response stays in memory for a request of the same name. */
    bool named;
};

struct journal {
    /* In the order of their numbers. */
    struct journal_entry **entries;
    size_t n_entries;
    size_t kept_bytes, effect_bytes, n_reads, n_changes;
    /* Counted in n_changes too. */
    size_t n_effects;
    /* The bytes of responses in memory of all journals of a plugin; borrowed. */
    size_t *memory_bytes;
    /* The bytes of this journal's entries; and those of all journals of a plugin; borrowed. */
    size_t own_bytes, *entries_bytes;
    /* The last change of this attempt, if it is uncertain whether it was committed. */
    const struct journal_entry *uncertain;
    /* This attempt takes another path than an earlier one; reported once. */
    bool diverged;
    /* The run has records of earlier attempts. */
    bool has_record;
    /* This attempt makes a read anew; reported once. */
    bool read_anew;
};

/* A request is identified by a digest of its parts. */
struct journal_part {
    const void *data;
    size_t bytes;
};
void journal_key(const struct journal_part *parts, size_t n_parts, uint8_t key[INBOX_KEY_BYTES]);

/* True when the record's change has happened or may have happened: a write that changed the store,
 * an effect that GitHub accepted, or an effect without a response. */
bool journal_stands(const struct inbox_record *record);

/* True when GitHub accepted a request with this response: a 2xx, and for GraphQL no top-level
 * `errors` unless a part of the document was carried out. `body` may be NULL when it is empty. */
bool journal_accepted(int32_t status, int64_t outcome, const char *body, size_t bytes);

/* True when a request that matches this record gets the record's response instead of being made.
 * A record of a dry run counts only in a dry run. */
bool journal_replays(const struct inbox_record *record, bool dry_run);

/* Moves the run's records into the journal, which is empty. 0, or -1 when memory is short. */
int journal_load(struct journal *journal, struct inbox_run *run);
void journal_finish(struct journal *journal);

/* Matches a request of this key with an entry that no request has matched yet: the first that
 * stands with a response, else the first in doubt, else the first of all. NULL when there is none.
 */
struct journal_entry *journal_match(struct journal *journal, const uint8_t key[INBOX_KEY_BYTES]);

/* Matches a request with the effect of this name, whose key is `key`, however many requests have
 * matched it: the one that stands with a response, else the one in doubt, else one that did not
 * happen and has this method and URL. NULL when there is none. `*busy`: a request of the name is
 * under way, and must end first; then NULL. */
struct journal_entry *journal_match_named(struct journal *journal,
                                          const uint8_t key[INBOX_KEY_BYTES],
                                          struct journal_part method, struct journal_part url,
                                          bool *busy);
/* True when the entry's request has this method and URL. */
bool journal_is_request(const struct journal_entry *entry, struct journal_part method,
                        struct journal_part url);
void journal_set_named(struct journal_entry *entry);

/* An effect of this key that a request of this attempt has matched and that got no response. NULL
 * when there is none. */
struct journal_entry *journal_in_doubt(struct journal *journal, const uint8_t key[INBOX_KEY_BYTES]);

/* A new matched entry. NULL when the journal has no room for another of its kind, or memory is
 * short: then a read goes on without an entry, and a change or effect must not be made. */
struct journal_entry *journal_add(struct journal *journal, enum inbox_record_kind kind,
                                  const uint8_t key[INBOX_KEY_BYTES], struct journal_part method,
                                  struct journal_part url);

/* Marks the entry's request as under way, or as ended. */
void journal_set_busy(struct journal_entry *entry, bool busy);
/* Marks the entry's record as borrowed by the inbox, or as free again. */
void journal_set_lent(struct journal_entry *entry, bool lent);

/* The entry's effect is about to be sent, under the claim with this token. */
void journal_set_intended(struct journal_entry *entry, int64_t token, int64_t now_ms);

/* The inbox still has the intent of an earlier attempt for this entry. */
void journal_set_in_doubt(struct journal *journal, struct journal_entry *entry);

/* Nothing of the entry's request reached GitHub or the store. */
void journal_set_unsent(struct journal_entry *entry);

/* The commit of the entry's change failed, or its result got lost: a repeated request matches the
 * entry again. */
void journal_set_uncertain(struct journal *journal, struct journal_entry *entry);
/* True when the entry's change is about to be made again, and may have been committed the first
 * time. No other change was made in between. */
bool journal_repeats(struct journal *journal, const struct journal_entry *entry);

/* The entry's change of the store is committed together with the entry. */
void journal_set_changed(struct journal_entry *entry, int64_t now_ms, int64_t outcome);

void journal_set_dry(struct journal_entry *entry, bool dry);
void journal_set_marker(struct journal_entry *entry, const char marker[INBOX_MARKER_MAX + 1]);

struct journal_response {
    int64_t outcome, now_ms;
    int32_t status;
    /* "" when there is none. */
    const char *sentence;
    const struct buffer *headers, *body;
};

/* Puts a response into the entry. A read whose response is too large becomes INBOX_UNSENT. Any
 * other entry is kept without the headers and the body that are too large. */
void journal_set_response(struct journal *journal, struct journal_entry *entry,
                          const struct journal_response *response);

/* Lists what the next commit writes: each read that got a response and is not in the inbox yet, or
 * that replaces a read there; then `last`. The caller frees the list. NULL when memory is short.
 * The entries count as written; journal_set_unwritten() takes that back. */
const struct inbox_record **journal_unwritten(struct journal *journal, struct journal_entry *last,
                                              size_t *n_records);
void journal_set_unwritten(const struct inbox_record *const *records, size_t n_records);

/* The entry's response is committed, or was replayed, so it leaves memory. That of a named effect
 * stays, unless it is large; and that of a record that is lent. */
void journal_drop_response(struct journal *journal, struct journal_entry *entry);
void journal_drop_responses(struct journal *journal, const struct inbox_record *const *records,
                            size_t n_records);

/* True once per journal: this attempt makes a new effect, although an effect of an earlier attempt
 * that GitHub accepted was not requested again. */
bool journal_diverges(struct journal *journal);

/* True once per journal: the run has a record, and this attempt makes a read that the record does
 * not answer. */
bool journal_reads_anew(struct journal *journal);

#endif
