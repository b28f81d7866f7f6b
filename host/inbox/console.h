/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console's questions: search, one delivery, the timeline of an item, failures by reason,
 * numbers over time, recovery, and the actions of persons.
 *
 *   host's inbox    <-- changes: RERUN, DISCARD, PREVIEW.., HOLD_PUT.., RELEASE, ACTION_PUT
 *   console's inbox <-- reads: everything else of this header, and LIST, BODY, STATS, HOLDS ...
 *
 * The console reads through an inbox of its own, which inbox_open_reader() opens after the
 * host's inbox. It has its own thread and connection, so no webhook waits for a page. Free it
 * before the host's inbox.
 *
 * Every operation looks at a bounded number of rows, and finds them by an index. At 1,000,000
 * deliveries each one takes milliseconds (tests/bench/console.c). Times are wall clock, in
 * milliseconds since 1970. Texts that go in are borrowed until on_result(). Texts that come out are
 * UTF-8 as stored, so they are hostile. */
#ifndef SNEK_INBOX_CONSOLE_H
#define SNEK_INBOX_CONSOLE_H

#include "inbox/admin.h"
#include "inbox/limits.h"
#include "inbox/operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- INBOX_SEARCH ---- */

/* Entries that one search returns at most; it may exceed it by the other runs of the last delivery.
 */
#define INBOX_SEARCH_MOST_MAX ((size_t)500)

/* A shorter start of a GUID is none. */
#define INBOX_GUID_START_MIN ((size_t)4)

/* Where a page of a search ends. Zeros: none. Pass it on unchanged; a URL may carry both numbers.
 * It fits only the same filters. */
struct inbox_search_position {
    int64_t first, second;
};

/* Each filter is NULL (or 0) for any value. All of them must match. */
struct inbox_search_filter {
    /* One delivery. */
    const char *guid;
    /* "owner/name", and the number of an issue, pull request or discussion there. Case does not
     * matter. A number needs a repository or a part of one. */
    const char *repository;
    int64_t number;
    /* A login. Case does not matter. */
    const char *sender;
    const char *plugin, *event, *action, *installation;
    /* See inbox_entry, or "in doubt": runs with an effect in doubt that are not running; or
     * "skipped": runs that are done, and whose plugin did nothing. */
    const char *state;
    /* A part of the label or reason of a run, in any state. Case does not matter. */
    const char *reason;
    /* Runs of one group of INBOX_FAILURES: its `reason`, compared as that groups. Without a state
     * it finds runs that are dead. */
    const char *reason_group;
    /* The owner or the name of a repository. Case does not matter. */
    const char *repository_part;
    /* The start of a GUID, of INBOX_GUID_START_MIN characters or more, an installation, the owner
     * or the name of a repository, or a part of the label or reason of a run. */
    const char *any;
    /* Deliveries that were received from `since_ms` on and before `until_ms`. A delivery that was
     * redelivered later keeps its place. */
    int64_t since_ms, until_ms;
};

/* Lists runs with their deliveries, the newest delivery first (dead runs: the last that died
 * first; runs of another state that are few: the newest run first). All runs of a delivery are
 * together, except where hosts that share a store wrote them at the same time. A delivery without a
 * run is found unless a filter of runs is given (plugin, state, reason); with `any`, if that finds
 * the delivery itself. One operation looks at no more than some thousand rows. So it may return few
 * entries, or none, and `next`; continue with `before` = `next` until that is none. Result: 0. */
struct inbox_search {
    struct inbox_operation operation;
    struct inbox_search_filter filter;
    struct inbox_search_position before;
    /* 1 to INBOX_SEARCH_MOST_MAX. */
    size_t most;

    /* Out: inbox_entries_free(). */
    struct inbox_entry *entries;
    size_t n_entries;
    /* Out. */
    struct inbox_search_position next;
    /* Out: with `next`, the search has looked at all deliveries since about then; 0: not known. */
    int64_t reached_ms;
};

/* ---- INBOX_SHOW ---- */

/* A request of a run as the journal has it. While a run is not finished these are reads and
 * effects; afterwards only its effects. */
struct inbox_shown_request {
    /* Index of the run in `runs`. */
    size_t run;
    /* See inbox_record. */
    enum inbox_record_kind kind;
    enum inbox_record_state state;
    bool dry;
    /* When the intent or the result was recorded. */
    int64_t at_ms;
    /* 0: no response. */
    int32_t status;
    int64_t body_bytes;
    /* Freed with it. `message`: why it failed; "" none. */
    char *method, *url, *message;
};

/* The end of an attempt that failed, waited or was parked. A run that ended well, or was
 * interrupted without fault of its own, has no row for that; its entry says so. The newest
 * INBOX_ATTEMPTS_MAX of a run are kept. */
