/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract: deliveries, claims, ends of runs. Those of
 * sets and keys are in items_contract.c, those of people and maintenance in admin_contract.c. */
#include "inbox_contract.h"

#include <stdio.h>
#include <stdlib.h>

static int put(struct fixture *fixture, const char *guid) {
    struct inbox_put operation = put_of(guid);
    return fixture_do(fixture, &operation.operation);
}

static int finish(struct fixture *fixture, const struct inbox_run *run, enum inbox_finish_how how,
                  int64_t due_ms) {
    struct inbox_finish operation = finish_of(run, how);
    operation.due_ms = due_ms;
    return fixture_do(fixture, &operation.operation);
}

/* Claims the one run that "invite" has due, and ends it. */
static void end_the_run(struct fixture *fixture, enum inbox_finish_how how, int64_t due_ms) {
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 1);
    assert_int_equal(finish(fixture, &claim.runs[0], how, due_ms), 0);
    inbox_runs_free(claim.runs, claim.n_runs);
}

/* PUT */

static void a_delivery_comes_back_as_a_run_with_all_that_was_stored(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put operation = put_of("guid-1");
    operation.action = "closed";
    operation.received_ms = FIXTURE_NOW - 5;
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);

    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 1);
    const struct inbox_run *run = &claim.runs[0];
    assert_string_equal(run->guid, "guid-1");
    assert_string_equal(run->event, "push");
    assert_string_equal(run->action, "closed");
    assert_string_equal(run->installation, "7");
    assert_string_equal(run->repository, "octo/cat");
    assert_string_equal(run->sender, "mona");
    assert_string_equal(run->item, "99#12");
    assert_int_equal(run->payload->bytes, 7);
    assert_memory_equal(run->payload->data, "{\"a\":1}", 8);
    assert_int_equal(run->received_ms, FIXTURE_NOW - 5);
    assert_int_equal(run->attempt, 1);
    assert_true(run->token > 0);
    assert_int_equal(run->crashes, 0);
    assert_false(run->suspect);
    assert_int_equal(run->share, 0);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_delivery_without_plugins_is_stored_and_runs_nothing(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put operation = put_of("guid-1");
    operation.installation = "";
    operation.n_runs = 0;
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    fixture_expect_stats(fixture, 0, 0, 0);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM deliveries"), 1);
}

static void a_guid_seen_again_while_its_runs_are_queued_is_a_duplicate(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(put(fixture, "guid-1"), INBOX_STORED);
    assert_int_equal(put(fixture, "guid-1"), INBOX_DUPLICATE);
    fixture_expect_stats(fixture, 1, 0, 0);
}

