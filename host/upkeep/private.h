/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of this room share: upkeep.c has the mailbox and the clock, each other file one
 * task, which is begun by its tick and goes on from answer to answer. */
#ifndef SNEK_UPKEEP_PRIVATE_H
#define SNEK_UPKEEP_PRIVATE_H

#include "upkeep/upkeep.h"

struct prune {
    struct inbox_prune step;
    bool under_way;              /* the step is with the inbox */
    bool closed;                 /* the inbox is gone */
    bool failing;                /* that it failed was said */
    int64_t next_ms, started_ms; /* monotonic */
    uint64_t bodies, forgotten;  /* of this pass */
};

struct upkeep {
    struct upkeep_options options;
    struct mailbox mailbox;
    struct loop_source mail_source;
    struct prune prune;
};

/* prune.c; when to call again, monotonic. */
int64_t prune_tick(struct upkeep *upkeep, int64_t now_ms);

#endif
