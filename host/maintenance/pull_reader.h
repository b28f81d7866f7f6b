/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads GitHub's list of deliveries at the interval, page after page, and notes the entries in the
 * inbox. Each page that is noted may have entries to fetch, so it makes the fetcher look. Loop's
 * thread. */
#ifndef SNEK_MAINTENANCE_PULL_READER_H
#define SNEK_MAINTENANCE_PULL_READER_H

#include "maintenance/pull_state.h"

struct pull_reader {
    /* Borrowed. */
    struct pull_state *state;
    /* Something is on its way, and its result continues. */
    bool under_way;
    /* The place is read from the store, since this host was elected. */
    bool begun;
    struct inbox_pull_place place;

    struct delivery_log_page *page;
    struct inbox_pull_entry *entries;
    bool full;
    int64_t since_ms, newest_ms, began_ms;
    uint64_t n_pages, n_listed;
    /* The last reading found nothing. */
    bool list_is_empty;

    struct broker_request request;
    struct inbox_pull_begin begin;
    struct inbox_pull_note note;
    char *url;

    /* Monotonic. */
    int64_t next_ms, started_ms;
    /* Failures in a row. */
    unsigned n_failures;
    /* GitHub has worked again since the fetcher looked. */
    bool recovered;
    bool slowed;
};

void pull_reader_init(struct pull_reader *reader, struct pull_state *state);
/* After the last result has arrived. */
void pull_reader_finish(struct pull_reader *reader);

/* Starts a reading that is due. Returns when to call again; monotonic; INT64_MAX: a result comes
 * first. */
int64_t pull_reader_tick(struct pull_reader *reader, int64_t now_ms);

/* Has GitHub worked again since the last call? */
bool pull_reader_has_recovered(struct pull_reader *reader);

/* Another host is elected. The next elected host reads the place from the store. */
void pull_reader_stand_by(struct pull_reader *reader, int64_t now_ms);

#endif
