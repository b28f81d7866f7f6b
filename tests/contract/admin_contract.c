/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of what people ask of an inbox (lists, bodies, runs made due or ended by hand), and of
 * its maintenance (what is forgotten, what GitHub is asked for again). */
#include "inbox_contract.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY_MS INT64_C(86400000)

static const char *const two_plugins[] = {"invite", "ping"};

static struct inbox_put_run two_runs[] = {{.plugin = "invite"}, {.plugin = "ping"}};

/* With a run for each of the first `n_runs` of two_plugins. */
static void put_at(struct fixture *fixture, const char *guid, int64_t received_ms, size_t n_runs) {
    struct inbox_put put = put_of(guid);
    put.received_ms = received_ms;
    put.runs = two_runs;
    put.n_runs = n_runs;
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
}

/* Claims what `plugin` has due and ends all of it. */
static void end_runs(struct fixture *fixture, const char *plugin, enum inbox_finish_how how,
                     int64_t finished_ms) {
    struct inbox_claim claim = fixture_claim(fixture, plugin, FIXTURE_NOW);
    assert_true(claim.n_runs > 0);
    for (size_t i = 0; i < claim.n_runs; i++) {
        struct inbox_finish end = finish_of(&claim.runs[i], how);
        end.label = "done";
        if (how != INBOX_DONE) {
            end.label = how == INBOX_DEAD ? "dead" : "retry";
        }
        end.reason = how == INBOX_DONE ? "" : "no such user";
        end.now_ms = finished_ms;
        end.due_ms = finished_ms + 3600000;
        assert_int_equal(fixture_do(fixture, &end.operation), 0);
    }
    inbox_runs_free(claim.runs, claim.n_runs);
}

static struct inbox_list list_of(void) {
    return (struct inbox_list){.operation = {.kind = INBOX_LIST}, .most = SIZE_MAX};
}

/* "GUID/PLUGIN GUID/PLUGIN ", in the order of the list, from as many operations as it takes, which
 * are counted in `*parts`. */
static const char *listed_in(struct fixture *fixture, struct inbox_list list, size_t *parts) {
    static char text[4096];
    size_t used = 0;
    text[0] = '\0';
    do {
        assert_int_equal(fixture_do(fixture, &list.operation), 0);
        for (size_t i = 0; i < list.n_entries; i++) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%s/%s ",
                                     list.entries[i].guid, list.entries[i].plugin);
        }
        inbox_entries_free(list.entries, list.n_entries);
        list.before = list.next;
        ++*parts;
    } while (list.next.delivery != 0);
    return text;
}

static const char *listed(struct fixture *fixture, struct inbox_list list) {
    size_t parts = 0;
    return listed_in(fixture, list, &parts);
}

static int change(struct fixture *fixture, enum inbox_kind kind, const char *guid,
                  const char *plugin, uint64_t runs) {
    struct inbox_change change = {
        .operation = {.kind = kind}, .guid = guid, .plugin = plugin, .now_ms = FIXTURE_NOW};
    int result = fixture_do(fixture, &change.operation);
    assert_int_equal(change.runs, runs);
    return result;
}

/* LIST, BODY */

