/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes the process non-dumpable. */
#include "base/process.h"

#include <sys/prctl.h>

void process_harden(void) {
    /* Not RLIMIT_CORE: a worker without a sandbox inherits that, and may write core files. */
    prctl(PR_SET_DUMPABLE, 0);
}
