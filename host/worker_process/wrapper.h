/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A command that runs the workers of plugins with sandbox = "off", for debugging: the words of the
 * variable SNEKOMATIC_WORKER_WRAPPER, such as "valgrind --log-file=/tmp/worker.%p". */
#ifndef SNEK_WORKER_PROCESS_WRAPPER_H
#define SNEK_WORKER_PROCESS_WRAPPER_H

#include <stdbool.h>
#include <stddef.h>

#define WRAPPER_VARIABLE "SNEKOMATIC_WORKER_WRAPPER"
#define WRAPPER_WORDS_MAX 32

/* Spaces separate the words; there is no quoting. `text` is the caller's, and the words point into
 * it. They are NULL when the variable is not set or empty. The last word is followed by `worker`
 * and NULL. */
struct wrapper {
    char *text;
    char *words[WRAPPER_WORDS_MAX + 2];
};

/* The number of words of the command; 0: there is none. The caller frees `text`. */
size_t wrapper_read(struct wrapper *wrapper, const char *worker);

bool wrapper_is_set(void);

#endif
