/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The comfortable way to the services: inline functions, compiled into the plugin, that cost no
 * ABI. Each is a line or two over the slot of the same name, whose comment has the details. */
#ifndef SNEKOMATIC_CONVENIENCE_H
#define SNEKOMATIC_CONVENIENCE_H

#include <snekomatic/commands.h>
#include <snekomatic/config.h>
#include <snekomatic/event.h>
#include <snekomatic/github.h>
#include <snekomatic/host.h>
#include <snekomatic/store.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the services; a host of this major has all of revision 1 ---- */

static inline const struct snek_event_service *snek_event(const struct snek_run *run) {
    return (const struct snek_event_service *)run->host->service(run->host, SNEK_EVENT_SERVICE,
                                                                 SNEK_EVENT_REVISION);
}

static inline const struct snek_github_service *snek_github(const struct snek_run *run) {
    return (const struct snek_github_service *)run->host->service(run->host, SNEK_GITHUB_SERVICE,
                                                                  SNEK_GITHUB_REVISION);
}

static inline const struct snek_commands_service *snek_commands(const struct snek_run *run) {
    return (const struct snek_commands_service *)run->host->service(
        run->host, SNEK_COMMANDS_SERVICE, SNEK_COMMANDS_REVISION);
}

static inline const struct snek_store_service *snek_store(const struct snek_run *run) {
    return (const struct snek_store_service *)run->host->service(run->host, SNEK_STORE_SERVICE,
                                                                 SNEK_STORE_REVISION);
}

static inline const struct snek_config_service *snek_config(const struct snek_host *host) {
    return (const struct snek_config_service *)host->service(host, SNEK_CONFIG_SERVICE,
                                                             SNEK_CONFIG_REVISION);
}

/* ---- how a handler ends: return snek_skip(run, "not merged"); ---- */

static inline int32_t snek_skip(struct snek_run *run, const char *reason) {
    run->host->explain(run->host, run, reason, 0);
    return SNEK_SKIPPED;
}

static inline int32_t snek_reject(struct snek_run *run, const char *reason) {
    run->host->explain(run->host, run, reason, 0);
    return SNEK_REJECTED;
}

static inline int32_t snek_fail(struct snek_run *run, const char *reason) {
    run->host->explain(run->host, run, reason, 0);
    return SNEK_E_FAILED;
}

static inline int32_t snek_retry_after(struct snek_run *run, int64_t delay_ms, const char *reason) {
    run->host->explain(run->host, run, reason, delay_ms);
    return SNEK_RETRY;
}

/* For create(): return snek_reject_start(host, "config.guide must be a URL"); */
static inline int32_t snek_reject_start(const struct snek_host *host, const char *reason) {
    host->explain(host, NULL, reason, 0);
    return SNEK_E_INVALID;
}

static inline void snek_log(struct snek_run *run, uint32_t level, const char *text) {
    run->host->log(run->host, run, level, text);
}

/* The wall clock, in milliseconds since 1970. */
static inline int64_t snek_now_ms(const struct snek_run *run) {
    return run->host->now_ms(run->host);
}

static inline int32_t snek_cancelled(struct snek_run *run) {
    return run->host->cancelled(run);
}

/* ---- the event ---- */

/* A text as a C string; NULL when it holds a NUL, which would end it early: of "mona\0x" as a login
 * only another's would be seen. Who wants such a text has it, with its length, from find(). */
static inline const char *snek_c_string(struct snek_text text) {
    return text.data && strlen(text.data) == text.bytes ? text.data : NULL;
}

/* The string at `path`; NULL when there is none, or a NUL within it. */
static inline const char *snek_string(struct snek_run *run, const char *path) {
    struct snek_value value;
    return snek_event(run)->find(run, path, &value) == SNEK_STRING ? snek_c_string(value.text)
                                                                   : NULL;
}

/* 1 when `path` leads to true, else 0. */
static inline int32_t snek_true(struct snek_run *run, const char *path) {
    struct snek_value value;
    return snek_event(run)->find(run, path, &value) == SNEK_TRUE;
}

