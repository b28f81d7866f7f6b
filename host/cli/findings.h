/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The findings that `check` counts. */
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

#endif
