/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reports to the store that this host runs and, when `snekomatic hook --rotate` asks, which webhook
 * secrets it accepts. Every host does it, elected or not. Loop's thread. */
#ifndef SNEK_MAINTENANCE_HOST_REPORT_H
#define SNEK_MAINTENANCE_HOST_REPORT_H

#include "base/secret.h"
#include "config/config.h"
#include "config/webhook_fingerprint.h"
#include "inbox/hosts.h"

#define HOST_REPORT_NAME_MAX 128

struct host_report {
    struct inbox *inbox;     /* borrowed */
    struct mailbox *mailbox; /* borrowed */
    /* Borrowed. The last one counts until then; 0: for ever. */
    const struct secret *secrets;
    size_t n_secrets;
    int64_t last_until_ms;
    char name[HOST_REPORT_NAME_MAX];
    struct inbox_host_seen seen, gone;
    bool under_way, closed, leaving;
    /* Monotonic: when to ask the store again, and when to write at the latest. */
    int64_t next_ms, write_ms;
    /* The salt of the fingerprints; "": none is asked for. */
    char salt[INBOX_SALT_MAX + 1];
    /* The fingerprints of the secrets before `n_done`; the next one is being made. */
    char fingerprints[CONFIG_WEBHOOK_SECRETS_MAX * WEBHOOK_FINGERPRINT_TEXT_MAX];
    size_t n_done;
    struct webhook_fingerprint making;
};

void host_report_init(struct host_report *report, struct inbox *inbox, struct mailbox *mailbox,
                      const struct secret *secrets, size_t n_secrets, int64_t last_until_ms);
/* Does what is due. Returns when to call again; monotonic. */
int64_t host_report_tick(struct host_report *report, int64_t now_ms);
/* The host stops, and no other one follows it: removes it from the list. */
void host_report_leave(struct host_report *report);
/* The inbox is gone: results that still arrive are ignored. */
void host_report_close(struct host_report *report);

#endif
