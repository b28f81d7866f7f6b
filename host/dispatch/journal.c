/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dispatch/journal.h"

#include "broker/broker.h"

#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

void journal_key(const struct journal_part *parts, size_t n_parts, uint8_t key[INBOX_KEY_BYTES]) {
    struct sha256_ctx hash;
    sha256_init(&hash);
    for (size_t i = 0; i < n_parts; i++) {
        uint64_t bytes = parts[i].bytes; /* in front, so that no two lists read the same */
        sha256_update(&hash, sizeof bytes, (const uint8_t *)&bytes);
        sha256_update(&hash, parts[i].bytes, parts[i].data);
    }
    sha256_digest(&hash, INBOX_KEY_BYTES, key);
}

static struct journal_entry *append(struct journal *journal) {
    if (journal->n_entries == journal->room) {
        size_t room = journal->room ? 2 * journal->room : 8;
        struct journal_entry **entries = reallocarray(journal->entries, room, sizeof *entries);
        if (!entries) {
            return NULL;
        }
        journal->entries = entries;
        journal->room = room;
    }
    struct journal_entry *entry = calloc(1, sizeof *entry);
    if (entry) {
        entry->record.number = journal->n_entries > 0
                                   ? journal->entries[journal->n_entries - 1]->record.number + 1
                                   : 1;
        journal->entries[journal->n_entries++] = entry;
    }
    return entry;
}

static void count(struct journal *journal, const struct journal_entry *entry) {
    if (entry->record.kind == INBOX_READ) {
        journal->n_reads++;
        journal->kept_bytes += entry->record.headers.bytes + entry->record.body.bytes;
    } else {
        journal->n_changes++;
    }
}

/* The errors of GraphQL come with a 200. An answer that was too large to keep is believed. */
static bool is_taken(const struct inbox_record *record) {
    return record->status >= 200 && record->status < 300 &&
           (record->outcome == 0 || record->body.bytes == 0 ||
            broker_graphql_did(record->body.data, record->body.bytes));
}

bool journal_stands(const struct inbox_record *record) {
    switch (record->kind) {
    case INBOX_CHANGE:
        return record->state == INBOX_COMPLETED;
    case INBOX_EFFECT:
        return record->state == INBOX_INTENDED ||
               (record->state == INBOX_COMPLETED && is_taken(record));
    default:
        return false;
    }
}

/* What was read after the last that stands is to be asked anew. */
static void forget_the_rest(struct journal *journal) {
    for (size_t i = journal->n_entries; i > 0; i--) {
        struct inbox_record *record = &journal->entries[i - 1]->record;
        if (journal_stands(record)) {
            break;
        }
        if (record->kind == INBOX_READ) {
            record->state = INBOX_UNSENT;
            journal->entries[i - 1]->in_inbox = false;
            buffer_finish(&record->headers);
            buffer_finish(&record->body);
        }
    }
}

int journal_load(struct journal *journal, struct inbox_run *run) {
    for (size_t i = 0; i < run->n_journal; i++) {
        struct journal_entry *entry = append(journal);
        if (!entry) {
            return -1;
        }
        entry->record = run->journal[i];
        entry->in_inbox = true;
        entry->left = true;
        run->journal[i] = (struct inbox_record){0};
    }
    free(run->journal);
    run->journal = NULL;
    run->n_journal = 0;
    forget_the_rest(journal);
    for (size_t i = 0; i < journal->n_entries; i++) {
        count(journal, journal->entries[i]);
    }
    return 0;
}

void journal_finish(struct journal *journal) {
    for (size_t i = 0; i < journal->n_entries; i++) {
        inbox_record_finish(&journal->entries[i]->record);
        free(journal->entries[i]);
    }
    free(journal->entries);
    *journal = (struct journal){0};
}

struct journal_entry *journal_meet(struct journal *journal, const uint8_t key[INBOX_KEY_BYTES]) {
    for (size_t i = 0; i < journal->n_entries; i++) {
        struct journal_entry *entry = journal->entries[i];
        if (!entry->met && memcmp(entry->record.key, key, INBOX_KEY_BYTES) == 0) {
            entry->met = true;
            return entry;
        }
    }
    return NULL;
}