static void an_entry_tells_all_of_a_run_and_its_delivery(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("guid-1");
    put.action = "closed";
    put.due_ms = FIXTURE_NOW;
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    end_runs(fixture, "invite", INBOX_RETRY, FIXTURE_NOW + 5);
    struct inbox_list list = list_of();
    list.guid = "guid-1";
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_int_equal(list.n_entries, 1);
    assert_int_equal(list.next.delivery, 0);
    const struct inbox_entry *entry = &list.entries[0];
    const char *const texts[][2] = {
        {entry->guid, "guid-1"},         {entry->event, "push"},          {entry->action, "closed"},
        {entry->installation, "7"},      {entry->repository, "octo/cat"}, {entry->sender, "mona"},
        {entry->plugin, "invite"},       {entry->state, "queued"},        {entry->label, "retry"},
        {entry->reason, "no such user"}, {entry->item, "99#12"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_string_equal(texts[i][0], texts[i][1]);
    }
    assert_int_equal(entry->received_ms, FIXTURE_NOW);
    assert_int_equal(entry->body_bytes, 7);
    assert_int_equal(entry->attempt, 1);
    assert_int_equal(entry->due_ms, FIXTURE_NOW + 5 + 3600000);
    assert_int_equal(entry->finished_ms, 0);
    inbox_entries_free(list.entries, list.n_entries);
    list.guid = "another";
    assert_int_equal(fixture_do(fixture, &list.operation), INBOX_UNKNOWN);
}

static void a_list_is_narrowed_by_state_plugin_event_and_time(void **state) {
    struct fixture *fixture = *state;
    put_at(fixture, "done", FIXTURE_NOW, 1);
    end_runs(fixture, "invite", INBOX_DONE, FIXTURE_NOW);
    put_at(fixture, "dead", FIXTURE_NOW + 1, 2);
    end_runs(fixture, "invite", INBOX_DEAD, FIXTURE_NOW);
    put_at(fixture, "none", FIXTURE_NOW + 2, 0);
    put_at(fixture, "new", FIXTURE_NOW + 3, 1);
    struct inbox_list list = list_of();
    assert_string_equal(listed(fixture, list),
                        "new/invite none/ dead/invite dead/ping done/invite ");
    list.plugin = "invite";
    assert_string_equal(listed(fixture, list), "new/invite dead/invite done/invite ");
    list.state = "done";
    assert_string_equal(listed(fixture, list), "done/invite ");
    list.plugin = NULL;
    list.state = "dead";
    assert_string_equal(listed(fixture, list), "dead/invite ");
    list.state = "queued";
    assert_string_equal(listed(fixture, list), "new/invite dead/ping ");
    list.since_ms = FIXTURE_NOW + 2;
    assert_string_equal(listed(fixture, list), "new/invite ");
    list.event = "issues";
    assert_string_equal(listed(fixture, list), "");
    list = list_of();
    list.event = "issues";
    assert_string_equal(listed(fixture, list), "");
    list.event = "push";
    list.since_ms = FIXTURE_NOW + 3;
    assert_string_equal(listed(fixture, list), "new/invite ");
    struct inbox_claim claim = fixture_claim(fixture, "ping", FIXTURE_NOW);
    list = list_of();
    list.state = "running";
    assert_string_equal(listed(fixture, list), "dead/ping ");
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_long_list_comes_in_bounded_parts_and_leaves_nothing_out(void **state) {
    enum { N = 1203 };
    struct fixture *fixture = *state;
    struct inbox_put *puts = calloc(N, sizeof *puts);
    char(*guids)[16] = calloc(N, sizeof *guids);
    assert_non_null(puts);
    assert_non_null(guids);
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(guids[i], sizeof guids[i], "guid-%zu", i);
        puts[i] = put_of(guids[i]);
        puts[i].runs = two_runs;
        puts[i].n_runs = 2;
        puts[i].event = i == 3 ? "issues" : "push";
        fixture_submit(fixture, &puts[i].operation);
    }
    fixture_wait(fixture, N);
    size_t seen = 0, parts = 0;
    static const char *const states[] = {NULL, "queued", "done"};
    for (size_t s = 0; s < 3; s++) {
        struct inbox_list list = list_of();
        list.state = states[s];
        /* Odd: no delivery's runs are torn apart. */
        list.most = 101;
        seen = parts = 0;
        do {
            assert_int_equal(fixture_do(fixture, &list.operation), 0);
            assert_true(list.n_entries <= 102);
            for (size_t i = 0; i < list.n_entries; i++, seen++) {
                assert_string_equal(list.entries[i].guid, guids[N - 1 - seen / 2]);
                assert_string_equal(list.entries[i].plugin, two_plugins[seen % 2]);
            }
            inbox_entries_free(list.entries, list.n_entries);
            list.before = list.next;
            parts++;
        } while (list.next.delivery != 0);
        assert_int_equal(seen, s == 2 ? 0 : 2 * N);
        assert_true(parts > 1);
    }
    struct inbox_list rare = list_of();
    rare.event = "issues";
    assert_string_equal(listed(fixture, rare), "guid-3/invite guid-3/ping ");
    free(puts);
    free(guids);
}

/* Expects that list, from at most `parts` operations. */
static void expect_list(struct fixture *fixture, struct inbox_list list, size_t parts,
                        const char *expected) {
    size_t taken = 0;
    assert_string_equal(listed_in(fixture, list, &taken), expected);
    assert_in_range(taken, 1, parts);
}

static void a_list_of_what_is_rare_or_recent_does_not_look_at_all_deliveries(void **state) {
    enum { N = 2100 };
    struct fixture *fixture = *state;
    struct inbox_put *puts = calloc(N, sizeof *puts);
    char(*guids)[16] = calloc(N, sizeof *guids);
    struct inbox_put_run rare_run = {.plugin = "rare"};
    assert_non_null(puts);
    assert_non_null(guids);
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(guids[i], sizeof guids[i], "guid-%zu", i);
        puts[i] = put_of(guids[i]);
        puts[i].received_ms = FIXTURE_NOW + (int64_t)i;
        puts[i].event = i == 5 ? "issues" : "push";
        puts[i].n_runs = 0;
        if (i == 3) {
            puts[i].runs = &rare_run;
            puts[i].n_runs = 1;
        }
        fixture_submit(fixture, &puts[i].operation);
    }
    fixture_wait(fixture, N);
    struct inbox_list list = list_of();
    list.plugin = "rare";
    expect_list(fixture, list, 1, "guid-3/rare ");
    list.since_ms = FIXTURE_NOW + 4;
    expect_list(fixture, list, 1, "");
    list = list_of();
    list.event = "issues";
    expect_list(fixture, list, 1, "guid-5/ ");
    list = list_of();
    list.state = "queued";
    expect_list(fixture, list, 1, "guid-3/rare ");
    list = list_of();
    list.since_ms = FIXTURE_NOW + N - 2;
    expect_list(fixture, list, 1, "guid-2099/ guid-2098/ ");
    list.event = "push";
    expect_list(fixture, list, 1, "guid-2099/ guid-2098/ ");
    list.since_ms = FIXTURE_NOW + N;
    expect_list(fixture, list, 1, "");
    free(puts);
    free(guids);
}

