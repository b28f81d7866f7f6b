/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reports a fatal signal of the plugin to the host, with a backtrace, and then lets the signal end
 * the process. Sanitized builds leave the signals to the sanitizer. */
#ifndef SNEK_WORKER_CRASH_H
#define SNEK_WORKER_CRASH_H

/* Main thread, once, before the plugin is loaded. `fd` is the crash pipe, or -1 without one. */
void crash_init(int fd);

/* Main thread, after the plugin was loaded: lists the modules that a backtrace may name, because a
 * signal handler cannot. */
void crash_note_modules(void);

/* Each thread that runs plugin code, once: gives it a stack for the handler, so that an overflow of
 * its own stack is reported too. */
void crash_watch_thread(void);

#endif