/* 1 when `path` leads to something that is not null, else 0. */
static inline int32_t snek_exists(struct snek_run *run, const char *path) {
    struct snek_value value;
    return snek_event(run)->find(run, path, &value) > SNEK_NULL;
}

/* The integer at `path`; `otherwise` when there is none. */
static inline int64_t snek_integer(struct snek_run *run, const char *path, int64_t otherwise) {
    struct snek_value value;
    return snek_event(run)->find(run, path, &value) == SNEK_NUMBER && value.is_integer
               ? value.integer
               : otherwise;
}

/* Whatever is at `path` as text: a string as it is, a number as it is written, "true", an object's
 * JSON. NULL when there is nothing, or a NUL within a string. For parameters of URLs, say. */
static inline const char *snek_text_of(struct snek_run *run, const char *path) {
    struct snek_value value;
    return snek_event(run)->find(run, path, &value) > SNEK_NULL ? snek_c_string(value.text) : NULL;
}

/* ---- items of lists ---- */

#define SNEK_PATH_MAX 256

/* Writes the path of `rest` in the n-th item of the list at `list` to `path`, and returns it:
 * snek_string(run, snek_item(path, "issue.labels", 0, "name")). An empty `list` is an answer that
 * is a list itself, an empty `rest` the whole item. Such a path past the last item leads nowhere.
 */
static inline const char *snek_item(char path[SNEK_PATH_MAX], const char *list, uint32_t n,
                                    const char *rest) {
    (void)snprintf(path, SNEK_PATH_MAX, "%s[%lu]%s%s", list, (unsigned long)n, *rest ? "." : "",
                   rest);
    return path;
}

/* ---- texts with {names} in them ---- */

/* The parameter whose "{name}" stands at `text`; NULL when there is none. */
static inline const struct snek_parameter *
snek_parameter_at(const char *text, const struct snek_parameter *parameters,
                  uint32_t parameters_count) {
    uint32_t i;
    for (i = 0; *text == '{' && i < parameters_count; i++) {
        size_t bytes = strlen(parameters[i].name);
        if (strncmp(text + 1, parameters[i].name, bytes) == 0 && text[bytes + 1] == '}') {
            return &parameters[i];
        }
    }
    return NULL;
}

/* `text` with every {name} replaced by its value, as it is: nothing is looked for within values,
 * and other braces stay. The caller's to free(); NULL when memory is short. */
static inline char *snek_fill(const char *text, const struct snek_parameter *parameters,
                              uint32_t parameters_count) {
    const struct snek_parameter *parameter;
    const char *at;
    size_t bytes = 1;
    char *filled, *out;
    for (at = text; *at; at += parameter ? strlen(parameter->name) + 2 : 1) {
        parameter = snek_parameter_at(at, parameters, parameters_count);
        bytes += parameter ? strlen(parameter->value) : 1;
    }
    out = filled = (char *)malloc(bytes);
    for (at = text; filled && *at; at += parameter ? strlen(parameter->name) + 2 : 1) {
        parameter = snek_parameter_at(at, parameters, parameters_count);
        bytes = parameter ? strlen(parameter->value) : 1;
        memcpy(out, parameter ? parameter->value : at, bytes);
        out += bytes;
    }
    if (filled) {
        *out = '\0';
    }
    return filled;
}

/* ---- GitHub ---- */

/* A member of a body: snek_field_text("role", "member"). */
static inline struct snek_field snek_field_text(const char *name, const char *text) {
    struct snek_field field = {name, text, 0, SNEK_FIELD_TEXT, 0};
    return field;
}

static inline struct snek_field snek_field_integer(const char *name, int64_t integer) {
    struct snek_field field = {name, NULL, integer, SNEK_FIELD_INTEGER, 0};
    return field;
}

static inline struct snek_field snek_field_boolean(const char *name, int32_t yes) {
    struct snek_field field = {name, NULL, yes, SNEK_FIELD_BOOLEAN, 0};
    return field;
}

static inline struct snek_field snek_field_json(const char *name, const char *json) {
    struct snek_field field = {name, json, 0, SNEK_FIELD_JSON, 0};
    return field;
}

