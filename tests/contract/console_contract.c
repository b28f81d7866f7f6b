/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about the console's questions. */
#include "inbox_contract.h"

#include "inbox/console.h"
#include "inbox/maintenance.h"
#include "inbox/pull.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Stores a delivery with a run of "invite", unless `plugin` names another; "" none. */
struct sample {
    const char *guid, *repository, *item, *sender, *event, *plugin;
};

static void store_samples(struct fixture *fixture, const struct sample *samples, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct sample *sample = &samples[i];
        struct inbox_put put = put_of(sample->guid);
        struct inbox_put_run run = {.plugin = sample->plugin ? sample->plugin : "invite"};
        put.repository = sample->repository;
        put.item = sample->item;
        put.sender = sample->sender;
        put.event = sample->event;
        put.received_ms = FIXTURE_NOW + (int64_t)i * 1000;
        put.runs = &run;
        put.n_runs = *run.plugin ? 1 : 0;
        assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
        inbox_put_finish(&put);
    }
}

static const struct sample samples[] = {
    {"d0", "octo/cat", "99#12", "mona", "issues", NULL},
    {"d1", "octo/cat", "99#112", "hubot", "issues", NULL},
    {"d2", "octo/dog", "98#12", "mona", "push", "welcome"},
    {"d3", "octo/cat", "99#12", "hubot", "issue_comment", NULL},
    {"d4", "octo/cat", "", "Mona", "push", ""},
};
#define N_SAMPLES (sizeof samples / sizeof *samples)

static struct inbox_search search_of(struct inbox_search_filter filter) {
    return (struct inbox_search){
        .operation = {.kind = INBOX_SEARCH}, .filter = filter, .most = 100};
}

/* Searches page by page, and expects these GUIDs with spaces between them. */
static void expect_found(struct fixture *fixture, struct inbox_search search, const char *guids) {
    char found[400] = "";
    size_t length = 0;
    for (int pages = 0;; pages++) {
        assert_in_range(pages, 0, 20);
        assert_int_equal(fixture_do(fixture, &search.operation), 0);
        for (size_t i = 0; i < search.n_entries; i++) {
            length += (size_t)snprintf(found + length, sizeof found - length, "%s%s",
                                       length > 0 ? " " : "", search.entries[i].guid);
        }
        inbox_entries_free(search.entries, search.n_entries);
        if (search.next.first == 0 && search.next.second == 0) {
            break;
        }
        search.before = search.next;
    }
    assert_string_equal(found, guids);
}

static void expect(struct fixture *fixture, struct inbox_search_filter filter, const char *guids) {
    struct inbox_search search = search_of(filter);
    expect_found(fixture, search, guids);
    /* A page of one entry continues where it ended. */
    search.most = 1;
    expect_found(fixture, search, guids);
}

static void a_search_finds_deliveries_by_each_name_and_by_all_together(void **state) {
    struct fixture *fixture = *state;
    store_samples(fixture, samples, N_SAMPLES);
    expect(fixture, (struct inbox_search_filter){0}, "d4 d3 d2 d1 d0");
    expect(fixture, (struct inbox_search_filter){.guid = "d2"}, "d2");
    expect(fixture, (struct inbox_search_filter){.guid = "d"}, "");
    expect(fixture, (struct inbox_search_filter){.repository = "Octo/CAT"}, "d4 d3 d1 d0");
    expect(fixture, (struct inbox_search_filter){.repository = "octo/cat", .number = 12}, "d3 d0");
    expect(fixture, (struct inbox_search_filter){.sender = "MONA"}, "d4 d2 d0");
    expect(fixture, (struct inbox_search_filter){.event = "push"}, "d4 d2");
    expect(fixture, (struct inbox_search_filter){.plugin = "welcome"}, "d2");
    expect(fixture,
           (struct inbox_search_filter){
               .repository = "octo/cat", .number = 12, .sender = "hubot", .plugin = "invite"},
           "d3");
    expect(fixture, (struct inbox_search_filter){.sender = "mona", .state = "queued"}, "d2 d0");
    expect(fixture, (struct inbox_search_filter){.guid = "d2", .sender = "hubot"}, "");
}

static void a_search_is_limited_to_a_time(void **state) {
    struct fixture *fixture = *state;
    store_samples(fixture, samples, N_SAMPLES);
    struct inbox_search_filter filter = {.since_ms = FIXTURE_NOW + 1000,
                                         .until_ms = FIXTURE_NOW + 3000};
    expect(fixture, filter, "d2 d1");
    filter.since_ms = FIXTURE_NOW + 999999;
    filter.until_ms = 0;
    expect(fixture, filter, "");
    filter.since_ms = 0;
    filter.until_ms = FIXTURE_NOW;
    expect(fixture, filter, "");
}

