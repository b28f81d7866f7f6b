/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* An error on its way up. The lowest function names the failure; each caller that knows more puts
 * its attempt in front. Only the function that handles an error logs it, once. */
#ifndef SNEK_BASE_ERROR_H
#define SNEK_BASE_ERROR_H

#include <stdbool.h>

#define ERROR_TEXT_MAX 1024

struct error {
    /* Always terminated; a longer text is cut. */
    char text[ERROR_TEXT_MAX];
    /* May the same attempt succeed later, without a change by a person? */
    bool transient;
};

/* The fixes of errors that a lack of resources causes, for the end of a sentence. */
#define ERROR_FIX_FILES "raise the limit of open files (ulimit -n, or LimitNOFILE= of the service)"
#define ERROR_FIX_THREADS "raise the limit of threads (ulimit -u, or TasksMax= of the service)"
#define ERROR_FIX_MEMORY "give the host more memory (MemoryMax= of the service)"
#define ERROR_FIX_FILES_OR_MEMORY ERROR_FIX_FILES ", or " ERROR_FIX_MEMORY

/* Both return -1, so that `return error_set(...)` is the whole error path. `err` may be NULL.
 * error_wrap() puts "PREFIX: " in front of the text. */
int error_set(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Marks an error that error_set() has made. error_wrap() keeps the mark. Returns -1. */
int error_mark_transient(struct error *err);

#endif
