/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How snekomatic-worker handles runs: which handlers it calls, how a run ends, where replies go,
 * many runs at once, and how the worker itself ends. */
#include "worker_host.h"

#include "base/cleanup.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

/* ---- which handlers are called ---- */

/* One run of the plugin `order`; `called` is the handlers' names, each followed by a space. */
static void expect_order_from(const char *event, const char *action, const char *payload,
                              uint64_t bot_user, const char *called, int64_t result,
                              const char *reason) {
    struct worker_host host;
    const struct worker_options options = {.quiet = true};
    host_start(&host, "test-order", &options);
    host_run_from(&host, 1, event, action, payload, bot_user);
    while (*called) {
        char name[200];
        size_t bytes = strcspn(called, " ");
        snprintf(name, sizeof name, "%.*s", (int)bytes, called);
        expect_log(&host, 1, name);
        called += bytes + 1;
    }
    expect_result(&host, 1, result, reason);
    host_end(&host);
}

static void expect_order(const char *event, const char *action, const char *payload,
                         const char *called, int64_t result, const char *reason) {
    expect_order_from(event, action, payload, 0, called, result, reason);
}

static void subscriptions_match_by_event_and_action_in_the_order_of_the_table(void **state) {
    (void)state;
    expect_order("push", "created", "{}", "any_push created_push ", SNEK_SKIPPED,
                 "created_push said so");
    expect_order("push", "", "{}", "any_push ", SNEK_SKIPPED, "any_push said so");
    expect_order("pull", "created", "{}", "", SNEK_SKIPPED, "nothing matched");
    expect_order("pull_request", "reopened", "{}", "", SNEK_SKIPPED, "nothing matched");
}

static void all_filters_of_a_subscription_must_match(void **state) {
    (void)state;
    expect_order("pull_request", "closed",
                 "{\"number\":42,\"labels\":[{\"name\":\"snake\"},{\"name\":\"caf\\u00e9\"}],"
                 "\"milestone\":null,\"pull_request\":{\"merged\":true}}",
                 "merged in_two is_null number all_four ", SNEK_SKIPPED, NULL);
    expect_order("pull_request", "closed",
                 "{\"number\":4,\"labels\":[{\"name\":\"python\"},{\"name\":\"snakes\"}],"
                 "\"milestone\":{},\"pull_request\":{\"merged\":\"false\"}}",
                 "unmerged exists ", SNEK_SKIPPED, NULL);
    expect_order("pull_request", "closed", "{\"number\":420,\"labels\":[]}", "", SNEK_SKIPPED,
                 "nothing matched");
    expect_order("pull_request", "closed", "{\"number\":{},\"pull_request\":{\"merged\":[true]}}",
                 "", SNEK_SKIPPED, "nothing matched");
}

static void the_first_result_but_done_and_skipped_stops_the_run(void **state) {
    (void)state;
    expect_order("push", "created", "{\"returns\":{\"any_push\":3}}", "any_push ", SNEK_REJECTED,
                 "any_push said so");
    expect_order("push", "created", "{\"returns\":{\"any_push\":-5}}", "any_push ",
                 SNEK_E_VALIDATION, "any_push said so");
    expect_order("push", "created", "{\"returns\":{\"created_push\":2}}", "any_push created_push ",
                 SNEK_RETRY, "created_push said so");
}

static void one_handler_that_is_done_makes_the_run_done(void **state) {
    (void)state;
    expect_order("push", "created", "{\"returns\":{\"any_push\":0}}", "any_push created_push ",
                 SNEK_DONE, "any_push said so");
    expect_order("push", "created", "{\"returns\":{\"created_push\":0}}", "any_push created_push ",
                 SNEK_DONE, "created_push said so");
}

static void an_unknown_result_is_an_error(void **state) {
    (void)state;
    expect_order("push", "created", "{\"returns\":{\"any_push\":17}}", "any_push ", SNEK_E_FAILED,
                 "the handler returned 17, which is no result: return an enum snek_result or a "
                 "negative enum snek_error");
    expect_order("push", "created", "{\"returns\":{\"any_push\":-99}}", "any_push ", SNEK_E_FAILED,
                 "the handler returned -99, which is no result: return an enum snek_result or a "
                 "negative enum snek_error");
}

