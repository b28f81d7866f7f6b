/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Judges modes of files and lengths of secrets. */
#include "cli/secret_check.h"

#include <stdio.h>
#include <sys/stat.h>

#define SECRET_BYTES_MIN 16

void secret_check_file(const char *label, const char *path, struct findings *findings) {
    struct stat status;
    if (!path || stat(path, &status) < 0) {
        return;
    }
    if (status.st_mode & (S_IWGRP | S_IWOTH)) {
        fprintf(stderr, "%s: other users can change %s: run chmod 600 on it\n", label, path);
        findings->problems++;
    } else if (status.st_mode & S_IROTH) {
        fprintf(stderr,
                "warning: %s: every user of this machine can read %s: run chmod 600 on it\n", label,
                path);
        findings->warnings++;
    }
}

void secret_check_length(const struct secret *secrets, size_t n_secrets,
                         struct findings *findings) {
    for (size_t i = 0; i < n_secrets; i++) {
        if (secrets[i].bytes < SECRET_BYTES_MIN) {
            fprintf(stderr,
                    "warning: webhook secret: it has %zu characters, so that others could guess "
                    "it: set one of `openssl rand -hex 32`, here and in the app's settings\n",
                    secrets[i].bytes);
            findings->warnings++;
        }
    }
}
