/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The paths of the payload that a plugin's filters and handlers read in one run. At log level debug
 * only, for the host's log: a path that no payload has is a mistake that nothing else shows. */
#ifndef SNEK_WORKER_READ_PATHS_H
#define SNEK_WORKER_READ_PATHS_H

#include "base/buffer.h"
#include "protocol/frames.h"

#include <pthread.h>

struct read_paths {
    /* Guards the text. */
    pthread_mutex_t lock;
    bool wanted;
    /* Each path once, between spaces; that of a filter begins with "@". */
    struct buffer text;
};

void read_paths_init(struct read_paths *paths, bool wanted);
void read_paths_finish(struct read_paths *paths);
/* Any thread. A path with a space, and what has no room, is left out. */
void read_paths_add(struct read_paths *paths, bool is_filter, const char *path);
/* The caller's to free; NULL when there are none. */
char *read_paths_steal(struct read_paths *paths);

#endif