static void a_delivery_that_came_again_is_listed_by_its_last_arrival(void **state) {
    struct fixture *fixture = *state;
    put_at(fixture, "first", FIXTURE_NOW, 1);
    end_runs(fixture, "invite", INBOX_DONE, FIXTURE_NOW);
    put_at(fixture, "second", FIXTURE_NOW + 1, 1);
    struct inbox_put again = put_of("first");
    again.received_ms = FIXTURE_NOW + 2;
    assert_int_equal(fixture_do(fixture, &again.operation), INBOX_REDELIVERED);
    static const char *const plugins[] = {NULL, "invite"};
    for (size_t i = 0; i < 2; i++) {
        struct inbox_list list = list_of();
        list.plugin = plugins[i];
        list.most = 1;
        assert_string_equal(listed(fixture, list), "first/invite second/invite ");
        list.since_ms = FIXTURE_NOW + 2;
        assert_string_equal(listed(fixture, list), "first/invite ");
    }
}

static void a_body_is_given_back_as_it_came(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("guid-1");
    put.body = "a\0b\xFF";
    put.body_bytes = 4;
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    struct inbox_body body = {.operation = {.kind = INBOX_BODY}, .guid = "guid-1"};
    assert_int_equal(fixture_do(fixture, &body.operation), 0);
    assert_int_equal(body.body->bytes, 4);
    assert_memory_equal(body.body->data, "a\0b\xFF", 5);
    body.body = payload_unref(body.body);
    body.guid = "another";
    assert_int_equal(fixture_do(fixture, &body.operation), INBOX_UNKNOWN);
}

/* REVIVE, DISCARD */

static void reviving_makes_dead_and_waiting_runs_due_from_attempt_1(void **state) {
    struct fixture *fixture = *state;
    put_at(fixture, "guid-1", FIXTURE_NOW, 2);
    assert_int_equal(change(fixture, INBOX_RERUN, "another", NULL, 0), INBOX_UNKNOWN);
    end_runs(fixture, "invite", INBOX_DEAD, FIXTURE_NOW);
    end_runs(fixture, "ping", INBOX_RETRY, FIXTURE_NOW);
    assert_int_equal(change(fixture, INBOX_RERUN, "guid-1", "hello", 0), INBOX_UNCHANGED);
    assert_int_equal(change(fixture, INBOX_RERUN, "guid-1", "invite", 1), 0);
    struct inbox_claim claim = fixture_claim(fixture, "ping", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 0);
    assert_int_equal(change(fixture, INBOX_RERUN, "guid-1", NULL, 2), 0);
    for (size_t i = 0; i < 2; i++) {
        claim = fixture_claim(fixture, two_plugins[i], FIXTURE_NOW);
        assert_int_equal(claim.n_runs, 1);
        assert_int_equal(claim.runs[0].attempt, 1);
        inbox_runs_free(claim.runs, claim.n_runs);
    }
}

