/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* X-RateLimit-* and Retry-After, bounded. */
#include "broker/rate_headers.h"

#include "base/clock.h"
#include "broker/response.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

/* GitHub's reset is in whole seconds. */
#define RESET_MARGIN_MS 1000
/* A wait of 0 would be a loop. */
#define RETRY_LEAST_MS 1000

/* A header that is a number, not negative; -1 when there is none. */
static int64_t read_number(const struct buffer *headers, const char *name) {
    size_t bytes;
    char text[24], *end;
    const char *value = response_header(headers, name, &bytes);
    if (!value || bytes == 0 || bytes >= sizeof text || *value < '0' || *value > '9') {
        return -1;
    }
    memcpy(text, value, bytes);
    text[bytes] = '\0';
    long long number = strtoll(text, &end, 10);
    return *end == '\0' ? number : -1;
}

static enum resource read_resource(const struct buffer *headers, enum resource expected) {
    size_t bytes;
    const char *resource = response_header(headers, "x-ratelimit-resource", &bytes);
    if (!resource) {
        return expected;
    }
    if (bytes == 4 && memcmp(resource, "core", 4) == 0) {
        return RESOURCE_CORE;
    }
    if (bytes == 7 && memcmp(resource, "graphql", 7) == 0) {
        return RESOURCE_GRAPHQL;
    }
    if (bytes >= 6 && memcmp(resource + bytes - 6, "search", 6) == 0) {
        return RESOURCE_SEARCH; /* code_search too */
    }
    return RESOURCES;
}

/* Until GitHub's clock shows `there_s`, within the bounds. */
static int64_t until_there_ms(int64_t there_s, int64_t skew_s, int64_t least_ms, int64_t most_ms) {
    int64_t now_ms = clock_wall_ms() + skew_s * 1000;
    if (there_s > (now_ms + most_ms) / 1000) {
        return most_ms;
    }
    int64_t wait_ms = there_s * 1000 - now_ms;
    return wait_ms > least_ms ? wait_ms : least_ms;
}

static int64_t read_reset_ms(const struct buffer *headers, int64_t skew_s) {
    int64_t reset_s = read_number(headers, "x-ratelimit-reset");
    return reset_s < 0 ? -1
                       : until_there_ms(reset_s, skew_s, 0, RATE_WAIT_MAX_MS - RESET_MARGIN_MS) +
                             RESET_MARGIN_MS;
}

/* Retry-After is a number of seconds or a date. */
static int64_t read_retry_ms(const struct buffer *headers, int64_t skew_s) {
    size_t bytes;
    char text[64];
    const char *value = response_header(headers, "retry-after", &bytes);
    int64_t wait_s = read_number(headers, "retry-after");
    if (wait_s > RATE_WAIT_MAX_MS / 1000) {
        return RATE_WAIT_MAX_MS;
    }
    if (wait_s >= 0) {
        return wait_s == 0 ? RETRY_LEAST_MS : wait_s * 1000;
    }
    if (!value || bytes >= sizeof text) {
        return -1;
    }
    memcpy(text, value, bytes);
    text[bytes] = '\0';
    int64_t there_s = (int64_t)curl_getdate(text, NULL);
    return there_s < 0 ? -1 : until_there_ms(there_s, skew_s, RETRY_LEAST_MS, RATE_WAIT_MAX_MS);
}

struct rate_headers rate_headers_read(const struct buffer *headers, enum resource resource,
                                      int64_t skew_s) {
    return (struct rate_headers){.resource = read_resource(headers, resource),
                                 .limit = read_number(headers, "x-ratelimit-limit"),
                                 .remaining = read_number(headers, "x-ratelimit-remaining"),
                                 .reset_ms = read_reset_ms(headers, skew_s),
                                 .retry_ms = read_retry_ms(headers, skew_s)};
}
