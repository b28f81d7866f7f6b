/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stores the App's credentials: the private key and the webhook secret in files of their own (mode
 * 0600), and the configuration that names them. Main thread. */
#ifndef SNEK_SETUP_FILES_H
#define SNEK_SETUP_FILES_H

#include "config/config.h"
#include "setup/conversion.h"
#include "setup/session.h"

#define SETUP_PATH_MAX 4096

/* Where the configuration is, or will be. */
struct setup_files {
    /* Absolute, without symbolic links. The keys are stored in the same directory. */
    char file[SETUP_PATH_MAX], directory[SETUP_PATH_MAX];
    /* There is a file already. Lines are added to it. */
    bool exists;
};

/* Checks that the files can be written. 0, or -1. */
int setup_files_init(struct setup_files *files, const char *path, struct error *err);

/* The lines for the configuration, for people and for the file: [server], [github] and, for a new
 * file, each [[plugin]]. 0, or -1 when memory is short. */
int setup_files_lines(const struct setup_files *files, const struct config *config,
                      const struct setup_app *app, const struct setup_choices *choices,
                      struct buffer *lines);

/* A last check of the complete configuration, before it takes its place. 0; 1 and `err`: it is
 * rejected; -1 and `err`. */
typedef int (*setup_files_judge)(const struct config *complete, struct error *err);

/* Writes the key, the secret (if there is one), and last the configuration, which is checked before
 * it takes the place of the old one. `judge` may be NULL. After a failure it may be called again.
 * 0; 1 and `err`: `judge` has rejected it, and nothing of it stays; -1 and `err`. */
int setup_files_store(const struct setup_files *files, const struct config *config,
                      const struct setup_app *app, const struct setup_choices *choices,
                      setup_files_judge judge, struct error *err);

/* A person enters the webhook secret at GitHub before the App has an id. So it is kept in a file of
 * its own, and an interrupted setup gives the same one again. 0, or -1. */
int setup_secret_keep(const struct setup_files *files, struct secret *secret, struct error *err);
void setup_secret_forget(const struct setup_files *files);

/* Logs the key files that an earlier setup left: it was killed before it wrote the configuration.
 */
void setup_files_log_left(const struct setup_files *files);

/* The names of the two files, without the directory. */
#define SETUP_FILE_NAME_MAX 64
void setup_files_names(const struct setup_app *app, char key[SETUP_FILE_NAME_MAX],
                       char secret[SETUP_FILE_NAME_MAX]);

#endif
