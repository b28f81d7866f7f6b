/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Prepares the sentence while there is memory. */
#include "worker/memory_limit.h"

#include <stdio.h>

static char sentence[100] = "the worker is out of memory: raise plugin.memory_mib";

void memory_limit_set(uint64_t memory_mib) {
    snprintf(sentence, sizeof sentence,
             "the worker is out of memory: raise plugin.memory_mib, %llu",
             (unsigned long long)memory_mib);
}

const char *memory_limit_sentence(void) {
    return sentence;
}
