/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Splits the command of SNEKOMATIC_WORKER_WRAPPER into words. */
#include "worker_process/wrapper.h"

#include <stdlib.h>
#include <string.h>

size_t wrapper_read(struct wrapper *wrapper, const char *worker) {
    const char *command = getenv(WRAPPER_VARIABLE);
    size_t n = 0;
    char *rest = NULL;
    *wrapper = (struct wrapper){.text = command ? strdup(command) : NULL};
    if (!wrapper->text) {
        return 0;
    }
    char *word = strtok_r(wrapper->text, " ", &rest);
    for (; word && n < WRAPPER_WORDS_MAX; word = strtok_r(NULL, " ", &rest)) {
        wrapper->words[n++] = word;
    }
    wrapper->words[n] = (char *)worker;
    return n;
}

bool wrapper_is_set(void) {
    const char *command = getenv(WRAPPER_VARIABLE);
    return command && *command;
}
