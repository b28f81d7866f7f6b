/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The resident pages of the program and its libraries. */
#ifndef SNEK_BASE_CODE_PAGES_H
#define SNEK_BASE_CODE_PAGES_H

/* Unmaps the pages of code and constants that the process has read so far. The kernel keeps them in
 * its page cache, and maps a page again when the process next reads it. So what only the start
 * needs (the parser of the configuration, tables of symbols, the initialisation of libraries)
 * counts as the process's memory no longer. Any thread, at any time. It does nothing under a
 * debugger, because breakpoints would be lost. Uprobes that were set before are lost. */
void code_pages_release(void);

#endif
