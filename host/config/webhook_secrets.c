/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds and reads the files of a rotation. */
#include "config/webhook_secrets.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define UNTIL "until "

/* NULL: out of memory. */
static char *beside(const char *path, const char *suffix) {
    char *name = NULL;
    return asprintf(&name, "%s%s", path, suffix) < 0 ? NULL : name;
}

int webhook_secret_paths(const struct config *config, struct webhook_secret_paths *paths) {
    const char *current = config->github.webhook_secret_file,
               *previous = config->github.webhook_secret_previous_file;
    bool from_variable = settings_variable(config->settings, "GITHUB_WEBHOOK_SECRET") != NULL;
    *paths = (struct webhook_secret_paths){.current = NULL};
    if (previous) {
        paths->previous = strdup(previous);
    } else if (current && !from_variable) {
        paths->previous = beside(current, ".previous");
    }
    if (current && !from_variable) {
        paths->current = strdup(current);
        paths->next = beside(current, ".next");
    }
    bool lacks = (current && !from_variable && (!paths->current || !paths->next)) ||
                 ((previous || (current && !from_variable)) && !paths->previous);
    return lacks ? -1 : 0;
}

void webhook_secret_paths_finish(struct webhook_secret_paths *paths) {
    free(paths->current);
    free(paths->next);
    free(paths->previous);
    *paths = (struct webhook_secret_paths){.current = NULL};
}

/* A rotation may rename or remove the file at any moment. `path` may be NULL. 0; 1: there is none;
 * -1. */
static int read_if_there(const char *path, struct secret *secret, struct error *err) {
    if (!path || access(path, F_OK) < 0) {
        return 1;
    }
    int result = config_secret_file(path, secret, err);
    return result < 0 && access(path, F_OK) < 0 && errno == ENOENT ? 1 : result;
}

int webhook_secret_read_next(const struct webhook_secret_paths *paths, struct secret *secret,
                             struct error *err) {
    return read_if_there(paths->next, secret, err);
}

/* Cuts a last line with a time off the secret. 0, or -1 when the line has no time. */
static int cut_time(struct secret *secret, int64_t *until_ms) {
    char *line = secret->bytes > 0 ? memrchr(secret->data, '\n', secret->bytes) : NULL;
    struct tm utc = {0};
    if (!line || strncmp(line + 1, UNTIL, strlen(UNTIL)) != 0) {
        return 0;
    }
    const char *end = strptime(line + 1 + strlen(UNTIL), "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (!end || *end) {
        return -1;
    }
    *until_ms = (int64_t)timegm(&utc) * 1000;
    while (line > secret->data && isspace((unsigned char)line[-1])) {
        line--;
    }
    secret->bytes = (size_t)(line - secret->data);
    *line = '\0';
    return 0;
}

int webhook_secret_read_previous(const struct webhook_secret_paths *paths, struct secret *secret,
                                 int64_t *until_ms, struct error *err) {
    *until_ms = 0;
    int found = read_if_there(paths->previous, secret, err);
    if (found != 0) {
        return found;
    }
    if (cut_time(secret, until_ms) < 0 || secret->bytes == 0) {
        secret_finish(secret);
        return error_set(err,
                         "%s must hold the secret, and may have a second line such as "
                         "\"until 2030-01-31T00:00:00Z\"",
                         paths->previous);
    }
    return 0;
}
