/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Turns a libcurl failure into an actionable message. Inside of this room only. */
#ifndef SNEK_BROKER_CURL_ERROR_H
#define SNEK_BROKER_CURL_ERROR_H

#include "base/proxy.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

struct curl_error {
    CURL *easy;
    CURLcode code;
    /* libcurl's. */
    const char *text;
    /* NULL: the system's certificates. */
    const char *ca_file;
    /* NULL: no proxy. */
    const struct proxy *proxy;
    bool unsent;
};

/* Writes the end of a sentence, cut at `room`. It contains no password. */
void curl_error_describe(const struct curl_error *error, char *out, size_t room);

#endif
