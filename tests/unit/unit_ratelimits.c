/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* broker/ratelimits, token_denials, classify and graphql, by a clock that the test moves. */
#include "unit.h"

#include "base/clock.h"
#include "base/log.h"
#include "broker/ratelimits.h"
#include "broker/token_denials.h"
#include "inbox/inbox.h"

#include <snekomatic/types.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WALL_MS 1700000000000
#define WRITE_MS 1000
#define NOTIFY_MS 3000

struct test_client {
    struct limits_waiter waiter;
    struct broker_waited waited;
    bool admitted;
    /* From WALL_MS; 0: it was not. */
    int64_t deferred_ms;
};

static struct limits *limits;
static struct transport *transport;
static int64_t now_ms; /* from the start */
static unsigned order, went[64];

static void set_clock(int64_t to_ms) {
    now_ms = to_ms;
    clock_set_for_test(1000000 + to_ms, WALL_MS + to_ms);
}

static void pass(int64_t to_ms) {
    set_clock(to_ms);
    limits_handle(limits);
}

static struct limits *make(struct inbox *inbox, struct mailbox *mailbox) {
    struct limits_options options = {.write_interval_ms = WRITE_MS,
                                     .notify_interval_ms = NOTIFY_MS,
                                     .transport = transport,
                                     .inbox = inbox,
                                     .mailbox = mailbox};
    struct limits *made = limits_new(&options);
    assert_non_null(made);
    return made;
}

static int set_up(void **state) {
    (void)state;
    struct error err;
    struct transport_options options = {.user_agent = "test", .timeout_ms = 1000};
    set_clock(0);
    log_setup(SNEK_LEVEL_ERROR, LOG_LOGFMT);
    order = 0;
    assert_int_equal(transport_new(&options, &transport, &err), 0);
    limits = make(NULL, NULL);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    limits_free(limits);
    transport_free(transport);
    return 0;
}

static void on_admitted(struct limits_waiter *waiter) {
    struct test_client *client = CONTAINER_OF(waiter, struct test_client, waiter);
    client->admitted = true;
    went[order++ % 64] = (unsigned)waiter->class.pace;
}

static void on_deferred(struct limits_waiter *waiter, int64_t until_ms, const char *why) {
    struct test_client *client = CONTAINER_OF(waiter, struct test_client, waiter);
    assert_non_null(strstr(why, limits ? "" : "?"));
    client->deferred_ms = until_ms - WALL_MS;
}

static void enter(struct test_client *client, const char *installation, const char *method,
                  const char *path) {
    *client = (struct test_client){.waiter = {.installation = installation,
                                              .class = classify_request(method, path, NULL, 0),
                                              .hold_ms = LIMITS_HOLD_MS,
                                              .on_admitted = on_admitted,
                                              .on_deferred = on_deferred}};
    client->waiter.waited = &client->waited;
    limits_enter(limits, &client->waiter);
}

static void send_off(struct test_client *client) {
    assert_true(client->admitted);
    limits_sent(limits, &client->waiter);
}

/* The answer to it: what it says of limits. */
static bool leave(struct test_client *client, int32_t status, const char *headers) {
    struct http_transfer transfer = {.status = status,
                                     .outcome = status < 500 ? SNEK_E_RATE_LIMITED : SNEK_E_SERVER,
                                     .headers = BUFFER_INIT(1000)};
    if (status < 300) {
        transfer.outcome = 0;
    }
    assert_int_equal(buffer_append_text(&transfer.headers, headers), 0);
    bool rejected = limits_leave(limits, &client->waiter, &transfer);
    buffer_finish(&transfer.headers);
    return rejected;
}