static void a_guid_seen_again_while_a_run_is_running_is_a_duplicate(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(put(fixture, "guid-1"), INBOX_STORED);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(put(fixture, "guid-1"), INBOX_DUPLICATE);
    fixture_expect_stats(fixture, 0, 1, 0);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_duplicate_makes_a_waiting_retry_due_now(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(put(fixture, "guid-1"), INBOX_STORED);
    end_the_run(fixture, INBOX_RETRY, FIXTURE_NOW + 3600000);
    struct inbox_put again = put_of("guid-1");
    again.due_ms = FIXTURE_NOW + 1000;
    assert_int_equal(fixture_do(fixture, &again.operation), INBOX_DUPLICATE);

    struct inbox_claim early = fixture_claim(fixture, "invite", FIXTURE_NOW + 999);
    assert_int_equal(early.n_runs, 0);
    assert_int_equal(early.next_due_ms, FIXTURE_NOW + 1000);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW + 1000);
    assert_int_equal(claim.n_runs, 1);
    assert_int_equal(claim.runs[0].attempt, 2);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_duplicate_does_not_hasten_a_first_attempt_nor_delay_a_retry(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put first = put_of("fresh");
    first.due_ms = FIXTURE_NOW + 5000;
    assert_int_equal(fixture_do(fixture, &first.operation), INBOX_STORED);
    first.due_ms = FIXTURE_NOW;
    assert_int_equal(fixture_do(fixture, &first.operation), INBOX_DUPLICATE);
    struct inbox_claim none = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(none.n_runs, 0);
    assert_int_equal(none.next_due_ms, FIXTURE_NOW + 5000);

    assert_int_equal(put(fixture, "retried"), INBOX_STORED);
    end_the_run(fixture, INBOX_RETRY, FIXTURE_NOW + 10);
    struct inbox_put again = put_of("retried");
    again.due_ms = FIXTURE_NOW + 1000;
    assert_int_equal(fixture_do(fixture, &again.operation), INBOX_DUPLICATE);
    none = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(none.next_due_ms, FIXTURE_NOW + 10);
}

static void a_finished_guid_seen_again_is_a_redelivery_of_the_new_body(void **state) {
    struct fixture *fixture = *state;
    static const enum inbox_finish_how ends[] = {INBOX_DONE, INBOX_DEAD};
    assert_int_equal(put(fixture, "guid-1"), INBOX_STORED);
    for (size_t i = 0; i < 2; i++) {
        struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
        assert_int_equal(claim.n_runs, 1);
        struct inbox_finish end = finish_of(&claim.runs[0], ends[i]);
        end.crashes = 2;
        end.suspect = true;
        assert_int_equal(fixture_do(fixture, &end.operation), 0);
        inbox_runs_free(claim.runs, claim.n_runs);

        struct inbox_put again = put_of("guid-1");
        again.body = "[2]";
        again.body_bytes = 3;
        again.event = "issues";
        again.sender = "hubot";
        assert_int_equal(fixture_do(fixture, &again.operation), INBOX_REDELIVERED);
    }
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 1);
    assert_int_equal(claim.runs[0].attempt, 1);
    assert_int_equal(claim.runs[0].crashes, 0);
    assert_false(claim.runs[0].suspect);
    assert_string_equal(claim.runs[0].payload->data, "[2]");
    assert_string_equal(claim.runs[0].event, "issues");
    assert_string_equal(claim.runs[0].sender, "hubot");
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_redelivery_runs_the_plugins_that_are_routed_now(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put_run before[] = {{.plugin = "invite"}, {.plugin = "ping"}};
    struct inbox_put_run now[] = {{.plugin = "ping"}, {.plugin = "hello"}};
    struct inbox_put operation = put_of("guid-1");
    operation.runs = before;
    operation.n_runs = 2;
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    end_the_run(fixture, INBOX_DONE, 0);
    struct inbox_claim ping = fixture_claim(fixture, "ping", FIXTURE_NOW);
    operation.runs = now;
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_DUPLICATE);
    assert_int_equal(finish(fixture, &ping.runs[0], INBOX_DEAD, 0), 0);
    inbox_runs_free(ping.runs, ping.n_runs);

    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_REDELIVERED);
    static const struct {
        const char *plugin;
        size_t runs;
    } expected[] = {{"invite", 0}, {"ping", 1}, {"hello", 1}};
    for (size_t i = 0; i < 3; i++) {
        struct inbox_claim claim = fixture_claim(fixture, expected[i].plugin, FIXTURE_NOW);
        assert_int_equal(claim.n_runs, expected[i].runs);
        inbox_runs_free(claim.runs, claim.n_runs);
    }
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM runs"), 3);
}

static void a_run_whose_plugin_is_not_configured_blocks_no_redelivery(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put_run before[] = {{.plugin = "invite"}, {.plugin = "ping"}};
    struct inbox_put_run now[] = {{.plugin = "invite"}};
    struct inbox_put operation = put_of("guid-1");
    operation.runs = before;
    operation.n_runs = 2;
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    end_the_run(fixture, INBOX_DONE, 0);
    operation.runs = now;
    operation.n_runs = 1;
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_DUPLICATE);
    operation.configured = "\ninvite\nping\n";
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_DUPLICATE);
    operation.configured = "\ninvite\npinging\n";
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_REDELIVERED);
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_DUPLICATE);
    end_the_run(fixture, INBOX_DONE, 0);
    struct inbox_claim ping = fixture_claim(fixture, "ping", FIXTURE_NOW);
    assert_int_equal(ping.n_runs, 1);
    inbox_runs_free(ping.runs, ping.n_runs);
}

static int64_t query(struct fixture *fixture, const char *sql) {
    return fixture->store->query(fixture->place, sql);
}

static struct inbox_put leased_put(struct inbox_put_run *runs, size_t n) {
    struct inbox_put operation = put_of("guid-1");
    operation.runs = runs;
    operation.n_runs = n;
    operation.host = 42;
    operation.lease_ms = 30000;
    return operation;
}

