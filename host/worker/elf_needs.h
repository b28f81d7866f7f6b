/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads which libraries a shared object needs and where the dynamic linker looks for them, without
 * loading it. */
#ifndef SNEK_WORKER_ELF_NEEDS_H
#define SNEK_WORKER_ELF_NEEDS_H

#include "base/error.h"

#include <stddef.h>

enum elf_need_kind {
    /* DT_NEEDED, and the rarer DT_FILTER and DT_AUXILIARY: a library's name, or its path. */
    ELF_NEED_LIBRARY,
    /* DT_RUNPATH or DT_RPATH: directories, separated by colons. */
    ELF_NEED_DIRECTORIES,
};

/* A text lives as long as its elf_needs. */
struct elf_need {
    enum elf_need_kind kind;
    const char *text;
};

struct elf_needs {
    struct elf_need *needs;
    size_t count;
    char *strings;
};

/* The most entries of one file, and the most bytes of their texts. */
#define ELF_NEEDS_MAX 256
#define ELF_STRINGS_MAX (16u << 20)

/* 0 and `needs`, which elf_needs_finish() frees. Or -1 and a sentence, when the file is not a
 * shared object of this machine. Believes no number of the file. */
int elf_needs_read(const char *path, struct elf_needs *needs, struct error *err);
void elf_needs_finish(struct elf_needs *needs);

#endif
