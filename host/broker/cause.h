/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Why no answer came, in words for the one who is to fix it. Inside of this room only. */
#ifndef SNEK_BROKER_CAUSE_H
#define SNEK_BROKER_CAUSE_H

#include "base/proxy.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

struct cause {
    CURL *easy;
    CURLcode code;
    const char *text;          /* libcurl's */
    const char *ca_file;       /* NULL: the system's */
    const struct proxy *proxy; /* NULL: none */
    bool unsent;
};

/* The end of a sentence, as long as there is room. It has no password. */
void cause_describe(const struct cause *cause, char *out, size_t room);

#endif