/* ---- commands ---- */

static void seven_events_hold_commands(void **state) {
    (void)state;
    static const struct {
        const char *event, *action, *object;
        bool holds;
    } table[] = {
        {"issues", "opened", "issue", true},
        {"issues", "edited", "issue", false},
        {"pull_request", "opened", "pull_request", true},
        {"pull_request", "synchronize", "pull_request", false},
        {"issue_comment", "created", "comment", true},
        {"issue_comment", "deleted", "comment", false},
        {"pull_request_review", "submitted", "review", true},
        {"pull_request_review", "dismissed", "review", false},
        {"pull_request_review_comment", "created", "comment", true},
        {"pull_request_review_comment", "edited", "comment", false},
        {"discussion", "created", "discussion", true},
        {"discussion", "answered", "discussion", false},
        {"discussion_comment", "created", "comment", true},
        {"discussion_comment", "edited", "comment", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char payload[200];
        snprintf(payload, sizeof payload, "{\"%s\":{\"body\":\"/one\"}}", table[i].object);
        expect_order(table[i].event, table[i].action, payload, table[i].holds ? "one:[/one] " : "",
                     SNEK_SKIPPED, table[i].holds ? "one:[/one] said so" : "nothing matched");
    }
}

static void a_transferred_issue_carries_no_commands(void **state) {
    (void)state;
    expect_order("issues", "opened",
                 "{\"issue\":{\"body\":\"/one\"},\"changes\":{\"old_issue\":{\"number\":7}}}", "",
                 SNEK_SKIPPED, "nothing matched");
    expect_order("issues", "opened",
                 "{\"issue\":{\"body\":\"/one\"},\"changes\":{\"old_issue\":null}}", "one:[/one] ",
                 SNEK_SKIPPED, NULL);
}

static void an_issue_that_became_a_discussion_carries_no_commands(void **state) {
    (void)state;
    static const char payload[] =
        "{\"discussion\":{\"body\":\"/one\",\"user\":{\"login\":\"mona\",\"id\":7}},\"sender\":"
        "{\"login\":\"keeper\",\"id\":%d}}";
    char text[200];
    snprintf(text, sizeof text, payload, 8);
    expect_order("discussion", "created", text, "", SNEK_SKIPPED, "nothing matched");
    snprintf(text, sizeof text, payload, 7);
    expect_order("discussion", "created", text, "one:[/one] ", SNEK_SKIPPED, NULL);
}

static void a_command_line_is_split_at_white_space(void **state) {
    (void)state;
    expect_order("issues", "opened",
                 "{\"issue\":{\"body\":\"/one  a\\tb\\u00a0c\\u3000d\\u00e9 /x\\n/One\\n/on\\n/\\n"
                 "text\\n/one\"}}",
                 "one:[/one][a][b][c][d\xC3\xA9][/x] one:[/one] ", SNEK_SKIPPED, NULL);
}

static void a_body_that_is_null_or_absent_has_no_commands(void **state) {
    (void)state;
    expect_order("issues", "opened", "{\"issue\":{\"body\":null}}", "", SNEK_SKIPPED,
                 "nothing matched");
    expect_order("issues", "opened", "{}", "", SNEK_SKIPPED, "nothing matched");
}

/* The app under test has the id 12345, and its bot user 77. */
#define OWN "the bot itself caused this"

static void the_bot_never_obeys_itself(void **state) {
    (void)state;
    expect_order_from("issues", "opened", "{\"issue\":{\"body\":\"/one\"},\"sender\":{\"id\":77}}",
                      77, "", SNEK_SKIPPED, OWN);
    expect_order_from("issues", "opened", "{\"issue\":{\"body\":\"/one\"},\"sender\":{\"id\":78}}",
                      77, "one:[/one] ", SNEK_SKIPPED, NULL);
    /* The login proves nothing. */
    expect_order_from(
        "issues", "opened",
        "{\"issue\":{\"body\":\"/one\"},\"sender\":{\"id\":\"7\",\"login\":\"a[bot]\"}}", 77,
        "one:[/one] ", SNEK_SKIPPED, NULL);
}

static void own_events_go_to_the_subscriptions_that_ask_for_them(void **state) {
    (void)state;
    static const struct {
        const char *event, *action, *payload;
        uint64_t bot_user;
        const char *called;
    } table[] = {
        {"push", "", "{\"sender\":{\"id\":77}}", 77, ""},
        {"push", "", "{\"sender\":{\"id\":77}}", 0, "any_push "},
        {"push", "", "{\"sender\":{\"id\":770}}", 77, "any_push "},
        {"push", "", "{}", 77, "any_push "},
        {"check_run", "rerequested", "{\"sender\":{\"id\":77}}", 77, "own_check "},
        {"check_run", "created", "{\"check_run\":{\"app\":{\"id\":12345}}}", 0, "own_check "},
        {"check_run", "completed", "{\"check_run\":{\"app\":{\"id\":12345}}}", 0, "own_check "},
        {"check_run", "completed", "{\"check_run\":{\"app\":{\"id\":1,\"client_id\":\"12345\"}}}",
         0, "own_check "},
        {"check_run", "completed", "{\"check_run\":{\"app\":{\"id\":1234}}}", 0,
         "any_check own_check "},
        {"check_run", "rerequested", "{\"check_run\":{\"app\":{\"id\":12345}}}", 0,
         "any_check own_check "},
        {"check_run", "requested_action", "{\"check_run\":{\"app\":{\"id\":12345}}}", 0,
         "any_check own_check "},
        {"push", "created", "{\"check_run\":{\"app\":{\"id\":12345}}}", 0,
         "any_push created_push "},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect_order_from(table[i].event, table[i].action, table[i].payload, table[i].bot_user,
                          table[i].called, SNEK_SKIPPED, *table[i].called ? NULL : OWN);
    }
}

/* Delivers a new issue with the text `head`, `count` times `unit`, and `tail`. */
static void open_long_issue(struct worker_host *host, const char *head, const char *unit,
                            size_t count, const char *tail) {
    AUTO_BUFFER struct buffer payload = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    int result = buffer_printf(&payload, "{\"issue\":{\"body\":\"%s", head);
    for (size_t i = 0; i < count; i++) {
        result |= buffer_append_text(&payload, unit);
    }
    result |= buffer_printf(&payload, "%s\"}}", tail);
    assert_int_equal(result, 0);
    assert_int_equal(buffer_append(&payload, "", 1), 0);
    host_run_from(host, 1, "issues", "opened", payload.data, false);
}

static void a_text_that_is_not_read_whole_is_reported(void **state) {
    (void)state;
    static const char cut[] = "looked for commands in the first 65536 characters of the text only";
    static const char given_up[] =
        "looked for no commands: as Markdown the text takes too much time or memory";
    const struct worker_options options = {.quiet = true};
    struct worker_host host;
    host_start(&host, "test-order", &options);
    /* The longest that is read. */
    open_long_issue(&host, "", "\xF0\x9F\x90\x8D", 65000, "\\n\\n/one");
    expect_log(&host, 1, "one:[/one]");
    expect_result(&host, 1, SNEK_SKIPPED, "one:[/one] said so");
    open_long_issue(&host, "", "x", 65536, "\\n\\n/one");
    expect_log(&host, 1, cut);
    expect_result(&host, 1, SNEK_SKIPPED, cut);
    open_long_issue(&host, "/one\\n\\n", "x\\n", 65536, "");
    expect_log(&host, 1, cut);
    expect_log(&host, 1, "one:[/one]");
    expect_result(&host, 1, SNEK_SKIPPED, "one:[/one] said so");
    /* A table that needs more memory than allowed. */
    char head[25000];
    memset(head, '|', 8001);
    strcpy(head + 8001, "\\n|");
    for (size_t at = 8004; at < 24004; at += 2) {
        strcpy(head + at, "-|");
    }
    open_long_issue(&host, head, "\\na", 20000, "\\n\\n/one");
    expect_log(&host, 1, given_up);
    expect_result(&host, 1, SNEK_SKIPPED, given_up);
    host_end(&host);
}

static void a_command_that_fails_stops_the_commands_after_it(void **state) {
    (void)state;
    expect_order(
        "issues", "opened",
        "{\"issue\":{\"body\":\"/one\\n/members\\n/one\",\"user\":{\"login\":\"mona\",\"id\":7}}"
        ",\"returns\":{\"members\":-1}}",
        "one:[/one] members ", SNEK_E_FAILED, "members said so");
}

/* ---- targets of replies ---- */

static const char reaction_to_review[] =
    "{\"query\":\"mutation($subject: ID!, $content: ReactionContent!) { addReaction(input: "
    "{subjectId: $subject, content: $content}) { reaction { content } } }\",\"variables\":{"
    "\"subject\":\"PRR_4\",\"content\":\"HEART\"}}";

static void a_reply_goes_to_the_target_of_its_event(void **state) {
    (void)state;
    static const struct {
        const char *event, *action, *payload, *reply, *react, *log;
    } table[] = {
        {"issues", "opened",
         "{\"issue\":{\"body\":\"/answer\",\"comments_url\":\"https://h/i/1/comments\",\"url\":"
         "\"https://h/i/1\"}}",
         "https://h/i/1/comments", "https://h/i/1/reactions", "0 0 body -2"},
        {"pull_request", "opened",
         "{\"pull_request\":{\"body\":\"/answer\",\"comments_url\":\"https://h/i/2/comments\","
         "\"issue_url\":\"https://h/i/2\",\"url\":\"https://h/p/2\"}}",
         "https://h/i/2/comments", "https://h/i/2/reactions", "0 0 body -2"},
        {"pull_request", "labeled",
         "{\"pull_request\":{\"body\":null,\"comments_url\":\"https://h/i/2/comments\","
         "\"issue_url\":\"https://h/i/2\"}}",
         "https://h/i/2/comments", "https://h/i/2/reactions", "0 0 body -2"},
        {"issue_comment", "created",
         "{\"issue\":{\"comments_url\":\"https://h/i/3/comments\",\"url\":\"https://h/i/3\"},"
         "\"comment\":{\"body\":\"/answer\",\"url\":\"https://h/c/9\"}}",
         "https://h/i/3/comments", "https://h/c/9/reactions", "0 0 body -2"},
        {"pull_request_review", "submitted",
         "{\"pull_request\":{\"comments_url\":\"https://h/i/4/comments\",\"issue_url\":\"https://h/"
         "i/4\"},\"review\":{\"body\":\"/answer\",\"node_id\":\"PRR_4\"}}",
         "https://h/i/4/comments", "/graphql", "0 0 body -2"},
        {"pull_request_review_comment", "created",
         "{\"pull_request\":{\"review_comments_url\":\"https://h/p/5/comments\"},\"comment\":{"
         "\"body\":\"/answer\",\"id\":77,\"url\":\"https://h/c/77\"}}",
         "https://h/p/5/comments/77/replies", "https://h/c/77/reactions", "0 0 body -2"},
        {"pull_request_review_comment", "created",
         "{\"pull_request\":{\"review_comments_url\":\"https://h/p/5/comments\"},\"comment\":{"
         "\"body\":\"/answer\",\"id\":77,\"in_reply_to_id\":12345678901,\"url\":\"https://h/c/"
         "77\"}}",
         "https://h/p/5/comments/12345678901/replies", "https://h/c/77/reactions", "0 0 body -2"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct worker_host host;
        AUTO_RECEIVED struct received reply = {0};
        AUTO_RECEIVED struct received reaction = {0};
        host_start(&host, "test-order", NULL);
        host_run(&host, 1, table[i].event, table[i].action, table[i].payload);
        expect_http(&host, &reply, "POST", table[i].reply, "{\"body\":\"pong \\\"!\\\"\\u000a\"}");
        host_reply(&host, &reply, 0, 201, "", "", "{}");
        bool is_graphql = strcmp(table[i].react, "/graphql") == 0;
        expect_http_with(&host, &reaction, FRAME_HTTP_REPEATABLE, "POST", table[i].react, "", "",
                         "", "", is_graphql ? reaction_to_review : "{\"content\":\"heart\"}");
        host_reply(&host, &reaction, 0, 200, "", "", "{}");
        expect_log(&host, 1, table[i].log);
        expect_result(&host, 1, SNEK_DONE, "");
        host_end(&host);
    }
}

static void a_reply_to_an_event_without_a_target_is_an_error(void **state) {
    (void)state;
    struct worker_host host;
    host_start(&host, "test-order", NULL);
    host_run(&host, 1, "commit_comment", "created", "{\"comment\":{\"url\":\"https://h/c/1\"}}");
    expect_log(&host, 1, "-14 -14 none -2");
    expect_result(&host, 1, SNEK_E_NO_TARGET, NULL);
    host_run(&host, 2, "pull_request", "labeled", "{\"pull_request\":{}}");
    expect_log(&host, 2, "-14 -14 body -2");
    expect_result(&host, 2, SNEK_E_NO_TARGET, NULL);
    host_end(&host);
}

/* ---- several runs ---- */

static void handlers_block_at_once_up_to_the_concurrency(void **state) {
    (void)state;
    enum { RUNS = 12 };
    struct worker_host host;
    struct received received[RUNS] = {{.body = NULL}};
    const struct worker_options options = {.concurrency = RUNS, .quiet = true};
    host_start(&host, "test-probe", &options);
    for (int round = 0; round < 3; round++) {
        for (uint64_t run = 1; run <= RUNS; run++) {
            host_run(&host, run, "probe", "", "{\"do\":\"recover\"}");
        }
        for (int i = 0; i < RUNS; i++) {
            expect_http(&host, &received[i], "GET", "/missing", "");
        }
        for (int i = RUNS - 1; i >= 0; i--) {
            host_reply(&host, &received[i], i == 5 ? 0 : SNEK_E_NOT_FOUND, i == 5 ? 200 : 404, "",
                       "", "");
            expect_result(&host, received[i].head.run, i == 5 ? SNEK_E_FAILED : SNEK_DONE, NULL);
            received_finish(&received[i]);
        }
    }
    host_end(&host);
}

static void a_run_over_the_concurrency_waits(void **state) {
    (void)state;
    struct worker_host host;
    AUTO_RECEIVED struct received first = {0};
    AUTO_RECEIVED struct received second = {0};
    const struct worker_options options = {.concurrency = 1};
    host_start(&host, "test-probe", &options);
    host_run(&host, 1, "probe", "", "{\"do\":\"recover\"}");
    expect_http(&host, &first, "GET", "/missing", "");
    host_run(&host, 2, "probe", "", "{\"do\":\"recover\"}");
    host_reply(&host, &first, SNEK_E_NOT_FOUND, 404, "", "", "");
    expect_result(&host, 1, SNEK_DONE, "");
    expect_http(&host, &second, "GET", "/missing", "");
    assert_int_equal(second.head.run, 2);
    host_reply(&host, &second, SNEK_E_NOT_FOUND, 404, "", "", "");
    expect_result(&host, 2, SNEK_DONE, "");
    host_end(&host);
}

static void a_handler_that_loops_does_not_stop_the_others(void **state) {
    (void)state;
    struct worker_host host;
    host_start(&host, "test-probe", NULL);
    host_run(&host, 1, "probe", "", "{\"do\":\"loop\"}");
    expect_log(&host, 1, "looping");
    host_run(&host, 2, "probe", "", "{\"do\":\"end\",\"result\":1}");
    expect_result(&host, 2, SNEK_SKIPPED, "");
    /* The loop does not stop the worker from ending. */
    host_end(&host);
}

static void a_cancelled_run_is_notified_and_its_calls_return(void **state) {
    (void)state;
    struct worker_host host;
    AUTO_RECEIVED struct received received = {0};
    host_start(&host, "test-probe", NULL);
    host_run(&host, 1, "probe", "", "{\"do\":\"wait\"}");
    expect_log(&host, 1, "waiting");
    host_cancel(&host, 1);
    expect_result(&host, 1, SNEK_E_FAILED, "saw it");

    host_run(&host, 2, "probe", "", "{\"do\":\"send\",\"method\":\"GET\",\"url\":\"/slow\"}");
    expect_http(&host, &received, "GET", "/slow", "");
    host_cancel(&host, 2);
    expect_result(&host, 2, SNEK_E_CANCELLED,
                  "the host cancelled this run, because its deadline passed or the host stops; "
                  "return from the handler");
    host_reply(&host, &received, 0, 200, "", "", "{}"); /* too late: dropped */
    host_cancel(&host, 2);                              /* it crossed the result */

    host_run(&host, 3, "probe", "", "{\"do\":\"end\"}");
    expect_result(&host, 3, SNEK_DONE, "");
    host_end(&host);
}

static void a_run_that_is_cancelled_while_it_waits_never_starts(void **state) {
    (void)state;
    struct worker_host host;
    AUTO_RECEIVED struct received received = {0};
    const struct worker_options options = {.concurrency = 1};
    host_start(&host, "test-probe", &options);
    host_run(&host, 1, "probe", "", "{\"do\":\"recover\"}");
    expect_http(&host, &received, "GET", "/missing", "");
    host_run(&host, 2, "probe", "", "{\"do\":\"loop\"}");
    host_cancel(&host, 2);
    host_reply(&host, &received, SNEK_E_NOT_FOUND, 404, "", "", "");
    expect_result(&host, 1, SNEK_DONE, "");
    expect_result(&host, 2, SNEK_E_CANCELLED, "cancelled before it had begun");
    host_end(&host);
}

static void a_retry_carries_its_delay_and_reason(void **state) {
    (void)state;
    struct worker_host host;
    AUTO_RECEIVED struct received received = {0};
    host_start(&host, "test-probe", NULL);
    host_run(&host, 1, "probe", "",
             "{\"do\":\"end\",\"result\":2,\"reason\":\"later\",\"delay\":1500}");
    host_receive(&host, FRAME_RESULT, &received);
    assert_int_equal(received_number(&received), SNEK_RETRY);
    assert_int_equal(received_number(&received), 1500);
    assert_string_equal(received_text(&received), "later");
    host_run(&host, 2, "probe", "", "{\"do\":\"end\",\"result\":-1}");
    expect_result(&host, 2, SNEK_E_FAILED,
                  "the handler returned -1 without a reason: return snek_fail(run, reason)");
    host_end(&host);
}

static void a_long_reason_is_cut_between_characters(void **state) {
    (void)state;
    struct worker_host host;
    char payload[2000], reason[FRAME_REASON_MAX + 1];
    host_start(&host, "test-probe", NULL);
    int at = snprintf(payload, sizeof payload, "{\"do\":\"end\",\"result\":3,\"reason\":\"");
    memset(payload + at, 'r', FRAME_REASON_MAX - 1);
    snprintf(payload + at + FRAME_REASON_MAX - 1, 20, "\xC3\xA9\"}");
    memset(reason, 'r', sizeof reason);
    reason[FRAME_REASON_MAX - 1] = '\0';
    host_run(&host, 1, "probe", "", payload);
    expect_result(&host, 1, SNEK_REJECTED, reason);
    host_end(&host);
}

static void log_lines_below_the_level_are_not_sent(void **state) {
    (void)state;
    struct worker_host host;
    const struct worker_options options = {.log_level = 2};
    host_start(&host, "test-probe", &options);
    host_run(&host, 1, "probe", "", "{\"do\":\"event\"}");
    expect_result(&host, 1, SNEK_DONE, "");
    host_end(&host);
}

/* Sanitizers turn the limit off. */
#ifndef SNEK_SANITIZED
static void a_delivery_that_exceeds_the_memory_fails_alone(void **state) {
    (void)state;
    struct worker_host host;
    const struct worker_options options = {.memory_mib = 16};
    size_t bytes = 24u << 20;
    AUTO_FREE char *payload = malloc(bytes + 1);
    assert_non_null(payload);
    memset(payload, ' ', bytes);
    payload[bytes] = '\0';
    host_start(&host, "test-probe", &options);
    host_run(&host, 1, "probe", "", payload);
    expect_result(&host, 1, SNEK_E_FAILED,
                  "the worker is out of memory: raise plugin.memory_mib, 16");
    host_run(&host, 2, "probe", "", "{\"do\":\"end\"}");
    expect_result(&host, 2, SNEK_DONE, "");
    host_end(&host);
}
#endif

/* ---- how the process ends ---- */

static void when_the_host_closes_the_plugin_is_destroyed(void **state) {
    (void)state;
    struct worker_host host;
    host_start(&host, "test-probe", NULL);
    assert_int_equal(shutdown(host.fd, SHUT_WR), 0);
    expect_log(&host, 0, "destroyed");
    expect_exit(&host, 0);
}

static void when_the_host_closes_the_worker_does_not_wait_for_handlers(void **state) {
    (void)state;
    struct worker_host host;
    AUTO_RECEIVED struct received received = {0};
    host_start(&host, "test-probe", NULL);
    host_run(&host, 1, "probe", "", "{\"do\":\"recover\"}");
    expect_http(&host, &received, "GET", "/missing", "");
    assert_int_equal(shutdown(host.fd, SHUT_WR), 0);
    expect_exit(&host, 0); /* without "destroyed" */
}

static void a_crash_or_an_exit_sends_no_result(void **state) {
    (void)state;
    struct worker_host host;
    host_start(&host, "test-probe", NULL);
    host_run(&host, 1, "probe", "", "{\"do\":\"exit\"}");
    expect_exit(&host, 0);
/* Sanitizers turn the signal into an exit. */
#ifndef SNEK_SANITIZED
    host_start(&host, "test-probe", NULL);
    host_run(&host, 1, "probe", "", "{\"do\":\"segfault\"}");
    expect_exit(&host, -SIGSEGV);
#endif
}

static void signals_for_the_whole_group_do_not_end_the_worker(void **state) {
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    struct worker_host host;
    host_start(&host, "test-probe", NULL);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(kill(host.pid, signals[i]), 0);
    }
    host_run(&host, 1, "probe", "", "{\"do\":\"end\"}");
    expect_result(&host, 1, SNEK_DONE, "");
    host_end(&host);
}

/* ---- malformed frames ---- */

static void expect_protocol_exit(struct worker_host *host, enum frame_kind kind, uint64_t run,
                                 uint64_t request, const char *body, size_t bytes) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_head head = {
        .body_bytes = (uint32_t)bytes, .kind = kind, .run = run, .request = request};
    assert_int_equal(buffer_append(&buffer, &head, sizeof head), 0);
    assert_int_equal(buffer_append(&buffer, body, bytes), 0);
    host_send(host, &buffer);
    expect_exit(host, 76);
}

