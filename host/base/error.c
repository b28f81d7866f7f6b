/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Formats errors into their fixed room. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, const char *format, ...) {
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        err->transient = false;
    }
    return -1;
}

int error_mark_transient(struct error *err) {
    if (err) {
        err->transient = true;
    }
    return -1;
}

int error_wrap(struct error *err, const char *format, ...) {
    if (err) {
        struct error inner = *err;
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, ": %s", inner.text);
    }
    return -1;
}
