/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* record.c writes it and power.c reads it: all operations on the files of one directory, in order.
 * Each entry is this head and then `bytes` bytes (the name of OPEN and UNLINK, the data of WRITE).
 */
#ifndef SNEK_TESTS_FAULTS_JOURNAL_H
#define SNEK_TESTS_FAULTS_JOURNAL_H

#include <stdint.h>

enum journal_kind {
    /* A name in the directory, and its new, empty file. */
    JOURNAL_CREATE = 1,
    JOURNAL_WRITE,
    JOURNAL_TRUNCATE, /* to `offset` bytes */
    /* Has succeeded: what was written to the file before lasts. */
    JOURNAL_SYNC,
    JOURNAL_UNLINK,
    JOURNAL_SYNC_DIRECTORY, /* names last */
};

struct journal_head {
    uint32_t kind;
    /* A number of the file, from 0 in order of creation. */
    uint32_t file;
    uint64_t offset;
    uint64_t bytes;
};

/* The file that is no part of the store: a line with a GUID for each delivery that was answered. */
#define JOURNAL_ACKNOWLEDGED "acknowledged"

#endif
