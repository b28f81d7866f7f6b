/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Pull requests, their files, commits and reviews in GitHub's shape; each is new and the caller's.
 */
#ifndef SNEK_HARNESS_FAKE_SHAPES_PULLS_H
#define SNEK_HARNESS_FAKE_SHAPES_PULLS_H

#include "fake/instance.h"

/* The form in a list. */
json_t *shape_pull_simple(struct fake *fake, json_t *repository, json_t *pull);
json_t *shape_pull(struct fake *fake, json_t *repository, json_t *pull);
/* The form in a check run. */
json_t *shape_pull_minimal(struct fake *fake, const json_t *repository, const json_t *pull);
json_t *shape_file(const struct fake *fake, const json_t *repository, const json_t *pull,
                   const json_t *file);
json_t *shape_commit(struct fake *fake, const json_t *repository, const json_t *commit);
json_t *shape_review(struct fake *fake, const json_t *repository, const json_t *pull,
                     const json_t *review);

#endif