static void
a_run_that_crashed_its_worker_is_retried_by_hand_alone_and_from_attempt_1(void **state) {
    struct fixture *fixture = *state;
    put_at(fixture, "guid-1", FIXTURE_NOW, 1);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    struct inbox_finish end = finish_of(&claim.runs[0], INBOX_DEAD);
    end.crashes = 3;
    assert_int_equal(fixture_do(fixture, &end.operation), 0);
    inbox_runs_free(claim.runs, claim.n_runs);
    assert_int_equal(change(fixture, INBOX_RERUN, "guid-1", NULL, 1), 0);
    struct inbox_claim_share share = {
        .plugin = "invite", .runs = 9, .most_bytes = UINT64_MAX, .alone = true};
    claim = claim_of(&share, 1, FIXTURE_NOW);
    assert_int_equal(fixture_do(fixture, &claim.operation), 0);
    assert_int_equal(claim.n_runs, 1);
    assert_true(claim.runs[0].suspect);
    assert_int_equal(claim.runs[0].crashes, 0);
    assert_int_equal(claim.runs[0].attempt, 1);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void reviving_leaves_running_and_done_runs_alone(void **state) {
    struct fixture *fixture = *state;
    put_at(fixture, "guid-1", FIXTURE_NOW, 1);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(change(fixture, INBOX_RERUN, "guid-1", NULL, 0), INBOX_UNCHANGED);
    struct inbox_finish end = finish_of(&claim.runs[0], INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &end.operation), 0);
    inbox_runs_free(claim.runs, claim.n_runs);
    assert_int_equal(change(fixture, INBOX_RERUN, "guid-1", NULL, 0), INBOX_UNCHANGED);
}

static void a_discarded_run_is_dead_and_its_workers_words_are_stale(void **state) {
    struct fixture *fixture = *state;
    put_at(fixture, "guid-1", FIXTURE_NOW, 2);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(change(fixture, INBOX_DISCARD, "another", NULL, 0), INBOX_UNKNOWN);
    assert_int_equal(change(fixture, INBOX_DISCARD, "guid-1", "invite", 1), 0);
    struct inbox_finish end = finish_of(&claim.runs[0], INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &end.operation), INBOX_STALE);
    inbox_runs_free(claim.runs, claim.n_runs);
    assert_int_equal(change(fixture, INBOX_DISCARD, "guid-1", NULL, 1), 0); /* ping's, queued */
    assert_int_equal(change(fixture, INBOX_DISCARD, "guid-1", NULL, 0), INBOX_UNCHANGED);
    assert_int_equal(fixture->store->query(fixture->place,
                                           "SELECT count(*) FROM runs WHERE state = 'dead' AND "
                                           "label = 'discarded' AND finished_ms = 1700000000000"),
                     2);
    claim = fixture_claim(fixture, "ping", FIXTURE_NOW * 2);
    assert_int_equal(claim.n_runs, 0);
}

/* PRUNE */

static struct inbox_prune prune_of(int64_t now_ms) {
    return (struct inbox_prune){.operation = {.kind = INBOX_PRUNE},
                                .done_before_ms = now_ms - 7 * DAY_MS,
                                .dead_before_ms = now_ms - 30 * DAY_MS,
                                .forget_before_ms = now_ms - 35 * DAY_MS,
                                .most = 100,
                                .most_bytes = 1 << 20};
}

/* All steps; how many bodies and deliveries went. */
static void prune(struct fixture *fixture, struct inbox_prune step, uint32_t bodies,
                  uint32_t forgotten) {
    uint32_t steps = 0, total_bodies = 0, total_forgotten = 0;
    do {
        assert_int_equal(fixture_do(fixture, &step.operation), 0);
        total_bodies += step.bodies;
        total_forgotten += step.forgotten;
        step.after = step.next;
        assert_true(steps++ < 1000);
    } while (step.more);
    assert_int_equal(total_bodies, bodies);
    assert_int_equal(total_forgotten, forgotten);
}

