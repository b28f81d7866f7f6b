/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Polls the store for a question, and makes the fingerprints step by step. */
#include "maintenance/host_report.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define POLL_MS 2000
#define WRITE_MS 30000

static_assert(WRITE_MS * 3 <= INBOX_HOST_GONE_MS, "a late report is no absence");

/* The supervisor names the host, because a reload replaces the host only. Its start tells it from
 * another container with the same host name. */
static void make_name(char name[HOST_REPORT_NAME_MAX]) {
    char machine[64] = "", path[32], line[512] = "";
    unsigned long long start = 0;
    gethostname(machine, sizeof machine - 1);
    snprintf(path, sizeof path, "/proc/%d/stat", (int)getppid());
    FILE *file = fopen(path, "re");
    if (file) {
        size_t bytes = fread(line, 1, sizeof line - 1, file);
        line[bytes] = '\0';
        fclose(file);
    }
    /* The 22nd field; the second one is in parentheses and may have spaces. */
    const char *at = strrchr(line, ')');
    for (int field = 2; at && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at) {
        sscanf(at, "%llu", &start);
    }
    snprintf(name, HOST_REPORT_NAME_MAX, "%s, process %d.%llu", machine, (int)getppid(), start);
    text_clean_in_place(name);
}

void host_report_init(struct host_report *report, struct inbox *inbox, struct mailbox *mailbox,
                      const struct secret *secrets, size_t n_secrets, int64_t last_until_ms) {
    assert(n_secrets <= CONFIG_WEBHOOK_SECRETS_MAX);
    *report = (struct host_report){.inbox = inbox,
                                   .mailbox = mailbox,
                                   .secrets = secrets,
                                   .n_secrets = n_secrets,
                                   .last_until_ms = last_until_ms};
    make_name(report->name);
}

static size_t secrets_in_force(const struct host_report *report) {
    bool over = report->last_until_ms > 0 && clock_wall_ms() >= report->last_until_ms;
    return over && report->n_secrets > 0 ? report->n_secrets - 1 : report->n_secrets;
}

static void on_gone(struct inbox_operation *operation) {
    (void)operation;
}

static void on_seen(struct inbox_operation *operation) {
    struct inbox_host_seen *seen = CONTAINER_OF(operation, struct inbox_host_seen, operation);
    struct host_report *report = CONTAINER_OF(seen, struct host_report, seen);
    assert(report->under_way);
    report->under_way = false;
    if (report->closed || report->leaving) {
        return;
    }
    int64_t now_ms = clock_monotonic_ms();
    report->next_ms = now_ms + POLL_MS;
    /* other operations log that the store fails */
    if (operation->result < 0) {
        return;
    }
    if (seen->write) {
        report->write_ms = now_ms + WRITE_MS;
    }
    if (strcmp(seen->asked, report->salt) != 0) {
        memcpy(report->salt, seen->asked, sizeof report->salt);
        report->fingerprints[0] = '\0';
        report->n_done = 0;
        webhook_fingerprint_begin(&report->making, report->salt);
        /* The answer, or its removal, is written as soon as it is complete. */
        report->write_ms = now_ms;
        report->next_ms = now_ms;
    }
}

static bool is_making(const struct host_report *report) {
    return *report->salt && report->n_done < secrets_in_force(report);
}

static void make_step(struct host_report *report) {
    char text[WEBHOOK_FINGERPRINT_TEXT_MAX];
    if (!webhook_fingerprint_step(&report->making, &report->secrets[report->n_done])) {
        return;
    }
    webhook_fingerprint_text(&report->making, text);
    size_t used = strlen(report->fingerprints);
    snprintf(report->fingerprints + used, sizeof report->fingerprints - used, "%s%s",
             used > 0 ? "," : "", text);
    report->n_done++;
    webhook_fingerprint_begin(&report->making, report->salt);
}

int64_t host_report_tick(struct host_report *report, int64_t now_ms) {
    if (report->under_way || report->leaving) {
        return INT64_MAX;
    }
    if (is_making(report)) {
        make_step(report);
        return now_ms;
    }
    if (report->next_ms > now_ms) {
        return report->next_ms;
    }
    report->seen = (struct inbox_host_seen){
        .operation = {.kind = INBOX_HOST_SEEN, .reply_to = report->mailbox, .on_result = on_seen},
        .write = report->write_ms <= now_ms,
        .name = report->name,
        .salt = report->salt,
        .fingerprints = report->fingerprints,
        .now_ms = clock_wall_ms(),
    };
    report->under_way = true;
    inbox_submit(report->inbox, &report->seen.operation);
    return INT64_MAX;
}

void host_report_leave(struct host_report *report) {
    report->leaving = true;
    /* The inbox does it after a report that is under way. */
    report->gone = (struct inbox_host_seen){
        .operation = {.kind = INBOX_HOST_SEEN, .reply_to = report->mailbox, .on_result = on_gone},
        .gone = true,
        .name = report->name,
    };
    inbox_submit(report->inbox, &report->gone.operation);
}

void host_report_close(struct host_report *report) {
    report->closed = true;
}
