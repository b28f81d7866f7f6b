/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The state of the process that runs one plugin: its socket to the host, the plugin's descriptor,
 * and what the plugin's create() left.
 *
 *   main            reads frames until the host closes the socket
 *    |- sandbox, loader, descriptor    from a path to a checked descriptor
 *    |- run_pool     the threads      -> invoke: calls the handlers of one run, in order
 *    '- host_vtable  struct snek_host -> service_*: the services, over run, calls and http_call
 *
 * Threads: the main thread reads the socket and runs create() and destroy(). Each run has a thread
 * of the pool. A plugin may call the vtable from any thread.
 * Memory: the memory of a run is freed after its last handler has returned. The descriptor and the
 * configuration stay until the process ends. */
#ifndef SNEK_WORKER_WORKER_H
#define SNEK_WORKER_WORKER_H

#include "base/log.h"

#include <snekomatic/plugin.h>

#include <stddef.h>
#include <stdint.h>

struct arena;
struct calls;
struct plugin_config;
struct snek_host;
struct wire;
struct worker;

/* The process's one worker, over the socket `host_fd`. The plugin sees a copy of `vtable`. It lives
 * until the process ends. NULL when memory is short. */
struct worker *worker_new(const struct snek_host *vtable, int host_fd);

/* The worker whose copy of the vtable `host` is. */
struct worker *worker_of(const struct snek_host *host);
const struct snek_host *worker_host(const struct worker *worker);

struct wire *worker_wire(struct worker *worker);
struct calls *worker_calls(struct worker *worker);

/* Both are set once, before the plugin's first instruction runs. `config` is taken over. */
void worker_configure(struct worker *worker, struct plugin_config *config,
                      enum log_level least_level);
/* Does the host's log have lines of this level? */
bool worker_logs(const struct worker *worker, enum log_level level);
struct plugin_config *worker_config(struct worker *worker);

/* The main thread fills in the descriptor and the state before the first run. */
struct snek_plugin *worker_plugin(struct worker *worker);
void **worker_state(struct worker *worker);

/* Memory that lives until the process ends. Any thread. */
struct arena *worker_arena(struct worker *worker);

/* A line in the host's log; `run` is the host's handle of the run, 0 when the line concerns none.
 * Any thread. */
void worker_log(struct worker *worker, uint64_t run, enum log_level level, const char *text);

/* The sentence that create() left, "" when it left none. Any thread sets it, the last one counts;
 * the main thread reads it after create() has returned. */
void worker_set_rejection(struct worker *worker, const char *text, size_t bytes);
const char *worker_rejection(const struct worker *worker);

#endif