static void bodies_go_after_their_time_and_guids_stay(void **state) {
    struct fixture *fixture = *state;
    put_at(fixture, "done", FIXTURE_NOW, 1);
    end_runs(fixture, "invite", INBOX_DONE, FIXTURE_NOW + 1);
    put_at(fixture, "dead", FIXTURE_NOW, 2);
    end_runs(fixture, "invite", INBOX_DEAD, FIXTURE_NOW + 1);
    end_runs(fixture, "ping", INBOX_DONE, FIXTURE_NOW + 1);
    put_at(fixture, "none", FIXTURE_NOW, 0);
    put_at(fixture, "waits", FIXTURE_NOW, 1);
    prune(fixture, prune_of(FIXTURE_NOW + 7 * DAY_MS), 0, 0);
    prune(fixture, prune_of(FIXTURE_NOW + 7 * DAY_MS + 1), 1, 0); /* that ran nothing */
    prune(fixture, prune_of(FIXTURE_NOW + 7 * DAY_MS + 2), 1, 0); /* done */
    prune(fixture, prune_of(FIXTURE_NOW + 30 * DAY_MS + 1), 0, 0);
    prune(fixture, prune_of(FIXTURE_NOW + 30 * DAY_MS + 2), 1, 0); /* dead */

    struct inbox_body body = {.operation = {.kind = INBOX_BODY}, .guid = "done"};
    assert_int_equal(fixture_do(fixture, &body.operation), INBOX_PRUNED);
    assert_int_equal(change(fixture, INBOX_RERUN, "dead", NULL, 0), INBOX_PRUNED);
    assert_int_equal(fixture_count_redelivery(fixture, "done"), INBOX_REDELIVERY_PRESENT);
    prune(fixture, prune_of(FIXTURE_NOW + 35 * DAY_MS), 0, 0);
    prune(fixture, prune_of(FIXTURE_NOW + 35 * DAY_MS + 1), 0, 3);
    assert_int_equal(fixture_count_redelivery(fixture, "done"), INBOX_REDELIVERY_COUNTED);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM runs"), 1);
    struct inbox_claim claim =
        fixture_claim(fixture, "invite", FIXTURE_NOW); /* what waits is kept */
    assert_int_equal(claim.n_runs, 1);
    assert_int_equal(claim.runs[0].payload->bytes, 7);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static int64_t query(struct fixture *fixture, const char *sql) {
    return fixture->store->query(fixture->place, sql);
}

static void a_run_whose_plugin_is_not_configured_is_marked_and_ends_after_retention(void **state) {
    struct fixture *fixture = *state;
    put_at(fixture, "gone", FIXTURE_NOW, 2);
    put_at(fixture, "parked", FIXTURE_NOW, 2);
    assert_int_equal(query(fixture, "SELECT count(*) FROM runs WHERE state = 'queued'"), 4);
    end_runs(fixture, "ping", INBOX_PARK, FIXTURE_NOW);
    struct inbox_prune step = prune_of(FIXTURE_NOW + 7 * DAY_MS);
    step.now_ms = FIXTURE_NOW + 7 * DAY_MS;
    step.configured = "\ninvited\npin\nping\n";
    prune(fixture, step, 0, 0);
    assert_int_equal(query(fixture, "SELECT count(*) FROM runs WHERE state = 'queued' AND plugin ="
                                    " 'invite' AND label = 'not_configured' AND reason ="
                                    " 'its plugin is not configured'"),
                     2);
    step.configured = "\ninvite\n";
    prune(fixture, step, 0, 0);
    assert_int_equal(query(fixture, "SELECT count(*) FROM runs WHERE state = 'parked' AND plugin ="
                                    " 'ping' AND reason LIKE '%its plugin is not configured'"),
                     2);
    step = prune_of(FIXTURE_NOW + 7 * DAY_MS + 1);
    step.now_ms = FIXTURE_NOW + 7 * DAY_MS + 1;
    prune(fixture, step, 0, 0); /* not known */
    assert_int_equal(query(fixture, "SELECT count(*) FROM runs WHERE state = 'dead'"), 0);
    step.configured = "\ninvite\n";
    prune(fixture, step, 0, 0);
    assert_int_equal(query(fixture, "SELECT count(*) FROM runs WHERE state = 'dead' AND plugin ="
                                    " 'ping' AND finished_ms = 1700604800001"),
                     2);
    step.configured = "\nping\n";
    prune(fixture, step, 0, 0);
    assert_int_equal(query(fixture, "SELECT count(*) FROM runs WHERE state = 'dead'"), 4);
    prune(fixture, prune_of(step.now_ms + 30 * DAY_MS), 0, 0);
    prune(fixture, prune_of(step.now_ms + 30 * DAY_MS + 1), 2, 1);
}

/* Delivery i came at the time i. */
static void insert_deliveries(struct fixture *fixture, int n) {
    char sql[400];
    (void)snprintf(
        sql, sizeof sql,
        "WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d)"
        " INSERT INTO deliveries (guid, event, action, installation, repository, sender,"
        " item, received_ms, body_codec, body_bytes) SELECT 'guid-' || i, 'push', '', '7',"
        " '', '', '', i, 0, 0 FROM s",
        n);
    (void)query(fixture, sql);
}

/* The other operations of a group wait for its step. A million runs may have to be marked. */
static void many_runs_whose_plugin_is_not_configured_are_marked_in_small_steps(void **state) {
    struct fixture *fixture = *state;
    insert_deliveries(fixture, 11000);
    (void)query(fixture, "INSERT INTO runs (delivery, plugin, installation, state, due_ms) SELECT"
                         " id, CASE WHEN received_ms % 2 = 0 THEN 'gone' ELSE 'invite' END, '7',"
                         " CASE WHEN received_ms % 6 = 0 THEN 'blocked' WHEN received_ms % 6 = 2"
                         " THEN 'parked' ELSE 'queued' END, received_ms FROM deliveries");
    for (int pass = 0; pass < 2; pass++) {
        struct inbox_prune step = prune_of(0);
        step.configured = "\ninvite\n";
        uint32_t marked = 0;
        unsigned steps = 0;
        do {
            step.after = step.next;
            assert_int_equal(fixture_do(fixture, &step.operation), 0);
            assert_in_range(step.marked, 0, 100);
            marked += step.marked;
            steps++;
        } while (step.more);
        assert_int_equal(marked, pass == 0 ? 5500 : 0);
        assert_in_range(steps, pass == 0 ? 55 : 11, pass == 0 ? 56 : 12);
    }
    assert_int_equal(query(fixture, "SELECT count(*) FROM runs WHERE label = 'not_configured'"),
                     5500);
}

/* A pass may have thousands of steps. */
static void a_pass_looks_once_for_unwanted_runs(void **state) {
    struct fixture *fixture = *state;
    insert_deliveries(fixture, 250);
    struct inbox_prune step = prune_of(FIXTURE_NOW);
    step.configured = "\nping\n";
    for (int i = 0; i < 3; i++) {
        char guid[16];
        (void)snprintf(guid, sizeof guid, "waits-%d", i);
        struct inbox_put put = put_of(guid);
        assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
        assert_int_equal(fixture_do(fixture, &step.operation), 0);
        assert_int_equal(step.forgotten, i < 2 ? 100 : 50);
        assert_int_equal(step.marked, i == 0);
        step.after = step.next;
    }
}

static void a_pruned_guid_seen_again_is_a_redelivery(void **state) {
    struct fixture *fixture = *state;
    put_at(fixture, "guid-1", FIXTURE_NOW, 1);
    end_runs(fixture, "invite", INBOX_DONE, FIXTURE_NOW);
    prune(fixture, prune_of(FIXTURE_NOW + 8 * DAY_MS), 1, 0);
    struct inbox_put again = put_of("guid-1");
    assert_int_equal(fixture_do(fixture, &again.operation), INBOX_REDELIVERED);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 1);
    assert_int_equal(claim.runs[0].payload->bytes, 7);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_step_of_pruning_is_bounded_in_rows_and_bytes(void **state) {
    enum { N = 250 };
    struct fixture *fixture = *state;
    static char large[300000];
    char guids[N][16];
    arc4random_buf(large, sizeof large); /* which does not shrink */
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(guids[i], sizeof guids[i], "guid-%zu", i);
        struct inbox_put put = put_of(guids[i]);
        /* Some are kept: they wait. */
        put.n_runs = i % 50 == 7;
        put.body = i < 5 ? large : "x";
        put.body_bytes = i < 5 ? sizeof large : 1;
        fixture_submit(fixture, &put.operation);
        fixture_wait(fixture, 1);
    }
    struct inbox_prune step = prune_of(FIXTURE_NOW + 8 * DAY_MS);
    step.most_bytes = 600000;
    static const uint32_t expected[] = {2, 2, 98, 98, 45};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(fixture_do(fixture, &step.operation), 0);
        assert_int_equal(step.bodies, expected[i]);
        assert_int_equal(step.more, i < 4);
        step.after = step.next;
    }
    step = prune_of(FIXTURE_NOW + 50 * DAY_MS);
    /* Five wait, and the newest one stays. */
    prune(fixture, step, 0, N - 6);
}

