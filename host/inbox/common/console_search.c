/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Searches for the console. A rare state has an index of its own. Other searches go back through
 * the deliveries by their ids: the newest ones row by row, the older ones only where a filter of
 * names says that there may be a match. */
#include "inbox/common/console_parts.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "inbox/common/name_filter.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* So many parts count for a part of CONSOLE_CHUNK deliveries that has no filter. */
#define PARTS_OF_CHUNK 4
/* Names that are looked for in the filters; further ones are compared only. */
#define NAMES_MAX 3
#define BITS ((size_t)NAMES_MAX * NAME_FILTER_HASHES)
/* Rows beyond `most`, so that the last delivery is whole. */
#define ROWS_MORE 100

#define WHAT "searching"

/* The filters as the statements take them. */
struct terms {
    char *repository, *sender, *reason;
    /* "%#12"; "" none. */
    char number[24];
    const char *state;
};

enum order {
    /* The newest delivery first, with all of its runs. */
    BY_DELIVERY,
    /* The run that died last first. */
    BY_END,
    /* The newest run first. */
    BY_RUN
};

struct progress {
    struct console_store *store;
    struct inbox_search *search;
    const struct terms *terms;
    enum order order;
    bool full;
    /* The rows of the statement, and the delivery of its last one. */
    size_t n_rows;
    int64_t last_delivery;
    struct error *err;
};

static void terms_finish(struct terms *terms) {
    free(terms->repository);
    free(terms->sender);
    free(terms->reason);
}

static int lower_copy(const char *text, char **copy) {
    *copy = text ? strdup(text) : NULL;
    if (*copy) {
        text_to_lower(*copy);
    }
    return text && !*copy ? -1 : 0;
}

static int terms_init(struct terms *terms, const struct inbox_search_filter *filter) {
    *terms = (struct terms){.state = filter->state};
    if (!terms->state && filter->reason_group) {
        terms->state = "dead";
    }
    if (filter->number != 0) {
        snprintf(terms->number, sizeof terms->number, "%%#%" PRId64, filter->number);
    }
    return lower_copy(filter->repository, &terms->repository) < 0 ||
                   lower_copy(filter->sender, &terms->sender) < 0 ||
                   lower_copy(filter->reason, &terms->reason) < 0
               ? -1
               : 0;
}

static bool is_state(const struct terms *terms, const char *state) {
    return terms->state && strcmp(terms->state, state) == 0;
}

/* ---- rows ---- */

/* Is `part` the owner or the name of the repository? */
static bool is_repository_part(const char *repository, const char *part) {
    size_t bytes = strlen(part);
    const char *slash = strchr(repository, '/');
    if (!slash) {
        return false;
    }
    bool owner = (size_t)(slash - repository) == bytes && strncasecmp(repository, part, bytes) == 0;
    return owner || strcasecmp(slash + 1, part) == 0;
}

static bool has_any(const struct console_row *row, const char *any) {
    size_t bytes = strlen(any);
    bool guid = bytes >= INBOX_GUID_START_MIN && strncasecmp(console_text(row, 1), any, bytes) == 0;
    return guid || strcmp(console_text(row, 4), any) == 0 ||
           is_repository_part(console_text(row, 5), any) ||
           strcasestr(console_text(row, 18), any) || strcasestr(console_text(row, 19), any);
}

static bool is_text(const char *wanted, const struct console_row *row, int column) {
    return !wanted || strcmp(console_text(row, column), wanted) == 0;
}

/* Does this search have filters that only is_wanted() compares? */
static bool filters_here(const struct progress *progress) {
    const struct inbox_search_filter *filter = &progress->search->filter;
    return filter->reason_group || filter->action || filter->installation ||
           filter->repository_part || filter->any;
}

