/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of the reactions, from GitHub's documentation of REST and of GraphQL's enum
 * ReactionContent. */
#include "worker/reactions.h"

#include <stddef.h>
#include <string.h>

const char *reaction_graphql_name(const char *reaction) {
    static const struct {
        const char *rest, *graphql;
    } reactions[] = {{"+1", "THUMBS_UP"},      {"-1", "THUMBS_DOWN"}, {"laugh", "LAUGH"},
                     {"confused", "CONFUSED"}, {"heart", "HEART"},    {"hooray", "HOORAY"},
                     {"rocket", "ROCKET"},     {"eyes", "EYES"}};
    for (size_t i = 0; i < sizeof reactions / sizeof *reactions; i++) {
        if (strcmp(reactions[i].rest, reaction) == 0) {
            return reactions[i].graphql;
        }
    }
    return NULL;
}
