/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic check --plugin` starts workers in which one allocation of a handler fails: memory
 * that the SDK gives it, or that the plugin itself takes from the C library. In any other worker
 * nothing is patched and nothing is counted. Any thread. */
#ifndef SNEK_WORKER_FAILING_ALLOCATION_H
#define SNEK_WORKER_FAILING_ALLOCATION_H

#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct worker;

/* A handler runs, and an allocation is armed. */
extern atomic_bool failing_allocation_counts;

/* The allocation `number` of the handlers, from 1, is to fail. Points the calls of malloc() and its
 * like in the loaded plugin at `path`, and in no other library, to this module. Once, on the main
 * thread. `worker` is borrowed until the process ends. 0, or -1 when the plugin cannot be patched.
 */
int failing_allocation_arm(struct worker *worker, const char *path, uint64_t number,
                           struct error *err);

/* A handler starts, or has returned. */
void failing_allocation_on_handler(bool starts);

/* For failing_allocation_take(). */
bool failing_allocation_count(const char *function);

/* Counts one allocation by `function`, a name for people. True: it has to fail, and the host was
 * informed (FRAME_ALLOCATION_FAILED). */
static inline bool failing_allocation_take(const char *function) {
    return atomic_load_explicit(&failing_allocation_counts, memory_order_relaxed) &&
           failing_allocation_count(function);
}

#endif
