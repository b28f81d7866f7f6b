/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One pass of recovery: reads what GitHub says it delivered, compares by GUID with the inbox, and
 * asks GitHub to deliver again what the inbox lacks, whatever status GitHub saw.
 *
 *   GET /app/hook/deliveries --> LACKS --> next page ... --> ASK --> POST .../attempts --> next
 *
 * Never for a GUID that the inbox has: a 202 that GitHub did not see must not run a delivery twice.
 * Each at most RECOVER_ASK_MAX times in all, counted in the store before asking. One that was tried
 * within the last minute is on its way, perhaps. What is asked for goes in the order in which it
 * happened.
 *
 * Threads: all on the mailbox's thread. */
#ifndef SNEK_MAINTENANCE_REDELIVERY_PASS_H
#define SNEK_MAINTENANCE_REDELIVERY_PASS_H

#include "broker/broker.h"
#include "inbox/limits.h"
#include "inbox/maintenance.h"

#define RECOVER_ASK_MAX 3
#define RECOVER_YOUNG_MS 60000
#define RECOVER_PAGE 100

enum recover_fate {
    RECOVER_MISSING,  /* to be asked for */
    RECOVER_YOUNG,    /* GitHub tried within the last minute */
    RECOVER_ASKED,    /* GitHub will deliver it again */
    RECOVER_CAME,     /* it came while we looked */
    RECOVER_GIVEN_UP, /* it was asked for often enough */
    RECOVER_REJECTED, /* GitHub would not; `why` */
};

/* A delivery that the inbox lacks, as GitHub's last attempt at it was. */
struct recover_missing {
    struct recover_missing *next;
    int64_t id;
    char guid[INBOX_GUID_MAX + 1];
    char event[2 * INBOX_NAME_MAX + 2]; /* "pull_request.closed" */
    int64_t delivered_ms;
    int64_t status; /* that GitHub saw */
    uint32_t asked; /* how often, this time included */
    enum recover_fate fate;
    char *why; /* with it; NULL none */
};

struct recover {
    /* The question; borrowed until done. */
    struct inbox *inbox;
    struct broker *broker;
    struct mailbox *mailbox;
    bool dry_run;     /* asks for nothing, counts nothing */
    int64_t since_ms; /* GitHub's clock: look no further back; 0: as far as GitHub keeps */
    void (*told)(struct recover *recover, const struct recover_missing *missing); /* may be NULL:
                                                       a fate is known, but for MISSING and YOUNG */
    void (*done)(struct recover *recover); /* once; recover_finish() may be called in it */
    void *context;

    /* The answer, once done. */
    bool complete;      /* everything was looked at, and nothing was rejected */
    struct error error; /* why it ended before; "" it did not */
    int64_t begun_ms;   /* GitHub's clock at the first page */
    uint64_t listed;
    struct recover_missing *missing; /* the oldest first */
    uint64_t fates[RECOVER_REJECTED + 1];

    /* recover.c's */
    struct broker_request request;
    struct inbox_find_missing find_missing;
    struct inbox_count_redelivery ask;
    struct recover_page *page;
    void *tree;                   /* of `missing`, by GUID */
    struct recover_missing *next; /* to be asked for */
    char *url;
    int64_t ask_at_ms; /* monotonic; 0: nothing waits for its time */
    uint64_t n_missing, pages;
    bool under_way;
    bool closed; /* set by the owner: inbox and broker are gone; what they answered still ends it */
};

void recover_begin(struct recover *recover);
/* Goes on when it is time to; when to call again, monotonic; INT64_MAX: an answer comes first. */
int64_t recover_tick(struct recover *recover, int64_t now_ms);
/* Frees; not while it is under way. */
void recover_finish(struct recover *recover);

#endif
