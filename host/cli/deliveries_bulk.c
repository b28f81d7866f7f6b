/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Retries or discards many runs in two steps. The preview counts the runs and stores which they
 * are. The second step changes exactly these runs, one in a transaction, as long as they are in the
 * state that the preview showed. */
#include "cli/deliveries_bulk.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/deliveries_output.h"
#include "inbox/previews.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#define VERB "deliveries"
/* Entries that one operation reads. */
#define PART ((size_t)500)

/* Runs that only an operator brings back; and runs that wait, but not those that run. */
static const char *const retried[] = {"dead", "parked", NULL};
static const char *const discarded[] = {"queued", "waiting", "blocked", "held", "parked", NULL};

/* ---- the filter ---- */

struct inbox_list deliveries_filter_list(const struct deliveries_filter *filter) {
    struct inbox_list list = {.operation = {.kind = INBOX_LIST},
                              .state = filter->state,
                              .plugin = filter->plugin,
                              .event = filter->event,
                              .since_ms = filter->since_ms,
                              .most = PART};
    if (filter->until_ms > 0) {
        /* Before the first delivery of that millisecond. */
        list.before = (struct inbox_list_position){.received_ms = filter->until_ms, .delivery = 1};
    }
    return list;
}

bool deliveries_filter_matches(const struct deliveries_filter *filter,
                               const struct inbox_entry *entry) {
    if (filter->repository && strcasecmp(entry->repository, filter->repository) != 0) {
        return false;
    }
    return !filter->reason || strcasestr(entry->reason, filter->reason) ||
           strcasestr(entry->label, filter->reason);
}

/* ---- the preview ---- */

struct selection {
    struct inbox_preview_run *runs;
    size_t n_runs;
    /* How many runs each plugin has in each state. */
    json_t *counts;
};

static void selection_finish(struct selection *selection) {
    free(selection->runs);
    json_decref(selection->counts);
}

static int no_memory(void) {
    fputs("snekomatic " VERB ": out of memory\n", stderr);
    return EX_OSERR;
}

static int count(struct selection *selection, const struct inbox_entry *entry) {
    json_t *states = json_object_get(selection->counts, entry->plugin);
    if (!states) {
        states = json_object();
        if (json_object_set_new(selection->counts, entry->plugin, states) < 0) {
            return -1;
        }
    }
    json_int_t before = json_integer_value(json_object_get(states, entry->state));
    return json_object_set_new(states, entry->state, json_integer(before + 1));
}

static int select_run(struct selection *selection, const struct inbox_entry *entry) {
    struct inbox_preview_run *run = ARRAY_ADD(selection->runs, selection->n_runs);
    if (!run || count(selection, entry) < 0) {
        return no_memory();
    }
    run->run = entry->run;
    snprintf(run->state, sizeof run->state, "%s", entry->state);
    return EX_OK;
}

/* A list of queued or blocked runs has those too that wait by their own wish; `state` decides. */
static bool is_wanted(const struct deliveries_filter *filter, const struct inbox_entry *entry) {
    return *entry->plugin && strcmp(entry->state, filter->state) == 0 &&
           deliveries_filter_matches(filter, entry);
}

static int select_state(struct store_client *store_client, const struct deliveries_filter *filter,
                        struct selection *selection) {
    struct inbox_list list = deliveries_filter_list(filter);
    int status = EX_OK;
    do {
        if (store_client_do(store_client, VERB, &list.operation) < 0) {
            return EX_TEMPFAIL;
        }
        for (size_t i = 0; i < list.n_entries && status == EX_OK; i++) {
            if (is_wanted(filter, &list.entries[i])) {
                status = select_run(selection, &list.entries[i]);
            }
        }
        inbox_entries_free(list.entries, list.n_entries);
        list.before = list.next;
    } while (status == EX_OK && list.next.delivery != 0);
    return status;
}

static int by_run(const void *a, const void *b) {
    const struct inbox_preview_run *left = a, *right = b;
    return (left->run > right->run) - (left->run < right->run);
}

/* Collects the runs, the oldest first. */
static int select_runs(struct store_client *store_client, const struct deliveries_filter *filter,
                       bool discards, struct selection *selection) {
    const char *const one[] = {filter->state, NULL};
    const char *const *states = discards ? discarded : retried;
    if (filter->state) {
        states = one;
    }
    for (size_t i = 0; states[i]; i++) {
        struct deliveries_filter of_state = *filter;
        of_state.state = states[i];
        int status = select_state(store_client, &of_state, selection);
        if (status != EX_OK) {
            return status;
        }
    }
    if (selection->n_runs > 0) {
        qsort(selection->runs, selection->n_runs, sizeof *selection->runs, by_run);
    }
    return EX_OK;
}