#define INBOX_ATTEMPTS_MAX 50
struct inbox_shown_attempt {
    /* Index of the run in `runs`. */
    size_t run;
    int64_t attempt, ended_ms;
    /* "retry", "wait", "park" or "dead". */
    char how[8];
    /* Freed with it. */
    char *label, *reason;
};

/* One delivery with all that the store knows about it, in one transaction. Its body comes from
 * INBOX_BODY. Result: 0, or INBOX_UNKNOWN; then there may still be rows of the audit, which outlive
 * the delivery. */
struct inbox_show {
    struct inbox_operation operation;
    const char *guid;

    /* Out, as all below: inbox_show_finish(). One entry with `plugin` "" when it has no run. */
    struct inbox_entry *runs;
    size_t n_runs;
    /* By run and number; at most INBOX_SHOWN_MAX. */
    struct inbox_shown_request *requests;
    size_t n_requests;
    /* By run and time. */
    struct inbox_shown_attempt *attempts;
    size_t n_attempts;
    /* In order; at most INBOX_SHOWN_MAX. The row of an effect has GitHub's request id. */
    struct inbox_audit_entry *audit;
    size_t n_audit;
    /* There are more requests or rows of the audit. */
    bool cut;
};
#define INBOX_SHOWN_MAX 1000

void inbox_show_finish(struct inbox_show *show);

/* ---- INBOX_TIMELINE ---- */

/* The history of one item: its deliveries with their runs, as INBOX_SEARCH with `repository` and
 * `number` lists them, and the effects of all plugins on it. Merge both by time. Result: 0. */
struct inbox_timeline {
    struct inbox_operation operation;
    /* "owner/name", any case. */
    const char *repository;
    int64_t number;
    struct inbox_search_position before;
    size_t most;

    /* Out: inbox_timeline_finish(). */
    struct inbox_entry *entries;
    size_t n_entries;
    struct inbox_search_position next;
    int64_t reached_ms;
    /* Out: the latest INBOX_SHOWN_MAX effects that were sent to this item, the newest first; with
     * `before`, none. An effect that names its item by an id (GraphQL) is not among them. Its
     * delivery's GUID is in `delivery`. */
    struct inbox_timeline_effect {
        struct inbox_audit_entry audit;
        char delivery[INBOX_GUID_MAX + 1];
    } * effects;
    size_t n_effects;
};

void inbox_timeline_finish(struct inbox_timeline *timeline);

/* ---- INBOX_FAILURES ---- */

/* Runs that an operator has to bring back: dead and parked ones with the same plugin, label and
 * reason. Ids in a reason count as equal, and a group has "#" in their place: numbers that follow
 * "#" or "/" or have four digits or more, and words of eight or more hexadecimal digits with a
 * number. A status such as 404 stays. INBOX_SEARCH with state, plugin and reason_group finds its
 * runs. */
struct inbox_failure_group {
    /* "dead" or "parked". */
    char state[8];
    char plugin[INBOX_NAME_MAX + 1];
    /* Freed with it. `last_reason`: that of the last run, with its ids. */
    char *label, *reason, *last_reason;
    int64_t runs;
    /* When its first and last run died or was parked. */
    int64_t first_ms, last_ms;
    /* The delivery of the last one. */
    char guid[INBOX_GUID_MAX + 1];
};

/* Groups the INBOX_FAILURES_MAX runs that died last, and as many parked ones; at most
 * INBOX_FAILURE_GROUPS_MAX groups, the one that was seen last first. With a plugin, it counts only
 * that plugin's runs, and may read the whole index of dead runs to find them. Result: 0. */
#define INBOX_FAILURES_MAX 2000
#define INBOX_FAILURE_GROUPS_MAX 200
struct inbox_failures {
    struct inbox_operation operation;
    /* NULL: all. */
    const char *plugin;

    /* Out: inbox_failures_free(). */
    struct inbox_failure_group *groups;
    size_t n_groups;
    /* Out: there are more runs than were looked at, or more groups. */
    bool cut;
};

void inbox_failures_free(struct inbox_failure_group *groups, size_t n_groups);
/* Makes the reason of a group, in place. */
void inbox_failure_reason(char *reason);

/* ---- INBOX_SERIES, INBOX_DIGEST ---- */

enum inbox_series_span {
    /* 60 buckets of a minute. */
    INBOX_SERIES_HOUR,
    /* 96 buckets of a quarter of an hour. */
    INBOX_SERIES_DAY,
    /* 168 buckets of an hour. */
    INBOX_SERIES_WEEK,
};
#define INBOX_SERIES_BUCKETS_MAX 168
int64_t inbox_series_step_ms(enum inbox_series_span span);
size_t inbox_series_buckets(enum inbox_series_span span);

