/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the tests of the inbox's contract work with. */
#include "inbox_contract.h"

#include <poll.h>
#include <stdlib.h>

int bench_set_up(void **state) {
    const struct contract_store *store = *state;
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->store = store;
    bench->place = store->make();
    assert_int_equal(mailbox_init(&bench->mailbox), 0);
    bench_open(bench, BENCH_NOW);
    *state = bench;
    return 0;
}

int bench_tear_down(void **state) {
    struct bench *bench = *state;
    bench_close(bench);
    mailbox_finish(&bench->mailbox);
    bench->store->remove(bench->place);
    free(bench);
    return 0;
}

void bench_open(struct bench *bench, int64_t now_ms) {
    struct error err = {""};
    if (bench->store->open(bench->place, now_ms, &bench->inbox, &err) != 0) {
        fail_msg("the inbox did not open: %s", err.text);
    }
}

void bench_close(struct bench *bench) {
    inbox_free(bench->inbox);
    bench->inbox = NULL;
}

static void count_answer(struct inbox_operation *operation) {
    CONTAINER_OF(operation->reply_to, struct bench, mailbox)->answered++;
}

void bench_submit(struct bench *bench, struct inbox_operation *operation) {
    operation->reply_to = &bench->mailbox;
    operation->done = count_answer;
    operation->result = -2;
    inbox_submit(bench->inbox, operation);
}

void bench_wait(struct bench *bench, unsigned n) {
    while (bench->answered < n) {
        struct pollfd wanted = {.fd = bench->mailbox.event_fd, .events = POLLIN};
        if (poll(&wanted, 1, 60000) != 1) {
            fail_msg("%u answers of %u came", bench->answered, n);
        }
        (void)mailbox_open(&bench->mailbox);
    }
    assert_int_equal(bench->answered, n);
    bench->answered = 0;
}

int bench_ask(struct bench *bench, struct inbox_operation *operation) {
    bench_submit(bench, operation);
    bench_wait(bench, 1);
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
        .body = "{\"a\":1}",
        .body_bytes = 7,
        .received_ms = BENCH_NOW,
        .due_ms = BENCH_NOW,
        .runs = runs,
        .n_runs = 1,
    };
}

struct inbox_claim claim_of(struct inbox_claim_share *shares, size_t n_shares, int64_t now_ms) {
    return (struct inbox_claim){
        .operation = {.kind = INBOX_CLAIM},
        .now_ms = now_ms,
        .lease = 42,
        .lease_ms = 30000,
        .shares = shares,
        .n_shares = n_shares,
    };
}

struct inbox_finish finish_of(const struct inbox_run *run, enum inbox_finish_how how) {
    return (struct inbox_finish){
        .operation = {.kind = INBOX_FINISH},
        .run = run->id,
        .attempt = run->attempt,
        .lease = run->lease,
        .how = how,
        .label = "done",
        .reason = "",
        .now_ms = BENCH_NOW,
        .due_ms = BENCH_NOW,
    };
}

struct inbox_claim bench_claim(struct bench *bench, const char *plugin, int64_t now_ms) {
    struct inbox_claim_share share = {
        .plugin = plugin, .runs = 1000, .payload_bytes = UINT64_MAX, .alone = false};
    struct inbox_claim claim = claim_of(&share, 1, now_ms);
    assert_int_equal(bench_ask(bench, &claim.operation), 0);
    for (size_t i = 0; i < claim.n_runs; i++) {
        struct error err = {""};
        if (inbox_run_unpack(&claim.runs[i], &err) != 0) {
            fail_msg("%s", err.text);
        }
    }
    claim.shares = NULL;
    return claim;
}