/* Claims the due run of the delivery's plugin, and ends it. */
static void end_one(struct fixture *fixture, const char *guid, enum inbox_finish_how how,
                    const char *label, const char *reason, int64_t now_ms) {
    struct inbox_claim_share share = {.plugin = "invite", .runs = 1, .most_bytes = UINT64_MAX};
    struct inbox_claim claim = claim_of(&share, 1, FIXTURE_NOW + 100000);
    assert_int_equal(fixture_do(fixture, &claim.operation), 0);
    assert_int_equal(claim.n_runs, 1);
    assert_string_equal(claim.runs[0].guid, guid);
    struct inbox_finish finish = finish_of(&claim.runs[0], how);
    finish.label = label;
    finish.reason = reason;
    finish.now_ms = now_ms;
    finish.due_ms = now_ms + 1000000;
    assert_int_equal(fixture_do(fixture, &finish.operation), 0);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static const struct sample six[] = {
    {"f0", "octo/cat", "99#1", "mona", "push", NULL},
    {"f1", "octo/cat", "99#2", "mona", "push", NULL},
    {"f2", "octo/cat", "99#3", "hubot", "push", NULL},
    {"f3", "octo/cat", "99#4", "mona", "push", NULL},
    {"f4", "octo/cat", "99#5", "mona", "push", NULL},
    {"f5", "octo/cat", "99#6", "mona", "push", NULL},
};

/* f2 dies last; f3 is parked, f4 waits for its retry, and f5 is done. */
static void store_failures(struct fixture *fixture) {
    for (size_t i = 0; i < 6; i++) {
        store_samples(fixture, &six[i], 1);
        static const struct {
            enum inbox_finish_how how;
            const char *label, *reason;
            int64_t at_ms;
        } ends[] = {
            {INBOX_DEAD, "error", "GitHub responded 404 for /issues/12", 100},
            {INBOX_DEAD, "error", "GitHub responded 404 for /issues/7", 200},
            {INBOX_DEAD, "error", "GitHub responded 502 for /issues/12", 300},
            {INBOX_PARK, "permission", "needs issues: write", 400},
            {INBOX_RETRY, "error", "GitHub responded 502 for /issues/12", 500},
            {INBOX_DONE, "done", "", 600},
        };
        end_one(fixture, six[i].guid, ends[i].how, ends[i].label, ends[i].reason,
                FIXTURE_NOW + ends[i].at_ms);
    }
}

static void a_search_finds_runs_by_state_and_reason(void **state) {
    struct fixture *fixture = *state;
    store_failures(fixture);
    expect(fixture, (struct inbox_search_filter){.state = "dead"}, "f2 f1 f0");
    expect(fixture, (struct inbox_search_filter){.state = "dead", .sender = "Mona"}, "f1 f0");
    expect(fixture, (struct inbox_search_filter){.reason = "RESPONDED 404"}, "f1 f0");
    expect(fixture, (struct inbox_search_filter){.reason = "404%"}, "");
    /* The retried one and the parked one are found without a state. */
    expect(fixture, (struct inbox_search_filter){.reason = "502"}, "f4 f2");
    expect(fixture, (struct inbox_search_filter){.reason = "needs ISSUES"}, "f3");
    expect(fixture, (struct inbox_search_filter){.state = "dead", .reason = "502"}, "f2");
    expect(fixture, (struct inbox_search_filter){.state = "parked"}, "f3");
    expect(fixture, (struct inbox_search_filter){.state = "parked", .reason = "issues:"}, "f3");
    expect(fixture, (struct inbox_search_filter){.state = "queued"}, "f4");
    expect(fixture, (struct inbox_search_filter){.state = "done"}, "f5");
    expect(fixture, (struct inbox_search_filter){.state = "held"}, "");
    expect(fixture,
           (struct inbox_search_filter){.state = "dead",
                                        .reason_group = "GitHub responded 404 for /issues/#"},
           "f1 f0");
}

static void a_search_finds_skipped_runs_by_their_label(void **state) {
    struct fixture *fixture = *state;
    store_samples(fixture, six, 2);
    end_one(fixture, "f0", INBOX_DONE, "skipped", "nothing matched", FIXTURE_NOW);
    end_one(fixture, "f1", INBOX_DONE, "done", "", FIXTURE_NOW);
    expect(fixture, (struct inbox_search_filter){.state = "skipped"}, "f0");
    expect(fixture, (struct inbox_search_filter){.state = "done"}, "f1");
    expect(fixture, (struct inbox_search_filter){.reason = "nothing"}, "f0");
}

static void a_search_for_any_text_finds_names_and_reasons(void **state) {
    struct fixture *fixture = *state;
    store_failures(fixture);
    struct inbox_put put = put_of("0123abcd-0123-0123-0123-0123456789ab");
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    inbox_put_finish(&put);
    expect(fixture, (struct inbox_search_filter){.any = "502"}, "f4 f2");
    expect(fixture, (struct inbox_search_filter){.any = "OCTO", .sender = "hubot"}, "f2");
    expect(fixture, (struct inbox_search_filter){.any = "Cat", .sender = "hubot"}, "f2");
    expect(fixture, (struct inbox_search_filter){.any = "ca"}, "");
    expect(fixture, (struct inbox_search_filter){.any = "012"}, "");
    expect(fixture, (struct inbox_search_filter){.any = "0123ABCD"},
           "0123abcd-0123-0123-0123-0123456789ab");
    expect(fixture, (struct inbox_search_filter){.repository_part = "cat", .state = "parked"},
           "f3");
    expect(fixture, (struct inbox_search_filter){.repository_part = "502"}, "");
    expect(fixture, (struct inbox_search_filter){.installation = "nobody"}, "");
}

static void a_search_finds_runs_with_an_effect_in_doubt(void **state) {
    struct fixture *fixture = *state;
    store_samples(fixture, six, 1);
    struct inbox_run run = fixture_claim_one(fixture);
    struct inbox_record record = {.number = 1,
                                  .kind = INBOX_EFFECT,
                                  .state = INBOX_INTENDED,
                                  .method = "POST",
                                  .url = "/repos/octo/cat/issues",
                                  .message = ""};
    const struct inbox_record *records[] = {&record};
    struct inbox_effect effect = {.plugin = "invite",
                                  .installation = "7",
                                  .delivery = "f0",
                                  .sender = "mona",
                                  .item = "octo/cat#1"};
    struct inbox_intend intend = {.operation = {.kind = INBOX_INTEND},
                                  .writer = writer_of(&run, records, 1),
                                  .effect = &effect};
    assert_int_equal(fixture_do(fixture, &intend.operation), 0);
    expect(fixture, (struct inbox_search_filter){.state = "in doubt"}, "");
    struct inbox_finish finish = finish_of(&run, INBOX_DEAD);
    assert_int_equal(fixture_do(fixture, &finish.operation), 0);
    expect(fixture, (struct inbox_search_filter){.state = "in doubt"}, "f0");

    struct inbox_show show = {.operation = {.kind = INBOX_SHOW}, .guid = "f0"};
    assert_int_equal(fixture_do(fixture, &show.operation), 0);
    assert_int_equal(show.n_runs, 1);
    assert_string_equal(show.runs[0].state, "dead");
    assert_int_equal(show.n_requests, 1);
    assert_int_equal(show.requests[0].state, INBOX_INTENDED);
    assert_string_equal(show.requests[0].url, "/repos/octo/cat/issues");
    assert_int_equal(show.n_audit, 1);
    assert_string_equal(show.audit[0].sender, "mona");
    assert_false(show.cut);
    inbox_show_finish(&show);

    struct inbox_timeline timeline = {
        .operation = {.kind = INBOX_TIMELINE}, .repository = "Octo/Cat", .number = 1, .most = 10};
    assert_int_equal(fixture_do(fixture, &timeline.operation), 0);
    assert_int_equal(timeline.n_entries, 1);
    assert_string_equal(timeline.entries[0].guid, "f0");
    assert_int_equal(timeline.n_effects, 1);
    assert_string_equal(timeline.effects[0].delivery, "f0");
    assert_string_equal(timeline.effects[0].audit.method, "POST");
    inbox_timeline_finish(&timeline);
    inbox_run_finish(&run);
}

static void the_failed_attempts_of_a_run_are_kept_in_order(void **state) {
    struct fixture *fixture = *state;
    store_samples(fixture, six, 1);
    for (int i = 0; i < INBOX_ATTEMPTS_MAX + 5; i++) {
        struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW + 100000);
        assert_int_equal(claim.n_runs, 1);
        char reason[40];
        (void)snprintf(reason, sizeof reason, "failure %d", i);
        struct inbox_finish finish =
            finish_of(&claim.runs[0], i % 2 == 0 ? INBOX_RETRY : INBOX_WAIT);
        finish.label = "retry";
        finish.reason = reason;
        finish.now_ms = FIXTURE_NOW + i;
        assert_int_equal(fixture_do(fixture, &finish.operation), 0);
        inbox_runs_free(claim.runs, claim.n_runs);
    }
    end_one(fixture, "f0", INBOX_DONE, "done", "", FIXTURE_NOW + 1000);
    struct inbox_show show = {.operation = {.kind = INBOX_SHOW}, .guid = "f0"};
    assert_int_equal(fixture_do(fixture, &show.operation), 0);
    assert_int_equal(show.n_attempts, INBOX_ATTEMPTS_MAX);
    assert_string_equal(show.attempts[0].reason, "failure 5");
    const struct inbox_shown_attempt *last = &show.attempts[INBOX_ATTEMPTS_MAX - 1];
    assert_string_equal(last->reason, "failure 54");
    assert_string_equal(last->how, "retry");
    assert_int_equal(last->ended_ms, FIXTURE_NOW + 54);
    assert_string_equal(show.runs[last->run].state, "done");
    inbox_show_finish(&show);
    /* A stale completion adds nothing. */
    struct inbox_run gone = {.id = 1, .token = 99, .order_key = ""};
    struct inbox_finish stale = finish_of(&gone, INBOX_RETRY);
    stale.now_ms = FIXTURE_NOW + 2000;
    assert_int_equal(fixture_do(fixture, &stale.operation), INBOX_STALE);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM attempts"),
                     INBOX_ATTEMPTS_MAX);
}