/* 1: the row has what the statement does not compare; 0; -1: out of memory. */
static int is_wanted(const struct progress *progress, const struct console_row *row) {
    const struct inbox_search_filter *filter = &progress->search->filter;
    if (!is_text(filter->action, row, 3) || !is_text(filter->installation, row, 4) ||
        (filter->repository_part &&
         !is_repository_part(console_text(row, 5), filter->repository_part)) ||
        (filter->any && !has_any(row, filter->any))) {
        return 0;
    }
    if (!filter->reason_group) {
        return 1;
    }
    AUTO_FREE char *reason = console_duplicate(row, 19);
    if (!reason) {
        return -1;
    }
    inbox_failure_reason(reason);
    return strcmp(reason, filter->reason_group) == 0;
}

static struct inbox_search_position position_after(const struct inbox_entry *last,
                                                   enum order order) {
    switch (order) {
    case BY_END:
        return (struct inbox_search_position){last->finished_ms, last->run};
    case BY_RUN:
        return (struct inbox_search_position){last->delivery, last->run};
    case BY_DELIVERY:
        break;
    }
    return (struct inbox_search_position){last->delivery, 1};
}

static int on_row(void *context, const struct console_row *row) {
    struct progress *progress = context;
    struct inbox_search *search = progress->search;
    const struct inbox_entry *last =
        search->n_entries > 0 ? &search->entries[search->n_entries - 1] : NULL;
    int wanted = is_wanted(progress, row);
    progress->n_rows++;
    progress->last_delivery = console_number(row, 0);
    if (wanted <= 0) {
        return wanted;
    }
    if (last && search->n_entries >= search->most &&
        (progress->order != BY_DELIVERY || last->delivery != console_number(row, 0))) {
        search->next = position_after(last, progress->order);
        progress->full = true;
        return 1;
    }
    struct inbox_entry *entry = ARRAY_ADD(search->entries, search->n_entries);
    return entry ? console_entry(row, entry) : -1;
}

/* The statement ended at its LIMIT: the next page continues with its last delivery, or after it if
 * that is listed. */
static void stop_at_limit(struct progress *progress) {
    struct inbox_search *search = progress->search;
    size_t n = search->n_entries;
    bool listed = n > 0 && search->entries[n - 1].delivery == progress->last_delivery;
    search->next = (struct inbox_search_position){progress->last_delivery + (listed ? 0 : 1), 1};
    progress->full = true;
}

/* How many rows are enough. With filters of is_wanted(), other rows than the wanted ones come too.
 */
static size_t most_rows(const struct progress *progress) {
    if (filters_here(progress)) {
        return CONSOLE_FEW;
    }
    size_t left = progress->search->most - progress->search->n_entries;
    return left + (progress->order == BY_DELIVERY ? ROWS_MORE : 1);
}

/* Asks a statement with CONSOLE_FILTERS; `first` and `second` are its $1 and $2. */
static int ask_rows(struct progress *progress, enum console_sql sql, int64_t first, int64_t second,
                    const char *guid) {
    const struct inbox_search *search = progress->search;
    const struct inbox_search_filter *filter = &search->filter;
    const struct terms *terms = progress->terms;
    bool in_doubt = is_state(terms, "in doubt");
    struct console_value values[13] = {
        console_value_number(first),
        console_value_number(second),
        console_value_number(filter->since_ms),
        console_value_number(filter->until_ms > 0 ? filter->until_ms : INT64_MAX),
        console_value_text(filter->event),
        console_value_text(terms->repository),
        console_value_text(text_or_null(terms->number)),
        console_value_text(terms->sender),
        console_value_text(filter->plugin),
        console_value_text(in_doubt ? NULL : terms->state),
        console_value_text(terms->reason),
    };
    size_t n = 11;
    if (guid) {
        values[n++] = console_value_text(guid);
    }
    size_t rows = most_rows(progress);
    values[n++] = console_value_number((int64_t)rows);
    progress->n_rows = 0;
    if (progress->store->methods->ask(progress->store, sql, values, n, on_row, progress,
                                      progress->err, WHAT) < 0) {
        return -1;
    }
    if (progress->n_rows == rows && !progress->full && progress->order == BY_DELIVERY && !guid) {
        stop_at_limit(progress);
    }
    return 0;
}

