/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The files of a rotation of the webhook secret, beside github.webhook_secret_file. The host
 * accepts the secrets of all three files:
 *
 *   FILE           the secret
 *   FILE.next      the new one, while GitHub has or may have the old one
 *   FILE.previous  the old one; its second line may be "until TIME", after which it does not count
 *                  (another name: github.webhook_secret_previous_file)
 *
 * One thread. */
#ifndef SNEK_CONFIG_WEBHOOK_SECRETS_H
#define SNEK_CONFIG_WEBHOOK_SECRETS_H

#include "config/config.h"

struct webhook_secret_paths {
    char *current, *next, *previous;
};

/* All NULL if the secret comes from its variable. 0, or -1 when memory is short. */
int webhook_secret_paths(const struct config *config, struct webhook_secret_paths *paths);
void webhook_secret_paths_finish(struct webhook_secret_paths *paths);

/* Each reads a file. 0; 1: there is none; -1. `*until_ms` is 0 without a time. */
int webhook_secret_read_next(const struct webhook_secret_paths *paths, struct secret *secret,
                             struct error *err);
int webhook_secret_read_previous(const struct webhook_secret_paths *paths, struct secret *secret,
                                 int64_t *until_ms, struct error *err);

#endif
