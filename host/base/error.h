/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* An error that travels upwards: the lowest function says what broke, each caller that knows more
 * puts what was being attempted in front. Only the edge that handles an error logs it, once. */
#ifndef SNEK_BASE_ERROR_H
#define SNEK_BASE_ERROR_H

#define ERROR_TEXT_MAX 1024

struct error {
    char text[ERROR_TEXT_MAX]; /* always terminated; cut, never overrun */
};

/* Both return -1, so that `return error_set(...)` is the whole error path. `err` may be NULL.
 * error_wrap() puts "PREFIX: " before the text that is there. */
int error_set(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
