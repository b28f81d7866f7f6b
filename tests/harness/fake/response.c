/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The responses that all handlers give: JSON, errors in GitHub's form, and the headers. */
#include "fake/response.h"

#include "fake/state.h"

#include <string.h>
#include <time.h>

static void begin_response(struct http_exchange *exchange, unsigned status) {
    json_decref(exchange->response);
    free(exchange->response_text);
    json_decref(exchange->headers);
    exchange->response = NULL;
    exchange->response_text = NULL;
    exchange->headers = json_object();
    exchange->status = status;
}

void respond_json(struct http_exchange *exchange, unsigned status, json_t *body) {
    begin_response(exchange, status);
    exchange->response = body;
}

void respond_empty(struct http_exchange *exchange, unsigned status) {
    begin_response(exchange, status);
}

static json_t *error_body(const struct http_exchange *exchange, unsigned status,
                          const char *message) {
    /* GitHub's body has the status as text. */
    char status_text[8];
    snprintf(status_text, sizeof status_text, "%u", status);
    return json_pack("{s:s, s:s, s:s}", "message", message, "documentation_url",
                     *exchange->documentation ? exchange->documentation
                                              : "https://docs.github.com/rest",
                     "status", status_text);
}

void respond_error(struct http_exchange *exchange, unsigned status, const char *message) {
    respond_json(exchange, status, error_body(exchange, status, message));
}

void respond_invalid(struct http_exchange *exchange, const char *resource, const char *field,
                     const char *code, const char *message) {
    json_t *body = error_body(exchange, 422, "Validation Failed");
    json_object_set_new(body, "errors",
                        json_pack("[{s:s, s:s, s:s, s:s*}]", "resource", resource, "field", field,
                                  "code", code, "message", message));
    respond_json(exchange, 422, body);
}

void response_header(struct http_exchange *exchange, const char *name, const char *value) {
    json_object_set_new(exchange->headers, name, json_string(value));
}

static void add_headers(struct http_exchange *exchange, struct MHD_Response *response) {
    time_t now = (time_t)fake_now_s(exchange->fake);
    struct tm utc;
    char text[64];
    gmtime_r(&now, &utc);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc); /* no locale is set */
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_DATE, text);
    if (exchange->response_text) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                      "text/html; charset=utf-8");
    } else if (exchange->response) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                      "application/json; charset=utf-8");
    }
    if (exchange->record) {
        snprintf(text, sizeof text, "FA4E:%06" JSON_INTEGER_FORMAT ":%lX",
                 number_of(exchange->record, "n"), (unsigned long)now);
        (void)MHD_add_response_header(response, "X-GitHub-Request-Id", text);
        (void)MHD_add_response_header(response, "X-GitHub-Media-Type", "github.v3; format=json");
    }
    const char *name;
    json_t *value;
    json_object_foreach(exchange->headers, name, value) {
        (void)MHD_del_response_header(response, name,
                                      MHD_get_response_header(response, name)); /* set anew */
        (void)MHD_add_response_header(response, name, json_string_value(value));
    }
}

enum MHD_Result response_send(struct http_exchange *exchange) {
    char *body = NULL;
    if (exchange->response_text) {
        body = strdup(exchange->response_text);
    } else if (exchange->response) {
        body = json_dumps(exchange->response, JSON_COMPACT | JSON_ENCODE_ANY);
    } else {
        body = strdup("");
    }
    if (!body) {
        return MHD_NO;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(body);
        return MHD_NO;
    }
    add_headers(exchange, response);
    enum MHD_Result result = MHD_queue_response(exchange->connection, exchange->status, response);
    MHD_destroy_response(response);
    return result;
}