static void an_unknown_delivery_is_reported(void **state) {
    struct fixture *fixture = *state;
    struct inbox_show show = {.operation = {.kind = INBOX_SHOW}, .guid = "nothing"};
    assert_int_equal(fixture_do(fixture, &show.operation), INBOX_UNKNOWN);
    assert_int_equal(show.n_runs, 0);
    inbox_show_finish(&show);
}

static void failures_are_grouped_by_their_reason(void **state) {
    struct fixture *fixture = *state;
    store_failures(fixture);
    struct inbox_failures failures = {.operation = {.kind = INBOX_FAILURES}};
    assert_int_equal(fixture_do(fixture, &failures.operation), 0);
    assert_int_equal(failures.n_groups, 3);
    assert_false(failures.cut);
    const struct inbox_failure_group *groups = failures.groups;
    for (size_t i = 0; i < 3; i++) {
        const struct inbox_failure_group *group = &groups[i];
        if (strcmp(group->state, "parked") == 0) {
            assert_string_equal(group->guid, "f3");
            assert_string_equal(group->reason, "needs issues: write");
        } else if (strcmp(group->reason, "GitHub responded 404 for /issues/#") == 0) {
            assert_string_equal(group->last_reason, "GitHub responded 404 for /issues/7");
            assert_int_equal(group->runs, 2);
            assert_string_equal(group->guid, "f1");
            assert_int_equal(group->first_ms, FIXTURE_NOW + 100);
            assert_int_equal(group->last_ms, FIXTURE_NOW + 200);
        } else {
            assert_string_equal(group->reason, "GitHub responded 502 for /issues/#");
            assert_string_equal(group->guid, "f2");
            assert_string_equal(group->label, "error");
            assert_int_equal(group->runs, 1);
        }
    }
    /* The one that was seen last comes first. */
    assert_true(groups[0].last_ms >= groups[1].last_ms && groups[1].last_ms >= groups[2].last_ms);
    inbox_failures_free(failures.groups, failures.n_groups);
    struct inbox_failures none = {.operation = {.kind = INBOX_FAILURES}, .plugin = "welcome"};
    assert_int_equal(fixture_do(fixture, &none.operation), 0);
    assert_int_equal(none.n_groups, 0);
}

