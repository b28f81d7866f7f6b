/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads a request's body and query. */
#include "fake/http_exchange.h"

#include "fake/request_pattern.h"
#include "fake/response.h"

#include <string.h>

static bool is_allowed(const char *key, const char *const allowed[]) {
    for (size_t i = 0; allowed[i]; i++) {
        if (strcmp(key, allowed[i]) == 0) {
            return true;
        }
    }
    return false;
}

json_t *exchange_body(struct http_exchange *exchange, const char *resource,
                      const char *const allowed[]) {
    if (exchange->body.bytes == 0) {
        return json_object();
    }
    json_t *body = json_loadb(exchange->body.data, exchange->body.bytes,
                              JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!body) {
        respond_error(exchange, 400, "Problems parsing JSON");
        return NULL;
    }
    if (!json_is_object(body)) {
        json_decref(body);
        respond_error(exchange, 400, "Body should be a JSON object");
        return NULL;
    }
    const char *key;
    json_t *value;
    json_object_foreach(body, key, value) {
        if (!is_allowed(key, allowed)) {
            char message[160];
            snprintf(message, sizeof message, "\"%.100s\" is not a permitted key.", key);
            respond_invalid(exchange, resource, key, "invalid", message);
            json_decref(body);
            return NULL;
        }
    }
    return body;
}

char *exchange_query(const struct http_exchange *exchange, const char *name) {
    return request_query_value(exchange->query, name);
}

char *exchange_form(const struct http_exchange *exchange, const char *name) {
    return request_query_value(exchange->body.data, name);
}
