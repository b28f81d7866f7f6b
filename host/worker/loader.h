/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Loads a plugin's file and checks its ABI. */
#ifndef SNEK_WORKER_LOADER_H
#define SNEK_WORKER_LOADER_H

#include "base/error.h"

#include <snekomatic/plugin.h>

/* Loads the plugin, which runs its constructors and its entry function. 0 and its descriptor, as
 * descriptor_copy() gives it; or -1 and a sentence. Once, on the main thread. */
int loader_load(const char *path, struct snek_plugin *plugin, struct error *err);

#endif