/* LACKS, ASK */

static void a_guid_is_asked_for_as_often_as_allowed_and_never_when_it_is_here(void **state) {
    struct fixture *fixture = *state;
    put_at(fixture, "here", FIXTURE_NOW, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fixture_count_redelivery(fixture, "lost"), INBOX_REDELIVERY_COUNTED);
    }
    assert_int_equal(fixture_count_redelivery(fixture, "lost"), INBOX_REDELIVERY_EXHAUSTED);
    assert_int_equal(fixture_count_redelivery(fixture, "here"), INBOX_REDELIVERY_PRESENT);
    assert_int_equal(fixture_count_redelivery(fixture, "late"), INBOX_REDELIVERY_COUNTED);
    const char *const guids[] = {"here", "lost", "new", "late"};
    bool missing[4];
    uint32_t requests[4];
    int64_t requested_ms[4];
    struct inbox_find_missing find = {.operation = {.kind = INBOX_FIND_MISSING},
                                      .guids = guids,
                                      .n_guids = 4,
                                      .missing = missing,
                                      .requests = requests,
                                      .requested_ms = requested_ms};
    assert_int_equal(fixture_do(fixture, &find.operation), 0);
    assert_int_equal(requested_ms[0], 0);
    assert_int_equal(requested_ms[1], FIXTURE_NOW);
    static const bool expected[] = {false, true, true, true};
    static const uint32_t times[] = {0, 3, 0, 1};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(missing[i], expected[i]);
        assert_int_equal(requests[i], times[i]);
    }
    put_at(fixture, "late", FIXTURE_NOW, 0);
    assert_int_equal(fixture_count_redelivery(fixture, "late"), INBOX_REDELIVERY_PRESENT);
    prune(fixture, prune_of(FIXTURE_NOW + 36 * DAY_MS), 1, 0);
    assert_int_equal(fixture_count_redelivery(fixture, "lost"),
                     /* The count is forgotten, too. */
                     INBOX_REDELIVERY_COUNTED);
}

