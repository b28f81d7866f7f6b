/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The files of plugins. A plugin's file is checked and copied before a worker loads it, and the
 * worker and its restarts load the copy. So a file that changes, even one that is overwritten in
 * place, changes no running bot before a reload.
 *
 *   plugin_files_open() -> plugin_files_copy() ... plugin_copy_finish() -> plugin_files_close()
 *
 * The copies are RUNTIME_DIR/plugins/SHA256.so (base/runtime_directory.h). Programs of one user
 * share them: each holds a lock on the copies that it uses, and a copy without a lock is deleted
 * when the next program opens the directory, or the next file is copied.
 *
 * Threads: one at a time. */
#ifndef SNEK_PLUGIN_FILE_PLUGIN_FILE_H
#define SNEK_PLUGIN_FILE_PLUGIN_FILE_H

#include "base/error.h"

#include <stddef.h>

/* Hexadecimal digits of a SHA-256. */
#define PLUGIN_FILE_HASH_DIGITS 64
/* The digits that a log line shows. */
#define PLUGIN_FILE_HASH_SHOWN 12
/* The largest file of a plugin. A plugin with debug information may have 100 MiB. */
#define PLUGIN_FILE_BYTES_MAX ((size_t)512 << 20)

struct plugin_files;

/* Makes the directory if necessary, and deletes the copies that no program uses. 0 and `*files`, or
 * -1. */
int plugin_files_open(struct plugin_files **files, struct error *err);
/* Takes NULL. The copies stay until each is finished. */
void plugin_files_close(struct plugin_files *files);

/* One copy. Zeroed: none. */
struct plugin_copy {
    /* Absolute. */
    char *path;
    char sha256[PLUGIN_FILE_HASH_DIGITS + 1];
    /* Holds the lock. */
    int fd;
};

/* Opens `path`, which must be absolute, and follows symbolic links. The file and each directory on
 * the way must belong to root or to this user, and others must not be able to write them; a sticky
 * directory passes. Copies what it opened. The copy must have the hash `sha256` (lower case; NULL:
 * any), and must find its libraries by absolute paths. 0 and `copy`, for plugin_copy_finish(); or
 * -1 and a sentence that names the unsafe file or directory and the fix. */
int plugin_files_copy(struct plugin_files *files, const char *path, const char *sha256,
                      struct plugin_copy *copy, struct error *err);

/* Writes a copy again from its descriptor if its file is gone, for example because somebody cleaned
 * /tmp. Makes the directory again, too. 1 if it did so, 0 if the file is there, or -1. */
int plugin_copy_restore(struct plugin_files *files, struct plugin_copy *copy, struct error *err);

/* Gives the copy up. Takes a zeroed one. */
void plugin_copy_finish(struct plugin_copy *copy);

#endif
