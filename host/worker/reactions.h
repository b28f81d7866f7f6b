/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The reactions that GitHub has. */
#ifndef SNEK_WORKER_REACTIONS_H
#define SNEK_WORKER_REACTIONS_H

/* GraphQL's name of a reaction of REST ("+1" is "THUMBS_UP"); NULL when GitHub has none of that
 * name. */
const char *reaction_graphql_name(const char *reaction);

#endif
