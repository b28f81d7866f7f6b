/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The findings that `check` prints on standard error and counts. One thread. */
#ifndef SNEK_CLI_FINDINGS_H
#define SNEK_CLI_FINDINGS_H

struct findings {
    /* Exit status 78. */
    unsigned problems;
    /* Exit status 0, but not "all is well". */
    unsigned warnings;
    /* Those of the warnings with which a plugin may do nothing somewhere. */
    unsigned idle;
};

/* Each prints one line. Control characters in it are shown as "?", because names and URLs come from
 * GitHub. */
__attribute__((format(printf, 2, 3))) void findings_problem(struct findings *findings,
                                                            const char *format, ...);
__attribute__((format(printf, 2, 3))) void findings_warning(struct findings *findings,
                                                            const char *format, ...);
/* A warning with which a plugin may do nothing. */
__attribute__((format(printf, 2, 3))) void findings_idle(struct findings *findings,
                                                         const char *format, ...);

#endif
