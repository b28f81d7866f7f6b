/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "event", revision 1: the webhook delivery that the run handles.
 *
 *   GitHub -- X-GitHub-Event: issues ---------> name()         "issues"
 *          -- X-GitHub-Delivery: 72d3… -------> delivery()     "72d3…"
 *          -- {"action": "opened", … ---------> action()       "opened"
 *          --  "installation": {"id": 7}, … --> installation() "7"
 *          --  "issue": {"number": 12}, …} ---> find(run, "issue.number", &value)
 *
 * No slot blocks or fails. All texts are borrowed until the handler returns. */
#ifndef SNEKOMATIC_EVENT_H
#define SNEKOMATIC_EVENT_H

#include <snekomatic/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_EVENT_SERVICE "event"
#define SNEK_EVENT_REVISION 1

/* The kind of a JSON value. */
enum snek_kind {
    /* The path leads nowhere. */
    SNEK_ABSENT = 0,
    SNEK_NULL = 1,
    SNEK_FALSE = 2,
    SNEK_TRUE = 3,
    SNEK_NUMBER = 4,
    SNEK_STRING = 5,
    SNEK_OBJECT = 6,
    SNEK_ARRAY = 7
};

struct snek_value {
    /* enum snek_kind. */
    uint32_t kind;
    /* 1 when `integer` is exactly the number, else 0. */
    uint32_t is_integer;
    int64_t integer;
    /* A string, decoded. The JSON of any other value. */
    struct snek_text text;
    /* The items of an array, or the members of an object. */
    uint64_t count;
};

struct snek_event_service {
    /* The size of this struct in the host. */
    uint32_t bytes;
    /* 0. */
    uint32_t reserved;

    /* [handler] The header X-GitHub-Event. Never NULL. */
    const char *(*name)(struct snek_run *run);

    /* [handler] The payload's `action`; "" when it has none. Never NULL. */
    const char *(*action)(struct snek_run *run);

    /* [handler] The header X-GitHub-Delivery, which identifies the delivery. Never NULL. */
    const char *(*delivery)(struct snek_run *run);

    /* [handler] The id of the installation, an opaque text. Never NULL. */
    const char *(*installation)(struct snek_run *run);

    /* [handler] The number of this attempt, from 1. */
    int64_t (*attempt)(struct snek_run *run);

    /* [handler] The whole payload as JSON, for plugins that bring their own parser. */
    struct snek_text (*payload)(struct snek_run *run);

    /* [handler] Finds `path` in the payload, fills `value` (which may be NULL) and returns its
     * kind: SNEK_ABSENT when the path leads nowhere or memory is short.
     *
     * A path consists of the keys of objects with dots between them, and of [n] for the n-th item
     * of an array, from 0: "pull_request.labels[0].name", or "[0].id" when the whole is an array.
     * The empty path is the whole payload. A key that is empty, or that contains "." or "[", has no
     * path: find the object around it, as JSON. */
    uint32_t (*find)(struct snek_run *run, const char *path, struct snek_value *value);
};

#ifdef __cplusplus
}
#endif

#endif