/* ---- one number ---- */

static int on_number(void *context, const struct console_row *row) {
    *(int64_t *)context = console_number(row, 0);
    return 1;
}

/* 0 and `*number`, which stays as it is without a row; -1. */
static int ask_number(struct progress *progress, enum console_sql sql,
                      const struct console_value *values, size_t n, int64_t *number) {
    return progress->store->methods->ask(progress->store, sql, values, n, on_number, number,
                                         progress->err, WHAT);
}

/* ---- states ---- */

struct state_plan {
    const char *state;
    enum console_sql rows, end, count;
    /* Without `counts`, it always has few. */
    bool counts;
};

static const struct state_plan states[] = {
    {"queued", CONSOLE_SEARCH_QUEUED, CONSOLE_END_QUEUED, CONSOLE_COUNT_QUEUED, true},
    {"blocked", CONSOLE_SEARCH_BLOCKED, CONSOLE_END_BLOCKED, CONSOLE_COUNT_BLOCKED, true},
    {"held", CONSOLE_SEARCH_HELD, CONSOLE_END_HELD, CONSOLE_COUNT_HELD, true},
    {"running", CONSOLE_SEARCH_RUNNING, CONSOLE_END_RUNNING, CONSOLE_COUNT_RUNNING, true},
    {"parked", CONSOLE_SEARCH_PARKED, CONSOLE_END_PARKED, CONSOLE_COUNT_PARKED, true},
    {"waiting", CONSOLE_SEARCH_WAITING, CONSOLE_END_WAITING, CONSOLE_COUNT_WAITING, true},
    {"in doubt", CONSOLE_SEARCH_IN_DOUBT, CONSOLE_END_IN_DOUBT, CONSOLE_SQL_COUNT, false},
};

/* 1 and the plan of a state with few runs, and how many it has, if that is counted; 0; -1. */
static int find_plan(struct progress *progress, const struct state_plan **plan, int64_t *runs) {
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        if (!is_state(progress->terms, states[i].state)) {
            continue;
        }
        *plan = &states[i];
        *runs = CONSOLE_FEW;
        if (states[i].counts && ask_number(progress, states[i].count, NULL, 0, runs) < 0) {
            return -1;
        }
        return *runs <= CONSOLE_FEW;
    }
    return 0;
}

static int on_position(void *context, const struct console_row *row) {
    *(struct inbox_search_position *)context =
        (struct inbox_search_position){console_number(row, 0), console_number(row, 1)};
    return 1;
}

/* Dead runs, the last that died first. */
static int search_dead(struct progress *progress) {
    struct inbox_search *search = progress->search;
    const struct inbox_search_position *from = &search->before;
    bool first = from->first == 0 && from->second == 0;
    const struct console_value values[] = {console_value_number(first ? INT64_MAX : from->first),
                                           console_value_number(first ? INT64_MAX : from->second)};
    progress->order = BY_END;
    if (ask_rows(progress, CONSOLE_SEARCH_DEAD, values[0].number, values[1].number, NULL) < 0) {
        return -1;
    }
    if (!progress->full &&
        progress->store->methods->ask(progress->store, CONSOLE_SEARCH_DEAD_END, values, 2,
                                      on_position, &search->next, progress->err, WHAT) < 0) {
        return -1;
    }
    search->reached_ms = search->next.first;
    return 0;
}

/* The wall clock's time at which the delivery at `next` was received. */
static int find_reached(struct progress *progress) {
    struct inbox_search *search = progress->search;
    struct console_value id = console_value_number(search->next.first);
    return search->next.first == 0
               ? 0
               : ask_number(progress, CONSOLE_RECEIVED_AT, &id, 1, &search->reached_ms);
}

/* The runs of a state that has `runs` of them. A position has the run's id, too; one of
 * search_ids() has 1 there. */
