/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Copies and wipes secrets. */
#include "base/secret.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int secret_copy(struct secret *secret, const char *data, size_t bytes) {
    assert(bytes < SIZE_MAX);
    char *copy = malloc(bytes + 1);
    if (!copy) {
        return -1;
    }
    memcpy(copy, data, bytes);
    copy[bytes] = '\0';
    *secret = (struct secret){.data = copy, .bytes = bytes};
    return 0;
}

void secret_finish(struct secret *secret) {
    if (secret->data) {
        explicit_bzero(secret->data, secret->bytes);
        free(secret->data);
    }
    *secret = (struct secret){0};
}

void secret_scrub_environment(const char *name) {
    char *value = getenv(name);
    if (value) {
        explicit_bzero(value, strlen(value));
        unsetenv(name);
    }
}

void secret_scrub_whole_environment(void) {
    for (char **entry = environ; entry && *entry; entry++) {
        char *value = strchr(*entry, '=');
        if (value) {
            explicit_bzero(value + 1, strlen(value + 1));
        }
    }
    clearenv();
}