struct journal_entry *journal_in_doubt(struct journal *journal,
                                       const uint8_t key[INBOX_KEY_BYTES]) {
    for (size_t i = 0; i < journal->n_entries; i++) {
        struct journal_entry *entry = journal->entries[i];
        if (entry->met && !entry->busy && entry->in_inbox && entry->record.kind == INBOX_EFFECT &&
            entry->record.state == INBOX_INTENDED &&
            memcmp(entry->record.key, key, INBOX_KEY_BYTES) == 0) {
            return entry;
        }
    }
    return NULL;
}

struct journal_entry *journal_add(struct journal *journal, enum inbox_record_kind kind,
                                  const uint8_t key[INBOX_KEY_BYTES], struct journal_part method,
                                  struct journal_part url) {
    bool full = kind == INBOX_READ ? journal->n_reads >= JOURNAL_READS_MAX ||
                                         journal->kept_bytes >= JOURNAL_KEPT_MAX
                                   : journal->n_changes >= JOURNAL_EFFECTS_MAX;
    char *method_copy = full ? NULL : strndup(method.data, method.bytes);
    char *url_copy = full ? NULL : strndup(url.data, url.bytes);
    struct journal_entry *entry = method_copy && url_copy ? append(journal) : NULL;
    if (!entry) {
        free(method_copy);
        free(url_copy);
        return NULL;
    }
    entry->record.kind = kind;
    entry->record.method = method_copy;
    entry->record.url = url_copy;
    memcpy(entry->record.key, key, INBOX_KEY_BYTES);
    entry->met = true;
    count(journal, entry);
    return entry;
}

static int copy(struct buffer *to, const struct buffer *from) {
    *to = (struct buffer)BUFFER_INIT(from->bytes);
    return from->bytes > 0 ? buffer_append(to, from->data, from->bytes) : 0;
}

void journal_answer(struct journal *journal, struct journal_entry *entry,
                    const struct journal_answer *answer) {
    static const struct buffer nothing = BUFFER_INIT(0);
    struct inbox_record *record = &entry->record;
    bool read = record->kind == INBOX_READ;
    size_t bytes = answer->headers->bytes + answer->body->bytes;
    size_t room = read && JOURNAL_KEPT_MAX - journal->kept_bytes < JOURNAL_ANSWER_MAX
                      ? JOURNAL_KEPT_MAX - journal->kept_bytes
                      : JOURNAL_ANSWER_MAX;
    bool fits = bytes <= room;
    free(record->message);
    buffer_finish(&record->headers);
    buffer_finish(&record->body);
    record->message = strdup(answer->sentence);
    fits = fits && record->message && copy(&record->headers, answer->headers) == 0 &&
           copy(&record->body, answer->body) == 0;
    if (!fits) {
        (void)copy(&record->headers, &nothing);
        (void)copy(&record->body, &nothing);
    } else if (read) {
        journal->kept_bytes += bytes;
    }
    record->outcome = answer->outcome;
    record->status = answer->status;
    record->at_ms = answer->now_ms;
    record->state = read && !fits ? INBOX_UNSENT : INBOX_COMPLETED;
    entry->in_inbox = false;
}

const struct inbox_record **journal_unwritten(struct journal *journal, struct journal_entry *last,
                                              size_t *n_records) {
    const struct inbox_record **records = calloc(journal->n_entries + 1, sizeof *records);
    size_t n = 0;
    for (size_t i = 0; records && i < journal->n_entries; i++) {
        struct journal_entry *entry = journal->entries[i];
        if (entry != last && entry->record.kind == INBOX_READ && !entry->in_inbox &&
            (entry->record.state == INBOX_COMPLETED || entry->left)) {
            entry->in_inbox = true;
            records[n++] = &entry->record;
        }
    }
    if (records) {
        last->in_inbox = true;
        records[n++] = &last->record;
        *n_records = n;
    }
    return records;
}

bool journal_strays(struct journal *journal) {
    for (size_t i = 0; i < journal->n_entries && !journal->strayed; i++) {
        const struct journal_entry *entry = journal->entries[i];
        journal->strayed = !entry->met && entry->record.kind == INBOX_EFFECT &&
                           entry->record.state == INBOX_COMPLETED && entry->record.outcome == 0;
        if (journal->strayed) {
            return true;
        }
    }
    return false;
}
