/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads how far time was advanced by a test. */
#include "maintenance/advance.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void advance_init(struct advance *advance) {
    const char *path = getenv("SNEKOMATIC_ADVANCE_FILE");
    *advance = (struct advance){.path = path && *path ? path : NULL};
}

bool advance_read(struct advance *advance) {
    int64_t ms = 0;
    FILE *file = advance->path ? fopen(advance->path, "re") : NULL;
    bool read = file && fscanf(file, "%" SCNd64, &ms) == 1;
    if (file) {
        fclose(file);
    }
    bool later = read && ms > advance->ms;
    advance->ms = later ? ms : advance->ms;
    return later;
}

void advance_report(struct advance *advance, uint64_t fired) {
    if (advance->reported_ms != advance->ms) {
        advance->reported_ms = advance->ms;
        log_event(SNEK_LEVEL_INFO, "time_advanced", LOG_NUMBER("ms", advance->ms),
                  LOG_NUMBER("fired", (int64_t)fired));
    }
}
