/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The branches of a repository and the commits at their heads. */
#ifndef SNEK_HARNESS_FAKE_BRANCHES_H
#define SNEK_HARNESS_FAKE_BRANCHES_H

#include "fake/instance.h"

/* The commit at the head of a branch (with or without "refs/heads/"), borrowed; NULL: there is no
 * such branch. The head branches of open pull requests are branches too. */
const char *branch_head(const json_t *repository, const char *name);
/* The name without "refs/heads/". */
const char *branch_name(const char *ref);
/* Adds a commit of `login` (NULL: the app) to a branch that exists; the pull requests from there
 * move along. Returns the commit in the state, borrowed. */
json_t *branch_commit(struct fake *fake, json_t *repository, const char *name, const char *message,
                      const char *login);

#endif