static void a_run_put_under_a_lease_is_running_and_nobody_claims_it(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put_run runs[] = {{.plugin = "invite", .leased = true}, {.plugin = "ping"}};
    struct inbox_put operation = leased_put(runs, 2);
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    fixture_expect_stats(fixture, 1, 1, 0);
    assert_int_equal(query(fixture, "SELECT id FROM runs WHERE plugin = 'invite'"), runs[0].id);
    assert_int_equal(query(fixture, "SELECT id FROM runs WHERE plugin = 'ping'"), runs[1].id);
    assert_int_equal(query(fixture, "SELECT attempt FROM runs WHERE plugin = 'invite'"), 1);
    assert_true(query(fixture, "SELECT lease_until_ms FROM runs WHERE plugin = 'invite'") > 0);
    assert_int_equal(query(fixture, "SELECT attempt + token FROM runs WHERE plugin = 'ping'"), 0);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 0);

    struct inbox_run run = {.id = runs[0].id, .attempt = 1, .token = runs[0].token + 1};
    assert_int_equal(finish(fixture, &run, INBOX_DONE, 0), INBOX_STALE);
    run.token = runs[0].token;
    assert_int_equal(finish(fixture, &run, INBOX_DONE, 0), 0);
    fixture_expect_stats(fixture, 1, 0, 0);
}

static void a_duplicate_gets_no_run_and_a_redelivery_gets_it_queued_for_its_journal(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put_run runs[] = {{.plugin = "invite", .leased = true}};
    struct inbox_put operation = leased_put(runs, 1);
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    struct inbox_run run = {.id = runs[0].id, .attempt = 1, .token = runs[0].token};
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_DUPLICATE);
    assert_int_equal(runs[0].id, 0);
    assert_int_equal(finish(fixture, &run, INBOX_DEAD, 0), 0);

    operation.host = 43;
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_REDELIVERED);
    assert_int_equal(runs[0].id, 0);
    fixture_expect_stats(fixture, 1, 0, 0);
    assert_int_equal(finish(fixture, &run, INBOX_DONE, 0), INBOX_STALE);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 1);
    assert_int_equal(claim.runs[0].attempt, 1);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_body_is_bytes_whatever_they_are(void **state) {
    struct fixture *fixture = *state;
    static const char *const guids[] = {"empty", "escape", "nul", "not-utf8"};
    static const char bytes[][16] = {"", "\"\\u0000\"", "a\0b", "\xFF\xFE\x00\x80"};
    static const size_t lengths[] = {0, 8, 3, 4};
    for (size_t i = 0; i < 4; i++) {
        struct inbox_put operation = put_of(guids[i]);
        operation.body = lengths[i] ? bytes[i] : NULL;
        operation.body_bytes = lengths[i];
        assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    }
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(claim.runs[i].payload->bytes, lengths[i]);
        assert_memory_equal(claim.runs[i].payload->data, bytes[i], lengths[i] + 1);
    }
    inbox_runs_free(claim.runs, claim.n_runs);
}

static char *pattern(size_t bytes, unsigned seed) {
    char *body = malloc(bytes);
    assert_non_null(body);
    for (size_t i = 0; i < bytes; i++) {
        body[i] = (char)((i * 2654435761U + seed) >> 13);
    }
    return body;
}

static void the_largest_body_survives_a_redelivery_and_reopening(void **state) {
    struct fixture *fixture = *state;
    static const size_t sizes[] = {26214400, 26214399, (1 << 20) + 1, 26214400};
    for (unsigned i = 0; i < 4; i++) {
        char *body = pattern(sizes[i], i);
        struct inbox_put operation = put_of("guid-1");
        operation.body = body;
        operation.body_bytes = sizes[i];
        assert_int_equal(fixture_do(fixture, &operation.operation), i ? INBOX_REDELIVERED : 0);
        fixture_close(fixture);
        fixture_open(fixture, FIXTURE_NOW);
        struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
        assert_int_equal(claim.n_runs, 1);
        assert_int_equal(claim.runs[0].payload->bytes, sizes[i]);
        assert_true(memcmp(claim.runs[0].payload->data, body, sizes[i]) == 0);
        assert_int_equal(finish(fixture, &claim.runs[0], INBOX_DONE, 0), 0);
        inbox_runs_free(claim.runs, claim.n_runs);
        free(body);
    }
}

