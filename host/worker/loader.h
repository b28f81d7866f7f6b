/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From a path to a plugin's descriptor: is the file safe to run, does it speak our ABI? */
#ifndef SNEK_WORKER_LOADER_H
#define SNEK_WORKER_LOADER_H

#include "base/error.h"

#include <snekomatic/plugin.h>

/* Is this resolved path a regular file that only root or we can have written, in directories of
 * which the same is true (or which are sticky)? 0, or -1 and a sentence. */
int loader_check_file(const char *path, struct error *err);

/* Loads the plugin, which runs its constructors and its entry function. 0 and its descriptor, as
 * descriptor_copy() gives it; or -1 and a sentence. Once, on the main thread. */
int loader_load(const char *path, struct snek_plugin *plugin, struct error *err);

#endif
