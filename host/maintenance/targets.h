/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The targets of schedules: the app's installations that are not suspended, and their repositories
 * that are not archived, as GitHub lists them. Loop's thread. */
#ifndef SNEK_MAINTENANCE_TARGETS_H
#define SNEK_MAINTENANCE_TARGETS_H

#include "broker/broker.h"
#include "inbox/limits.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The most targets of each kind. The host leaves further ones out, and logs it. */
#define TARGETS_MAX 100000

struct target {
    char installation[INBOX_NAME_MAX + 1];
    /* The repository's id; "" for an installation. */
    char repository[24];
    /* The parts of the payload: `installation`, and `repository` or NULL. */
    json_t *about_installation, *about_repository;
};

struct target_list {
    struct broker *broker;   /* borrowed */
    struct mailbox *mailbox; /* borrowed */
    struct target *targets;
    size_t n_targets;
    /* The list that is being read: then it replaces the other. */
    struct target *next;
    size_t n_next;
    /* The index in `next` of the installation whose repositories are read. */
    size_t at;
    unsigned page;
    bool with_repositories, reads_repositories;
    struct broker_request request;
    char url[100];
    bool under_way, closed;
    /* The list is complete; false: GitHub did not respond. */
    void (*on_done)(struct target_list *list, bool complete);
};

/* Reads the list; on_done() follows. The present targets stay until then. */
void target_list_read(struct target_list *list, bool with_repositories);
void target_list_close(struct target_list *list);
void target_list_finish(struct target_list *list);

#endif
