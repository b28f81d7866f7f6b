/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The files of a rotation of the webhook secret, as `snekomatic hook --rotate` changes them. Each
 * change is one rename, so that a host that starts at any moment reads whole secrets, and among
 * them the one that GitHub signs with:
 *
 *   FILE          FILE.next     FILE.previous
 *   old           -             -               before
 *   old           new           -               hook_files_add(): then GitHub gets the new one
 *   old           new           old             hook_files_finish()
 *   new           -             old             hook_files_finish()
 *
 * One thread. */
#ifndef SNEK_CLI_HOOK_FILES_H
#define SNEK_CLI_HOOK_FILES_H

#include "config/webhook_secrets.h"

/* How long the host accepts the old secret after GitHub got the new one: as long as GitHub keeps
 * deliveries. */
#define HOOK_PREVIOUS_MS INT64_C(259200000)

struct hook_files {
    struct webhook_secret_paths paths;
    /* The lock that keeps a second rotation out; -1: not taken. */
    int lock_fd;
};

/* Why the secret's file cannot be changed here, in a sentence; false: it can. Takes the lock. */
bool hook_files_are_fixed(struct hook_files *files, const struct config *config, struct error *why);
void hook_files_close(struct hook_files *files);
/* Keeps other rotations out until hook_files_close(). False: one runs, or has just ended. */
bool hook_files_lock(const struct hook_files *files);

/* Each returns 0, or -1 and nothing has changed. A secret is hexadecimal. */
int hook_files_add(const struct hook_files *files, const struct secret *next, struct error *err);
/* Before GitHub gets it only. */
int hook_files_remove_next(const struct hook_files *files, struct error *err);
/* GitHub has the new secret, `next`. It may be interrupted and called again. */
int hook_files_finish(const struct hook_files *files, const struct secret *old,
                      const struct secret *next, int64_t now_ms, struct error *err);
/* Removes the previous secret if its time is over. 1: it is removed; 0: there is none, or it still
 * counts until `*until_ms` (0: for ever); -1. Under the lock only: a rotation may be writing it. */
int hook_files_tidy(const struct hook_files *files, int64_t now_ms, bool *exists, int64_t *until_ms,
                    struct error *err);

#endif