struct inbox_series_bucket {
    /* Deliveries that arrived in this time; with a plugin, its runs of them. */
    int64_t count;
    /* Runs that died in this time and are still dead. */
    int64_t dead;
    /* Runs of these deliveries that had ended when they were summed, the time from the arrival to
     * the end of all of them together, and the longest. */
    int64_t ended, latency_sum_ms, latency_max_ms;
};

/* Numbers over time. The last bucket has the present time. Deliveries are summed once, by the
 * elected host (INBOX_DIGEST), about INBOX_DIGEST_DELAY_MS after they came; the last ones are
 * counted at once, without latency. Result: 0. */
struct inbox_series {
    struct inbox_operation operation;
    enum inbox_series_span span;
    /* NULL: all deliveries. */
    const char *plugin;
    int64_t now_ms;

    /* Out, as all below. */
    struct inbox_series_bucket buckets[INBOX_SERIES_BUCKETS_MAX];
    size_t n_buckets;
    /* Start of the first one. */
    int64_t first_ms;
    /* The deliveries before this are summed; 0: none is. */
    int64_t summed_ms;
};

/* One small step of the elected host, which a page then needs not do: sums up to
 * INBOX_DIGEST_DELIVERIES deliveries that came INBOX_DIGEST_DELAY_MS ago, and builds the filter
 * over their names that a search reads. It does not wait for a delivery that came more than an hour
 * after `now_ms`: a clock was fast. If two hosts take the same step, one of them does nothing. */
#define INBOX_DIGEST_DELAY_MS 120000
#define INBOX_DIGEST_DELIVERIES 512
struct inbox_digest {
    struct inbox_operation operation;
    int64_t now_ms;
    /* Actions of persons from before this are forgotten. */
    int64_t actions_before_ms;
    /* Out: there is more to do. */
    bool more;
};

/* ---- INBOX_PLUGINS ---- */

struct inbox_plugin_runs {
    char plugin[INBOX_NAME_MAX + 1];
    /* Neither `queued` nor `blocked` counts those whose handler asked to wait. */
    int64_t queued, blocked, held, running, waiting, parked, dead;
    /* Runs that arrived in each of the last 24 hours, as far as they are summed; the last is the
     * present hour. */
    int64_t hours[24];
};

/* The plugins that have such runs, or that a host has configured; by name. A count ends at 10,000
 * (all plugins together). Result: 0. */
struct inbox_plugins {
    struct inbox_operation operation;
    int64_t now_ms;
    /* Out: free(). */
    struct inbox_plugin_runs *plugins;
    size_t n_plugins;
};

/* ---- INBOX_RECOVERY ---- */

/* Recovery and pull mode, as the store has them. Result: 0. */
struct inbox_recovery {
    struct inbox_operation operation;

    /* Out, as all below. Deliveries that GitHub listed and the store did not have, within GUIDs'
     * 35 days: all; those for which a host has requested redeliveries, and how many requests; those
     * whose payload it fetched; and those that did not come though all requests were made. Each
     * ends at 10,000. */
    int64_t missing, asked, requests, fetched, given_up;
    /* The last request; 0: none. */
    int64_t last_request_ms;
    /* Pull mode: the host has begun to pull; see inbox_pull_place for the times. */
    bool pulls;
    int64_t place_ms, full_ms;
    /* Entries that wait for their payload, and when GitHub delivered the oldest; 0 none. */
    int64_t waiting, oldest_waiting_ms;
};

/* ---- INBOX_ACTION_PUT, INBOX_ACTIONS ---- */

#define INBOX_ACTION_WHO_MAX 100
#define INBOX_ACTION_TEXT_MAX 300

/* An action of a person. Rows are only added; maintenance deletes those older than
 * store.audit_days. */
struct inbox_action {
    /* From 1. ACTION_PUT sets it. */
    int64_t id;
    int64_t at_ms;
    /* "console admin 203.0.113.9", "cli root". Longer texts are cut. */
    char who[INBOX_ACTION_WHO_MAX + 1];
    /* "retry", "discard", "retry many", "discard many", "pause", "resume", "release",
     * "release installation", "login" ... */
    char what[INBOX_NAME_MAX + 1];
    /* A GUID, a plugin's name, an installation, a preview's filters. */
    char target[INBOX_ACTION_TEXT_MAX + 1];
    /* "2 runs due now", "failed: ...". */
    char result[INBOX_ACTION_TEXT_MAX + 1];
};

struct inbox_action_put {
    struct inbox_operation operation;
    struct inbox_action action;
};

/* Lists actions, the newest first. Result: 0. */
#define INBOX_ACTIONS_MOST_MAX ((size_t)500)
struct inbox_actions {
    struct inbox_operation operation;
    /* Only those with a smaller id; 0: from the newest on. */
    int64_t before;
    size_t most;
    /* Only this target; NULL: all. */
    const char *target;
    /* Out: free(). */
    struct inbox_action *actions;
    size_t n_actions;
    /* Out: there are more. */
    bool more;
};

#endif
