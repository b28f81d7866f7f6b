/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Inline functions over the services. They are compiled into the plugin, so they are no part of the
 * ABI. Each calls the slot of the same name, whose comment has the details: ownership, threads,
 * blocking and errors are those of the slot.
 *
 *   snek_string(run, "issue.title")     event->find()
 *   snek_get(run, url, &response)       github->send()     blocks
 *   snek_reply(run, "Hello!")           commands->reply()  blocks
 *   snek_print(run, "Hi @%s", user)     compose.h: texts and JSON
 *   snek_set_add(run, scope, set, x)    store->set_add()   blocks
 *   snek_role(run, login, roles)        role->has()        blocks
 *   snek_config_string(host, key, "")   config->find()     for create()
 *   return snek_skip(run, "reason")     host->explain() */
#ifndef SNEKOMATIC_CONVENIENCE_H
#define SNEKOMATIC_CONVENIENCE_H

#include <snekomatic/commands.h>
#include <snekomatic/compose.h>
#include <snekomatic/config.h>
#include <snekomatic/event.h>
#include <snekomatic/github.h>
#include <snekomatic/host.h>
#include <snekomatic/role.h>
#include <snekomatic/store.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the services: never NULL, because every host of this major has revision 1 ---- */

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

static inline const struct snek_role_service *snek_roles(const struct snek_run *run) {
    return (const struct snek_role_service *)run->host->service(run->host, SNEK_ROLE_SERVICE,
                                                                SNEK_ROLE_REVISION);
}

static inline const struct snek_config_service *snek_config(const struct snek_host *host) {
    return (const struct snek_config_service *)host->service(host, SNEK_CONFIG_SERVICE,
                                                             SNEK_CONFIG_REVISION);
}

/* ---- the end of a handler: return snek_skip(run, "not merged"); ---- */

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

/* Waits for something: the host calls the handler again after `delay_ms`, at least a second. The
 * run loses no attempt. It may wait for 30 days in all. The host makes the reads again that came
 * after the last effect; so look at what you wait for after the effects. */
