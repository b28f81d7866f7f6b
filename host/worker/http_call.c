/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks a request and expands its URL template (RFC 6570, the part that GitHub's templates use).
 * The host checks again: it does not trust the worker. Here a mistake gets its sentence. */
#include "worker/http_call.h"

#include "base/json.h"
#include "base/text.h"
#include "protocol/frames.h"
#include "worker/json_body.h"
#include "worker/run.h"

#include <string.h>

#define REQUEST_BYTES_1_0 (offsetof(struct snek_request, response) + sizeof(void *))
#define GRAPHQL_BYTES_1_0 (offsetof(struct snek_graphql, response) + sizeof(void *))
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."
#define TOKEN_CHARACTERS                                                                           \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!#$%&'*+^`|~"

void http_call_init(struct http_call *call) {
    *call = (struct http_call){.method = "GET",
                               .accept = "",
                               .content_type = "",
                               .repository = "",
                               .once = "",
                               .body = "",
                               .url = BUFFER_INIT(FRAME_URL_MAX),
                               .headers = BUFFER_INIT(FRAME_HEADERS_MAX),
                               .json = BUFFER_INIT(FRAME_TO_HOST_MAX)};
}

void http_call_finish(struct http_call *call) {
    buffer_finish(&call->url);
    buffer_finish(&call->headers);
    buffer_finish(&call->json);
}

/* ---- the URL ---- */

/* The URL is built from values of the run, often from a comment, so no retry can succeed. */
static int32_t reject_value(struct run *run, int32_t code) {
    run_mark_permanent(run, code);
    return code;
}

static int32_t too_long(struct run *run) {
    run_fail(run, SNEK_E_TOO_LARGE, "the URL is longer than %d bytes", FRAME_URL_MAX);
    return reject_value(run, SNEK_E_TOO_LARGE);
}

static bool is_name(const char *name, size_t bytes, const char *wanted) {
    return strlen(wanted) == bytes && memcmp(name, wanted, bytes) == 0;
}

static const struct snek_parameter *find_parameter(const struct snek_request *request,
                                                   const char *name, size_t name_bytes) {
    for (size_t i = 0; i < SNEK_PARAMETERS_MAX && request->parameters[i].name; i++) {
        if (is_name(name, name_bytes, request->parameters[i].name)) {
            return &request->parameters[i];
        }
    }
    return NULL;
}

/* The names that have a value in the event. */
static const struct {
    const char *name, *path;
    bool keeps_slash;
} event_values[] = {{"owner", "repository.owner.login", false},
                    {"repo", "repository.name", false},
                    {"repository", "repository.full_name", true},
                    {"number", "issue.number", false},
                    {"number", "pull_request.number", false},
                    {"number", "discussion.number", false},
                    {"number", "check_run.pull_requests[0].number", false},
                    {"number", "check_suite.pull_requests[0].number", false}};
#define EVENT_VALUES (sizeof event_values / sizeof *event_values)

/* The value of the name in the event; NULL when it has none. `*known` when the host knows the name.
 */
static const char *event_value(struct run *run, const char *name, size_t bytes, bool *known,
                               bool *keeps_slash) {
    struct snek_value value;
    *known = false;
    for (size_t i = 0; i < EVENT_VALUES; i++) {
        if (is_name(name, bytes, event_values[i].name)) {
            *known = true;
            *keeps_slash = event_values[i].keeps_slash;
            uint32_t kind = run_find(run, event_values[i].path, &value);
            if (kind == SNEK_STRING || kind == SNEK_NUMBER) {
                return value.text.data;
            }
        }
    }
    return NULL;
}

static bool has_query(const struct buffer *url) {
    return memchr(url->data ? url->data : "", '?', url->bytes) != NULL;
}

/* Goes before the next parameter of the query. */
static const char *separator(const struct buffer *url) {
    return has_query(url) ? "&" : "?";
}

/* `{name}` and `{+name}`. */
static int32_t expand_simple(struct run *run, const struct snek_request *request, const char *name,
                             size_t bytes, bool keeps_slash, struct buffer *url) {
    const struct snek_parameter *parameter = find_parameter(request, name, bytes);
    int shown = (int)(bytes < 100 ? bytes : 100);
    bool known = true;
    const char *value =
        parameter ? parameter->value : event_value(run, name, bytes, &known, &keeps_slash);
    if (!known) {
        return run_fail(run, SNEK_E_INVALID, "{%.*s} of the URL %.200s is not among its parameters",
                        shown, name, request->url);
    }
    if (!value) {
        const char *why = " in the event: give one";
        if (parameter) {
            why = " (NULL): did its path lead to a text?";
        }
        run_fail(run, SNEK_E_INVALID, "{%.*s} of the URL %.200s has no value%s", shown, name,
                 request->url, why);
        return reject_value(run, SNEK_E_INVALID);
    }
    /* DELETE /repos/x/y/labels/{name} with an empty name would be another request. */
    if (!*value && !has_query(url)) {
        run_fail(run, SNEK_E_INVALID, "{%.*s} of the URL %.200s is empty", shown, name,
                 request->url);
        return reject_value(run, SNEK_E_INVALID);
    }
    const char *plain = keeps_slash ? "/" : "";
    return buffer_append_encoded(url, value, plain) == 0 ? 0 : too_long(run);
}

/* `{/name}`, `{?a,b}`, `{&a,b}`: those of the names that have a value. */
static int32_t expand_optional(struct run *run, const struct snek_request *request, char prefix,
                               const char *name, const char *end, struct buffer *url) {
    int failed = 0;
    while (name < end) {
        size_t bytes = strcspn(name, ",}");
        const struct snek_parameter *parameter = find_parameter(request, name, bytes);
        const char *value = parameter ? parameter->value : NULL;
        if (value && (*value || prefix != '/')) {
            const char *before = prefix == '/' ? "/" : separator(url);
            failed |= buffer_append_text(url, before);
            if (prefix != '/') {
                failed |= buffer_append(url, name, bytes) | buffer_append_text(url, "=");
            }
            failed |= buffer_append_encoded(url, value, "");
        }
        name += bytes + 1;
    }
    return failed ? too_long(run) : 0;
}

/* `*at` is on a brace; moves it past the expression. */
static int32_t expand_one(struct run *run, const struct snek_request *request, const char **at,
                          struct buffer *url) {
    char prefix = **at == '{' && (*at)[1] && strchr("+/?&", (*at)[1]) ? (*at)[1] : '\0';
    bool simple = !prefix || prefix == '+';
    const char *name = *at + 1 + (prefix != '\0');
    size_t bytes = strspn(name, simple ? NAME_CHARACTERS : NAME_CHARACTERS ",");
    if (**at != '{' || bytes == 0 || name[bytes] != '}') {
        return run_fail(
            run, SNEK_E_INVALID,
            "the URL %.200s has a brace that is no {name}: only {name}, {+name}, {/name}, "
            "{?name,...} and {&name,...} are expanded",
            request->url);
    }
    *at = name + bytes + 1;
    return simple ? expand_simple(run, request, name, bytes, prefix == '+', url)
                  : expand_optional(run, request, prefix, name, name + bytes, url);
}

/* Expanded segments may not be "." or "..": clients take "/a/../b" for "/b". */
static int32_t check_segments(struct run *run, const char *url) {
    const char *end = url + strcspn(url, "?#");
    for (const char *at = url; at < end;) {
        size_t bytes = strcspn(at, "/?#");
        if ((bytes == 1 && at[0] == '.') || (bytes == 2 && at[0] == '.' && at[1] == '.')) {
            run_fail(run, SNEK_E_INVALID, "the URL %.200s has a \"%.*s\" in its path", url,
                     (int)bytes, at);
            return reject_value(run, SNEK_E_INVALID);
        }
        at += bytes + 1;
    }
    return 0;
}

static int32_t append_query(struct run *run, const struct snek_request *request,
                            struct buffer *url) {
    int failed = 0;
    for (size_t i = 0; i < SNEK_PARAMETERS_MAX && request->query[i].name; i++) {
        if (request->query[i].value) {
            failed |= buffer_append_text(url, separator(url));
            failed |= buffer_append_encoded(url, request->query[i].name, "");
            failed |= buffer_append_text(url, "=");
            failed |= buffer_append_encoded(url, request->query[i].value, "");
        }
    }
    return failed ? too_long(run) : 0;
}

static int32_t build_url(struct run *run, const struct snek_request *request, struct buffer *url) {
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
            return too_long(run);
        }
    }
    if (url->bytes == 0) {
        return run_fail(run, SNEK_E_INVALID, "the request's URL is empty");
    }
    int32_t result = check_segments(run, url->data);
    return result < 0 ? result : append_query(run, request, url);
}

