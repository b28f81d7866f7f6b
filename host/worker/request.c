/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "worker/request.h"

#include "base/json.h"

#include <string.h>

#define REQUEST_BYTES_1_0 (offsetof(struct snek_request, body) + sizeof(struct snek_text))
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."
#define UNRESERVED "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"

/* ---- the URL: RFC 6570, level 1 ---- */

static const char *find_parameter(const struct snek_request *request, const char *name,
                                  size_t name_bytes) {
    for (uint32_t i = 0; i < request->parameters_count; i++) {
        const struct snek_parameter *p = &request->parameters[i];
        if (strlen(p->name) == name_bytes && memcmp(p->name, name, name_bytes) == 0) {
            return p->value;
        }
    }
    return NULL;
}

static int append_encoded(struct buffer *url, const char *value) {
    int result = 0;
    for (; *value && result == 0; value++) {
        result = strchr(UNRESERVED, *value) ? buffer_append(url, value, 1)
                                            : buffer_printf(url, "%%%02X", (unsigned char)*value);
    }
    return result;
}

/* `*at` is on a brace; moves it past the expression. */
static int32_t expand_one(struct run *run, const struct snek_request *request, const char **at,
                          struct buffer *url) {
    const char *name = *at + 1;
    size_t bytes = strspn(name, NAME_CHARACTERS);
    if (**at != '{' || bytes == 0 || name[bytes] != '}') {
        return run_fail(run, SNEK_E_INVALID,
                        "the URL %.200s has a brace that is no {name}: only these are expanded",
                        request->url);
    }
    const char *value = find_parameter(request, name, bytes);
    if (!value) {
        return run_fail(run, SNEK_E_INVALID, "{%.*s} of the URL %.200s is not among its parameters",
                        (int)(bytes < 100 ? bytes : 100), name, request->url);
    }
    /* DELETE /repos/x/y/labels/{name} with an empty name would be another request. */
    if (!*value && !memchr(url->data ? url->data : "", '?', url->bytes)) {
        return run_fail(run, SNEK_E_INVALID, "{%.*s} of the URL %.200s is empty",
                        (int)(bytes < 100 ? bytes : 100), name, request->url);
    }
    *at = name + bytes + 1;
    return append_encoded(url, value) == 0
               ? 0
               : run_fail(run, SNEK_E_TOO_LARGE, "the URL is longer than %d bytes", FRAME_URL_MAX);
}

/* What is expanded may not climb: clients take "/a/../b" for "/b". */
static int32_t check_segments(struct run *run, const char *url) {
    const char *end = url + strcspn(url, "?#");
    for (const char *at = url; at < end;) {
        size_t bytes = strcspn(at, "/?#");
        if ((bytes == 1 && at[0] == '.') || (bytes == 2 && at[0] == '.' && at[1] == '.')) {
            return run_fail(run, SNEK_E_INVALID, "the URL %.200s has a \"%.*s\" in its path", url,
                            (int)bytes, at);
        }
        at += bytes + 1;
    }
    return 0;
}

static int32_t expand(struct run *run, const struct snek_request *request, struct buffer *url) {
    for (const char *at = request->url; *at;) {
        if (*at == '{' || *at == '}') {
            int32_t result = expand_one(run, request, &at, url);
            if (result < 0) {
                return result;
            }
        } else if (*at <= ' ' || *at >= 0x7F || *at == '\\') {
            return run_fail(run, SNEK_E_INVALID,
                            "the URL %.200s has a character that no URL has: give it as a {name}, "
                            "which is encoded",
                            request->url);
        } else if (buffer_append(url, at++, 1) < 0) {
            return run_fail(run, SNEK_E_TOO_LARGE, "the URL is longer than %d bytes",
                            FRAME_URL_MAX);
        }
    }
    return url->bytes > 0 ? check_segments(run, url->data)
                          : run_fail(run, SNEK_E_INVALID, "the request's URL is empty");
}

/* ---- the body ---- */