static void a_body_that_shrinks_is_packed_and_comes_back_as_it_was(void **state) {
    struct fixture *fixture = *state;
    static const size_t sizes[] = {255, 256, 20000, 3 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char guid[2] = {(char)('a' + i)}, *body = malloc(sizes[i]);
        assert_non_null(body);
        for (size_t j = 0; j < sizes[i]; j++) {
            body[j] = "https://api.github.com/\0"[j % 24];
        }
        struct inbox_put operation = put_of(guid);
        operation.body = body;
        operation.body_bytes = sizes[i];
        assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
        struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
        assert_int_equal(claim.runs[0].payload->bytes, sizes[i]);
        assert_memory_equal(claim.runs[0].payload->data, body, sizes[i]);
        inbox_runs_free(claim.runs, claim.n_runs);
        free(body);
    }
    assert_int_equal(query(fixture, "SELECT count(*) FROM deliveries WHERE body_codec = 0"), 1);
    assert_int_equal(query(fixture, "SELECT count(*) FROM deliveries WHERE length(body) < 2000"),
                     3);
}

static void a_run_without_a_body_is_damaged_and_the_others_go_on(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(put(fixture, "bad"), INBOX_STORED);
    assert_int_equal(put(fixture, "good"), INBOX_STORED);
    query(fixture, "UPDATE deliveries SET body = NULL WHERE guid = 'bad'");
    struct inbox_claim_share share = {
        .plugin = "invite", .runs = 10, .most_bytes = UINT64_MAX, .alone = false};
    struct inbox_claim claim = claim_of(&share, 1, FIXTURE_NOW);
    assert_int_equal(fixture_do(fixture, &claim.operation), 0);
    assert_int_equal(claim.n_runs, 2);
    for (size_t i = 0; i < 2; i++) {
        struct error err = {.text = ""};
        bool bad = strcmp(claim.runs[i].guid, "bad") == 0;
        assert_int_equal(inbox_run_unpack(&claim.runs[i], &err), bad ? INBOX_DAMAGED : 0);
        assert_true(!bad || strstr(err.text, "lost its body"));
    }
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_damaged_body_is_an_error_of_its_run(void **state) {
    struct fixture *fixture = *state;
    char body[2000];
    memset(body, 'x', sizeof body);
    struct inbox_put operation = put_of("guid-1");
    operation.body = body;
    operation.body_bytes = sizeof body;
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    struct inbox_claim_share share = {
        .plugin = "invite", .runs = 1, .most_bytes = UINT64_MAX, .alone = false};
    struct inbox_claim claim = claim_of(&share, 1, FIXTURE_NOW);
    assert_int_equal(fixture_do(fixture, &claim.operation), 0);
    struct inbox_run *run = &claim.runs[0];
    struct error err = {.text = ""};
    static const struct {
        int64_t codec;
        size_t bytes;
        char first;
    } cases[] = {{1, 2000, '\0'},
                 {1, 1999, '\x1f'},
                 {1, 2001, '\x1f'},
                 {0, 2000, '\x1f'},
                 {7, 2000, '\x1f'}};
    char good = run->payload->data[0];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run->payload_codec = cases[i].codec;
        run->payload_bytes = cases[i].bytes;
        run->payload->data[0] = cases[i].first == '\x1f' ? good : cases[i].first;
        assert_int_equal(inbox_run_unpack(run, &err), INBOX_DAMAGED);
        assert_non_null(strstr(err.text, "damaged"));
    }
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void texts_that_are_too_long_are_rejected(void **state) {
    struct fixture *fixture = *state;
    char longest[INBOX_GUID_MAX + 2], name[INBOX_NAME_MAX + 2];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    memset(name, 'y', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct inbox_put_run runs[] = {{.plugin = name}};
    struct inbox_put puts[] = {put_of(longest), put_of("g"), put_of("g"), put_of("g"), put_of("g")};
    puts[1].event = name;
    puts[2].action = name;
    puts[3].installation = name;
    puts[4].runs = runs;
    for (size_t i = 0; i < sizeof puts / sizeof *puts; i++) {
        assert_int_equal(fixture_do(fixture, &puts[i].operation), -1);
        assert_non_null(strstr(puts[i].operation.error.text, "longer than"));
    }
    /* It is their fault, not the store's. */
    assert_true(inbox_healthy(fixture->inbox));
    assert_int_equal(put(fixture, longest + 1), INBOX_STORED);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_string_equal(claim.runs[0].guid, longest + 1);
    inbox_runs_free(claim.runs, claim.n_runs);
}

/* CLAIM */

static void runs_are_claimed_once_and_in_order_of_due_time(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *guid;
        int64_t due_ms;
    } given[] = {{"third", 30}, {"first", 10}, {"later", 101}, {"second", 20}, {"fourth", 100}};
    for (size_t i = 0; i < 5; i++) {
        struct inbox_put operation = put_of(given[i].guid);
        operation.due_ms = FIXTURE_NOW + given[i].due_ms;
        assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    }
    static const char *const order[] = {"first", "second", "third", "fourth"};
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW + 100);
    assert_int_equal(claim.n_runs, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(claim.runs[i].guid, order[i]);
    }
    assert_int_equal(claim.next_due_ms, FIXTURE_NOW + 101);
    inbox_runs_free(claim.runs, claim.n_runs);

    claim = fixture_claim(fixture, "invite", FIXTURE_NOW + 100);
    assert_int_equal(claim.n_runs, 0);
    fixture_expect_stats(fixture, 1, 4, 0);
}

