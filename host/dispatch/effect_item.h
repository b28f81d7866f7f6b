/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The item that an effect is about, for the audit and for the loop breaker. Any thread. */
#ifndef SNEK_DISPATCH_EFFECT_ITEM_H
#define SNEK_DISPATCH_EFFECT_ITEM_H

#include <stddef.h>

/* Bytes. A longer name is cut. */
#define EFFECT_ITEM_MAX 220

struct effect_target {
    /* The path below the API's root. */
    const char *path;
    /* The request's body. */
    const char *body;
    size_t body_bytes;
    /* The run's delivery has them: "owner/name", and the item's key as ingest read it
     * ("ID#NUMBER"); "" none. */
    const char *repository, *item;
};

/* Writes the item's name in lower case: "owner/name#number" for an issue, pull request or
 * discussion, "owner/name@sha" for a commit, "owner/name@check-run-ID" for a check run. If the URL
 * names none, it is the run's item; "" if that has none either. */
void effect_item(const struct effect_target *target, char item[EFFECT_ITEM_MAX + 1]);

#endif
