/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of this room share: maintenance.c has the mailbox and the clock, each other file
 * one task, which is begun by its tick and goes on from answer to answer. */
#ifndef SNEK_MAINTENANCE_PRIVATE_H
#define SNEK_MAINTENANCE_PRIVATE_H

#include "maintenance/maintenance.h"
#include "maintenance/redelivery_pass.h"

#include <pthread.h>

struct elect {
    struct inbox_elect asked;
    int64_t lease;                       /* our name in it */
    int64_t asked_ms, until_ms, next_ms; /* monotonic */
    bool under_way, closed;
    bool elected; /* until `until_ms` */
};

struct prune {
    struct inbox_prune step;
    bool under_way;              /* the step is with the inbox */
    bool closed;                 /* the inbox is gone */
    bool failing;                /* that it failed was said */
    int64_t next_ms, started_ms; /* monotonic */
    uint64_t bodies, forgotten;  /* of this pass */
};

struct recovery {
    struct recover pass;
    bool under_way;           /* the pass is */
    bool closed;              /* inbox and broker are gone */
    bool failing;             /* that it failed was said */
    int64_t interval_ms;      /* 0: never */
    int64_t next_ms, full_ms; /* monotonic; full_ms 0: there was no full pass yet */
    int64_t since_ms;         /* GitHub's clock: the next pass need look no further back */
    uint64_t last_given_up;

    pthread_mutex_t lock; /* of what is told: */
    bool elsewhere;
    struct error told_error;
    int64_t checked_ms;
    uint64_t missing, given_up; /* of the last pass */
    uint64_t asked;             /* of all */
};

struct maintenance {
    struct maintenance_options options;
    struct mailbox mailbox;
    struct loop_source mail_source;
    struct elect elect;
    struct prune prune;
    struct recovery recovery;
};

/* elect.c; when to call again, monotonic. */
int64_t elect_tick(struct maintenance *maintenance, int64_t now_ms);

/* prune.c; likewise. A host that is not elected begins nothing, and ends what it began. */
int64_t prune_tick(struct maintenance *maintenance, int64_t now_ms);

/* recovery.c; likewise, and what /readyz says of it (0, or -1 when that did not fit). */
int64_t recovery_tick(struct maintenance *maintenance, int64_t now_ms);
int recovery_status(struct recovery *recovery, struct buffer *json);

#endif