static void each_plugin_gets_its_share_and_no_more(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put_run runs[] = {{.plugin = "invite"}, {.plugin = "ping"}, {.plugin = "hello"}};
    static const char *const guids[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) {
        struct inbox_put operation = put_of(guids[i]);
        operation.runs = runs;
        operation.n_runs = 3;
        operation.due_ms = FIXTURE_NOW - 10 + (int64_t)i;
        assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    }
    struct inbox_claim_share shares[] = {
        {.plugin = "invite", .runs = 2, .most_bytes = UINT64_MAX},
        {.plugin = "ping", .runs = 0, .most_bytes = UINT64_MAX},
        {.plugin = "nobody", .runs = 5, .most_bytes = UINT64_MAX},
        {.plugin = "hello", .runs = 5, .most_bytes = UINT64_MAX},
    };
    struct inbox_claim claim = claim_of(shares, 4, FIXTURE_NOW);
    assert_int_equal(fixture_do(fixture, &claim.operation), 0);
    size_t count[4] = {0};
    for (size_t i = 0; i < claim.n_runs; i++) {
        count[claim.runs[i].share]++;
    }
    assert_int_equal(count[0], 2);
    assert_int_equal(count[1], 0);
    assert_int_equal(count[2], 0);
    assert_int_equal(count[3], 3);
    /* The run is for ping, whose share was 0. */
    assert_int_equal(claim.next_due_ms, FIXTURE_NOW - 10);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_claim_of_nothing_says_when_there_will_be_something(void **state) {
    struct fixture *fixture = *state;
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 0);
    assert_true(claim.next_due_ms == INT64_MAX);
    struct inbox_put operation = put_of("guid-1");
    operation.due_ms = FIXTURE_NOW + 77;
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.next_due_ms, FIXTURE_NOW + 77);
    claim = fixture_claim(fixture, "ping", FIXTURE_NOW);
    /* Only of the plugins that were asked for. */
    assert_true(claim.next_due_ms == INT64_MAX);
}

