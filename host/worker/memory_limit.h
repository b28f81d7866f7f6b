/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The sentence about a lack of memory: it names the limit of this process, and its key. */
#ifndef SNEK_WORKER_MEMORY_LIMIT_H
#define SNEK_WORKER_MEMORY_LIMIT_H

#include <stdint.h>

/* Main thread, before the plugin is loaded. */
void memory_limit_set(uint64_t memory_mib);

/* "the worker is out of memory: raise plugin.memory_mib, 256". Static; any thread. */
const char *memory_limit_sentence(void);

#endif