static void a_malformed_frame_ends_the_worker(void **state) {
    (void)state;
    static const struct {
        enum frame_kind kind;
        uint64_t run, request;
        size_t bytes;
    } table[] = {
        {FRAME_LOAD, 0, 0, 0},          /* a second time */
        {FRAME_DESCRIBED, 0, 0, 0},     /* the other way */
        {(enum frame_kind)9, 0, 0, 0},  /* unknown */
        {FRAME_RUN, 1, 0, 5},           /* too short */
        {FRAME_RUN, 0, 0, 60},          /* no run */
        {FRAME_CANCEL, 1, 0, 1},        /* bytes left over */
        {FRAME_HTTP_RESPONSE, 1, 1, 4}, /* too short */
        {FRAME_STORE_RESULT, 1, 1, 13}, /* bytes left over */
    };
    static const char zeros[64];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct worker_host host;
        host_start(&host, "test-probe", NULL);
        expect_protocol_exit(&host, table[i].kind, table[i].run, table[i].request, zeros,
                             table[i].bytes);
    }
}

static void a_frame_that_is_too_long_ends_the_worker(void **state) {
    (void)state;
    struct worker_host host;
    const struct frame_head head = {.body_bytes = FRAME_TO_WORKER_MAX + 1, .kind = FRAME_RUN};
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    assert_int_equal(buffer_append(&buffer, &head, sizeof head), 0);
    host_start(&host, "test-probe", NULL);
    host_send(&host, &buffer);
    expect_exit(&host, 76);
}

