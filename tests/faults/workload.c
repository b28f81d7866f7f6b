/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A host's work on its inbox, in little: deliveries in groups of 1 to 16, their runs claimed and
 * finished, a plugin's keys; twice, with a close in between. Each delivery is written down as
 * acknowledged once the inbox has answered, which is when GitHub would get its 202.
 *
 *   workload DIRECTORY DELIVERIES [full|normal]
 *
 * With `normal` the connection gets synchronous = NORMAL after the inbox has checked that it is
 * FULL (sqlite3_prepare_v3() is wrapped, see meson.build): then power cuts must be seen to lose. */
#include "journal.h"

#include "base/clock.h"
#include "inbox/deliveries.h"
#include "inbox/inbox.h"

#include <fcntl.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP_MAX 16
#define BODY_MAX 120000

static bool normal;
static struct mailbox mailbox;
static int acknowledged;

int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int bytes, unsigned flags,
                              sqlite3_stmt **statement, const char **tail);
int __real_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int bytes, unsigned flags,
                              sqlite3_stmt **statement, const char **tail);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int bytes, unsigned flags,
                              sqlite3_stmt **statement, const char **tail) {
    if (normal) {
        (void)sqlite3_exec(db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
    }
    return __real_sqlite3_prepare_v3(db, sql, bytes, flags, statement, tail);
}

static void fail(const char *what, const char *why) {
    (void)fprintf(stderr, "workload: %s: %s\n", what, why);
    _exit(1);
}

static void on_answer(struct inbox_operation *operation) {
    if (operation->result < 0) {
        fail("an operation failed", operation->error.text);
    }
    if (operation->kind == INBOX_PUT) {
        char line[INBOX_GUID_MAX + 2];
        int bytes = snprintf(line, sizeof line, "%s\n",
                             CONTAINER_OF(operation, struct inbox_put, operation)->guid);
        if (write(acknowledged, line, (size_t)bytes) != bytes) {
            fail("acknowledging", "a short write");
        }
    }
}

static void submit(struct inbox *inbox, struct inbox_operation *operation, unsigned *waiting) {
    operation->reply_to = &mailbox;
    operation->on_result = on_answer;
    inbox_submit(inbox, operation);
    ++*waiting;
}

static void wait_for(unsigned *waiting) {
    while (*waiting > 0) {
        struct pollfd ready = {.fd = mailbox.event_fd, .events = POLLIN};
        (void)poll(&ready, 1, -1);
        *waiting -= mailbox_drain(&mailbox);
    }
}

static void put_group(struct inbox *inbox, unsigned first, unsigned n, const char *noise) {
    struct inbox_put puts[GROUP_MAX];
    struct inbox_put_run runs[GROUP_MAX];
    char guids[GROUP_MAX][32];
    unsigned waiting = 0;
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(guids[i], sizeof guids[i], "%08x-%u", (first + i) * 2654435761U, first + i);
        runs[i] = (struct inbox_put_run){.plugin = "power"};
        puts[i] = (struct inbox_put){
            .operation = {.kind = INBOX_PUT},
            .guid = guids[i],
            .event = "push",
            .action = "",
            .installation = "7",
            .repository = "octo/cat",
            .sender = "mona",
            .repository_id = "",
            .item = "",
            .body = noise,
            .body_bytes = (first + i) % 97 == 96 ? BODY_MAX : 200 + (first + i) * 37 % 5000,
            .received_ms = clock_wall_ms(),
            .due_ms = 0,
            .runs = &runs[i],
            .n_runs = 1};
        submit(inbox, &puts[i].operation, &waiting);
    }
    wait_for(&waiting);
}

static void claim_and_finish(struct inbox *inbox) {
    struct inbox_claim_share share = {.plugin = "power", .runs = 8, .most_bytes = UINT64_MAX};
    struct inbox_claim claim = {.operation = {.kind = INBOX_CLAIM},
                                .now_ms = clock_wall_ms(),
                                .host = 42,
                                .lease_ms = 30000,
                                .shares = &share,
                                .n_shares = 1};
    unsigned waiting = 0;
    submit(inbox, &claim.operation, &waiting);
    wait_for(&waiting);
    struct inbox_finish finishes[8];
    for (size_t i = 0; i < claim.n_runs; i++) {
        finishes[i] = (struct inbox_finish){.operation = {.kind = INBOX_FINISH},
                                            .plugin = "power",
                                            .order_key = "",
                                            .run = claim.runs[i].id,
                                            .token = claim.runs[i].token,
                                            .how = INBOX_DONE,
                                            .label = "done",
                                            .reason = "",
                                            .now_ms = clock_wall_ms()};
        submit(inbox, &finishes[i].operation, &waiting);
    }
    wait_for(&waiting);
    inbox_runs_free(claim.runs, claim.n_runs);
}

int main(int argc, char **argv) {
    static char noise[BODY_MAX];
    if (argc < 3) {
        fail("usage", "workload DIRECTORY DELIVERIES [full|normal]");
    }
    normal = argc > 3 && strcmp(argv[3], "normal") == 0;
    unsigned total = (unsigned)strtoul(argv[2], NULL, 10);
    char path[4096], url[4200];
    (void)snprintf(path, sizeof path, "%s/" JOURNAL_ACKNOWLEDGED, argv[1]);
    acknowledged = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    (void)snprintf(url, sizeof url, "sqlite:%s/snekomatic.db", argv[1]);
    arc4random_buf(noise, sizeof noise);
    if (acknowledged < 0 || mailbox_init(&mailbox) < 0) {
        fail("starting", "no descriptors");
    }
    unsigned done = 0;
    for (unsigned session = 1; session <= 2; session++) {
        struct inbox *inbox = NULL;
        struct error err = {.text = ""};
        if (inbox_open(url, clock_wall_ms(), &inbox, &err) < 0) {
            fail("opening", err.text);
        }
        while (done < total * session / 2) {
            unsigned n = 1 + done * 7 % GROUP_MAX;
            put_group(inbox, done, n, noise);
            claim_and_finish(inbox);
            done += n;
        }
        inbox_free(inbox);
    }
    mailbox_finish(&mailbox);
    return 0;
}