/* Any verb, with parameters for the URL's {names}, members for the body (both may be NULL, 0) and
 * flags (enum snek_request_flag). */
static inline int32_t snek_request_with(struct snek_run *run, uint32_t flags, const char *method,
                                        const char *url, const struct snek_parameter *parameters,
                                        uint32_t parameters_count, const struct snek_field *fields,
                                        uint32_t fields_count, struct snek_response **response) {
    struct snek_request request;
    memset(&request, 0, sizeof request);
    request.bytes = (uint32_t)sizeof request;
    request.flags = flags;
    request.method = method;
    request.url = url;
    request.parameters = parameters;
    request.parameters_count = parameters_count;
    request.fields = fields;
    request.fields_count = fields_count;
    return snek_github(run)->send(run, &request, response);
}

/* The same without flags, as most are. */
static inline int32_t snek_request(struct snek_run *run, const char *method, const char *url,
                                   const struct snek_parameter *parameters,
                                   uint32_t parameters_count, const struct snek_field *fields,
                                   uint32_t fields_count, struct snek_response **response) {
    return snek_request_with(run, 0, method, url, parameters, parameters_count, fields,
                             fields_count, response);
}

static inline int32_t snek_get(struct snek_run *run, const char *url,
                               struct snek_response **response) {
    return snek_request(run, "GET", url, NULL, 0, NULL, 0, response);
}

static inline int32_t snek_post(struct snek_run *run, const char *url,
                                const struct snek_field *fields, uint32_t fields_count) {
    return snek_request(run, "POST", url, NULL, 0, fields, fields_count, NULL);
}

/* The HTTP status of an answer; 0 when none came. */
static inline int32_t snek_status(const struct snek_run *run,
                                  const struct snek_response *response) {
    return response ? snek_github(run)->status(response) : 0;
}

/* The string at `path` of an answer; NULL when there is none, or a NUL within it. Borrowed from the
 * response. */
static inline const char *snek_response_string(struct snek_run *run, struct snek_response *response,
                                               const char *path) {
    struct snek_value value;
    return response && snek_github(run)->find(response, path, &value) == SNEK_STRING
               ? snek_c_string(value.text)
               : NULL;
}

/* As snek_integer() and snek_exists(), of an answer. */
static inline int64_t snek_response_integer(struct snek_run *run, struct snek_response *response,
                                            const char *path, int64_t otherwise) {
    struct snek_value value;
    return response && snek_github(run)->find(response, path, &value) == SNEK_NUMBER &&
                   value.is_integer
               ? value.integer
               : otherwise;
}

static inline int32_t snek_response_exists(struct snek_run *run, struct snek_response *response,
                                           const char *path) {
    struct snek_value value;
    return response && snek_github(run)->find(response, path, &value) > SNEK_NULL;
}

/* For answers that are large; the others go with the run. Takes NULL. */
static inline void snek_free_response(struct snek_run *run, struct snek_response *response) {
    snek_github(run)->free_response(response);
}

/* ---- commands ---- */

static inline int32_t snek_reply(struct snek_run *run, const char *markdown) {
    return snek_commands(run)->reply(run, markdown);
}

static inline int32_t snek_react(struct snek_run *run, const char *reaction) {
    return snek_commands(run)->react(run, reaction);
}

/* What was written: the Markdown of the new issue, comment or review; NULL when there is none. */
static inline const char *snek_body(struct snek_run *run) {
    return snek_commands(run)->body(run).data;
}

static inline const char *snek_argument(struct snek_run *run, uint32_t n) {
    return snek_commands(run)->argument(run, n);
}

/* ---- the store ---- */

static inline int32_t snek_set_has(struct snek_run *run, uint32_t scope, const char *set,
                                   const char *entry) {
    return snek_store(run)->set_has(run, scope, set, entry);
}

static inline int32_t snek_set_add(struct snek_run *run, uint32_t scope, const char *set,
                                   const char *entry) {
    return snek_store(run)->set_add(run, scope, set, entry);
}

