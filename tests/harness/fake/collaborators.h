/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The rights of people in a repository: collaborators, teams, the organization's members and
 * owners. */
#ifndef SNEK_HARNESS_FAKE_COLLABORATORS_H
#define SNEK_HARNESS_FAKE_COLLABORATORS_H

#include "fake/instance.h"

/* Checks the lists of a repository's state; each may be NULL. 0, or -1 with the reason. */
int collaborators_check(const json_t *collaborators, const json_t *teams, struct error *err);

/* Is the text one of GitHub's five roles of a repository? */
bool collaborators_role_exists(const char *role);
/* Members of the organization, collaborators and members of teams that have access. */
bool collaborators_may_be_assigned(struct fake *fake, const json_t *repository, const char *login);

#endif
