/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Records each request to the API and its response, in the order of arrival, without the bytes of
 * the token or JWT. */
#include "fake/requests.h"

#include "fake/state.h"
#include "fake/tokens.h"

#include "base/clock.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* The oldest are forgotten. */
#define REQUESTS_KEPT 100000
/* The record has the response from this status on. */
#define ERROR_STATUS_MIN 400

static enum MHD_Result add_header(void *headers, enum MHD_ValueKind kind, const char *name,
                                  const char *value) {
    (void)kind;
    char key[128];
    size_t bytes = 0;
    for (; name[bytes] && bytes < sizeof key - 1; bytes++) {
        key[bytes] = (char)tolower((unsigned char)name[bytes]);
    }
    key[bytes] = '\0';
    if (strcmp(key, "authorization") == 0) {
        const char *space = value ? strchr(value, ' ') : NULL;
        int scheme_bytes = space && space - value < 16 ? (int)(space - value) : 0;
        json_object_set_new(headers, key, json_sprintf("%.*s ...", scheme_bytes, value));
        return MHD_YES;
    }
    json_t *text = json_string(value ? value : "");
    json_object_set_new(headers, key, text ? text : json_null()); /* null: not UTF-8 */
    return MHD_YES;
}

void requests_init(struct fake *fake) {
    fake->requests = json_array();
}

void requests_finish(struct fake *fake) {
    json_decref(fake->requests);
}

json_t *requests_list(const struct fake *fake) {
    return fake->requests;
}

json_int_t requests_forgotten(const struct fake *fake) {
    return fake->requests_forgotten;
}

void requests_forget(struct fake *fake) {
    /* A new list: requests that are under way keep their entries. */
    json_decref(fake->requests);
    fake->requests = json_array();
    fake->requests_forgotten = 0;
}

void request_record(struct http_exchange *exchange) {
    struct fake *fake = exchange->fake;
    json_t *headers = json_object();
    (void)MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, add_header, headers);
    json_t *body = NULL, *text = NULL;
    if (exchange->body.bytes > 0) {
        body = json_loadb(exchange->body.data, exchange->body.bytes,
                          JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        text = body ? NULL : json_stringn(exchange->body.data, exchange->body.bytes);
    }
    exchange->record = json_pack(
        "{s:I, s:I, s:s, s:s, s:s?, s:o, s:o?, s:o?, s:n}", "n", ++fake->last_request, "time_ms",
        (json_int_t)clock_wall_ms(), "method", exchange->method, "path", exchange->path, "query",
        exchange->query, "headers", headers, "body", body, "body_text", text, "status");
    /* A target that is not UTF-8. */
    if (!exchange->record) {
        exchange->record = json_pack("{s:I, s:s, s:n, s:n}", "n", fake->last_request, "method",
                                     exchange->method, "path", "status");
    }
    if (json_array_size(fake->requests) >= REQUESTS_KEPT) {
        json_array_remove(fake->requests, 0);
        fake->requests_forgotten++;
    }
    json_array_append(fake->requests, exchange->record);
}

void request_record_caller(struct http_exchange *exchange) {
    const struct caller *caller = &exchange->caller;
    json_t *shown = NULL;
    switch (caller->kind) {
    case CALLER_NONE:
        shown = json_pack("{s:s}", "kind", "none");
        break;
    case CALLER_INVALID:
        shown = json_pack("{s:s, s:s}", "kind", "invalid", "problem", caller->problem);
        break;
    case CALLER_APP:
        shown = json_pack("{s:s, s:O}", "kind", "app", "claims", caller->claims);
        break;
    case CALLER_INSTALLATION:
        shown = json_pack("{s:s, s:I, s:O, s:O?}", "kind", "installation", "installation",
                          number_of(caller->installation, "id"), "permissions", caller->permissions,
                          "repositories", caller->repositories);
        break;
    }
    json_object_set_new(exchange->record, "caller", shown);
}

void request_record_response(struct http_exchange *exchange, bool injected) {
    if (!exchange->drop) {
        json_object_set_new(exchange->record, "status", json_integer(exchange->status));
        if (exchange->status >= ERROR_STATUS_MIN && exchange->response) {
            json_object_set(exchange->record, "response", exchange->response);
        }
    }
    json_object_set_new(exchange->record, "dropped", json_boolean(exchange->drop));
    json_object_set_new(exchange->record, "injected", json_boolean(injected));
}
