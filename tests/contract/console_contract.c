/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about the console's questions. */
#include "inbox_contract.h"

#include "inbox/console.h"

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

static void an_unknown_delivery_is_reported(void **state) {
    struct fixture *fixture = *state;
    struct inbox_show show = {.operation = {.kind = INBOX_SHOW}, .guid = "nothing"};
    assert_int_equal(fixture_do(fixture, &show.operation), INBOX_UNKNOWN);
    assert_int_equal(show.n_runs, 0);
    inbox_show_finish(&show);
}

size_t contract_console_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest all[] = {
        CONTRACT(a_search_finds_deliveries_by_each_name_and_by_all_together),
        CONTRACT(a_search_is_limited_to_a_time),
        CONTRACT(a_search_finds_runs_by_state_and_reason),
        CONTRACT(a_search_finds_runs_with_an_effect_in_doubt),
        CONTRACT(an_unknown_delivery_is_reported),
    };
    memcpy(tests, all, sizeof all);
    return sizeof all / sizeof *all;
}