static int64_t due_of(struct fixture *fixture, const char *guid) {
    struct inbox_list list = list_of();
    list.guid = guid;
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    int64_t due_ms = list.entries[0].due_ms;
    inbox_entries_free(list.entries, list.n_entries);
    return due_ms;
}

static void due_times_move_back_with_the_clock(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("retry"), future = put_of("future");
    put.due_ms = FIXTURE_NOW;
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    end_runs(fixture, "invite", INBOX_RETRY, FIXTURE_NOW + DAY_MS);
    future.received_ms = FIXTURE_NOW + DAY_MS;
    future.due_ms = FIXTURE_NOW + DAY_MS + 1000;
    assert_int_equal(fixture_do(fixture, &future.operation), INBOX_STORED);
    struct inbox_clock_set_back set = {
        .operation = {.kind = INBOX_CLOCK_SET_BACK}, .now_ms = FIXTURE_NOW, .by_ms = 0};
    assert_int_equal(fixture_do(fixture, &set.operation), 0);
    assert_int_equal(due_of(fixture, "retry"), FIXTURE_NOW + DAY_MS + 3600000);
    assert_int_equal(due_of(fixture, "future"), FIXTURE_NOW);
    set.by_ms = DAY_MS;
    assert_int_equal(fixture_do(fixture, &set.operation), 0);
    assert_int_equal(due_of(fixture, "retry"), FIXTURE_NOW + 3600000);
    /* Step by step: its id is not among those behind the first step. */
    set.after_run = INBOX_SET_BACK_STEP;
    assert_int_equal(fixture_do(fixture, &set.operation), 0);
    assert_int_equal(due_of(fixture, "retry"), FIXTURE_NOW + 3600000);
    set.after_run = -INBOX_SET_BACK_STEP;
    assert_int_equal(fixture_do(fixture, &set.operation), 1);
    assert_int_equal(due_of(fixture, "retry"), FIXTURE_NOW + 3600000);
    set.after_run = 0;
    assert_int_equal(fixture_do(fixture, &set.operation), 0);
    assert_int_equal(due_of(fixture, "retry"), FIXTURE_NOW);
}

/* All runs of the plugin are older than the many of another one. */
static void many_old_runs_of_a_plugin_are_found_in_few_steps(void **state) {
    struct fixture *fixture = *state;
    insert_deliveries(fixture, 11000);
    (void)query(fixture, "INSERT INTO runs (delivery, plugin, installation, state, due_ms) SELECT"
                         " id, CASE WHEN received_ms <= 5200 THEN 'old' ELSE 'invite' END, '7',"
                         " 'done', received_ms FROM deliveries");
    struct inbox_list list = {.operation = {.kind = INBOX_LIST}, .plugin = "old", .most = 3};
    int steps = 0;
    do {
        assert_int_equal(fixture_do(fixture, &list.operation), 0);
        list.before = list.next;
        steps++;
    } while (list.n_entries == 0 && list.next.delivery != 0);
    assert_int_equal(list.n_entries, 3);
    assert_string_equal(list.entries[0].guid, "guid-5200");
    assert_string_equal(list.entries[2].guid, "guid-5198");
    assert_true(steps <= 3);
    inbox_entries_free(list.entries, list.n_entries);
}

static void elect_with(struct fixture *fixture, int64_t now_ms, const char *configured) {
    struct inbox_elect elect = {.operation = {.kind = INBOX_ELECT},
                                .host = fixture_host(),
                                .lease_ms = 30000,
                                .now_ms = now_ms,
                                .configured = configured};
    assert_int_equal(fixture_do(fixture, &elect.operation), 1);
}

static int64_t count_not_configured(struct fixture *fixture, const char *configured) {
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}, .configured = configured};
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    return stats.not_configured;
}

