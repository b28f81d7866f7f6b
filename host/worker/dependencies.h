/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The libraries that a plugin brings along: those that the dynamic linker would find by a RUNPATH,
 * an RPATH or a path. The system's own libraries are not among them. */
#ifndef SNEK_WORKER_DEPENDENCIES_H
#define SNEK_WORKER_DEPENDENCIES_H

#include "base/error.h"

#include <stddef.h>

/* The most files, and the most directories where they may be. */
#define DEPENDENCIES_MAX 64

struct dependencies {
    /* Absolute. The first is the plugin itself. */
    char **files;
    size_t n_files;
};

/* Follows the needs of the plugin and of each library that it finds, without loading any. Each file
 * and each directory must be as safe as the plugin's own file, because somebody who can write there
 * could run code in the worker. `plugin` is an absolute path. 0, and dependencies_finish() frees;
 * or -1 and a sentence. */
int dependencies_find(const char *plugin, struct dependencies *dependencies, struct error *err);
void dependencies_finish(struct dependencies *dependencies);

#endif
