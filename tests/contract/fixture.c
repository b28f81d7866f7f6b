/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The fixture of the inbox's contract tests. */
#include "inbox_contract.h"

#include <poll.h>
#include <stdlib.h>

int fixture_set_up(void **state) {
    const struct contract_store *store = *state;
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->store = store;
    fixture->place = store->make();
    assert_int_equal(mailbox_init(&fixture->mailbox), 0);
    fixture_open(fixture, FIXTURE_NOW);
    *state = fixture;
    return 0;
}

int fixture_tear_down(void **state) {
    struct fixture *fixture = *state;
    fixture_close(fixture);
    mailbox_finish(&fixture->mailbox);
    fixture->store->remove(fixture->place);
    free(fixture);
    return 0;
}

static int64_t last_host = 41;

int64_t fixture_host(void) {
    return last_host;
}

void fixture_open(struct fixture *fixture, int64_t now_ms) {
    struct error err = {.text = ""};
    last_host++;
    if (fixture->store->open(fixture->place, now_ms, &fixture->inbox, &err) != 0) {
        fail_msg("the inbox did not open: %s", err.text);
    }
}

void fixture_close(struct fixture *fixture) {
    inbox_free(fixture->inbox);
    fixture->inbox = NULL;
}

static void count_answer(struct inbox_operation *operation) {
    CONTAINER_OF(operation->reply_to, struct fixture, mailbox)->answered++;
}

void fixture_submit(struct fixture *fixture, struct inbox_operation *operation) {
    operation->reply_to = &fixture->mailbox;
    operation->on_result = count_answer;
    operation->result = -2;
    inbox_submit(fixture->inbox, operation);
}

void fixture_wait(struct fixture *fixture, unsigned n) {
    while (fixture->answered < n) {
        struct pollfd wanted = {.fd = fixture->mailbox.event_fd, .events = POLLIN};
        if (poll(&wanted, 1, 60000) != 1) {
            fail_msg("%u answers of %u came", fixture->answered, n);
        }
        (void)mailbox_drain(&fixture->mailbox);
    }
    assert_int_equal(fixture->answered, n);
    fixture->answered = 0;
}

int fixture_do(struct fixture *fixture, struct inbox_operation *operation) {
    fixture_submit(fixture, operation);
    fixture_wait(fixture, 1);
    if (operation->result < 0) {
        print_message("# failed: %s\n", operation->error.text);
    }
    return operation->result;
}

struct inbox_put put_of(const char *guid) {
    static struct inbox_put_run runs[] = {{.plugin = "invite"}};
    return (struct inbox_put){
        .operation = {.kind = INBOX_PUT},
        .guid = guid,
        .event = "push",
        .action = "",
        .installation = "7",
        .repository = "octo/cat",
        .sender = "mona",
        .repository_id = "99",
        .item = "99#12",
        .body = "{\"a\":1}",
        .body_bytes = 7,
        .received_ms = FIXTURE_NOW,
        .due_ms = FIXTURE_NOW,
        .runs = runs,
        .n_runs = 1,
    };
}

struct inbox_claim claim_of(struct inbox_claim_share *shares, size_t n_shares, int64_t now_ms) {
    return (struct inbox_claim){
        .operation = {.kind = INBOX_CLAIM},
        .now_ms = now_ms,
        .host = fixture_host(),
        .lease_ms = 30000,
        .shares = shares,
        .n_shares = n_shares,
    };
}

struct inbox_finish finish_of(const struct inbox_run *run, enum inbox_finish_how how) {
    return (struct inbox_finish){
        .operation = {.kind = INBOX_FINISH},
        .run = run->id,
        .token = run->token,
        .plugin = "invite",
        .order_key = run->order_key,
        .coalesce_key = run->coalesce_key,
        .how = how,
        .label = "done",
        .reason = "",
        .now_ms = FIXTURE_NOW,
        .due_ms = FIXTURE_NOW,
    };
}

struct inbox_claim fixture_claim(struct fixture *fixture, const char *plugin, int64_t now_ms) {
    struct inbox_claim_share share = {
        .plugin = plugin, .runs = 1000, .most_bytes = UINT64_MAX, .alone = false};
    struct inbox_claim claim = claim_of(&share, 1, now_ms);
    assert_int_equal(fixture_do(fixture, &claim.operation), 0);
    for (size_t i = 0; i < claim.n_runs; i++) {
        struct error err = {.text = ""};
        if (inbox_run_unpack(&claim.runs[i], &err) != 0) {
            fail_msg("%s", err.text);
        }
    }
    claim.shares = NULL;
    return claim;
}

void fixture_put_again(struct fixture *fixture, struct inbox_put *puts, size_t n) {
    for (size_t i = 0; i < n; i++) {
        while (puts[i].operation.result < 0 &&
               strstr(puts[i].operation.error.text, "lock timeout")) {
            puts[i] = put_of(puts[i].guid);
            fixture_do(fixture, &puts[i].operation);
        }
    }
}

struct inbox_run fixture_claim_one(struct fixture *fixture) {
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 1);
    struct inbox_run run = claim.runs[0];
    free(claim.runs);
    return run;
}

struct inbox_run fixture_put_and_claim(struct fixture *fixture, const char *guid) {
    struct inbox_put operation = put_of(guid);
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    return fixture_claim_one(fixture);
}

struct inbox_journal_writer writer_of(const struct inbox_run *run,
                                      const struct inbox_record *const *records, size_t n_records) {
    return (struct inbox_journal_writer){.run = run->id,
                                         .token = run->token,
                                         .lease_ms = 30000,
                                         .records = records,
                                         .n_records = n_records};
}

void fixture_expect_stats(struct fixture *fixture, int64_t queued, int64_t running, int64_t dead) {
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_int_equal(stats.queued, queued);
    assert_int_equal(stats.running, running);
    assert_int_equal(stats.dead, dead);
}

int fixture_count_redelivery(struct fixture *fixture, const char *guid) {
    struct inbox_count_redelivery count = {.operation = {.kind = INBOX_COUNT_REDELIVERY},
                                           .guid = guid,
                                           .most = 3,
                                           .now_ms = FIXTURE_NOW};
    return fixture_do(fixture, &count.operation);
}