static void payload_bytes_bound_a_share_but_a_run_alone_always_fits(void **state) {
    struct fixture *fixture = *state;
    static const char *const guids[] = {"a", "b", "c", "d"};
    char *body = pattern(4000, 1);
    for (size_t i = 0; i < 4; i++) {
        struct inbox_put operation = put_of(guids[i]);
        operation.body = body;
        operation.body_bytes = 4000;
        assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    }
    free(body);
    static const struct {
        uint64_t bytes;
        bool alone;
        size_t runs;
    } cases[] = {{0, false, 0}, {3999, false, 0}, {0, true, 1}, {8000, false, 2}, {7999, true, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct inbox_claim_share share = {
            .plugin = "invite", .runs = 9, .most_bytes = cases[i].bytes, .alone = cases[i].alone};
        struct inbox_claim claim = claim_of(&share, 1, FIXTURE_NOW);
        assert_int_equal(fixture_do(fixture, &claim.operation), 0);
        assert_int_equal(claim.n_runs, cases[i].runs);
        inbox_runs_free(claim.runs, claim.n_runs);
    }
}

static void a_suspect_run_is_taken_alone_and_only_when_nothing_runs(void **state) {
    struct fixture *fixture = *state;
    static const char *const guids[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(put(fixture, guids[i]), INBOX_STORED);
    }
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 4);
    /* "a" and "b" were in the worker that died. */
    for (size_t i = 0; i < 4; i++) {
        struct inbox_finish end = finish_of(&claim.runs[i], INBOX_RETRY);
        end.suspect = i < 2;
        end.crashes = (int64_t)i;
        assert_int_equal(fixture_do(fixture, &end.operation), 0);
    }
    inbox_runs_free(claim.runs, claim.n_runs);

    static const struct {
        bool alone;
        uint32_t runs;
        size_t taken;
        const char *guid; /* of the first */
        bool suspects_due;
    } steps[] = {{true, 0, 0, "", true},   {false, 1, 1, "c", true}, {true, 9, 1, "a", true},
                 {true, 9, 1, "b", false}, {true, 9, 1, "d", false}, {false, 9, 0, "", false}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct inbox_claim_share share = {.plugin = "invite",
                                          .runs = steps[i].runs,
                                          .most_bytes = UINT64_MAX,
                                          .alone = steps[i].alone};
        claim = claim_of(&share, 1, FIXTURE_NOW);
        assert_int_equal(fixture_do(fixture, &claim.operation), 0);
        assert_int_equal(claim.n_runs, steps[i].taken);
        assert_int_equal(share.suspects_due, steps[i].suspects_due);
        if (claim.n_runs > 0) {
            const struct inbox_run *run = &claim.runs[0];
            assert_string_equal(run->guid, steps[i].guid);
            assert_int_equal(run->suspect, run->guid[0] < 'c');
            assert_int_equal(run->crashes, run->guid[0] - 'a');
        }
        inbox_runs_free(claim.runs, claim.n_runs);
    }
}

/* FINISH */

static void a_retry_keeps_its_attempt_and_a_requeue_gives_it_back(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(put(fixture, "guid-1"), INBOX_STORED);
    static const struct {
        int64_t attempt; /* of the claim */
        enum inbox_finish_how how;
    } steps[] = {{1, INBOX_REQUEUE},
                 {1, INBOX_RETRY},
                 {2, INBOX_REQUEUE},
                 {2, INBOX_RETRY},
                 {3, INBOX_DONE}};
    int64_t now_ms = FIXTURE_NOW;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct inbox_claim early = fixture_claim(fixture, "invite", now_ms - 1);
        assert_int_equal(early.n_runs, 0);
        struct inbox_claim claim = fixture_claim(fixture, "invite", now_ms);
        assert_int_equal(claim.n_runs, 1);
        assert_int_equal(claim.runs[0].attempt, steps[i].attempt);
        now_ms += 500;
        assert_int_equal(finish(fixture, &claim.runs[0], steps[i].how, now_ms), 0);
        inbox_runs_free(claim.runs, claim.n_runs);
    }
    fixture_expect_stats(fixture, 0, 0, 0);
}

static void a_dead_run_is_counted_and_keeps_its_reason(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(put(fixture, "guid-1"), INBOX_STORED);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    struct inbox_finish end = finish_of(&claim.runs[0], INBOX_DEAD);
    end.label = "failed";
    end.reason = "no such user";
    assert_int_equal(fixture_do(fixture, &end.operation), 0);
    inbox_runs_free(claim.runs, claim.n_runs);
    fixture_expect_stats(fixture, 0, 0, 1);
    assert_int_equal(fixture->store->query(fixture->place,
                                           "SELECT count(*) FROM runs WHERE state = 'dead' AND "
                                           "label = 'failed' AND reason = 'no such user' AND "
                                           "finished_ms = 1700000000000"),
                     1);
    struct inbox_claim none = fixture_claim(fixture, "invite", FIXTURE_NOW * 2);
    assert_int_equal(none.n_runs, 0);
}

