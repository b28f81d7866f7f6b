/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tables in one row, and what the probes share. */
#include "probes.h"

#include <errno.h>
#include <stdio.h>

const struct probe *probe_at(size_t number) {
    const struct probe_table *const tables[] = {&file_probes,   &process_probes, &signal_probes,
                                                &socket_probes, &memory_probes,  &kernel_probes};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (number < tables[i]->count) {
            return &tables[i]->probes[number];
        }
        number -= tables[i]->count;
    }
    return NULL;
}

int outcome_of(long result) {
    return result < 0 ? errno : 0;
}

int attempt_of(long result, int harmless) {
    return result < 0 && errno != harmless ? errno : 0;
}

const char *path_in(const struct world *world, const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", world->directory, name);
    return path;
}
