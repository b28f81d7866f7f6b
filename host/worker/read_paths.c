/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Collects the paths that a plugin reads in a run. */
#include "worker/read_paths.h"

#include "base/lock.h"

#include <stdio.h>
#include <string.h>

/* Bytes. A longer path is none of a payload. */
#define PATH_BYTES_MAX 200

void read_paths_init(struct read_paths *paths, bool wanted) {
    *paths = (struct read_paths){.wanted = wanted, .text = BUFFER_INIT(FRAME_PATHS_MAX)};
    pthread_mutex_init(&paths->lock, NULL);
}

void read_paths_finish(struct read_paths *paths) {
    buffer_finish(&paths->text);
    pthread_mutex_destroy(&paths->lock);
}

void read_paths_add(struct read_paths *paths, bool is_filter, const char *path) {
    char padded[PATH_BYTES_MAX + 4];
    if (!paths->wanted || !path || !*path || strlen(path) > PATH_BYTES_MAX ||
        strpbrk(path, " \n")) {
        return;
    }
    snprintf(padded, sizeof padded, " %s%s ", is_filter ? "@" : "", path);
    SCOPED_LOCK(&paths->lock);
    if (paths->text.bytes > 0 && strstr(paths->text.data, padded)) {
        return;
    }
    /* The space that ends the one before begins this one. */
    const char *text = paths->text.bytes > 0 ? padded + 1 : padded;
    if (paths->text.bytes + strlen(text) < FRAME_PATHS_MAX) {
        /* Without memory the path is missing in the log. */
        buffer_append_text(&paths->text, text);
    }
}

char *read_paths_steal(struct read_paths *paths) {
    return paths->text.bytes > 0 ? buffer_steal(&paths->text) : NULL;
}