static void a_result_of_the_wrong_kind_ends_the_worker(void **state) {
    (void)state;
    struct worker_host host;
    AUTO_RECEIVED struct received received = {0};
    host_start(&host, "test-probe", NULL);
    host_run(&host, 1, "probe", "", "{\"do\":\"recover\"}");
    expect_http(&host, &received, "GET", "/missing", "");
    host_store_reply(&host, &received, 1, "", 0);
    expect_exit(&host, 76);
}

static void a_result_for_another_run_ends_the_worker(void **state) {
    (void)state;
    struct worker_host host;
    AUTO_RECEIVED struct received received = {0};
    host_start(&host, "test-probe", NULL);
    host_run(&host, 1, "probe", "", "{\"do\":\"recover\"}");
    expect_http(&host, &received, "GET", "/missing", "");
    received.head.run = 2;
    host_reply(&host, &received, 0, 200, "", "", "");
    expect_exit(&host, 76);
}

static void a_run_that_is_sent_twice_ends_the_worker(void **state) {
    (void)state;
    struct worker_host host;
    AUTO_RECEIVED struct received received = {0};
    host_start(&host, "test-probe", NULL);
    host_run(&host, 1, "probe", "", "{\"do\":\"recover\"}");
    expect_http(&host, &received, "GET", "/missing", "");
    host_run(&host, 1, "probe", "", "{\"do\":\"recover\"}");
    expect_exit(&host, 76);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subscriptions_match_by_event_and_action_in_the_order_of_the_table),
        cmocka_unit_test(all_filters_of_a_subscription_must_match),
        cmocka_unit_test(the_first_result_but_done_and_skipped_stops_the_run),
        cmocka_unit_test(one_handler_that_is_done_makes_the_run_done),
        cmocka_unit_test(an_unknown_result_is_an_error),
        cmocka_unit_test(seven_events_hold_commands),
        cmocka_unit_test(a_transferred_issue_carries_no_commands),
        cmocka_unit_test(an_issue_that_became_a_discussion_carries_no_commands),
        cmocka_unit_test(a_command_line_is_split_at_white_space),
        cmocka_unit_test(a_body_that_is_null_or_absent_has_no_commands),
        cmocka_unit_test(the_bot_never_obeys_itself),
        cmocka_unit_test(own_events_go_to_the_subscriptions_that_ask_for_them),
        cmocka_unit_test(a_text_that_is_not_read_whole_is_reported),
        cmocka_unit_test(a_command_that_fails_stops_the_commands_after_it),
        cmocka_unit_test(a_reply_goes_to_the_target_of_its_event),
        cmocka_unit_test(a_reply_to_an_event_without_a_target_is_an_error),
        cmocka_unit_test(handlers_block_at_once_up_to_the_concurrency),
        cmocka_unit_test(a_run_over_the_concurrency_waits),
        cmocka_unit_test(a_handler_that_loops_does_not_stop_the_others),
        cmocka_unit_test(a_cancelled_run_is_notified_and_its_calls_return),
        cmocka_unit_test(a_run_that_is_cancelled_while_it_waits_never_starts),
        cmocka_unit_test(a_retry_carries_its_delay_and_reason),
        cmocka_unit_test(a_long_reason_is_cut_between_characters),
        cmocka_unit_test(log_lines_below_the_level_are_not_sent),
#ifndef SNEK_SANITIZED
        cmocka_unit_test(a_delivery_that_exceeds_the_memory_fails_alone),
#endif
        cmocka_unit_test(when_the_host_closes_the_plugin_is_destroyed),
        cmocka_unit_test(when_the_host_closes_the_worker_does_not_wait_for_handlers),
        cmocka_unit_test(a_crash_or_an_exit_sends_no_result),
        cmocka_unit_test(signals_for_the_whole_group_do_not_end_the_worker),
        cmocka_unit_test(a_malformed_frame_ends_the_worker),
        cmocka_unit_test(a_frame_that_is_too_long_ends_the_worker),
        cmocka_unit_test(a_result_of_the_wrong_kind_ends_the_worker),
        cmocka_unit_test(a_result_for_another_run_ends_the_worker),
        cmocka_unit_test(a_run_that_is_sent_twice_ends_the_worker),
    };
    if (worker_tests_setup(argc, argv) < 0) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    worker_tests_finish();
    return failed;
}
