/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What every answer has in common, GitHub's errors, and reading a request's body and query. */
#include "fake/internal.h"

#include <string.h>
#include <time.h>

static void begin_answer(struct call *call, unsigned status) {
    json_decref(call->answer);
    free(call->answer_text);
    json_decref(call->headers);
    call->answer = NULL;
    call->answer_text = NULL;
    call->headers = json_object();
    call->status = status;
}

void answer_json(struct call *call, unsigned status, json_t *body) {
    begin_answer(call, status);
    call->answer = body;
}

void answer_empty(struct call *call, unsigned status) {
    begin_answer(call, status);
}

static json_t *error_body(const struct call *call, unsigned status, const char *message) {
    char status_text[8]; /* GitHub has it in the body as text */
    (void)snprintf(status_text, sizeof status_text, "%u", status);
    return json_pack("{s:s, s:s, s:s}", "message", message, "documentation_url",
                     call->documentation ? call->documentation : "https://docs.github.com/rest",
                     "status", status_text);
}

void answer_error(struct call *call, unsigned status, const char *message) {
    answer_json(call, status, error_body(call, status, message));
}

void answer_invalid(struct call *call, const char *resource, const char *field, const char *code,
                    const char *message) {
    json_t *body = error_body(call, 422, "Validation Failed");
    (void)json_object_set_new(body, "errors",
                              json_pack("[{s:s, s:s, s:s, s:s*}]", "resource", resource, "field",
                                        field, "code", code, "message", message));
    answer_json(call, 422, body);
}

void answer_header(struct call *call, const char *name, const char *value) {
    (void)json_object_set_new(call->headers, name, json_string(value));
}

static void add_headers(struct call *call, struct MHD_Response *response) {
    time_t now = (time_t)fake_now_s(call->fake);
    struct tm utc;
    char text[64];
    (void)gmtime_r(&now, &utc);
    (void)strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc); /* no locale is set */
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_DATE, text);
    if (call->answer_text) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                      "text/html; charset=utf-8");
    } else if (call->answer) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                      "application/json; charset=utf-8");
    }
    if (call->record) {
        (void)snprintf(text, sizeof text, "FA4E:%06" JSON_INTEGER_FORMAT ":%lX",
                       number_of(call->record, "n"), (unsigned long)now);
        (void)MHD_add_response_header(response, "X-GitHub-Request-Id", text);
        (void)MHD_add_response_header(response, "X-GitHub-Media-Type", "github.v3; format=json");
    }
    const char *name;
    json_t *value;
    json_object_foreach(call->headers, name, value) {
        (void)MHD_del_response_header(response, name,
                                      MHD_get_response_header(response, name)); /* set anew */
        (void)MHD_add_response_header(response, name, json_string_value(value));
    }
}

enum MHD_Result answer_send(struct call *call) {
    char *body = NULL;
    if (call->answer_text) {
        body = strdup(call->answer_text);
    } else if (call->answer) {
        body = json_dumps(call->answer, JSON_COMPACT | JSON_ENCODE_ANY);
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
    add_headers(call, response);
    enum MHD_Result result = MHD_queue_response(call->connection, call->status, response);
    MHD_destroy_response(response);
    return result;
}

static bool is_allowed(const char *key, const char *const allowed[]) {
    for (size_t i = 0; allowed[i]; i++) {
        if (strcmp(key, allowed[i]) == 0) {
            return true;
        }
    }
    return false;
}

json_t *call_body(struct call *call, const char *resource, const char *const allowed[]) {
    if (call->body.bytes == 0) {
        return json_object();
    }
    json_t *body =
        json_loadb(call->body.data, call->body.bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!body) {
        answer_error(call, 400, "Problems parsing JSON");
        return NULL;
    }
    if (!json_is_object(body)) {
        json_decref(body);
        answer_error(call, 400, "Body should be a JSON object");
        return NULL;
    }
    const char *key;
    json_t *value;
    json_object_foreach(body, key, value) {
        if (!is_allowed(key, allowed)) {
            char message[160];
            (void)snprintf(message, sizeof message, "\"%.100s\" is not a permitted key.", key);
            answer_invalid(call, resource, key, "invalid", message);
            json_decref(body);
            return NULL;
        }
    }
    return body;
}

char *call_query(const struct call *call, const char *name) {
    AUTO_FREE char *copy = call->query ? strdup(call->query) : NULL;
    char *rest = copy;
    size_t name_bytes = strlen(name);
    for (char *pair; (pair = strsep(&rest, "&")) != NULL;) {
        if (strncmp(pair, name, name_bytes) == 0 && pair[name_bytes] == '=') {
            char *value = strdup(pair + name_bytes + 1);
            if (value) {
                for (char *plus = value; (plus = strchr(plus, '+')) != NULL;) {
                    *plus = ' ';
                }
                (void)MHD_http_unescape(value);
            }
            return value;
        }
    }
    return NULL;
}