static inline int32_t snek_wait(struct snek_run *run, int64_t delay_ms, const char *reason) {
    run->host->explain(run->host, run, reason, delay_ms);
    return SNEK_WAIT;
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

/* A text as a C string. NULL when a NUL is within it, because a C string would end there: the login
 * "mona\0x" would look like another person's. find() gives such a text with its length. */
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

/* The integer at `path`; `fallback` when there is none. */
static inline int64_t snek_integer(struct snek_run *run, const char *path, int64_t fallback) {
    struct snek_value value;
    return snek_event(run)->find(run, path, &value) == SNEK_NUMBER && value.is_integer
               ? value.integer
               : fallback;
}

/* Any value at `path` as text: a string itself, a number as the payload writes it, "true", the JSON
 * of an object. NULL when there is none, when it is null, or when a NUL is within a string. It fits
 * the parameters of URLs. */
static inline const char *snek_text_of(struct snek_run *run, const char *path) {
    struct snek_value value;
    return snek_event(run)->find(run, path, &value) > SNEK_NULL ? snek_c_string(value.text) : NULL;
}

/* ---- items of lists ---- */

#define SNEK_PATH_MAX 256

/* Writes the path of `rest` in the n-th item of the array at `list` to `path`, and returns it:
 * snek_string(run, snek_item_path(path, "issue.labels", 0, "name")). An empty `list` is the whole
 * body, an empty `rest` the whole item. Past the last item the path leads nowhere. */
static inline const char *snek_item_path(char path[SNEK_PATH_MAX], const char *list, uint32_t n,
                                         const char *rest) {
    snprintf(path, SNEK_PATH_MAX, "%s[%lu]%s%s", list, (unsigned long)n, *rest ? "." : "", rest);
    return path;
}

/* ---- texts with {names} in them ---- */

/* The parameter whose "{name}" begins at `text`; NULL when there is none. */
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

/* The same without flags. */
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

/* The HTTP status of a response; 0 when it is NULL. */
static inline int32_t snek_status(const struct snek_run *run,
                                  const struct snek_response *response) {
    return response ? snek_github(run)->status(response) : 0;
}

/* The string at `path` in a response; NULL when there is none, or when a NUL is within it. Borrowed
 * until the response is freed. */
static inline const char *snek_response_string(struct snek_run *run, struct snek_response *response,
                                               const char *path) {
    struct snek_value value;
    return response && snek_github(run)->find(response, path, &value) == SNEK_STRING
               ? snek_c_string(value.text)
               : NULL;
}

/* Like snek_integer() and snek_exists(), in a response. */
static inline int64_t snek_response_integer(struct snek_run *run, struct snek_response *response,
                                            const char *path, int64_t fallback) {
    struct snek_value value;
    return response && snek_github(run)->find(response, path, &value) == SNEK_NUMBER &&
                   value.is_integer
               ? value.integer
               : fallback;
}

static inline int32_t snek_response_exists(struct snek_run *run, struct snek_response *response,
                                           const char *path) {
    struct snek_value value;
    return response && snek_github(run)->find(response, path, &value) > SNEK_NULL;
}

/* For large responses; the host frees the others with the run. Takes NULL. */
static inline void snek_free_response(struct snek_run *run, struct snek_response *response) {
    snek_github(run)->free_response(response);
}

/* Starts to read a list, with parameters for the {names} of the URL (or NULL, 0). Nothing is sent
 * yet. while ((result = snek_next(run, pages)) > 0) { snek_item_string(run, pages, "login"); } */
static inline int32_t snek_list(struct snek_run *run, const char *url,
                                const struct snek_parameter *parameters, uint32_t parameters_count,
                                struct snek_pages **pages) {
    struct snek_request request;
    memset(&request, 0, sizeof request);
    request.bytes = (uint32_t)sizeof request;
    request.method = "GET";
    request.url = url;
    request.parameters = parameters;
    request.parameters_count = parameters_count;
    return snek_github(run)->pages(run, &request, pages);
}

/* A GraphQL query or mutation, with its variables (or NULL, 0): snek_field_text("owner", "x").
 * Paths in the response begin with "data". */
static inline int32_t snek_graphql(struct snek_run *run, const char *query,
                                   const struct snek_field *variables, uint32_t variables_count,
                                   struct snek_response **response) {
    struct snek_graphql graphql;
    memset(&graphql, 0, sizeof graphql);
    graphql.bytes = (uint32_t)sizeof graphql;
    graphql.query = query;
    graphql.variables = variables;
    graphql.variables_count = variables_count;
    return snek_github(run)->graphql(run, &graphql, response);
}

/* Like snek_list(), over the connection at `path` ("data.repository.issues") of a query that asks
 * for its `nodes` and `pageInfo { hasNextPage endCursor }`; the cursor goes into its variable
 * `cursor`.
 */
static inline int32_t snek_graphql_list(struct snek_run *run, const char *query,
                                        const struct snek_field *variables,
                                        uint32_t variables_count, const char *path,
                                        const char *cursor, struct snek_pages **pages) {
    struct snek_graphql graphql;
    memset(&graphql, 0, sizeof graphql);
    graphql.bytes = (uint32_t)sizeof graphql;
    graphql.query = query;
    graphql.variables = variables;
    graphql.variables_count = variables_count;
    return snek_github(run)->graphql_pages(run, &graphql, path, cursor, pages);
}

/* Moves to the first item of a list, then to the next one: 1 when there is one, 0 after the last,
 * or a negative enum snek_error. */
static inline int32_t snek_next(struct snek_run *run, struct snek_pages *pages) {
    return snek_github(run)->next(pages);
}

/* Like snek_string(), snek_integer() and snek_exists(), in the present item. Texts are borrowed
 * until snek_next() moves to another page. */
static inline const char *snek_item_string(struct snek_run *run, struct snek_pages *pages,
                                           const char *path) {
    struct snek_value value;
    return snek_github(run)->item(pages, path, &value) == SNEK_STRING ? snek_c_string(value.text)
                                                                      : NULL;
}

static inline int64_t snek_item_integer(struct snek_run *run, struct snek_pages *pages,
                                        const char *path, int64_t fallback) {
    struct snek_value value;
    return snek_github(run)->item(pages, path, &value) == SNEK_NUMBER && value.is_integer
               ? value.integer
               : fallback;
}

static inline int32_t snek_item_exists(struct snek_run *run, struct snek_pages *pages,
                                       const char *path) {
    struct snek_value value;
    return snek_github(run)->item(pages, path, &value) > SNEK_NULL;
}

/* For handlers that read many lists; the host frees the others with the run. Takes NULL. */
static inline void snek_free_pages(struct snek_run *run, struct snek_pages *pages) {
    snek_github(run)->free_pages(pages);
}

/* ---- commands ---- */

static inline int32_t snek_reply(struct snek_run *run, const char *markdown) {
    return snek_commands(run)->reply(run, markdown);
}

static inline int32_t snek_react(struct snek_run *run, const char *reaction) {
    return snek_commands(run)->react(run, reaction);
}

/* The Markdown of the new issue, pull request, comment or review; NULL when the event has none. */
static inline const char *snek_body(struct snek_run *run) {
    return snek_commands(run)->body(run).data;
}

static inline const char *snek_argument(struct snek_run *run, uint32_t n) {
    return snek_commands(run)->argument(run, n);
}

/* 1 when the user with this login has at least one of the roles (enum snek_role_flag), 0 when not,
 * or a negative enum snek_error. For roles that depend on more than the command's name. */
static inline int32_t snek_role(struct snek_run *run, const char *login, uint32_t roles) {
    return snek_roles(run)->has(run, login, roles);
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

/* 0 and `*text`, borrowed until the handler returns (NULL when there is no such key); or a negative
 * enum snek_error. */
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

/* For create(): negative, with a reason, when the table has a key that is not among these. */
static inline int32_t snek_config_allow(const struct snek_host *host, const char *const *keys,
                                        uint32_t keys_count) {
    return snek_config(host)->allow(host, keys, keys_count);
}

/* Rejects to start with "plugin.config.KEY PROBLEM". Returns SNEK_E_INVALID. */
static inline int32_t snek_config_reject(const struct snek_host *host, const char *key,
                                         const char *problem) {
    char sentence[512];
    snprintf(sentence, sizeof sentence, "plugin.config.%.200s %.200s", key, problem);
    return snek_reject_start(host, sentence);
}

/* The text at `key`; `fallback` when the key is absent; NULL after snek_reject_start() when the
 * value is no text. */
static inline const char *snek_config_string(const struct snek_host *host, const char *key,
                                             const char *fallback) {
    struct snek_value value;
    uint32_t kind = snek_config(host)->find(host, key, &value);
    if (kind == SNEK_ABSENT || kind == SNEK_STRING) {
        return kind == SNEK_STRING ? value.text.data : fallback;
    }
    snek_config_reject(host, key, "must be a text");
    return NULL;
}

/* 0 and `*integer`, which is `fallback` when the key is absent; negative after snek_reject_start()
 * when the value is no whole number from `min` to `max`. */
static inline int32_t snek_config_integer(const struct snek_host *host, const char *key,
                                          int64_t min, int64_t max, int64_t fallback,
                                          int64_t *integer) {
    struct snek_value value;
    char problem[128];
    uint32_t kind = snek_config(host)->find(host, key, &value);
    if (kind != SNEK_ABSENT &&
        (kind != SNEK_NUMBER || !value.is_integer || value.integer < min || value.integer > max)) {
        snprintf(problem, sizeof problem, "must be a whole number from %" PRId64 " to %" PRId64,
                 min, max);
        return snek_config_reject(host, key, problem);
    }
    *integer = kind == SNEK_ABSENT ? fallback : value.integer;
    return 0;
}

/* 0 and `*yes` (1 or 0), which is `fallback` when the key is absent; negative after
 * snek_reject_start() when the value is neither true nor false. */
static inline int32_t snek_config_boolean(const struct snek_host *host, const char *key,
                                          int32_t fallback, int32_t *yes) {
    struct snek_value value;
    uint32_t kind = snek_config(host)->find(host, key, &value);
    if (kind != SNEK_ABSENT && kind != SNEK_TRUE && kind != SNEK_FALSE) {
        return snek_config_reject(host, key, "must be true or false");
    }
    *yes = kind == SNEK_ABSENT ? fallback : kind == SNEK_TRUE;
    return 0;
}

/* The n-th text of the array at `key`; NULL past the last item, or when the item is no text. */
static inline const char *snek_config_item(const struct snek_host *host, const char *key,
                                           uint32_t n) {
    struct snek_value value;
    char path[SNEK_PATH_MAX];
    return snek_config(host)->find(host, snek_item_path(path, key, n, ""), &value) == SNEK_STRING
               ? value.text.data
               : NULL;
}

#ifdef __cplusplus
}
#endif

#endif
