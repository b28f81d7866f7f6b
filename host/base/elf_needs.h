/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads which libraries a shared object needs and where the dynamic linker looks for them, without
 * loading it. */
#ifndef SNEK_BASE_ELF_NEEDS_H
#define SNEK_BASE_ELF_NEEDS_H

#include <stddef.h>

enum elf_need_kind {
    /* DT_NEEDED, and the rarer DT_FILTER and DT_AUXILIARY: a library's name, or its path. */
    ELF_NEED_LIBRARY,
    /* DT_RUNPATH or DT_RPATH: directories, separated by colons. */
    ELF_NEED_DIRECTORIES,
};

struct elf_need {
    enum elf_need_kind kind;
    /* Lies in the file's bytes. */
    const char *text;
};

/* The most entries of one file. */
#define ELF_NEEDS_MAX 256

struct elf_needs {
    struct elf_need items[ELF_NEEDS_MAX];
    size_t count;
};

/* `data` is the whole file; it may be any bytes, and no number in it is trusted. 0 and `needs`,
 * which borrows from `data`. -1 when the file is not a shared object of this machine, or damaged.
 */
int elf_needs_read(const void *data, size_t bytes, struct elf_needs *needs);

#endif