/* Stores the preview, and finds how many of its runs have an effect in doubt. */
static int store_preview(struct store_client *store_client, const struct selection *selection,
                         bool discards, int64_t preview, int64_t *in_doubt) {
    for (size_t at = 0; at < selection->n_runs; at += INBOX_PREVIEW_RUNS_MAX) {
        size_t left = selection->n_runs - at;
        struct inbox_preview operation = {
            .operation = {.kind = INBOX_PREVIEW},
            .preview = preview,
            .begins = at == 0,
            .discards = discards,
            .now_ms = clock_wall_ms(),
            .runs = selection->runs + at,
            .n_runs = left < INBOX_PREVIEW_RUNS_MAX ? left : INBOX_PREVIEW_RUNS_MAX,
            .first = at};
        if (store_client_do(store_client, VERB, &operation.operation) < 0) {
            return EX_TEMPFAIL;
        }
        *in_doubt = operation.in_doubt;
    }
    return EX_OK;
}

static void print_preview(const struct selection *selection, bool discards, int64_t preview,
                          int64_t in_doubt) {
    const char *plugin, *state;
    json_t *states, *number;
    const char *action = discards ? "discard" : "retry";
    char words[64];
    printf("%zu run%s would be %s:\n", selection->n_runs, selection->n_runs == 1 ? "" : "s",
           discards ? "discarded" : "retried");
    json_object_foreach(selection->counts, plugin, states) {
        json_object_foreach(states, state, number) {
            printf("  %6" JSON_INTEGER_FORMAT "  %-8s ", json_integer_value(number), state);
            deliveries_print_text(plugin, 0);
            printf("\n");
        }
    }
    if (in_doubt > 0) {
        printf("%" PRId64 " of them %s an effect in doubt, which stays in doubt\n", in_doubt,
               in_doubt == 1 ? "has" : "have");
    }
    snprintf(words, sizeof words, "deliveries %s --yes %" PRId64, action, preview);
    printf("To %s exactly %s, within an hour: %s\n", action,
           selection->n_runs == 1 ? "this run" : "these runs", cli_command(words).text);
}

static int show_preview(const struct selection *selection, bool discards, int64_t preview,
                        int64_t in_doubt, bool json) {
    if (!json) {
        print_preview(selection, discards, preview, in_doubt);
        return EX_OK;
    }
    return deliveries_print_json(
        json_pack("{s:o, s:s, s:I, s:I, s:O}", "preview",
                  selection->n_runs > 0 ? json_integer(preview) : json_null(), "action",
                  discards ? "discard" : "retry", "runs", (json_int_t)selection->n_runs, "in_doubt",
                  (json_int_t)in_doubt, "plugins", selection->counts));
}

int deliveries_bulk_preview(struct store_client *store_client,
                            const struct deliveries_filter *filter, bool discards, bool json) {
    CLEANUP(selection_finish) struct selection selection = {.counts = json_object()};
    /* Nine digits, so that no slip of a finger names another preview. */
    int64_t preview = 100000000 + (int64_t)arc4random_uniform(900000000), in_doubt = 0;
    int status = selection.counts ? EX_OK : no_memory();
    if (status == EX_OK) {
        status = select_runs(store_client, filter, discards, &selection);
    }
    if (status == EX_OK && selection.n_runs == 0 && !json) {
        fprintf(stderr,
                "snekomatic " VERB
                ": no run is like that: without --state, retry takes dead and parked runs, and"
                " discard takes runs that wait; `%s` takes the same options\n",
                cli_command("deliveries list").text);
        return EX_DATAERR;
    }
    if (status == EX_OK) {
        status = store_preview(store_client, &selection, discards, preview, &in_doubt);
    }
    return status == EX_OK ? show_preview(&selection, discards, preview, in_doubt, json) : status;
}

/* ---- carrying it out ---- */

struct progress {
    bool discards, json;
    int64_t began_ms, per_minute;
    int64_t changed;
    /* With --json: the runs that were left alone. */
    json_t *left;
};

/* The first is due now. */
static int64_t next_due_ms(const struct progress *progress) {
    return progress->per_minute == 0
               ? progress->began_ms
               : progress->began_ms + progress->changed * 60000 / progress->per_minute;
}