/* ---- headers; the host rejects those that it owns ---- */

/* A header's value, a media type: visible ASCII and spaces. */
static bool is_value(const char *text) {
    for (; *text; text++) {
        if (*text < ' ' || *text >= 0x7F) {
            return false;
        }
    }
    return true;
}

static int32_t build_headers(struct run *run, const struct snek_request *request,
                             struct buffer *headers) {
    for (unsigned i = 0; i < SNEK_HEADERS_MAX && request->headers[i].name; i++) {
        const struct snek_header *header = &request->headers[i];
        if (!header->value || !*header->name ||
            header->name[strspn(header->name, TOKEN_CHARACTERS)] || !is_value(header->value)) {
            return run_fail(
                run, SNEK_E_INVALID,
                "header %u of the request is none: a name of letters, digits and -, and "
                "a value of visible characters",
                i);
        }
        if (buffer_printf(headers, "%s: %s\n", header->name, header->value) < 0) {
            return run_fail(run, SNEK_E_TOO_LARGE, "the request's headers are larger than %d bytes",
                            FRAME_HEADERS_MAX);
        }
    }
    return 0;
}

/* ---- the body ---- */

static int32_t build_body(struct run *run, const struct snek_request *request,
                          struct http_call *call) {
    call->body = request->json ? request->json : request->body.data;
    call->body_bytes = request->json ? strlen(request->json) : request->body.bytes;
    if (!call->body) {
        call->body = "";
        call->body_bytes = 0;
        return 0;
    }
    if (call->body_bytes > FRAME_TO_HOST_MAX) {
        return json_body_too_large(run);
    }
    return request->json ? json_body_check(run, call->body, call->body_bytes) : 0;
}