static void a_write_goes_an_interval_after_the_one_before_was_sent(void **state) {
    (void)state;
    struct test_client first, second, read, other;
    enter(&first, "1", "PATCH", "/repos/o/r");
    pass(500); /* for a token, say */
    enter(&second, "1", "DELETE", "/repos/o/r");
    enter(&read, "1", "GET", "/repos/o/r");
    enter(&other, "2", "DELETE", "/repos/o/r");
    assert_true(read.admitted && other.admitted);
    send_off(&first);
    pass(1499);
    assert_false(second.admitted);
    assert_int_equal(limits_wait_ms(limits, 60000), 1);
    pass(1500);
    assert_true(second.admitted);
    assert_int_equal(second.waited.total_ms, 1000);
    assert_int_equal(second.waited.since_ms, 0);
}

static void notifying_writes_are_slower_and_other_writes_pass_them(void **state) {
    (void)state;
    struct test_client first, comment, label;
    enter(&first, "1", "POST", "/repos/o/r/issues/7/comments");
    send_off(&first);
    enter(&comment, "1", "POST", "/repos/o/r/issues/8/comments");
    enter(&label, "1", "POST", "/repos/o/r/issues/8/labels");
    pass(1000);
    assert_true(label.admitted && !comment.admitted);
    send_off(&label);
    pass(2999);
    assert_false(comment.admitted);
    pass(3000);
    assert_true(comment.admitted);
}

static void a_primary_limit_holds_all_of_its_installation_until_the_reset(void **state) {
    (void)state;
    struct test_client last, next, other;
    enter(&last, "1", "GET", "/repos/o/r");
    assert_false(leave(&last, 200, "x-ratelimit-remaining: 0\nx-ratelimit-reset: 1700000003\n"));
    enter(&next, "1", "GET", "/repos/o/r");
    enter(&other, "2", "GET", "/repos/o/r");
    assert_true(other.admitted);
    /* A second more than GitHub says. */
    pass(3999);
    assert_false(next.admitted);
    pass(4000);
    assert_true(next.admitted);
}

static void a_long_wait_defers_everyone_until_its_end(void **state) {
    (void)state;
    struct test_client rejected, queued, next;
    enter(&rejected, "1", "PUT", "/repos/o/r");
    send_off(&rejected);
    enter(&queued, "1", "PUT", "/repos/o/r");
    assert_int_equal(queued.deferred_ms, 0);
    assert_true(leave(&rejected, 403, "x-ratelimit-remaining: 0\nx-ratelimit-reset: 1700000600\n"));
    assert_int_equal(queued.deferred_ms, 601000);
    enter(&next, "1", "GET", "/repos/o/r");
    assert_int_equal(next.deferred_ms, 601000);
    pass(601000);
    enter(&next, "1", "GET", "/repos/o/r");
    assert_true(next.admitted);
}

static void retry_after_is_obeyed_whatever_the_status(void **state) {
    (void)state;
    static const int32_t statuses[] = {403, 429};
    for (size_t i = 0; i < 2; i++) {
        struct test_client rejected, next;
        char installation[] = {(char)('1' + i), '\0'};
        set_clock(0);
        enter(&rejected, installation, "GET", "/repos/o/r");
        assert_true(leave(&rejected, statuses[i], "retry-after: 3\n"));
        enter(&next, installation, "GET", "/repos/o/r");
        pass(2999);
        assert_false(next.admitted);
        pass(3000);
        assert_true(next.admitted);
    }
}

