/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For tests: lets time pass for timers and schedules, and moves no clock. The file that the
 * variable SNEKOMATIC_ADVANCE_FILE names has the number of milliseconds by which their time is
 * ahead. When all that is due by then has fired, the host logs msg=time_advanced. Loop's thread. */
#ifndef SNEK_MAINTENANCE_ADVANCE_H
#define SNEK_MAINTENANCE_ADVANCE_H

#include <stdbool.h>
#include <stdint.h>

/* How often the file is read. */
#define ADVANCE_INTERVAL_MS 50

struct advance {
    /* NULL: there is no file. Borrowed from the environment. */
    const char *path;
    int64_t ms, reported_ms;
};

void advance_init(struct advance *advance);
/* True when time has passed since the last call. */
bool advance_read(struct advance *advance);
/* All that is due by now has fired: so many deliveries since the last report. Logs it once. */
void advance_report(struct advance *advance, uint64_t fired);

#endif
