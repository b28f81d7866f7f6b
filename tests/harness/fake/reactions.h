/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reactions of the app, by REST and by GraphQL. */
#ifndef SNEK_HARNESS_FAKE_REACTIONS_H
#define SNEK_HARNESS_FAKE_REACTIONS_H

#include "fake/instance.h"

/* The app's reaction to `subject`, an item or a comment of the state: a new one, or the one that is
 * there. Borrowed. `content` is REST's, such as "+1". */
json_t *reaction_add(struct fake *fake, json_t *subject, const char *content, bool *is_new);

#endif