/* ---- the request ---- */

static bool is_method(const char *method) {
    static const char *const methods[] = {"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(methods[i], method) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_media_type(const char *text) {
    return !text || (strlen(text) <= FRAME_MEDIA_MAX && is_value(text));
}

static bool is_repository(const char *name) {
    const char *slash = name ? strchr(name, '/') : NULL;
    return !name || (slash && slash > name && slash[1] && !strchr(slash + 1, '/') &&
                     strlen(name) <= FRAME_NAME_MAX * 2 && is_value(name));
}

/* NULL is none. */
static const char *once_problem(const char *once) {
    bool valid = !once || text_is_line(once, FRAME_NAME_MAX);
    return valid ? NULL : "its `once` is no line of 1 to 100 bytes of UTF-8";
}

static const char *body_problem(const struct snek_request *r) {
    if (r->json && r->body.data) {
        return "it has json and a body: one of them is the body";
    }
    if (!r->body.data != !r->content_type) {
        return "a body needs a content_type, and a content_type a body: JSON goes into json";
    }
    bool reads = strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;
    if (reads && (r->json || r->body.data)) {
        return "GET and HEAD take no body: what they ask for belongs into the URL";
    }
    if (reads && r->once) {
        return "GET and HEAD have no effect that `once` could name";
    }
    return once_problem(r->once);
}

/* NULL, or the first problem of the request. */
static const char *request_problem(const struct snek_request *r) {
    const uint32_t both = SNEK_REQUEST_REPEATABLE | SNEK_REQUEST_ADDS;
    if (r->flags & ~both) {
        return "its flags are not known to this host";
    }
    if (!r->method || !is_method(r->method)) {
        return "its method is not GET, HEAD, PUT, POST, PATCH or DELETE";
    }
    if (!r->url) {
        return "its URL is NULL: did its path lead to a text?";
    }
    if (!is_media_type(r->accept) || !is_media_type(r->content_type)) {
        return "a media type has a character that none has, or is longer than 200 bytes";
    }
    if (!is_repository(r->repository)) {
        return "its repository is not owner/name";
    }
    return body_problem(r);
}

int32_t http_call_build(struct run *run, const struct snek_request *request,
                        struct http_call *call) {
    if (!request) {
        return run_fail(run, SNEK_E_INVALID, "the request is NULL");
    }
    if (request->bytes < REQUEST_BYTES_1_0) {
        return run_fail(run, SNEK_E_INVALID,
                        "the request's bytes are %u: set it to sizeof(struct snek_request)",
                        request->bytes);
    }
    struct snek_request copy = {0};
    memcpy(&copy, request, request->bytes < sizeof copy ? request->bytes : sizeof copy);
    call->response = copy.response;
    if (call->response) {
        *call->response = NULL;
    }
    int32_t unbuilt = run_take_text_failure(run);
    if (unbuilt < 0) {
        return unbuilt;
    }
    const char *problem = request_problem(&copy);
    if (problem) {
        return run_fail(run, SNEK_E_INVALID, "the request cannot be sent: %s", problem);
    }
    call->repeatable = copy.flags & SNEK_REQUEST_REPEATABLE;
    call->adds = copy.flags & SNEK_REQUEST_ADDS;
    call->method = copy.method;
    call->accept = copy.accept ? copy.accept : "";
    call->content_type = copy.content_type ? copy.content_type : "";
    call->repository = copy.repository ? copy.repository : "";
    call->once = copy.once ? copy.once : "";
    int32_t result = build_url(run, &copy, &call->url);
    result = result < 0 ? result : build_headers(run, &copy, &call->headers);
    return result < 0 ? result : build_body(run, &copy, call);
}

int32_t http_call_build_graphql(struct run *run, const struct snek_graphql *query, bool open,
                                struct http_call *call) {
    if (!query || query->bytes < GRAPHQL_BYTES_1_0) {
        return run_fail(run, SNEK_E_INVALID,
                        "the GraphQL query is NULL, or its bytes are not sizeof(struct "
                        "snek_graphql)");
    }
    const char *variables = query->variables ? query->variables : "{}", *problem = NULL;
    call->response = query->response;
    if (call->response) {
        *call->response = NULL;
    }
    int32_t unbuilt = run_take_text_failure(run);
    if (unbuilt < 0) {
        return unbuilt;
    }
    if (!query->query) {
        problem = "its query is NULL";
    } else if (query->flags & ~(uint32_t)SNEK_REQUEST_REPEATABLE) {
        problem = "its flags are not known to this host";
    } else if (once_problem(query->once)) {
        problem = once_problem(query->once);
    } else if (query->once && open) {
        problem = "a list has no effect that `once` could name";
    }
    if (problem) {
        return run_fail(run, SNEK_E_INVALID, "the GraphQL query cannot be sent: %s", problem);
    }
    struct json_value object;
    int32_t result = json_body_check(run, variables, strlen(variables));
    if (result < 0) {
        return result;
    }
    if (!json_find(variables, strlen(variables), "", &object) || object.type != JSON_OBJECT_BEGIN) {
        return run_fail(run, SNEK_E_INVALID, "the variables of the GraphQL query are no object");
    }
    struct buffer *json = &call->json;
    int failed = buffer_append_text(&call->url, "/graphql");
    failed |= buffer_append_text(json, "{\"query\":");
    failed |= buffer_append_json_string(json, query->query, strlen(query->query));
    failed |= buffer_append_text(json, ",\"variables\":");
    failed |= buffer_append(json, object.raw, object.raw_bytes - open);
    while (open && !failed && strchr(" \t\r\n", json->data[json->bytes - 1])) {
        json->data[--json->bytes] = '\0';
    }
    if (failed || (!open && buffer_append_text(json, "}") < 0)) {
        return json_body_too_large(run);
    }
    call->method = "POST";
    call->once = query->once ? query->once : "";
    call->repeatable = query->flags & SNEK_REQUEST_REPEATABLE;
    call->body = json->data;
    call->body_bytes = json->bytes;
    return 0;
}