/* So many deliveries with a dead run of "busy" and a parked run of "idle" each. */
static void store_other_failures(struct fixture *fixture, int n) {
    char sql[400];
    (void)snprintf(sql, sizeof sql,
                   "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
                   " INSERT INTO deliveries (guid, event, action, installation, repository, sender,"
                   " item, received_ms, body_codec, body_bytes) SELECT CAST(i AS text), 'push', '',"
                   " '7', '', '', '', 1, 0, 0 FROM n",
                   n);
    (void)fixture->store->query(fixture->place, sql);
    static const char *const ends[] = {"'busy', '7', 'dead'", "'idle', '7', 'parked'"};
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(sql, sizeof sql,
                       "INSERT INTO runs (delivery, plugin, installation, state, due_ms,"
                       " finished_ms, label, reason) SELECT id, %s, 1, %" PRId64 ", 'error', 'x'"
                       " FROM deliveries",
                       ends[i], FIXTURE_NOW + INT64_C(1000000));
        (void)fixture->store->query(fixture->place, sql);
    }
}

static void failures_of_a_plugin_are_found_behind_many_of_others(void **state) {
    struct fixture *fixture = *state;
    store_other_failures(fixture, INBOX_FAILURES_MAX + 1);
    store_failures(fixture);
    struct inbox_failures failures = {.operation = {.kind = INBOX_FAILURES}, .plugin = "invite"};
    assert_int_equal(fixture_do(fixture, &failures.operation), 0);
    assert_int_equal(failures.n_groups, 3);
    assert_false(failures.cut);
    inbox_failures_free(failures.groups, failures.n_groups);
    struct inbox_failures busy = {.operation = {.kind = INBOX_FAILURES}, .plugin = "busy"};
    assert_int_equal(fixture_do(fixture, &busy.operation), 0);
    assert_int_equal(busy.n_groups, 1);
    assert_int_equal(busy.groups[0].runs, INBOX_FAILURES_MAX);
    assert_true(busy.cut);
    inbox_failures_free(busy.groups, busy.n_groups);
}