static void a_retry_after_is_read_whatever_it_is_within_bounds(void **state) {
    (void)state;
    static const struct {
        const char *says;
        int64_t wait_ms;
    } cases[] = {
        {"0", 1000},
        {"3", 3000},
        {"86400", 3700000},
        {"3600", 3600000},
        {"1000000000000", 3700000},
        {"9999999999999999999999", 3700000},
        {"Tue, 14 Nov 2023 22:15:20 GMT", 120000}, /* WALL_MS is 22:13:20 */
        {"Tue, 14 Nov 2023 22:13:10 GMT", 1000},
        {"Tue, 14 Nov 2099 22:13:10 GMT", 3700000},
        {"soon", 60000},
        {"-1", 60000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct test_client rejected, next;
        char installation[16], header[80];
        (void)snprintf(installation, sizeof installation, "%zu", i);
        (void)snprintf(header, sizeof header, "retry-after: %s\n", cases[i].says);
        set_clock(0);
        enter(&rejected, installation, "GET", "/repos/o/r");
        assert_true(leave(&rejected, 429, header));
        enter(&next, installation, "GET", "/repos/o/r");
        if (next.admitted) {
            fail_msg("'%s' is not waited for", cases[i].says);
        } else if (next.deferred_ms > 0) {
            assert_int_equal(next.deferred_ms, cases[i].wait_ms);
        } else {
            pass(cases[i].wait_ms - 1);
            assert_false(next.admitted);
            pass(cases[i].wait_ms);
            assert_true(next.admitted);
        }
    }
}

static void a_reset_is_no_further_away_than_an_hour_and_never_now(void **state) {
    (void)state;
    static const struct {
        const char *reset;
        int64_t wait_ms;
    } cases[] = {{"1700003600", 3601000},
                 {"1700090000", 3700000},
                 {"9999999999999999999", 3700000},
                 {"1600000000", 1000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct test_client rejected, next;
        char installation[16], headers[100];
        (void)snprintf(installation, sizeof installation, "%zu", i);
        (void)snprintf(headers, sizeof headers, "x-ratelimit-remaining: 0\nx-ratelimit-reset: %s\n",
                       cases[i].reset);
        enter(&rejected, installation, "GET", "/repos/o/r");
        assert_true(leave(&rejected, 403, headers));
        enter(&next, installation, "GET", "/repos/o/r");
        assert_false(next.admitted);
        assert_int_equal(next.deferred_ms, cases[i].wait_ms > 5000 ? cases[i].wait_ms : 0);
    }
}

static void a_server_that_names_a_time_is_given_it(void **state) {
    (void)state;
    struct test_client failed, next, other;
    enter(&failed, "1", "GET", "/repos/o/r");
    /* It may have done something. */
    assert_false(leave(&failed, 503, "retry-after: 3\n"));
    enter(&next, "1", "GET", "/repos/o/r");
    enter(&other, "2", "GET", "/repos/o/r");
    assert_true(other.admitted);
    pass(2999);
    assert_false(next.admitted);
    pass(3000);
    assert_true(next.admitted);
    assert_false(leave(&next, 502, ""));
    enter(&next, "1", "GET", "/repos/o/r");
    assert_true(next.admitted);
}

static void a_secondary_limit_without_a_time_is_a_minute_and_doubles(void **state) {
    (void)state;
    static const int64_t waits_ms[] = {60000, 120000, 240000};
    struct test_client client;
    int64_t at_ms = 0;
    for (size_t i = 0; i < 3; i++) {
        struct test_client together;
        pass(at_ms);
        enter(&client, "1", "GET", "/repos/o/r");
        enter(&together, "1", "GET", "/repos/o/r");
        assert_true(leave(&client, 403, ""));
        assert_true(leave(&together, 403, "")); /* counts as the same */
        enter(&client, "1", "GET", "/repos/o/r");
        assert_in_range(client.deferred_ms - at_ms, waits_ms[i], waits_ms[i]);
        at_ms = client.deferred_ms;
    }
    pass(at_ms);
    enter(&client, "1", "GET", "/repos/o/r");
    assert_false(leave(&client, 200, ""));
    enter(&client, "1", "GET", "/repos/o/r");
    assert_true(leave(&client, 429, ""));
    enter(&client, "1", "GET", "/repos/o/r");
    assert_int_equal(client.deferred_ms - at_ms, 60000);
}

static void searches_and_graphql_have_limits_of_their_own(void **state) {
    (void)state;
    struct test_client search, graphql, read;
    enter(&search, "1", "GET", "/search/issues");
    (void)leave(&search, 200,
                "x-ratelimit-resource: search\nx-ratelimit-remaining: 0\n"
                "x-ratelimit-reset: 1700000060\n");
    enter(&read, "1", "GET", "/repos/o/r");
    enter(&graphql, "1", "POST", "/graphql");
    assert_true(read.admitted && graphql.admitted);
    enter(&search, "1", "GET", "/search/issues");
    assert_int_equal(search.deferred_ms, 61000);
}

static void the_quota_of_another_endpoint_holds_up_nobody_unless_it_rejected(void **state) {
    (void)state;
    struct test_client client, next;
    char headers[128];
    (void)snprintf(
        headers, sizeof headers,
        "x-ratelimit-resource: scim\nx-ratelimit-remaining: 0\nx-ratelimit-reset: %lld\n",
        (long long)(WALL_MS / 1000 + 600));
    enter(&client, "1", "GET", "/scim");
    assert_false(leave(&client, 200, headers));
    enter(&next, "1", "GET", "/repos/o/r");
    assert_true(next.admitted);
    enter(&client, "1", "GET", "/scim");
    assert_true(leave(&client, 403, headers));
    enter(&next, "1", "GET", "/repos/o/r");
    assert_int_equal(next.deferred_ms, 601000);
}

static void an_installation_waits_for_the_apps_limit(void **state) {
    (void)state;
    struct test_client first, other, elsewhere;
    enter(&first, "1", "PATCH", "/repos/o/r");
    assert_true(first.admitted);
    limits_hold(limits, &first.waiter, WALL_MS + 3000);
    enter(&other, "1", "GET", "/repos/o/r");
    enter(&elsewhere, "2", "GET", "/repos/o/r");
    assert_true(elsewhere.admitted);
    pass(3000);
    /* Not as early as the app itself. */
    assert_false(other.admitted);
    pass(4000);
    assert_true(other.admitted);
    first.admitted = false;
    limits_enter(limits, &first.waiter);
    assert_true(first.admitted);
    limits_hold(limits, &first.waiter, WALL_MS + 64000);
    limits_enter(limits, &first.waiter);
    assert_true(first.deferred_ms >= 64000);
}

static void searches_are_spread_once_half_of_the_quota_is_used(void **state) {
    (void)state;
    struct test_client search;
    enter(&search, "1", "GET", "/search/issues");
    (void)leave(&search, 200,
                "x-ratelimit-limit: 30\nx-ratelimit-remaining: 15\n"
                "x-ratelimit-reset: 1700000029\n");
    enter(&search, "1", "GET", "/search/issues");
    assert_true(search.admitted);
    (void)leave(&search, 200,
                "x-ratelimit-limit: 30\nx-ratelimit-remaining: 10\n"
                "x-ratelimit-reset: 1700000029\n");
    enter(&search, "1", "GET", "/search/issues");
    pass(2999);
    assert_false(search.admitted);
    pass(3000);
    assert_true(search.admitted);
}

static void at_most_a_hundred_requests_of_an_installation_are_in_progress(void **state) {
    (void)state;
    static struct test_client clients[LIMITS_IN_FLIGHT_MAX + 2];
    struct test_client other;
    for (size_t i = 0; i < LIMITS_IN_FLIGHT_MAX + 2; i++) {
        enter(&clients[i], "1", "GET", "/repos/o/r");
        assert_int_equal(clients[i].admitted, i < LIMITS_IN_FLIGHT_MAX);
    }
    enter(&other, "2", "GET", "/repos/o/r");
    assert_true(other.admitted);
    (void)leave(&clients[0], 200, "");
    assert_true(clients[LIMITS_IN_FLIGHT_MAX].admitted &&
                !clients[LIMITS_IN_FLIGHT_MAX + 1].admitted);
    limits_forget(limits, &clients[LIMITS_IN_FLIGHT_MAX + 1].waiter);
    limits_forget(limits, &clients[1].waiter);
    assert_int_equal(limits_wait_ms(limits, 60000), 60000);
}

static void a_crowd_of_writers_is_deferred_one_after_the_other(void **state) {
    (void)state;
    static struct test_client crowd[10];
    for (size_t i = 0; i < 10; i++) {
        enter(&crowd[i], "1", "POST", "/repos/o/r/issues/1/comments");
        if (i == 0) {
            send_off(&crowd[0]);
        }
        assert_int_equal(crowd[i].deferred_ms, i < 2 ? 0 : (int64_t)i * NOTIFY_MS);
    }
}

static void plugins_take_turns(void **state) {
    (void)state;
    static struct test_client clients[6];
    struct test_client first;
    enter(&first, "1", "DELETE", "/repos/o/r");
    send_off(&first);
    for (size_t i = 0; i < 4; i++) {
        enter(&clients[i], "1", "DELETE", "/repos/o/r");
        limits_forget(limits, &clients[i].waiter);
        clients[i].waiter.entry.owner = i < 3 ? "greedy" : "modest";
        limits_enter(limits, &clients[i].waiter);
    }
    pass(1000);
    assert_true(clients[0].admitted && !clients[1].admitted && !clients[3].admitted);
    send_off(&clients[0]);
    pass(2000);
    assert_true(clients[3].admitted && !clients[1].admitted);
}

static void enter_as(struct test_client *client, const char *plugin) {
    *client = (struct test_client){.waiter = {.installation = "1",
                                              .class = {.pace = PACE_NONE},
                                              .hold_ms = LIMITS_HOLD_MS,
                                              .on_admitted = on_admitted,
                                              .on_deferred = on_deferred}};
    client->waiter.waited = &client->waited;
    client->waiter.entry.owner = plugin;
    limits_enter(limits, &client->waiter);
}

static unsigned enter_many(struct test_client *clients, const char *plugin, size_t count) {
    unsigned admitted = 0;
    for (size_t i = 0; i < count; i++) {
        enter_as(&clients[i], plugin);
        admitted += clients[i].admitted;
    }
    return admitted;
}

static void slow_requests_of_one_plugin_leave_slots_to_others(void **state) {
    (void)state;
    static struct test_client greedy[100], hungry[100], modest[100];
    assert_int_equal(enter_many(greedy, "greedy", 100), 64);
    assert_int_equal(enter_many(hungry, "hungry", 100), 16);
    assert_int_equal(enter_many(modest, "modest", 100), 4);
    /* Those that come later have their turn before all that the greedy one has queued. */
    for (size_t i = 0; i < 64; i++) {
        (void)leave(&greedy[i], 200, "");
    }
    assert_true(modest[4].admitted && hungry[16].admitted && !greedy[99].admitted);
    for (size_t i = 0; i < 100; i++) {
        limits_forget(limits, &greedy[i].waiter);
        limits_forget(limits, &hungry[i].waiter);
        limits_forget(limits, &modest[i].waiter);
    }
}

static void the_last_fifth_of_a_quota_is_for_other_plugins(void **state) {
    (void)state;
    struct test_client client;
    char headers[150];
    for (int left = 99; left >= 20; left--) {
        enter_as(&client, left < 95 ? "greedy" : "modest");
        assert_true(client.admitted);
        (void)snprintf(headers, sizeof headers,
                       "x-ratelimit-limit: 100\nx-ratelimit-remaining: %d\n"
                       "x-ratelimit-reset: %lld\n",
                       left, (long long)(WALL_MS / 1000 + 600));
        assert_false(leave(&client, 200, headers));
    }
    /* Its request was counted before the last one, and its response comes after that one's. */
    enter_as(&client, "modest");
    assert_true(client.admitted);
    (void)snprintf(headers, sizeof headers,
                   "x-ratelimit-limit: 100\nx-ratelimit-remaining: 21\nx-ratelimit-reset: %lld\n",
                   (long long)(WALL_MS / 1000 + 600));
    assert_false(leave(&client, 200, headers));
    enter_as(&client, "greedy");
    assert_false(client.admitted);
    assert_in_range(client.deferred_ms, 600000, 602000);
    enter_as(&client, NULL);
    assert_true(client.admitted);
    (void)leave(&client, 200, "");
    pass(602000);
    enter_as(&client, "greedy");
    assert_true(client.admitted);
    (void)leave(&client, 200, "");
}

static void a_request_that_leaves_the_reserve_waits_for_the_reset(void **state) {
    (void)state;
    struct test_client client;
    enter_as(&client, NULL);
    (void)leave(&client, 200,
                "x-ratelimit-limit: 5000\nx-ratelimit-remaining: 1000\n"
                "x-ratelimit-reset: 1700000600\n");
    enter_as(&client, NULL);
    assert_true(client.admitted);
    (void)leave(&client, 200, "");
    client.waiter.leaves_reserve = true;
    client.admitted = false;
    limits_enter(limits, &client.waiter);
    assert_false(client.admitted);
    assert_true(client.deferred_ms > 0);
}

static void a_drain_defers_those_that_wait_and_admits_the_others(void **state) {
    (void)state;
    struct test_client first, waits, read, late;
    enter(&first, "1", "DELETE", "/repos/o/r");
    send_off(&first);
    enter(&waits, "1", "DELETE", "/repos/o/r");
    assert_int_equal(waits.deferred_ms, 0);
    limits_drain(limits);
    assert_int_equal(waits.deferred_ms, WRITE_MS);
    enter(&read, "1", "GET", "/repos/o/r");
    assert_true(read.admitted);
    enter(&late, "1", "DELETE", "/repos/o/r");
    assert_true(late.deferred_ms > 0);
}

static void open_mail(struct mailbox *mailbox, const struct limits *of) {
    while (!limits_idle(of)) {
        struct pollfd fd = {.fd = mailbox->event_fd, .events = POLLIN};
        (void)poll(&fd, 1, 1000);
        (void)mailbox_drain(mailbox);
    }
}

static void a_wait_is_known_to_the_next_host_on_the_store(void **state) {
    (void)state;
    char folder[] = "/tmp/snek-limits-XXXXXX", url[64];
    struct inbox *inbox = NULL;
    struct mailbox mailbox;
    struct error err;
    struct test_client client;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(url, sizeof url, "sqlite:%s/inbox.db", folder);
    assert_int_equal(inbox_open(url, WALL_MS, &inbox, &err), 0);
    assert_int_equal(mailbox_init(&mailbox), 0);
    limits_free(limits);
    limits = make(inbox, &mailbox);
    enter(&client, "1", "GET", "/repos/o/r");
    open_mail(&mailbox, limits);
    assert_true(leave(&client, 403, "retry-after: 600\n"));
    open_mail(&mailbox, limits);

    limits_free(limits);
    limits = make(inbox, &mailbox);
    enter(&client, "1", "GET", "/repos/o/r");
    /* Not before it has looked. */
    assert_false(client.admitted);
    open_mail(&mailbox, limits);
    assert_int_equal(client.deferred_ms, 600000);
    enter(&client, "2", "GET", "/repos/o/r");
    open_mail(&mailbox, limits);
    assert_true(client.admitted);

    inbox_free(inbox);
    mailbox_finish(&mailbox);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void token_denials_are_forgotten_after_a_minute_and_bounded(void **state) {
    (void)state;
    static struct token_denials rejected;
    struct error err;
    clock_set_for_test(1000, 1);
    for (int i = 0; i < TOKEN_DENIALS_MAX; i++) {
        assert_int_equal(token_denials_check(&rejected, "a", "1", &err), 0);
        token_denials_count(&rejected, "a", "1", SNEK_E_VALIDATION);
    }
    clock_set_for_test(1000 + TOKEN_DENIALS_FOR_MS - 1, 1);
    assert_int_equal(token_denials_check(&rejected, "a", "2", &err), SNEK_E_VALIDATION);
    assert_non_null(strstr(err.text, "in the next 1 s"));
    clock_set_for_test(1000 + TOKEN_DENIALS_FOR_MS, 1);
    assert_int_equal(token_denials_check(&rejected, "a", "1", &err), 0);
    /* The first of another minute. */
    token_denials_count(&rejected, "a", "1", SNEK_E_VALIDATION);
    assert_int_equal(token_denials_check(&rejected, "a", "1", &err), 0);
    for (int i = 0; i < 3 * TOKEN_DENIALS_ROWS; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%d", i);
        clock_set_for_test(100000 + i, 1);
        token_denials_count(&rejected, "b", name, SNEK_E_NOT_GRANTED);
    }
    for (int i = 1; i < TOKEN_DENIALS_MAX; i++) {
        token_denials_count(&rejected, "b", "191", SNEK_E_NOT_GRANTED);
    }
    assert_int_equal(token_denials_check(&rejected, "b", "191", &err), SNEK_E_FORBIDDEN);
    assert_int_equal(token_denials_check(&rejected, "b", "190", &err), 0);
}

static void classifies_each_request(void **state) {
    (void)state;
    static const struct {
        const char *method, *path, *body;
        enum request_pace pace;
        enum resource resource;
    } cases[] = {
        {"GET", "/repos/o/r/issues/1/comments", NULL, PACE_NONE, RESOURCE_CORE},
        {"HEAD", "/repos/o/r", NULL, PACE_NONE, RESOURCE_CORE},
        {"GET", "/search/code", NULL, PACE_NONE, RESOURCE_SEARCH},
        {"GET", "/searches", NULL, PACE_NONE, RESOURCE_CORE},
        {"POST", "/repos/o/r/issues/1/comments", "{}", PACE_NOTIFY, RESOURCE_CORE},
        {"PATCH", "/repos/o/r/issues/comments/1", "{}", PACE_WRITE, RESOURCE_CORE},
        {"POST", "/repos/o/r/issues/1/labels", "{}", PACE_WRITE, RESOURCE_CORE},
        {"POST", "/repos/o/r/issues/1/comments/2/reactions", "{}", PACE_WRITE, RESOURCE_CORE},
        {"POST", "/repos/o/r/pulls/1/reviews", "{}", PACE_NOTIFY, RESOURCE_CORE},
        {"POST", "/repos/o/r/iss%75es/1/c%6Fmments", "{}", PACE_NOTIFY, RESOURCE_CORE},
        {"POST", "/repos/o/r/issues%2F1%2Fcomments/", "{}", PACE_NOTIFY, RESOURCE_CORE},
        {"POST", "/repos/o/r/Issues/1/Comments", "{}", PACE_NOTIFY, RESOURCE_CORE},
        {"PUT", "/orgs/o/memberships/u", "{}", PACE_NOTIFY, RESOURCE_CORE},
        {"DELETE", "/orgs/o/memberships/u", NULL, PACE_WRITE, RESOURCE_CORE},
        {"POST", "/graphql", "{\"query\":\"{ viewer { login } }\"}", PACE_NONE, RESOURCE_GRAPHQL},
        {"POST", "/graphql", "{\"query\":\"query mutation { a(mutation: 1) }\"}", PACE_WRITE,
         /* A query of that name: in doubt a mutation. */
         RESOURCE_GRAPHQL},
        {"POST", "/graphql", "{\"query\":\"# a\\rmutation { a }\"}", PACE_WRITE, RESOURCE_GRAPHQL},
        {"POST", "/graphql", "{\"query\":\"mut\\u0061tion { a }\"}", PACE_WRITE, RESOURCE_GRAPHQL},
        {"POST", "/graphql", "{\"query\":\"{ a }\",\"qu\\u0065ry\":\"{ a }\"}", PACE_NOTIFY,
         /* No document says which of them counts. */
         RESOURCE_GRAPHQL},
        {"POST", "/graphql", "{\"query\":1}", PACE_NOTIFY, RESOURCE_GRAPHQL},
        {"POST", "/graphql", "[]", PACE_NOTIFY, RESOURCE_GRAPHQL},
        {"POST", "/graphql", "{\"query\":\"fragment f on X { a } mutation { addStar { b } }\"}",
         PACE_WRITE, RESOURCE_GRAPHQL},
        {"POST", "/graphql", "{\"query\":\"mutation($a: ID!) { addComment { b } }\"}", PACE_NOTIFY,
         RESOURCE_GRAPHQL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *body = cases[i].body;
        struct request_class class =
            classify_request(cases[i].method, cases[i].path, body, body ? strlen(body) : 0);
        if (class.pace != cases[i].pace || class.resource != cases[i].resource) {
            fail_msg("%s %s %s: pace %d, resource %d", cases[i].method, cases[i].path,
                     body ? body : "", (int)class.pace, (int)class.resource);
        }
    }
}

/* Each document is a mutation to at least one lexer; the others see a string or a comment. */
static void a_document_with_the_word_mutation_is_a_mutation(void **state) {
    (void)state;
    static const char *const mutations[] = {
        "mutation { a }",
        "{a(b: \\\"\\\"\\\"c\\\"\\\"\\\"\\\"\\\")} mutation {d} #\\\"",
        "{a(b: \\\"c\\nd\\\")} mutation {e}",
        "{a(b: \\\"\\n\\\")} mutation {c(d: \\\"\\\")}",
        "{a} # b\\rmutation {c}",
        "{a} # b\\u2028mutation {c}",
        "{a(b: 5mutation)}",
        "query q { a(b: \\\"mutation\\\") }",
        "# mutation\\n{ a }",
        "query q { mutation }",
        "\\ufeffmutation{a}",
    };
    static const char *const queries[] = {
        "{ __schema { mutationType { name } } }",
        "query mutations { a }",
        "{ permutation }",
        "{ a(b: \\\"Mutation\\\") }",
        "query x_mutation_y { mutation_ _mutation mutation1 }",
    };
    char body[200];
    for (size_t i = 0; i < sizeof mutations / sizeof *mutations; i++) {
        int bytes = snprintf(body, sizeof body, "{\"query\":\"%s\"}", mutations[i]);
        if (broker_graphql_reads(body, (size_t)bytes)) {
            fail_msg("%s counts as a read", mutations[i]);
        }
    }
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        int bytes = snprintf(body, sizeof body, "{\"query\":\"%s\"}", queries[i]);
        if (!broker_graphql_reads(body, (size_t)bytes)) {
            fail_msg("%s counts as a mutation", queries[i]);
        }
    }
}

#define LIMITS_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        LIMITS_TEST(a_write_goes_an_interval_after_the_one_before_was_sent),
        LIMITS_TEST(notifying_writes_are_slower_and_other_writes_pass_them),
        LIMITS_TEST(a_primary_limit_holds_all_of_its_installation_until_the_reset),
        LIMITS_TEST(a_long_wait_defers_everyone_until_its_end),
        LIMITS_TEST(retry_after_is_obeyed_whatever_the_status),
        LIMITS_TEST(a_retry_after_is_read_whatever_it_is_within_bounds),
        LIMITS_TEST(a_reset_is_no_further_away_than_an_hour_and_never_now),
        LIMITS_TEST(a_server_that_names_a_time_is_given_it),
        LIMITS_TEST(a_secondary_limit_without_a_time_is_a_minute_and_doubles),
        LIMITS_TEST(searches_and_graphql_have_limits_of_their_own),
        LIMITS_TEST(the_quota_of_another_endpoint_holds_up_nobody_unless_it_rejected),
        LIMITS_TEST(an_installation_waits_for_the_apps_limit),
        LIMITS_TEST(searches_are_spread_once_half_of_the_quota_is_used),
        LIMITS_TEST(at_most_a_hundred_requests_of_an_installation_are_in_progress),
        LIMITS_TEST(a_crowd_of_writers_is_deferred_one_after_the_other),
        LIMITS_TEST(plugins_take_turns),
        LIMITS_TEST(slow_requests_of_one_plugin_leave_slots_to_others),
        LIMITS_TEST(the_last_fifth_of_a_quota_is_for_other_plugins),
        LIMITS_TEST(a_request_that_leaves_the_reserve_waits_for_the_reset),
        LIMITS_TEST(a_drain_defers_those_that_wait_and_admits_the_others),
        LIMITS_TEST(a_wait_is_known_to_the_next_host_on_the_store),
        cmocka_unit_test(token_denials_are_forgotten_after_a_minute_and_bounded),
        cmocka_unit_test(classifies_each_request),
        cmocka_unit_test(a_document_with_the_word_mutation_is_a_mutation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
