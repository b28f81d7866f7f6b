/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Matches the requests of an attempt with the records of earlier ones, and lists the records that
 * the inbox does not have yet. */
#include "dispatch/journal.h"

#include "base/array.h"
#include "base/list.h"
#include "broker/broker.h"

#include <assert.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

/* An estimate: the sentence of a response is short. */
#define ENTRY_SENTENCE_BYTES 256

void journal_key(const struct journal_part *parts, size_t n_parts, uint8_t key[INBOX_KEY_BYTES]) {
    struct sha256_ctx hash;
    sha256_init(&hash);
    for (size_t i = 0; i < n_parts; i++) {
        /* The length comes first, so that two different lists never give the same bytes. */
        uint64_t bytes = parts[i].bytes;
        sha256_update(&hash, sizeof bytes, (const uint8_t *)&bytes);
        sha256_update(&hash, parts[i].bytes, parts[i].data);
    }
    sha256_digest(&hash, INBOX_KEY_BYTES, key);
}

static struct journal_entry *append(struct journal *journal) {
    int64_t last = 0;
    if (journal->n_entries > 0) {
        last = journal->entries[journal->n_entries - 1]->record.number;
    }
    struct journal_entry *entry = calloc(1, sizeof *entry), **added = NULL;
    if (entry) {
        added = ARRAY_ADD(journal->entries, journal->n_entries);
    }
    if (!added) {
        free(entry);
        return NULL;
    }
    entry->record.number = last + 1;
    *added = entry;
    return entry;
}

static size_t response_bytes(const struct inbox_record *record) {
    return record->headers.bytes + record->body.bytes;
}

static void count(struct journal *journal, const struct journal_entry *entry) {
    if (entry->record.kind == INBOX_READ) {
        journal->n_reads++;
        journal->kept_bytes += response_bytes(&entry->record);
    } else {
        journal->n_changes++;
        journal->n_effects += entry->record.kind == INBOX_EFFECT;
        journal->effect_bytes += response_bytes(&entry->record);
    }
}

static size_t entry_bytes(size_t method_bytes, size_t url_bytes) {
    return sizeof(struct journal_entry) + ENTRY_SENTENCE_BYTES + method_bytes + url_bytes;
}

static void count_entry(struct journal *journal, size_t method_bytes, size_t url_bytes) {
    size_t bytes = entry_bytes(method_bytes, url_bytes);
    journal->own_bytes += bytes;
    if (journal->entries_bytes) {
        *journal->entries_bytes += bytes;
    }
}

static bool has_room_for_entry(const struct journal *journal, enum inbox_record_kind kind,
                               size_t bytes) {
    size_t all_bytes = (journal->entries_bytes ? *journal->entries_bytes : 0) + bytes;
    if (kind == INBOX_READ) {
        return all_bytes <= JOURNAL_ENTRIES_MAX / 2;
    }
    return all_bytes <= JOURNAL_ENTRIES_MAX || journal->own_bytes + bytes <= JOURNAL_ENTRIES_OWN;
}

static void count_memory(struct journal *journal, size_t bytes) {
    if (journal->memory_bytes) {
        *journal->memory_bytes += bytes;
    }
}

static void drop(struct journal *journal, struct journal_entry *entry) {
    struct inbox_record *record = &entry->record;
    if (journal->memory_bytes) {
        assert(*journal->memory_bytes >= response_bytes(record));
        *journal->memory_bytes -= response_bytes(record);
    }
    buffer_finish(&record->headers);
    buffer_finish(&record->body);
}

void journal_drop_response(struct journal *journal, struct journal_entry *entry) {
    if (entry->lent) {
        return;
    }
    bool crowded = journal->memory_bytes && *journal->memory_bytes > JOURNAL_MEMORY_MAX;
    bool large = response_bytes(&entry->record) > JOURNAL_NAMED_KEPT_MAX;
    if (!entry->named || crowded || large) {
        drop(journal, entry);
    }
}

void journal_drop_responses(struct journal *journal, const struct inbox_record *const *records,
                            size_t n_records) {
    for (size_t i = 0; i < n_records; i++) {
        journal_drop_response(journal, CONTAINER_OF(records[i], struct journal_entry, record));
    }
}

/* GraphQL reports errors with a 200. A response that was too large to keep counts as accepted. */
bool journal_accepted(int32_t status, int64_t outcome, const char *body, size_t bytes) {
    if (status < 200 || status >= 300) {
        return false;
    }
    return outcome == 0 || broker_graphql_did(body ? body : "", bytes);
}

static bool record_accepted(const struct inbox_record *record) {
    int64_t outcome = record->body.bytes == 0 ? 0 : record->outcome;
    return journal_accepted(record->status, outcome, record->body.data, record->body.bytes);
}

/* The store reports 0 for a change that found its entry or key in the wanted state already. It
 * cannot report that for "put". */
static bool changed_store(const struct inbox_record *record) {
    return record->outcome > 0 || (record->method && strcmp(record->method, "put") == 0);
}