static int search_state(struct progress *progress, const struct state_plan *plan, int64_t runs) {
    struct inbox_search *search = progress->search;
    const struct inbox_search_position *from = &search->before;
    int64_t delivery = INT64_MAX;
    struct console_value run = console_value_number(INT64_MAX);
    if (from->second > 1) {
        run = console_value_number(from->second);
    } else if (from->first > 0) {
        delivery = from->first;
    }
    progress->order = BY_RUN;
    if (ask_rows(progress, plan->rows, run.number, delivery, NULL) < 0) {
        return -1;
    }
    if (!progress->full && runs > CONSOLE_RUNS_CHUNK &&
        progress->store->methods->ask(progress->store, plan->end, &run, 1, on_position,
                                      &search->next, progress->err, WHAT) < 0) {
        return -1;
    }
    return find_reached(progress);
}

/* ---- deliveries by their ids ---- */

/* Deliveries between two ids, both exclusive. */
struct range {
    int64_t after, before;
};

/* The ids that `since_ms` and `until_ms` leave. Ids are given out nearly in the order of arrival.
 */
#define SLACK 1000

static int find_range(struct progress *progress, struct range *range) {
    const struct inbox_search_filter *filter = &progress->search->filter;
    const struct inbox_search_position *from = &progress->search->before;
    *range = (struct range){0, from->first > 0 ? from->first : INT64_MAX};
    if (filter->since_ms > 0) {
        int64_t id = 0;
        struct console_value since = console_value_number(filter->since_ms);
        if (ask_number(progress, CONSOLE_SINCE_ID, &since, 1, &id) < 0) {
            return -1;
        }
        range->after = id > SLACK ? id - SLACK : 0;
        if (id == 0) {
            range->before = 0;
        }
    }
    if (filter->until_ms > 0) {
        int64_t id = 0;
        struct console_value until = console_value_number(filter->until_ms);
        if (ask_number(progress, CONSOLE_UNTIL_ID, &until, 1, &id) < 0) {
            return -1;
        }
        if (id < INT64_MAX - SLACK && id + SLACK < range->before) {
            range->before = id > 0 ? id + SLACK : 0;
        }
    }
    return 0;
}

/* Fills the bits of the wanted names; false: there are none. */
static bool find_names(const struct progress *progress, struct console_value *bits) {
    const struct inbox_search_filter *filter = &progress->search->filter;
    const char *const texts[NAME_KINDS] = {
        [NAME_REPOSITORY] = filter->number > 0 ? NULL : filter->repository,
        [NAME_ITEM] = filter->number > 0 ? filter->repository : NULL,
        [NAME_SENDER] = filter->sender,
        [NAME_PLUGIN] = filter->plugin,
        [NAME_EVENT] = filter->event};
    size_t n = 0;
    for (int kind = 0; kind < NAME_KINDS && n < BITS; kind++) {
        uint32_t hashes[NAME_FILTER_HASHES];
        if (!texts[kind]) {
            continue;
        }
        name_filter_bits(kind, texts[kind], kind == NAME_ITEM ? filter->number : 0, hashes);
        for (int i = 0; i < NAME_FILTER_HASHES; i++) {
            bits[n++] = console_value_number(hashes[i]);
        }
    }
    /* The others repeat the first name. */
    for (size_t i = n; n > 0 && i < BITS; i++) {
        bits[i] = bits[i % NAME_FILTER_HASHES];
    }
    return n > 0;
}

struct matches {
    struct range ranges[CONSOLE_PARTS];
    size_t n;
};

static int on_match(void *context, const struct console_row *row) {
    struct matches *matches = context;
    matches->ranges[matches->n++] =
        (struct range){console_number(row, 0) - 1, console_number(row, 1) + 1};
    return matches->n == CONSOLE_PARTS;
}

/* The next parts whose filters match. */
static int find_matches(struct progress *progress, const struct range *range,
                        const struct console_value *bits, struct matches *matches) {
    struct console_value values[2 + BITS] = {console_value_number(range->before),
                                             console_value_number(range->after)};
    memcpy(values + 2, bits, sizeof *bits * BITS);
    matches->n = 0;
    return progress->store->methods->ask(progress->store, CONSOLE_FILTERS_MATCH, values,
                                         ARRAY_LENGTH(values), on_match, matches, progress->err,
                                         WHAT);
}