static void ids_in_a_reason_count_as_equal(void **state) {
    (void)state;
    static const struct {
        const char *reason, *group;
    } cases[] = {
        {"", ""},
        {"GitHub responded 404", "GitHub responded 404"},
        {"comment 123456 is gone", "comment # is gone"},
        {"octo/cat#12 is locked", "octo/cat# is locked"},
        {"GET /repos/octo/cat/issues/7: 404", "GET /repos/octo/cat/issues/#: 404"},
        {"request 8C2A:1F4B0:9D3E77", "request 8C2A:1F4B0:9D3E77"},
        {"delivery 72d3162e-cc78-11e3-81ab-4c9367dc0958 failed", "delivery # failed"},
        {"deadbeef and feedface stay", "deadbeef and feedface stay"},
        {"v2 of a1b2c3d4e5", "v2 of #"},
        {"after 12 s", "after 12 s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char reason[100];
        (void)snprintf(reason, sizeof reason, "%s", cases[i].reason);
        inbox_failure_reason(reason);
        assert_string_equal(reason, cases[i].group);
    }
}

static bool digest(struct fixture *fixture, int64_t now_ms) {
    struct inbox_digest step = {.operation = {.kind = INBOX_DIGEST}, .now_ms = now_ms};
    assert_int_equal(fixture_do(fixture, &step.operation), 0);
    return step.more;
}

static struct inbox_series series_of(struct fixture *fixture, enum inbox_series_span span,
                                     const char *plugin, int64_t now_ms) {
    struct inbox_series series = {
        .operation = {.kind = INBOX_SERIES}, .span = span, .plugin = plugin, .now_ms = now_ms};
    assert_int_equal(fixture_do(fixture, &series.operation), 0);
    return series;
}

static void sum_of(const struct inbox_series *series, struct inbox_series_bucket *sum) {
    *sum = (struct inbox_series_bucket){0};
    for (size_t i = 0; i < series->n_buckets; i++) {
        sum->count += series->buckets[i].count;
        sum->dead += series->buckets[i].dead;
        sum->ended += series->buckets[i].ended;
        sum->latency_sum_ms += series->buckets[i].latency_sum_ms;
    }
}

/* A cursor over deliveries would pass such a delivery over. */
static void no_delivery_gets_the_id_of_a_forgotten_one(void **state) {
    struct fixture *fixture = *state;
    const struct sample old[] = {{"one", "", "", "", "push", ""}, {"two", "", "", "", "push", ""}};
    const struct sample next[] = {{"three", "", "", "", "push", ""}};
    store_samples(fixture, old, 2);
    int64_t id =
        fixture->store->query(fixture->place, "SELECT id FROM deliveries WHERE guid = 'two'");
    struct inbox_prune prune = {.operation = {.kind = INBOX_PRUNE},
                                .done_before_ms = FIXTURE_NOW * 2,
                                .dead_before_ms = FIXTURE_NOW * 2,
                                .forget_before_ms = FIXTURE_NOW * 2,
                                .most = 10,
                                .most_bytes = 1000};
    assert_int_equal(fixture_do(fixture, &prune.operation), 0);
    assert_int_equal(prune.bodies, 2);
    assert_int_equal(prune.forgotten, 1);
    store_samples(fixture, next, 1);
    assert_true(fixture->store->query(fixture->place,
                                      "SELECT id FROM deliveries WHERE guid = 'three'") > id);
}

/* The store looks at no more than 100,000 dead runs. */
static void dead_runs_of_other_plugins_hide_none_of_a_plugin(void **state) {
    struct fixture *fixture = *state;
    (void)fixture->store->query(
        fixture->place,
        "WITH RECURSIVE s (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < 100000)"
        " INSERT INTO deliveries (guid, event, action, installation, repository, sender, item,"
        " received_ms, body_codec, body_bytes) SELECT 'guid-' || i, 'push', '', '7', '', '', '',"
        " 1700000000000, 0, 0 FROM s");
    (void)fixture->store->query(
        fixture->place,
        "INSERT INTO runs (delivery, plugin, installation, state, due_ms, finished_ms) SELECT id,"
        " CASE WHEN guid = 'guid-0' THEN 'rare' ELSE 'ping' END, '7', 'dead', 1,"
        " CASE WHEN guid = 'guid-0' THEN 1700000000000 ELSE 1700000000001 END FROM deliveries");
    struct inbox_series_bucket sum;
    struct inbox_series series = series_of(fixture, INBOX_SERIES_HOUR, "rare", FIXTURE_NOW + 1000);
    sum_of(&series, &sum);
    assert_int_equal(sum.dead, 1);
}

static void numbers_over_time_are_the_same_before_and_after_they_are_summed(void **state) {
    struct fixture *fixture = *state;
    store_failures(fixture);
    int64_t now_ms = FIXTURE_NOW + INBOX_DIGEST_DELAY_MS + 60000;
    struct inbox_series_bucket sum;
    struct inbox_series series = series_of(fixture, INBOX_SERIES_HOUR, NULL, FIXTURE_NOW + 60000);
    assert_int_equal(series.n_buckets, 60);
    assert_int_equal(series.summed_ms, 0);
    sum_of(&series, &sum);
    assert_int_equal(sum.count, 6);
    assert_int_equal(sum.dead, 3);
    assert_int_equal(sum.ended, 0);

    assert_false(digest(fixture, FIXTURE_NOW + 1000));
    assert_false(digest(fixture, now_ms));
    /* A second step adds nothing. */
    assert_false(digest(fixture, now_ms));
    for (int span = INBOX_SERIES_HOUR; span <= INBOX_SERIES_WEEK; span++) {
        series = series_of(fixture, span, NULL, now_ms);
        assert_int_equal(series.n_buckets, inbox_series_buckets(span));
        assert_int_equal(series.summed_ms, FIXTURE_NOW);
        sum_of(&series, &sum);
        assert_int_equal(sum.count, 6);
        assert_int_equal(sum.dead, 3);
        assert_int_equal(sum.ended, 4);
        assert_int_equal(sum.latency_sum_ms, 100 + 200 + 300 + 600);
        size_t nth = (size_t)((FIXTURE_NOW - series.first_ms) / inbox_series_step_ms(span));
        assert_int_equal(series.buckets[nth].count, 6);
        assert_int_equal(series.buckets[nth].latency_max_ms, 600);
    }
    series = series_of(fixture, INBOX_SERIES_DAY, "invite", now_ms);
    sum_of(&series, &sum);
    assert_int_equal(sum.count, 6);
    assert_int_equal(sum.dead, 3);
    series = series_of(fixture, INBOX_SERIES_DAY, "welcome", now_ms);
    sum_of(&series, &sum);
    assert_int_equal(sum.count + sum.dead, 0);
    /* Sums that no page shows are forgotten. */
    assert_false(digest(fixture, now_ms + 8 * INT64_C(86400000)));
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM series"), 0);
}

static void a_delivery_far_in_the_future_does_not_stop_the_sums(void **state) {
    struct fixture *fixture = *state;
    int64_t now_ms = FIXTURE_NOW + INBOX_DIGEST_DELAY_MS + 60000;
    struct inbox_put ahead = put_of("ahead"), soon = put_of("soon");
    ahead.received_ms = now_ms + INT64_C(3600001);
    soon.received_ms = now_ms + INT64_C(3600000);
    assert_int_equal(fixture_do(fixture, &ahead.operation), INBOX_STORED);
    inbox_put_finish(&ahead);
    store_samples(fixture, six, 6);
    assert_int_equal(fixture_do(fixture, &soon.operation), INBOX_STORED);
    inbox_put_finish(&soon);
    assert_false(digest(fixture, now_ms));
    assert_int_equal(fixture->store->query(fixture->place, "SELECT last_id FROM series_place"), 7);
    struct inbox_series_bucket sum;
    struct inbox_series series = series_of(fixture, INBOX_SERIES_HOUR, "invite", now_ms);
    sum_of(&series, &sum);
    assert_int_equal(sum.count, 6);
    assert_int_equal(series.summed_ms, FIXTURE_NOW + 5000);
    /* One of a clock that is a little fast waits for its time. */
    assert_false(digest(fixture, soon.received_ms + INBOX_DIGEST_DELAY_MS));
    assert_int_equal(fixture->store->query(fixture->place, "SELECT last_id FROM series_place"), 8);
}

/* Stores deliveries of many senders and items; every hundredth is of one repository. */
static void store_many(struct fixture *fixture, int n) {
    for (int i = 0; i < n; i++) {
        char guid[20], item[20], sender[20];
        (void)snprintf(guid, sizeof guid, "m%04d", i);
        (void)snprintf(item, sizeof item, "99#%d", i + 1);
        (void)snprintf(sender, sizeof sender, "person%d", i % 200);
        const struct sample one = {guid,   i % 100 == 7 ? "Rare/Repo" : "octo/cat",
                                   item,   sender,
                                   "push", i == 3 ? "welcome" : "invite"};
        store_samples(fixture, &one, 1);
    }
}

static void old_deliveries_are_found_by_filters_of_their_names(void **state) {
    struct fixture *fixture = *state;
    store_many(fixture, 1100);
    int64_t now_ms = FIXTURE_NOW + INBOX_DIGEST_DELAY_MS + 60000;
    while (digest(fixture, now_ms)) {}
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM name_filters"), 8);
    expect_found(fixture, search_of((struct inbox_search_filter){.repository = "rare/repo"}),
                 "m1007 m0907 m0807 m0707 m0607 m0507 m0407 m0307 m0207 m0107 m0007");
    expect(fixture, (struct inbox_search_filter){.repository = "octo/cat", .number = 21}, "m0020");
    expect(fixture, (struct inbox_search_filter){.repository = "octo/cat", .number = 1021},
           "m1020");
    expect(fixture, (struct inbox_search_filter){.plugin = "welcome"}, "m0003");
    expect(fixture, (struct inbox_search_filter){.sender = "PERSON7", .repository = "Rare/Repo"},
           "m1007 m0807 m0607 m0407 m0207 m0007");
    expect(fixture, (struct inbox_search_filter){.sender = "nobody"}, "");
    /* A filter without a name of a delivery hides it: the search does read the filters. */
    (void)fixture->store->query(fixture->place,
                                "DELETE FROM name_filters WHERE first_id = 1 RETURNING 1");
    expect(fixture, (struct inbox_search_filter){.plugin = "welcome"}, "");
}

/* More than one search looks at. */
static void all_runs_of_a_state_are_listed_page_by_page(void **state) {
    enum { RUNS = 1100 };
    struct fixture *fixture = *state;
    struct inbox_search search = search_of((struct inbox_search_filter){.state = "queued"});
    int64_t last = INT64_MAX, found = 0;
    store_many(fixture, RUNS);
    do {
        assert_int_equal(fixture_do(fixture, &search.operation), 0);
        assert_true(search.n_entries <= search.most);
        for (size_t i = 0; i < search.n_entries; i++) {
            assert_true(search.entries[i].delivery < last);
            last = search.entries[i].delivery;
        }
        found += (int64_t)search.n_entries;
        inbox_entries_free(search.entries, search.n_entries);
        assert_int_equal(search.next.first == 0, found == RUNS);
        search.before = search.next;
    } while (search.next.first != 0);
    /* The wanted ones come behind many that the search has to look at. */
    expect(fixture, (struct inbox_search_filter){.state = "queued", .plugin = "welcome"}, "m0003");
    expect(fixture, (struct inbox_search_filter){.state = "queued", .repository_part = "rare"},
           "m1007 m0907 m0807 m0707 m0607 m0507 m0407 m0307 m0207 m0107 m0007");
}

static void a_search_by_a_group_of_reasons_skips_no_delivery(void **state) {
    enum { DELIVERIES = 1000, PLUGINS = 6 };
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("oldest");
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    inbox_put_finish(&put);
    end_one(fixture, "oldest", INBOX_DONE, "done", "rare", FIXTURE_NOW);
    store_other_failures(fixture, DELIVERIES);
    for (int i = 0; i < PLUGINS; i++) {
        char sql[200];
        (void)snprintf(sql, sizeof sql,
                       "INSERT INTO runs (delivery, plugin, installation, state, due_ms) SELECT"
                       " id, 'plugin%d', '7', 'done', 1 FROM deliveries WHERE guid <> 'oldest'",
                       i);
        (void)fixture->store->query(fixture->place, sql);
    }
    expect(fixture, (struct inbox_search_filter){.state = "done", .reason_group = "rare"},
           "oldest");
}

static void a_redelivery_is_found_by_its_new_names(void **state) {
    struct fixture *fixture = *state;
    store_many(fixture, 513);
    while (digest(fixture, FIXTURE_NOW + INBOX_DIGEST_DELAY_MS + 60000)) {}
    expect(fixture, (struct inbox_search_filter){.plugin = "welcome"}, "m0003");
    expect(fixture, (struct inbox_search_filter){.sender = "late"}, "");
    end_one(fixture, "m0000", INBOX_DONE, "done", "", FIXTURE_NOW);
    struct inbox_put again = put_of("m0000");
    struct inbox_put_run runs[] = {{.plugin = "invite"}, {.plugin = "late"}};
    again.runs = runs;
    again.n_runs = 2;
    assert_int_equal(fixture_do(fixture, &again.operation), INBOX_REDELIVERED);
    inbox_put_finish(&again);
    expect(fixture, (struct inbox_search_filter){.plugin = "late"}, "m0000");
}

static void plugins_are_listed_with_their_runs(void **state) {
    struct fixture *fixture = *state;
    store_failures(fixture);
    const struct sample other = {"w", "octo/cat", "", "mona", "push", "welcome"};
    store_samples(fixture, &other, 1);
    int64_t now_ms = FIXTURE_NOW + INBOX_DIGEST_DELAY_MS + 60000;
    (void)digest(fixture, now_ms);
    struct inbox_elect elect = {.operation = {.kind = INBOX_ELECT},
                                .host = 5,
                                .lease_ms = 1000,
                                .now_ms = now_ms,
                                .configured = "\nidle\ninvite\n"};
    assert_int_equal(fixture_do(fixture, &elect.operation), 1);
    struct inbox_plugins list = {.operation = {.kind = INBOX_PLUGINS}, .now_ms = now_ms};
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_int_equal(list.n_plugins, 3);
    assert_string_equal(list.plugins[0].plugin, "idle");
    const struct inbox_plugin_runs *invite = &list.plugins[1];
    assert_string_equal(invite->plugin, "invite");
    assert_int_equal(invite->dead, 3);
    assert_int_equal(invite->parked, 1);
    assert_int_equal(invite->queued, 1);
    assert_int_equal(invite->hours[22] + invite->hours[23], 6);
    assert_string_equal(list.plugins[2].plugin, "welcome");
    assert_int_equal(list.plugins[2].queued, 1);
    free(list.plugins);
}

static void recovery_is_summed_up(void **state) {
    struct fixture *fixture = *state;
    struct inbox_recovery recovery = {.operation = {.kind = INBOX_RECOVERY}};
    assert_int_equal(fixture_do(fixture, &recovery.operation), 0);
    assert_int_equal(recovery.missing, 0);
    assert_false(recovery.pulls);
    for (int i = 0; i < 4; i++) {
        struct inbox_count_redelivery count = {.operation = {.kind = INBOX_COUNT_REDELIVERY},
                                               .guid = i == 0 ? "one" : "lost",
                                               .most = 3,
                                               .now_ms = FIXTURE_NOW + i};
        assert_int_equal(fixture_do(fixture, &count.operation), INBOX_REDELIVERY_COUNTED);
    }
    struct inbox_pull_begin begin = {.operation = {.kind = INBOX_PULL_BEGIN},
                                     .now_ms = FIXTURE_NOW};
    assert_int_equal(fixture_do(fixture, &begin.operation), 0);
    assert_int_equal(fixture_do(fixture, &recovery.operation), 0);
    assert_int_equal(recovery.missing, 2);
    assert_int_equal(recovery.asked, 2);
    assert_int_equal(recovery.requests, 4);
    assert_int_equal(recovery.given_up, 1);
    assert_int_equal(recovery.fetched, 0);
    assert_int_equal(recovery.last_request_ms, FIXTURE_NOW + 3);
    assert_true(recovery.pulls);
    assert_int_equal(recovery.full_ms, FIXTURE_NOW);
    assert_int_equal(recovery.waiting, 0);
}

static void actions_are_kept_in_order_and_found_by_their_target(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 5; i++) {
        struct inbox_action_put put = {
            .operation = {.kind = INBOX_ACTION_PUT},
            .action = {.at_ms = FIXTURE_NOW + i, .who = "cli root", .what = "retry"}};
        (void)snprintf(put.action.target, sizeof put.action.target, "d%d", i % 2);
        (void)snprintf(put.action.result, sizeof put.action.result, "%d runs due now", i);
        assert_int_equal(fixture_do(fixture, &put.operation), 0);
        assert_true(put.action.id > 0);
    }
    struct inbox_actions list = {.operation = {.kind = INBOX_ACTIONS}, .most = 3};
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_int_equal(list.n_actions, 3);
    assert_true(list.more);
    assert_string_equal(list.actions[0].result, "4 runs due now");
    assert_string_equal(list.actions[0].who, "cli root");
    assert_int_equal(list.actions[0].at_ms, FIXTURE_NOW + 4);
    list.before = list.actions[2].id;
    free(list.actions);
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_int_equal(list.n_actions, 2);
    assert_false(list.more);
    free(list.actions);
    struct inbox_digest forget = {.operation = {.kind = INBOX_DIGEST},
                                  .now_ms = FIXTURE_NOW,
                                  .actions_before_ms = FIXTURE_NOW + 1};
    assert_int_equal(fixture_do(fixture, &forget.operation), 0);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM actions"), 4);
    list.before = 0;
    list.target = "d1";
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_int_equal(list.n_actions, 2);
    assert_string_equal(list.actions[1].result, "1 runs due now");
    free(list.actions);
}

