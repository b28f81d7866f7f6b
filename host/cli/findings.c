/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Prints what `check` finds after what it has printed on standard output. */
#include "cli/findings.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 0))) static void print_finding(const char *prefix,
                                                                const char *format, va_list args) {
    char text[2048];
    fflush(stdout);
    vsnprintf(text, sizeof text, format, args);
    text_clean_in_place(text);
    fprintf(stderr, "%s%s\n", prefix, text);
}

void findings_problem(struct findings *findings, const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_finding("", format, args);
    va_end(args);
    findings->problems++;
}

void findings_warning(struct findings *findings, const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_finding("warning: ", format, args);
    va_end(args);
    findings->warnings++;
}

void findings_idle(struct findings *findings, const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_finding("warning: ", format, args);
    va_end(args);
    findings->warnings++;
    findings->idle++;
}
