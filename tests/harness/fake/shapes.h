/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Objects in GitHub's shape; each is new and the caller's. */
#ifndef SNEK_HARNESS_FAKE_SHAPES_H
#define SNEK_HARNESS_FAKE_SHAPES_H

#include "fake/instance.h"

json_t *shape_user(struct fake *fake, const char *login);
/* A user or an organization. */
json_t *shape_account(struct fake *fake, const char *login);
json_t *shape_organization(struct fake *fake, const json_t *organization);
json_t *shape_installation(struct fake *fake, json_t *installation);
json_t *shape_membership(struct fake *fake, json_t *organization, json_t *member);
json_t *shape_issue(struct fake *fake, json_t *repository, json_t *issue);
json_t *shape_labels(struct fake *fake, json_t *repository, const json_t *issue);
json_t *shape_label(struct fake *fake, json_t *repository, const char *name);
json_t *shape_milestone(struct fake *fake, json_t *repository, json_t *milestone);
/* The app itself, as GET /app shows it. */
json_t *shape_app(struct fake *fake);
/* The id of what the state has by name only: a hash. */
json_int_t name_id(const char *name);
json_t *shape_comment(struct fake *fake, json_t *repository, json_t *comment);
json_t *shape_review_comment(struct fake *fake, json_t *repository, json_t *comment);
json_t *shape_reaction(struct fake *fake, json_t *reaction);
json_t *shape_repository(struct fake *fake, json_t *repository);
/* SLUG[bot] */
json_t *app_login(const struct fake *fake);

#endif