bool journal_stands(const struct inbox_record *record) {
    switch (record->kind) {
    case INBOX_CHANGE:
        return record->state == INBOX_COMPLETED && changed_store(record);
    case INBOX_EFFECT:
        return record->state == INBOX_INTENDED ||
               (record->state == INBOX_COMPLETED && record_accepted(record));
    default:
        return false;
    }
}

bool journal_replays(const struct inbox_record *record, bool dry_run) {
    return record->state == INBOX_COMPLETED && (!record->dry || dry_run) &&
           (record->kind == INBOX_READ || journal_stands(record));
}

/* Reads after the last effect that stands are made anew, and so are store writes that changed
 * nothing. */
static void forget_reads_at_end(struct journal *journal) {
    for (size_t i = journal->n_entries; i > 0; i--) {
        struct inbox_record *record = &journal->entries[i - 1]->record;
        if (journal_stands(record)) {
            break;
        }
        if (record->kind != INBOX_EFFECT) {
            record->state = INBOX_UNSENT;
            journal->entries[i - 1]->in_inbox = false;
            drop(journal, journal->entries[i - 1]);
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
        count_memory(journal, response_bytes(&entry->record));
        const struct inbox_record *record = &entry->record;
        count_entry(journal, record->method ? strlen(record->method) : 0,
                    record->url ? strlen(record->url) : 0);
        entry->in_inbox = true;
        entry->from_earlier_attempt = true;
        run->journal[i] = (struct inbox_record){0};
    }
    journal->has_record = run->n_journal > 0;
    free(run->journal);
    run->journal = NULL;
    run->n_journal = 0;
    forget_reads_at_end(journal);
    for (size_t i = 0; i < journal->n_entries; i++) {
        count(journal, journal->entries[i]);
    }
    return 0;
}

void journal_finish(struct journal *journal) {
    for (size_t i = 0; i < journal->n_entries; i++) {
        drop(journal, journal->entries[i]);
        inbox_record_finish(&journal->entries[i]->record);
        free(journal->entries[i]);
    }
    free(journal->entries);
    if (journal->entries_bytes) {
        assert(*journal->entries_bytes >= journal->own_bytes);
        *journal->entries_bytes -= journal->own_bytes;
    }
    *journal = (struct journal){0};
}

/* How much a retry must match the entry: its change has happened (2), may have happened (1), or has
 * not (0). Equal reads are alike: the n-th request matches the n-th of them. */
static int rank(const struct journal_entry *entry) {
    const struct inbox_record *record = &entry->record;
    if (record->kind == INBOX_READ) {
        return 2;
    }
    if (!journal_stands(record)) {
        return 0;
    }
    return record->state == INBOX_COMPLETED ? 2 : 1;
}

struct journal_entry *journal_match(struct journal *journal, const uint8_t key[INBOX_KEY_BYTES]) {
    struct journal_entry *best = NULL;
    for (size_t i = 0; i < journal->n_entries; i++) {
        struct journal_entry *entry = journal->entries[i];
        if (!entry->matched && memcmp(entry->record.key, key, INBOX_KEY_BYTES) == 0 &&
            (!best || rank(entry) > rank(best))) {
            best = entry;
        }
    }
    if (best) {
        best->matched = true;
    }
    return best;
}

bool journal_is_request(const struct journal_entry *entry, struct journal_part method,
                        struct journal_part url) {
    const struct inbox_record *record = &entry->record;
    const char *our_method = record->method ? record->method : "";
    const char *our_url = record->url ? record->url : "";
    return strlen(our_method) == method.bytes && strlen(our_url) == url.bytes &&
           memcmp(our_method, method.data, method.bytes) == 0 &&
           memcmp(our_url, url.data, url.bytes) == 0;
}

struct journal_entry *journal_match_named(struct journal *journal,
                                          const uint8_t key[INBOX_KEY_BYTES],
                                          struct journal_part method, struct journal_part url,
                                          bool *busy) {
    struct journal_entry *best = NULL;
    *busy = false;
    for (size_t i = 0; i < journal->n_entries; i++) {
        struct journal_entry *entry = journal->entries[i];
        if (memcmp(entry->record.key, key, INBOX_KEY_BYTES) != 0) {
            continue;
        }
        *busy = *busy || entry->busy;
        bool usable =
            rank(entry) > 0 || (!entry->matched && journal_is_request(entry, method, url));
        if (usable && (!best || rank(entry) > rank(best))) {
            best = entry;
        }
    }
    if (*busy || !best) {
        return NULL;
    }
    best->matched = true;
    best->named = true;
    return best;
}

void journal_set_named(struct journal_entry *entry) {
    entry->named = true;
}

struct journal_entry *journal_in_doubt(struct journal *journal,
                                       const uint8_t key[INBOX_KEY_BYTES]) {
    for (size_t i = 0; i < journal->n_entries; i++) {
        struct journal_entry *entry = journal->entries[i];
        if (entry->matched && !entry->busy && entry->in_inbox &&
            entry->record.kind == INBOX_EFFECT && entry->record.state == INBOX_INTENDED &&
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
    full = full || !has_room_for_entry(journal, kind, entry_bytes(method.bytes, url.bytes));
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
    entry->matched = true;
    count(journal, entry);
    count_entry(journal, method.bytes, url.bytes);
    return entry;
}

void journal_set_busy(struct journal_entry *entry, bool busy) {
    entry->busy = busy;
}

void journal_set_lent(struct journal_entry *entry, bool lent) {
    assert(entry->lent != lent);
    entry->lent = lent;
}

void journal_set_intended(struct journal_entry *entry, int64_t token, int64_t now_ms) {
    /* An earlier version of the host may have taken the request for a read. */
    entry->record.kind = INBOX_EFFECT;
    entry->record.state = INBOX_INTENDED;
    entry->record.token = token;
    entry->record.at_ms = now_ms;
}

void journal_set_in_doubt(struct journal *journal, struct journal_entry *entry) {
    assert(entry->from_earlier_attempt || entry->record.token != 0);
    drop(journal, entry);
    entry->record.state = INBOX_INTENDED;
    entry->in_inbox = true;
}

void journal_set_unsent(struct journal_entry *entry) {
    entry->record.state = INBOX_UNSENT;
}

void journal_set_uncertain(struct journal *journal, struct journal_entry *entry) {
    entry->record.state = INBOX_UNSENT;
    entry->matched = false;
    journal->uncertain = entry;
}

bool journal_repeats(struct journal *journal, const struct journal_entry *entry) {
    bool repeats = journal->uncertain == entry;
    journal->uncertain = NULL;
    return repeats;
}

void journal_set_changed(struct journal_entry *entry, int64_t now_ms, int64_t outcome) {
    /* A dry run before this attempt recorded it as a read. */
    entry->record.kind = INBOX_CHANGE;
    entry->record.state = INBOX_COMPLETED;
    entry->record.at_ms = now_ms;
    entry->record.outcome = outcome;
}

void journal_set_dry(struct journal_entry *entry, bool dry) {
    entry->record.dry = dry;
}

void journal_set_marker(struct journal_entry *entry, const char marker[INBOX_MARKER_MAX + 1]) {
    assert(!entry->record.marker[0]);
    memcpy(entry->record.marker, marker, INBOX_MARKER_MAX + 1);
}

static int copy(struct buffer *to, const struct buffer *from) {
    *to = (struct buffer)BUFFER_INIT(from->bytes);
    return from->bytes > 0 ? buffer_append(to, from->data, from->bytes) : 0;
}

static size_t room_of(size_t most, size_t used) {
    return used < most ? most - used : 0;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* How many bytes the entry's response may have. A response of an effect must stay until it is
 * committed, so the plugin's other runs do not limit it. */
static size_t response_room(const struct journal *journal, const struct journal_entry *entry) {
    if (entry->record.kind != INBOX_READ) {
        return smaller(JOURNAL_RESPONSE_MAX,
                       room_of(JOURNAL_EFFECTS_KEPT_MAX, journal->effect_bytes));
    }
    size_t room = smaller(JOURNAL_RESPONSE_MAX, room_of(JOURNAL_KEPT_MAX, journal->kept_bytes));
    return journal->memory_bytes
               ? smaller(room, room_of(JOURNAL_MEMORY_MAX, *journal->memory_bytes))
               : room;
}

void journal_set_response(struct journal *journal, struct journal_entry *entry,
                          const struct journal_response *response) {
    struct inbox_record *record = &entry->record;
    bool read = record->kind == INBOX_READ;
    size_t bytes = response->headers->bytes + response->body->bytes;
    free(record->message);
    drop(journal, entry);
    record->message = strdup(response->sentence);
    bool fits = bytes <= response_room(journal, entry) && record->message &&
                copy(&record->headers, response->headers) == 0 &&
                copy(&record->body, response->body) == 0;
    if (!fits) {
        buffer_finish(&record->headers);
        buffer_finish(&record->body);
    } else {
        count_memory(journal, bytes);
        journal->kept_bytes += read ? bytes : 0;
        journal->effect_bytes += read ? 0 : bytes;
    }
    record->outcome = response->outcome;
    record->status = response->status;
    record->at_ms = response->now_ms;
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
            (entry->record.state == INBOX_COMPLETED || entry->from_earlier_attempt)) {
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

void journal_set_unwritten(const struct inbox_record *const *records, size_t n_records) {
    for (size_t i = 0; i < n_records; i++) {
        CONTAINER_OF(records[i], struct journal_entry, record)->in_inbox = false;
    }
}

bool journal_diverges(struct journal *journal) {
    for (size_t i = 0; i < journal->n_entries && !journal->diverged; i++) {
        const struct journal_entry *entry = journal->entries[i];
        journal->diverged = !entry->matched && entry->record.kind == INBOX_EFFECT &&
                            entry->record.state == INBOX_COMPLETED && entry->record.outcome == 0;
        if (journal->diverged) {
            return true;
        }
    }
    return false;
}

bool journal_reads_anew(struct journal *journal) {
    bool first = journal->has_record && !journal->read_anew;
    journal->read_anew = true;
    return first;
}