static void runs_of_plugins_that_are_not_configured_are_counted(void **state) {
    struct fixture *fixture = *state;
    put_at(fixture, "one", FIXTURE_NOW, 2);
    put_at(fixture, "two", FIXTURE_NOW, 2);
    assert_int_equal(count_not_configured(fixture, "\ninvite\nping\n"), 0);
    assert_int_equal(count_not_configured(fixture, NULL), 0);
    assert_int_equal(count_not_configured(fixture, "\npinging\n"), 4);
    end_runs(fixture, "ping", INBOX_PARK, FIXTURE_NOW);
    assert_int_equal(count_not_configured(fixture, "\ninvite\n"), 2);
    end_runs(fixture, "invite", INBOX_DONE, FIXTURE_NOW);
    assert_int_equal(count_not_configured(fixture, "\npinging\n"), 2);
}

static void a_mark_keeps_the_earlier_reason(void **state) {
    struct fixture *fixture = *state;
    put_at(fixture, "one", FIXTURE_NOW, 1);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 1);
    struct inbox_finish end = finish_of(&claim.runs[0], INBOX_RETRY);
    end.label = "retry";
    end.reason = "no luck";
    assert_int_equal(fixture_do(fixture, &end.operation), 0);
    inbox_runs_free(claim.runs, claim.n_runs);
    struct inbox_prune step = prune_of(FIXTURE_NOW);
    step.now_ms = FIXTURE_NOW;
    step.configured = "\nping\n";
    for (int pass = 0; pass < 2; pass++) {
        prune(fixture, step, 0, 0);
        assert_int_equal(query(fixture, "SELECT count(*) FROM runs WHERE label = 'retry' AND reason"
                                        " = 'no luck; its plugin is not configured'"),
                         1);
    }
}

/* Such as one that was taken out by mistake for an hour, with runs that have waited for long. */
static void runs_end_only_once_their_plugin_was_absent_for_the_retention(void **state) {
    struct fixture *fixture = *state;
    put_at(fixture, "one", FIXTURE_NOW, 1);
    struct inbox_prune step = prune_of(FIXTURE_NOW + 20 * DAY_MS);
    step.now_ms = FIXTURE_NOW + 20 * DAY_MS;
    step.configured = "\nping\n";
    elect_with(fixture, FIXTURE_NOW + 20 * DAY_MS, "\ninvite\n");
    (void)query(fixture, "UPDATE configured_plugins SET until_ms = 1701728000000");
    prune(fixture, step, 0, 0);
    assert_int_equal(query(fixture, "SELECT count(*) FROM runs WHERE state = 'dead'"), 0);
    (void)query(fixture, "UPDATE configured_plugins SET until_ms = 1600000000000");
    prune(fixture, step, 0, 0);
    assert_int_equal(query(fixture, "SELECT count(*) FROM runs WHERE state = 'dead' AND label ="
                                    " 'not_configured'"),
                     1);
}

size_t contract_people_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest ours[] = {
        CONTRACT(an_entry_tells_all_of_a_run_and_its_delivery),
        CONTRACT(due_times_move_back_with_the_clock),
        CONTRACT(a_list_is_narrowed_by_state_plugin_event_and_time),
        CONTRACT(a_long_list_comes_in_bounded_parts_and_leaves_nothing_out),
        CONTRACT(a_list_of_what_is_rare_or_recent_does_not_look_at_all_deliveries),
        CONTRACT(a_delivery_that_came_again_is_listed_by_its_last_arrival),
        CONTRACT(a_body_is_given_back_as_it_came),
        CONTRACT(reviving_makes_dead_and_waiting_runs_due_from_attempt_1),
        CONTRACT(a_run_that_crashed_its_worker_is_retried_by_hand_alone_and_from_attempt_1),
        CONTRACT(reviving_leaves_running_and_done_runs_alone),
        CONTRACT(a_discarded_run_is_dead_and_its_workers_words_are_stale),
        CONTRACT(bodies_go_after_their_time_and_guids_stay),
        CONTRACT(a_run_whose_plugin_is_not_configured_is_marked_and_ends_after_retention),
        CONTRACT(many_old_runs_of_a_plugin_are_found_in_few_steps),
        CONTRACT(runs_of_plugins_that_are_not_configured_are_counted),
        CONTRACT(a_mark_keeps_the_earlier_reason),
        CONTRACT(runs_end_only_once_their_plugin_was_absent_for_the_retention),
        CONTRACT(many_runs_whose_plugin_is_not_configured_are_marked_in_small_steps),
        CONTRACT(a_pass_looks_once_for_unwanted_runs),
        CONTRACT(a_pruned_guid_seen_again_is_a_redelivery),
        CONTRACT(a_step_of_pruning_is_bounded_in_rows_and_bytes),
        CONTRACT(a_guid_is_asked_for_as_often_as_allowed_and_never_when_it_is_here),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}
