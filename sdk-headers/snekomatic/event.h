/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "event", revision 1: the webhook that is being handled. Nothing here blocks. Texts are
 * borrowed until the handler returns. */
#ifndef SNEKOMATIC_EVENT_H
#define SNEKOMATIC_EVENT_H

#include <snekomatic/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_EVENT_SERVICE "event"
#define SNEK_EVENT_REVISION 1

/* What a path leads to. */
enum snek_kind {
    SNEK_ABSENT = 0, /* nothing [since 1.0] */
    SNEK_NULL = 1,   /* [since 1.0] */
    SNEK_FALSE = 2,  /* [since 1.0] */
    SNEK_TRUE = 3,   /* [since 1.0] */
    SNEK_NUMBER = 4, /* [since 1.0] */
    SNEK_STRING = 5, /* [since 1.0] */
    SNEK_OBJECT = 6, /* [since 1.0] */
    SNEK_ARRAY = 7,  /* [since 1.0] */
};

struct snek_value {
    uint32_t kind;         /* enum snek_kind [since 1.0] */
    uint32_t is_integer;   /* 1: `integer` holds the number, exactly [since 1.0] */
    int64_t integer;       /* [since 1.0] */
    struct snek_text text; /* a string, decoded; of anything else its JSON [since 1.0] */
};

struct snek_event_service {
    uint32_t bytes;    /* sizeof this struct, as the host knows it [since 1.0] */
    uint32_t reserved; /* 0 [since 1.0] */

    /* The X-GitHub-Event header; never NULL. [since 1.0] */
    const char *(*name)(struct snek_run *run);
    /* The payload's `action`; "" when it has none; never NULL. [since 1.0] */
    const char *(*action)(struct snek_run *run);
    /* The X-GitHub-Delivery header, which names the delivery; never NULL. [since 1.0] */
    const char *(*delivery)(struct snek_run *run);
    /* The installation's id, as text, for it is opaque; never NULL. [since 1.0] */
    const char *(*installation)(struct snek_run *run);
    /* Which attempt this is, from 1. [since 1.0] */
    int64_t (*attempt)(struct snek_run *run);
    /* The payload's JSON, for those who bring a library of their own. [since 1.0] */
    struct snek_text (*payload)(struct snek_run *run);
    /* Finds `path` ("pull_request.labels[0].name") in the payload and fills `value`. Returns its
     * kind, SNEK_ABSENT when there is nothing (or memory is short). A path has the keys of objects,
     * with dots between them, and [n] for the n-th of an array, from 0: "rules[0].words[2]",
     * "[0].id" where the whole is an array. The empty path is the whole. No path leads to a key
     * that has a "." or a "[" in it, or is empty: take the object around it, as JSON. [since 1.0]
     */
    uint32_t (*find)(struct snek_run *run, const char *path, struct snek_value *value);
};

#ifdef __cplusplus
}
#endif

#endif
