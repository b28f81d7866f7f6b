/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Calls of the plugin's store in the host, for service_store.c and for the worker itself. */
#ifndef SNEK_WORKER_STORE_CALL_H
#define SNEK_WORKER_STORE_CALL_H

#include "protocol/frames.h"
#include "worker/calls.h"

#include <snekomatic/types.h>

#include <stdint.h>

struct run;

/* Keys that begin so are the worker's: the plugin cannot use them. */
#define STORE_RESERVED "snekomatic."

/* The caller has checked it; all texts are borrowed. */
struct store_call {
    enum frame_store_operation operation;
    /* enum snek_scope. */
    uint32_t scope;
    /* "" for keys. */
    const char *set;
    /* The entry or key. */
    const char *name;
    const char *value;
    uint64_t value_bytes;
};

/* Sends the call and blocks until the host responds. The host's outcome, and `*stored`, the
 * caller's. A negative outcome has left its reason. */
int32_t store_call_send(struct run *run, const struct store_call *call, struct call_result *stored);

/* FRAME_KEY_GET: 1 and `*value`, which lives as long as the run; 0 when there is no such key; or a
 * negative enum snek_error with a reason left. */
int32_t store_call_get(struct run *run, uint32_t scope, const char *key, struct snek_text *value);

/* FRAME_KEY_PUT: 0 or 1, or a negative enum snek_error with a reason left. */
int32_t store_call_put(struct run *run, uint32_t scope, const char *key, const char *value,
                       uint64_t value_bytes);

/* FRAME_KEY_DELETE: 1 or 0, or a negative enum snek_error with a reason left. */
int32_t store_call_remove(struct run *run, uint32_t scope, const char *key);

#endif
