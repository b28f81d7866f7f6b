/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How a shared object finds the libraries that it needs. Only this room includes it. */
#ifndef SNEK_PLUGIN_FILE_LIBRARIES_H
#define SNEK_PLUGIN_FILE_LIBRARIES_H

#include "base/error.h"

#include <stddef.h>

/* Rejects an ELF file that finds a library relative to its own directory ($ORIGIN) or to the
 * working directory, because its copy lies elsewhere and would load another library, or none.
 * `data` may be any bytes: the worker rejects a file that is no whole shared object. 0, or -1 and
 * a sentence. */
int libraries_check(const void *data, size_t bytes, struct error *err);

#endif