static void a_result_with_another_token_or_run_is_stale(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(put(fixture, "guid-1"), INBOX_STORED);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    const struct inbox_run right = claim.runs[0];
    struct inbox_run wrong[] = {right, right};
    wrong[0].token++;
    wrong[1].id++;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(finish(fixture, &wrong[i], INBOX_DONE, 0), INBOX_STALE);
    }
    static const enum inbox_finish_how again_hows[] = {INBOX_RETRY, INBOX_REQUEUE, INBOX_WAIT,
                                                       INBOX_PARK};
    for (size_t i = 0; i < sizeof again_hows / sizeof *again_hows; i++) {
        assert_int_equal(finish(fixture, &wrong[0], again_hows[i], FIXTURE_NOW), INBOX_STALE);
    }
    fixture_expect_stats(fixture, 0, 1, 0);
    assert_int_equal(finish(fixture, &right, INBOX_RETRY, FIXTURE_NOW), 0);
    assert_int_equal(finish(fixture, &right, INBOX_DEAD, 0), INBOX_STALE); /* queued by now */
    /* A host that does not know whether its COMMIT was carried out repeats the completion. */
    assert_int_equal(finish(fixture, &right, INBOX_REQUEUE, FIXTURE_NOW), INBOX_STALE);
    struct inbox_claim again = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(finish(fixture, &right, INBOX_DEAD, 0), INBOX_STALE); /* attempt 2 by now */
    assert_int_equal(finish(fixture, &again.runs[0], INBOX_DONE, 0), 0);
    assert_int_equal(finish(fixture, &again.runs[0], INBOX_DONE, 0), INBOX_STALE);
    inbox_runs_free(claim.runs, claim.n_runs);
    inbox_runs_free(again.runs, again.n_runs);
}

static size_t delivery_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest ours[] = {
        CONTRACT(a_delivery_comes_back_as_a_run_with_all_that_was_stored),
        CONTRACT(a_delivery_without_plugins_is_stored_and_runs_nothing),
        CONTRACT(a_guid_seen_again_while_its_runs_are_queued_is_a_duplicate),
        CONTRACT(a_guid_seen_again_while_a_run_is_running_is_a_duplicate),
        CONTRACT(a_duplicate_makes_a_waiting_retry_due_now),
        CONTRACT(a_duplicate_does_not_hasten_a_first_attempt_nor_delay_a_retry),
        CONTRACT(a_finished_guid_seen_again_is_a_redelivery_of_the_new_body),
        CONTRACT(a_redelivery_runs_the_plugins_that_are_routed_now),
        CONTRACT(a_run_whose_plugin_is_not_configured_blocks_no_redelivery),
        CONTRACT(a_run_put_under_a_lease_is_running_and_nobody_claims_it),
        CONTRACT(a_duplicate_gets_no_run_and_a_redelivery_gets_it_queued_for_its_journal),
        CONTRACT(a_body_is_bytes_whatever_they_are),
        CONTRACT(the_largest_body_survives_a_redelivery_and_reopening),
        CONTRACT(a_body_that_shrinks_is_packed_and_comes_back_as_it_was),
        CONTRACT(a_damaged_body_is_an_error_of_its_run),
        CONTRACT(a_run_without_a_body_is_damaged_and_the_others_go_on),
        CONTRACT(texts_that_are_too_long_are_rejected),
        CONTRACT(runs_are_claimed_once_and_in_order_of_due_time),
        CONTRACT(each_plugin_gets_its_share_and_no_more),
        CONTRACT(a_claim_of_nothing_says_when_there_will_be_something),
        CONTRACT(payload_bytes_bound_a_share_but_a_run_alone_always_fits),
        CONTRACT(a_suspect_run_is_taken_alone_and_only_when_nothing_runs),
        CONTRACT(a_retry_keeps_its_attempt_and_a_requeue_gives_it_back),
        CONTRACT(a_dead_run_is_counted_and_keeps_its_reason),
        CONTRACT(a_result_with_another_token_or_run_is_stale),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}

static const struct {
    const char *part;
    size_t (*add)(const struct contract_store *store, struct CMUnitTest *tests);
} all[] = {
    {"deliveries", delivery_tests},         {"deliveries", contract_group_tests},
    {"deliveries", contract_preview_tests}, {"deliveries", contract_pull_tests},
    {"deliveries", contract_host_tests},    {"runs", contract_claim_tests},
    {"runs", contract_lease_tests},         {"runs", contract_order_tests},
    {"runs", contract_waiting_tests},       {"runs", contract_timer_tests},
    {"runs", contract_journal_tests},       {"state", contract_audit_tests},
    {"state", contract_item_tests},         {"state", contract_people_tests},
    {"state", contract_hold_tests},         {"state", contract_wait_tests},
    {"state", contract_console_tests},      {"state", contract_redelivery_tests},
};

size_t contract_tests(const struct contract_store *store, const char *part,
                      struct CMUnitTest *tests) {
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (contract_has(part, all[i].part)) {
            n += all[i].add(store, tests + n);
        }
    }
    return n;
}

bool contract_has(const char *part, const char *name) {
    return !part || strcmp(part, name) == 0;
}