static int32_t append_field(struct run *run, const struct snek_field *field, struct buffer *body) {
    const char *why;
    size_t at;
    int result = buffer_append_text(body, body->bytes > 0 ? "," : "{");
    result |= buffer_append_json_string(body, field->name, strlen(field->name));
    result |= buffer_append_text(body, ":");
    if ((field->kind == SNEK_FIELD_TEXT || field->kind == SNEK_FIELD_JSON) && !field->text) {
        return run_fail(run, SNEK_E_INVALID, "the field %.100s has no text", field->name);
    }
    switch (field->kind) {
    case SNEK_FIELD_TEXT:
        result |= buffer_append_json_string(body, field->text, strlen(field->text));
        break;
    case SNEK_FIELD_INTEGER:
        result |= buffer_printf(body, "%lld", (long long)field->integer);
        break;
    case SNEK_FIELD_BOOLEAN:
        result |= buffer_append_text(body, field->integer ? "true" : "false");
        break;
    case SNEK_FIELD_JSON:
        if (json_check(field->text, strlen(field->text), &why, &at) < 0) {
            return run_fail(run, SNEK_E_INVALID, "the field %.100s is not JSON: %s at byte %zu",
                            field->name, why, at);
        }
        result |= buffer_append_text(body, field->text);
        break;
    default:
        return run_fail(run, SNEK_E_INVALID,
                        "the field %.100s is of kind %u, which this host does "
                        "not know",
                        field->name, field->kind);
    }
    return result == 0 ? 0
                       : run_fail(run, SNEK_E_TOO_LARGE,
                                  "the request's body is larger than %u bytes", FRAME_TO_HOST_MAX);
}

static int32_t build_body(struct run *run, struct snek_request *request, struct buffer *body) {
    const char *why;
    size_t at;
    if (request->body.data) {
        if (request->body.bytes > FRAME_TO_HOST_MAX) {
            return run_fail(run, SNEK_E_TOO_LARGE, "the request's body is larger than %u bytes",
                            FRAME_TO_HOST_MAX);
        }
        if (json_check(request->body.data, request->body.bytes, &why, &at) < 0) {
            return run_fail(run, SNEK_E_INVALID, "the request's body is not JSON: %s at byte %zu",
                            why, at);
        }
        return 0;
    }
    for (uint32_t i = 0; i < request->fields_count; i++) {
        int32_t result = append_field(run, &request->fields[i], body);
        if (result < 0) {
            return result;
        }
    }
    if (request->fields_count > 0 && buffer_append_text(body, "}") < 0) {
        return run_fail(run, SNEK_E_TOO_LARGE, "the request's body is larger than %u bytes",
                        FRAME_TO_HOST_MAX);
    }
    request->body = (struct snek_text){.data = body->data ? body->data : "", .bytes = body->bytes};
    return 0;
}

/* ---- the request ---- */

static bool is_method(const char *method) {
    static const char *const methods[] = {"GET", "PUT", "POST", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(methods[i], method) == 0) {
            return true;
        }
    }
    return false;
}

/* NULL when the request may be looked at closer, else what is wrong with it. */
static const char *wrong(const struct snek_request *r) {
    if (r->flags & ~(uint32_t)SNEK_REQUEST_REPEATABLE) {
        return "its flags are not known to this host";
    }
    if (!r->method || !is_method(r->method)) {
        return "its method is not GET, PUT, POST, PATCH or DELETE";
    }
    if (!r->url) {
        return "its URL is NULL";
    }
    if (r->parameters_count > FRAME_ITEMS_MAX || r->fields_count > FRAME_ITEMS_MAX ||
        (r->parameters_count > 0 && !r->parameters) || (r->fields_count > 0 && !r->fields)) {
        return "its parameters or fields are NULL or more than 256";
    }
    for (uint32_t i = 0; i < r->parameters_count; i++) {
        if (!r->parameters[i].name) {
            return "a parameter has no name";
        }
    }
    for (uint32_t i = 0; i < r->fields_count; i++) {
        if (!r->fields[i].name) {
            return "a field has no name";
        }
    }
    bool has_body = r->fields_count > 0 || r->body.data;
    if (r->fields_count > 0 && r->body.data) {
        return "it has fields and a body: one of them is the body";
    }
    if (has_body && strcmp(r->method, "GET") == 0) {
        return "GET takes no body: what it asks for belongs into the URL";
    }
    return NULL;
}

int32_t request_build(struct run *run, const struct snek_request *request,
                      struct snek_request *copy, struct buffer *url, struct buffer *body) {
    if (!request) {
        return run_fail(run, SNEK_E_INVALID, "the request is NULL");
    }
    if (request->bytes < REQUEST_BYTES_1_0) {
        return run_fail(run, SNEK_E_INVALID,
                        "the request's bytes are %u: set it to sizeof(struct snek_request)",
                        request->bytes);
    }
    *copy = (struct snek_request){0};
    memcpy(copy, request, request->bytes < sizeof *copy ? request->bytes : sizeof *copy);
    const char *problem = wrong(copy);
    if (problem) {
        return run_fail(run, SNEK_E_INVALID, "the request cannot be sent: %s", problem);
    }
    int32_t result = expand(run, copy, url);
    return result < 0 ? result : build_body(run, copy, body);
}