static void left_alone(struct progress *progress, const struct inbox_preview_apply *apply) {
    bool pruned = apply->operation.result == INBOX_PREVIEW_PRUNED;
    const char *why = pruned ? "its payload was pruned" : "its state has changed";
    if (!*apply->guid) {
        why = "its delivery was forgotten";
    }
    if (progress->json) {
        json_array_append_new(progress->left,
                              json_pack("{s:s, s:s, s:s, s:s}", "delivery", apply->guid, "plugin",
                                        apply->plugin, "state", apply->state, "why", why));
        return;
    }
    printf("left alone: ");
    deliveries_print_text(*apply->guid ? apply->guid : "a run", 0);
    printf("%s", *apply->plugin ? "  " : "");
    deliveries_print_text(apply->plugin, 0);
    printf("  %s%s%s\n", why, *apply->state && !pruned ? ": now " : "",
           *apply->state && !pruned ? apply->state : "");
}

/* Changes the next run. 1 there may be more, 0 it was the last, -1 an error. */
static int apply_next(struct store_client *store_client, struct progress *progress,
                      int64_t preview) {
    struct inbox_preview_apply apply = {.operation = {.kind = INBOX_PREVIEW_APPLY},
                                        .preview = preview,
                                        .discards = progress->discards,
                                        .now_ms = clock_wall_ms(),
                                        .due_ms = next_due_ms(progress)};
    switch (store_client_do(store_client, VERB, &apply.operation)) {
    case 0:
        progress->changed++;
        return 1;
    case INBOX_PREVIEW_CHANGED:
    case INBOX_PREVIEW_PRUNED:
        left_alone(progress, &apply);
        return 1;
    case INBOX_PREVIEW_END:
        return 0;
    case INBOX_PREVIEW_UNKNOWN:
        fprintf(stderr,
                "snekomatic " VERB ": there is no preview %" PRId64
                " of a %s: it is of the other kind, was carried out, or is more than an hour "
                "old; make a new one\n",
                preview, progress->discards ? "discard" : "retry");
        return -EX_DATAERR;
    default:
        fprintf(stderr,
                "snekomatic " VERB ": %" PRId64 " runs were %s before that; the same command goes"
                " on with the others\n",
                progress->changed, progress->discards ? "discarded" : "retried");
        return -EX_TEMPFAIL;
    }
}

/* How long after the first run the last one is due. */
static int64_t last_due_s(const struct progress *progress) {
    bool spread = progress->per_minute > 0 && progress->changed > 1;
    return spread ? (progress->changed - 1) * 60 / progress->per_minute : 0;
}

static int report_json(const struct progress *progress) {
    return deliveries_print_json(
        json_pack("{s:I, s:I, s:O}", progress->discards ? "discarded" : "retried",
                  (json_int_t)progress->changed, "last_due_s", (json_int_t)last_due_s(progress),
                  "left", progress->left));
}

static void report(const struct progress *progress) {
    const char *s = progress->changed == 1 ? "" : "s";
    int64_t last_s = last_due_s(progress);
    if (progress->discards) {
        printf("%" PRId64 " run%s discarded\n", progress->changed, s);
    } else if (last_s > 0) {
        printf("%" PRId64 " run%s due, the first now, the last in %" PRId64 " s\n",
               progress->changed, s, last_s);
    } else {
        printf("%" PRId64 " run%s due now\n", progress->changed, s);
    }
}

static void record(struct store_client *store_client, const struct progress *progress,
                   int64_t preview, bool whole) {
    char target[40];
    snprintf(target, sizeof target, "preview %" PRId64, preview);
    store_client_record(store_client, VERB, progress->discards ? "discard many" : "retry many",
                        target, "%" PRId64 " run%s %s%s", progress->changed,
                        progress->changed == 1 ? "" : "s", progress->discards ? "discarded" : "due",
                        whole ? "" : ", then it failed");
}

int deliveries_bulk_apply(struct store_client *store_client, int64_t preview, bool discards,
                          int64_t per_minute, bool json) {
    struct progress progress = {.discards = discards,
                                .json = json,
                                .began_ms = clock_wall_ms(),
                                .per_minute = per_minute,
                                .left = json_array()};
    assert(per_minute >= 0);
    int more = progress.left ? 1 : -no_memory();
    while (more > 0) {
        more = apply_next(store_client, &progress, preview);
    }
    int status = -more;
    if (progress.changed > 0) {
        record(store_client, &progress, preview, more == 0);
    }
    if (more == 0) {
        status = json ? report_json(&progress) : EX_OK;
    }
    if (more == 0 && !json) {
        report(&progress);
    }
    json_decref(progress.left);
    return status == EX_OK && progress.changed == 0 ? EX_DATAERR : status;
}
