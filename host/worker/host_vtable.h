/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* struct snek_host: the vtable that every plugin gets. */
#ifndef SNEK_WORKER_HOST_VTABLE_H
#define SNEK_WORKER_HOST_VTABLE_H

#include <snekomatic/host.h>

/* For worker_new(). */
extern const struct snek_host host_vtable;

#endif