static inline int32_t snek_set_remove(struct snek_run *run, uint32_t scope, const char *set,
                                      const char *entry) {
    return snek_store(run)->set_remove(run, scope, set, entry);
}

/* 0 and `*text` (NULL when the key is not there; borrowed until the handler returns), or negative.
 */
static inline int32_t snek_key_get(struct snek_run *run, uint32_t scope, const char *key,
                                   const char **text) {
    struct snek_text value;
    int32_t found = snek_store(run)->get(run, scope, key, &value);
    if (found >= 0) {
        *text = found ? value.data : NULL;
    }
    return found < 0 ? found : 0;
}

static inline int32_t snek_key_put(struct snek_run *run, uint32_t scope, const char *key,
                                   const char *text) {
    return snek_store(run)->put(run, scope, key, text, strlen(text));
}

static inline int32_t snek_key_remove(struct snek_run *run, uint32_t scope, const char *key) {
    return snek_store(run)->remove(run, scope, key);
}

/* ---- the configuration ---- */

/* For create(): negative, with a sentence, when there is a key that is not among these. */
static inline int32_t snek_config_allow(const struct snek_host *host, const char *const *keys,
                                        uint32_t keys_count) {
    return snek_config(host)->allow(host, keys, keys_count);
}

/* Rejects with "plugin.config.KEY WHAT"; returns SNEK_E_INVALID. */
static inline int32_t snek_config_reject(const struct snek_host *host, const char *key,
                                         const char *what) {
    char sentence[512];
    (void)snprintf(sentence, sizeof sentence, "plugin.config.%.200s %.200s", key, what);
    return snek_reject_start(host, sentence);
}

/* The text of `key`, `otherwise` when it is absent; NULL after snek_reject_start() when it is no
 * text. */
static inline const char *snek_config_string(const struct snek_host *host, const char *key,
                                             const char *otherwise) {
    struct snek_value value;
    uint32_t kind = snek_config(host)->find(host, key, &value);
    if (kind == SNEK_ABSENT || kind == SNEK_STRING) {
        return kind == SNEK_STRING ? value.text.data : otherwise;
    }
    (void)snek_config_reject(host, key, "must be a text");
    return NULL;
}

/* 0 and `*integer`, `otherwise` when the key is absent; negative after snek_reject_start() when it
 * is no whole number from `least` to `most`. */
static inline int32_t snek_config_integer(const struct snek_host *host, const char *key,
                                          int64_t least, int64_t most, int64_t otherwise,
                                          int64_t *integer) {
    struct snek_value value;
    char what[128];
    uint32_t kind = snek_config(host)->find(host, key, &value);
    if (kind != SNEK_ABSENT && (kind != SNEK_NUMBER || !value.is_integer || value.integer < least ||
                                value.integer > most)) {
        (void)snprintf(what, sizeof what, "must be a whole number from %" PRId64 " to %" PRId64,
                       least, most);
        return snek_config_reject(host, key, what);
    }
    *integer = kind == SNEK_ABSENT ? otherwise : value.integer;
    return 0;
}

/* 0 and `*yes` (1 or 0), `otherwise` when the key is absent; negative after snek_reject_start()
 * when it is neither true nor false. */
static inline int32_t snek_config_boolean(const struct snek_host *host, const char *key,
                                          int32_t otherwise, int32_t *yes) {
    struct snek_value value;
    uint32_t kind = snek_config(host)->find(host, key, &value);
    if (kind != SNEK_ABSENT && kind != SNEK_TRUE && kind != SNEK_FALSE) {
        return snek_config_reject(host, key, "must be true or false");
    }
    *yes = kind == SNEK_ABSENT ? otherwise : kind == SNEK_TRUE;
    return 0;
}

/* The n-th text of the list at `key`; NULL past its last, or when that item is no text. */
static inline const char *snek_config_item(const struct snek_host *host, const char *key,
                                           uint32_t n) {
    struct snek_value value;
    char path[SNEK_PATH_MAX];
    return snek_config(host)->find(host, snek_item(path, key, n, ""), &value) == SNEK_STRING
               ? value.text.data
               : NULL;
}

#ifdef __cplusplus
}
#endif

#endif