size_t contract_console_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest all[] = {
        CONTRACT(a_search_finds_deliveries_by_each_name_and_by_all_together),
        CONTRACT(a_search_is_limited_to_a_time),
        CONTRACT(a_search_finds_runs_by_state_and_reason),
        CONTRACT(a_search_finds_skipped_runs_by_their_label),
        CONTRACT(a_search_for_any_text_finds_names_and_reasons),
        CONTRACT(a_search_finds_runs_with_an_effect_in_doubt),
        CONTRACT(the_failed_attempts_of_a_run_are_kept_in_order),
        CONTRACT(an_unknown_delivery_is_reported),
        CONTRACT(failures_are_grouped_by_their_reason),
        CONTRACT(failures_of_a_plugin_are_found_behind_many_of_others),
        CONTRACT(ids_in_a_reason_count_as_equal),
        CONTRACT(no_delivery_gets_the_id_of_a_forgotten_one),
        CONTRACT(dead_runs_of_other_plugins_hide_none_of_a_plugin),
        CONTRACT(numbers_over_time_are_the_same_before_and_after_they_are_summed),
        CONTRACT(a_delivery_far_in_the_future_does_not_stop_the_sums),
        CONTRACT(old_deliveries_are_found_by_filters_of_their_names),
        CONTRACT(all_runs_of_a_state_are_listed_page_by_page),
        CONTRACT(a_search_by_a_group_of_reasons_skips_no_delivery),
        CONTRACT(a_redelivery_is_found_by_its_new_names),
        CONTRACT(plugins_are_listed_with_their_runs),
        CONTRACT(recovery_is_summed_up),
        CONTRACT(actions_are_kept_in_order_and_found_by_their_target),
    };
    memcpy(tests, all, sizeof all);
    return sizeof all / sizeof *all;
}
