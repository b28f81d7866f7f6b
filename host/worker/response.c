/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* struct snek_response: the frame that the host sent, and the texts that were found in it. */
#include "worker/response.h"

#include "worker/failing_allocation.h"
#include "worker/found_values.h"
#include "worker/run.h"

#include <stdlib.h>
#include <string.h>

/* Bytes that find() hands out of one response. */
#define RESPONSE_TEXTS_MAX (32u << 20)

struct snek_response {
    struct run_resource resource;
    struct found_values found;
    struct call_result result;
};

static void response_on_run_end(struct run_resource *resource) {
    response_free(CONTAINER_OF(resource, struct snek_response, resource));
}

struct snek_response *response_new(struct run *run) {
    struct snek_response *response = NULL;
    if (!failing_allocation_take("the SDK")) {
        response = calloc(1, sizeof *response);
    }
    if (response) {
        found_values_init(&response->found, RESPONSE_TEXTS_MAX);
        response->resource.on_run_end = response_on_run_end;
        run_attach(run, &response->resource);
    }
    return response;
}

void response_free(struct snek_response *response) {
    if (!response) {
        return;
    }
    run_detach(&response->resource);
    found_values_finish(&response->found);
    call_result_finish(&response->result);
    free(response);
}

void response_fill(struct snek_response *response, struct call_result *result) {
    response->result = *result;
    *result = (struct call_result){0};
}

int32_t response_status(const struct snek_response *response) {
    return response ? response->result.status : 0;
}

/* The body is the last field of its frame, behind which wire_read() wrote a NUL. */
struct snek_text response_body(const struct snek_response *response) {
    if (!response) {
        return (struct snek_text){0};
    }
    return (struct snek_text){.data = response->result.body.data,
                              .bytes = response->result.body.bytes};
}

/* The headers are lines "name: value\n". */
struct snek_text response_header(struct snek_response *response, const char *name) {
    struct snek_text found = {0};
    if (!response || !name) {
        return found;
    }
    size_t name_bytes = strlen(name);
    const char *at = response->result.headers.data, *end = at + response->result.headers.bytes;
    while (at < end && !found.data) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = newline ? newline : end;
        size_t line_bytes = (size_t)(line_end - at);
        if (line_bytes > name_bytes && memcmp(at, name, name_bytes) == 0 && at[name_bytes] == ':') {
            const char *value = at + name_bytes + 1;
            value += value < line_end && *value == ' ';
            found.bytes = (uint64_t)(line_end - value);
            found.data = arena_text(&response->found.arena, value, found.bytes);
        }
        at = newline ? newline + 1 : end;
    }
    return found.data ? found : (struct snek_text){0};
}

uint32_t response_find(struct snek_response *response, const char *path, struct snek_value *value) {
    if (!response) {
        if (value) {
            *value = (struct snek_value){.kind = SNEK_ABSENT};
        }
        return SNEK_ABSENT;
    }
    return response_find_in(response, response->result.body.data, response->result.body.bytes, path,
                            value);
}

uint32_t response_find_in(struct snek_response *response, const char *json, size_t bytes,
                          const char *path, struct snek_value *value) {
    return found_values_find(&response->found, json, bytes, path, value);
}