/* Reads the last deliveries of the range that are after `floor`, and cuts them off. */
static int scan_part(struct progress *progress, struct range *range, int64_t floor) {
    int64_t end = floor + 1;
    const struct console_value values[] = {console_value_number(range->before),
                                           console_value_number(floor)};
    if (ask_number(progress, CONSOLE_CHUNK_END, values, 2, &end) < 0 ||
        ask_rows(progress, CONSOLE_SEARCH_RANGE, end - 1, range->before, NULL) < 0) {
        return -1;
    }
    range->before = end;
    return 0;
}

/* Reads the parts that match, and cuts off what was looked at. */
static int scan_matches(struct progress *progress, struct range *range,
                        const struct console_value *bits, int *parts) {
    struct matches matches;
    if (find_matches(progress, range, bits, &matches) < 0) {
        return -1;
    }
    size_t i = 0;
    while (!progress->full && *parts > 0 && i < matches.n) {
        struct range part = matches.ranges[i++];
        part.before = part.before < range->before ? part.before : range->before;
        int64_t after = part.after > range->after ? part.after : range->after;
        if (ask_rows(progress, CONSOLE_SEARCH_RANGE, after, part.before, NULL) < 0) {
            return -1;
        }
        range->before = part.after + 1;
        *parts -= 1;
    }
    if (matches.n < CONSOLE_PARTS && !progress->full && *parts > 0) {
        range->before = range->after + 1;
    }
    return 0;
}

static int search_ids(struct progress *progress) {
    struct inbox_search *search = progress->search;
    struct console_value bits[BITS];
    struct range range;
    int64_t filtered = 0;
    /* Each row of these comes to is_wanted(), which takes longer than the store. */
    int parts = filters_here(progress) ? PARTS_OF_CHUNK : CONSOLE_PARTS;
    bool names = find_names(progress, bits);
    if (find_range(progress, &range) < 0 ||
        (names && ask_number(progress, CONSOLE_FILTERS_END, NULL, 0, &filtered) < 0)) {
        return -1;
    }
    while (parts > 0 && !progress->full && range.before > range.after + 1) {
        int64_t floor = filtered > range.after ? filtered : range.after;
        int done;
        if (range.before > floor + 1) {
            parts -= PARTS_OF_CHUNK;
            done = scan_part(progress, &range, floor);
        } else {
            done = scan_matches(progress, &range, bits, &parts);
        }
        if (done < 0) {
            return -1;
        }
    }
    if (!progress->full && range.before > range.after + 1) {
        search->next = (struct inbox_search_position){range.before, 1};
    }
    return find_reached(progress);
}

/* ---- */

static int do_search(struct progress *progress) {
    const struct inbox_search *search = progress->search;
    const struct state_plan *plan;
    int64_t runs;
    if (search->filter.guid) {
        return ask_rows(progress, CONSOLE_SEARCH_GUID, 0, INT64_MAX, search->filter.guid);
    }
    if (is_state(progress->terms, "dead")) {
        return search_dead(progress);
    }
    int few = find_plan(progress, &plan, &runs);
    if (few != 0) {
        return few < 0 ? -1 : search_state(progress, plan, runs);
    }
    return search_ids(progress);
}

int console_search(struct console_store *store, struct inbox_search *search, struct error *err) {
    CLEANUP(terms_finish) struct terms terms;
    assert(search->most > 0 && search->most <= INBOX_SEARCH_MOST_MAX);
    assert(search->filter.number == 0 || search->filter.repository ||
           search->filter.repository_part);
    if (terms_init(&terms, &search->filter) < 0) {
        return store->methods->no_memory(store, err, WHAT);
    }
    struct progress progress = {.store = store, .search = search, .terms = &terms, .err = err};
    return do_search(&progress) < 0 ? -1 : 0;
}
