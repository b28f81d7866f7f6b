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
 *   snek_timer(run, "key", ms, json)    timer->set()
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
#include <snekomatic/repository_config.h>
#include <snekomatic/role.h>
#include <snekomatic/store.h>
#include <snekomatic/timer.h>

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

static inline const struct snek_timer_service *snek_timers(const struct snek_run *run) {
    return (const struct snek_timer_service *)run->host->service(run->host, SNEK_TIMER_SERVICE,
                                                                 SNEK_TIMER_REVISION);
}

static inline const struct snek_repository_config_service *
snek_repository_configs(const struct snek_run *run) {
    return (const struct snek_repository_config_service *)run->host->service(
        run->host, SNEK_REPOSITORY_CONFIG_SERVICE, SNEK_REPOSITORY_CONFIG_REVISION);
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

/* A day, in milliseconds. */
#define SNEK_DAY_MS ((int64_t)86400000)

/* A time in milliseconds since 1970 as GitHub writes it, "2026-01-31T04:05:06Z". Such texts of
 * years from 1970 to 9999 compare like the times: snek_time(run, snek_now_ms(run) - 60 *
 * SNEK_DAY_MS). */
static inline const char *snek_time(struct snek_run *run, int64_t ms) {
    /* The calendar's eras of 400 years begin with March, so a leap day is the last of its year. */
    int64_t seconds = ms / 1000, days = seconds / 86400 + 719468, era = days / 146097;
    int64_t of_era = days % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100),
            month = (5 * of_year + 2) / 153;
    int day = (int)(of_year - (153 * month + 2) / 5 + 1), second = (int)(seconds % 86400);
    year += 400 * era + (month > 9);
    month += month > 9 ? -9 : 3;
    return snek_print(run, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)year, (int)month, day,
                      second / 3600, second / 60 % 60, second % 60);
}

/* The reverse: the milliseconds since 1970 of "2026-01-31T04:05:06Z". -1 for NULL and for a text of
 * another form. */
static inline int64_t snek_time_ms(const char *time) {
    int year, month, day, hour, minute, second, end = 0;
    int64_t days;
    if (!time ||
        sscanf(time, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &year, &month, &day, &hour, &minute, &second,
               &end) != 6 ||
        end != 20 || time[end] || year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 ||
        hour > 23 || minute > 59 || second > 60) {
        return -1;
    }
    /* The year begins with March, as in snek_time(). */
    year -= month < 3;
    days = 365 * (int64_t)year + year / 4 - year / 100 + year / 400 +
           (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1 - 719468;
    return ((days * 24 + hour) * 60 + minute) * 60000 + (int64_t)second * 1000;
}

static inline int32_t snek_cancelled(struct snek_run *run) {
    return run->host->cancelled(run);
}

/* ---- the readers ---- */

/* Three families read values: snek_… of the event, snek_response_… of a response, and snek_item_…
 * of the present item of a list. Each has the same six readers:
 *
 *   string   the string at the path; NULL when there is none, or a NUL within it
 *   integer  the integer at the path; `fallback` when there is none
 *   boolean  1 when the path leads to true, else 0
 *   text     any value as text: a string itself, a number as it is written, "true", the JSON of an
 *            object; NULL when there is none, when it is null, or when a NUL is within a string
 *   exists   1 when the path leads to a value that is not null, else 0
 *   count    the number of items of the array, or of members of the object; 0 when it is neither
 *
 * A path is "issue.labels[0].name"; snek_print(run, "issue.labels[%d].name", n) makes one. */

/* A text as a C string. NULL when a NUL is within it, because a C string would end there: the login
 * "mona\0x" would look like another person's. find() gives such a text with its length. */
static inline const char *snek_c_string(struct snek_text text) {
    return text.data && strlen(text.data) == text.bytes ? text.data : NULL;
}

/* The readers of a value that was found. */
static inline const char *snek_value_string(const struct snek_value *value) {
    return value->kind == SNEK_STRING ? snek_c_string(value->text) : NULL;
}

static inline const char *snek_value_text(const struct snek_value *value) {
    return value->kind > SNEK_NULL ? snek_c_string(value->text) : NULL;
}

static inline int64_t snek_value_integer(const struct snek_value *value, int64_t fallback) {
    return value->kind == SNEK_NUMBER && value->is_integer ? value->integer : fallback;
}

static inline const char *snek_string(struct snek_run *run, const char *path) {
    struct snek_value value;
    snek_event(run)->find(run, path, &value);
    return snek_value_string(&value);
}

static inline int64_t snek_integer(struct snek_run *run, const char *path, int64_t fallback) {
    struct snek_value value;
    snek_event(run)->find(run, path, &value);
    return snek_value_integer(&value, fallback);
}

static inline int32_t snek_boolean(struct snek_run *run, const char *path) {
    return snek_event(run)->find(run, path, NULL) == SNEK_TRUE;
}

static inline const char *snek_text(struct snek_run *run, const char *path) {
    struct snek_value value;
    snek_event(run)->find(run, path, &value);
    return snek_value_text(&value);
}

static inline int32_t snek_exists(struct snek_run *run, const char *path) {
    return snek_event(run)->find(run, path, NULL) > SNEK_NULL;
}

static inline uint32_t snek_count(struct snek_run *run, const char *path) {
    struct snek_value value;
    snek_event(run)->find(run, path, &value);
    return (uint32_t)value.count;
}

/* For the handler of a schedule: the time for which the host calls it, in milliseconds since 1970.
 * It is the same in each attempt, unlike snek_now_ms(). -1 for any other event. */
static inline int64_t snek_slot_ms(struct snek_run *run) {
    return snek_time_ms(snek_string(run, "schedule.slot"));
}

/* ---- responses: NULL is one without a value; texts are borrowed until it is freed ---- */

static inline uint32_t snek_response_find(struct snek_run *run, struct snek_response *response,
                                          const char *path, struct snek_value *value) {
    return snek_github(run)->find(response, path, value);
}

/* The HTTP status; 0 when the response is NULL. */
static inline int32_t snek_status(const struct snek_run *run,
                                  const struct snek_response *response) {
    return snek_github(run)->status(response);
}

static inline const char *snek_response_string(struct snek_run *run, struct snek_response *response,
                                               const char *path) {
    struct snek_value value;
    snek_response_find(run, response, path, &value);
    return snek_value_string(&value);
}

static inline int64_t snek_response_integer(struct snek_run *run, struct snek_response *response,
                                            const char *path, int64_t fallback) {
    struct snek_value value;
    snek_response_find(run, response, path, &value);
    return snek_value_integer(&value, fallback);
}

static inline int32_t snek_response_boolean(struct snek_run *run, struct snek_response *response,
                                            const char *path) {
    return snek_response_find(run, response, path, NULL) == SNEK_TRUE;
}

static inline const char *snek_response_text(struct snek_run *run, struct snek_response *response,
                                             const char *path) {
    struct snek_value value;
    snek_response_find(run, response, path, &value);
    return snek_value_text(&value);
}

static inline int32_t snek_response_exists(struct snek_run *run, struct snek_response *response,
                                           const char *path) {
    return snek_response_find(run, response, path, NULL) > SNEK_NULL;
}

static inline uint32_t snek_response_count(struct snek_run *run, struct snek_response *response,
                                           const char *path) {
    struct snek_value value;
    snek_response_find(run, response, path, &value);
    return (uint32_t)value.count;
}

/* For large responses; the host frees the others with the run. Takes NULL. */
static inline void snek_free_response(struct snek_run *run, struct snek_response *response) {
    snek_github(run)->free_response(response);
}

/* ---- items of lists: texts are borrowed until snek_next() moves to another page ---- */

static inline const char *snek_item_string(struct snek_run *run, struct snek_pages *pages,
                                           const char *path) {
    struct snek_value value;
    snek_github(run)->item(pages, path, &value);
    return snek_value_string(&value);
}

static inline int64_t snek_item_integer(struct snek_run *run, struct snek_pages *pages,
                                        const char *path, int64_t fallback) {
    struct snek_value value;
    snek_github(run)->item(pages, path, &value);
    return snek_value_integer(&value, fallback);
}

static inline int32_t snek_item_boolean(struct snek_run *run, struct snek_pages *pages,
                                        const char *path) {
    return snek_github(run)->item(pages, path, NULL) == SNEK_TRUE;
}

static inline const char *snek_item_text(struct snek_run *run, struct snek_pages *pages,
                                         const char *path) {
    struct snek_value value;
    snek_github(run)->item(pages, path, &value);
    return snek_value_text(&value);
}

static inline int32_t snek_item_exists(struct snek_run *run, struct snek_pages *pages,
                                       const char *path) {
    return snek_github(run)->item(pages, path, NULL) > SNEK_NULL;
}

static inline uint32_t snek_item_count(struct snek_run *run, struct snek_pages *pages,
                                       const char *path) {
    struct snek_value value;
    snek_github(run)->item(pages, path, &value);
    return (uint32_t)value.count;
}

/* ---- requests ---- */

/* The functions behind the macros below. They take the struct by value, because C++ has no address
 * of a temporary one. */
static inline int32_t snek_send(struct snek_run *run, struct snek_request request) {
    return snek_github(run)->send(run, &request);
}

static inline struct snek_pages *snek_begin_list(struct snek_run *run,
                                                 struct snek_request request) {
    return snek_github(run)->pages(run, &request);
}

static inline int32_t snek_send_graphql(struct snek_run *run, struct snek_graphql graphql) {
    return snek_github(run)->graphql(run, &graphql);
}

static inline struct snek_pages *snek_begin_graphql_list(struct snek_run *run,
                                                         struct snek_graphql graphql) {
    return snek_github(run)->graphql_pages(run, &graphql);
}

/* Four calls with the members of their struct (github.h) behind the fixed arguments. In C++20 the
 * members go in the order of the struct. C++ before C++20 fills a struct and calls snek_send(),
 * snek_begin_list(), snek_send_graphql() or snek_begin_graphql_list().
 *
 *   snek_request(run, "PUT", "/orgs/{org}/memberships/{user}",
 *                .parameters = {{"org", "sneks-united"}, {"user", login}},
 *                .json = snek_json(run, "{'role':'%s'}", role), .response = &response)
 *   snek_list(run, "/repos/{owner}/{repo}/commits/{sha}/check-runs",
 *             .parameters = {{"sha", sha}}, .list = "check_runs")
 *   snek_graphql(run, query, .variables = snek_json(run, "{'owner':'%s'}", owner),
 *                .response = &response)
 *   snek_graphql_list(run, query, .variables = variables, .path = "data.repository.issues")
 *
 * snek_request() and snek_graphql() return 0 or a negative enum snek_error. The lists are read by
 *
 *   while ((more = snek_next(run, list)) > 0) { snek_item_string(run, list, "login"); }
 *
 * and an error of theirs is one of snek_next(). Paths in a response to GraphQL begin with "data".
 */
#if !defined(__cplusplus)
#define SNEK_REQUEST(...)                                                                          \
    ((struct snek_request){                                                                        \
        .bytes = (uint32_t)sizeof(struct snek_request), .reserved = 0, __VA_ARGS__})
#define SNEK_GRAPHQL(...)                                                                          \
    ((struct snek_graphql){                                                                        \
        .bytes = (uint32_t)sizeof(struct snek_graphql), .reserved = 0, __VA_ARGS__})
#define snek_request(run, ...) snek_send((run), SNEK_REQUEST(__VA_ARGS__))
#define snek_list(run, ...) snek_begin_list((run), SNEK_REQUEST("GET", __VA_ARGS__))
#define snek_graphql(run, ...) snek_send_graphql((run), SNEK_GRAPHQL(__VA_ARGS__))
#define snek_graphql_list(run, ...) snek_begin_graphql_list((run), SNEK_GRAPHQL(__VA_ARGS__))
#elif __cplusplus >= 202002L
#define snek_request(run, method_, url_, ...)                                                      \
    snek_send((run), ::snek_request{.bytes = (uint32_t)sizeof(struct snek_request),                \
                                    .reserved = 0,                                                 \
                                    .method = (method_),                                           \
                                    .url = (url_)__VA_OPT__(, ) __VA_ARGS__})
#define snek_list(run, url_, ...)                                                                  \
    snek_begin_list((run), ::snek_request{.bytes = (uint32_t)sizeof(struct snek_request),          \
                                          .reserved = 0,                                           \
                                          .method = "GET",                                         \
                                          .url = (url_)__VA_OPT__(, ) __VA_ARGS__})
#define snek_graphql(run, query_, ...)                                                             \
    snek_send_graphql((run), ::snek_graphql{.bytes = (uint32_t)sizeof(struct snek_graphql),        \
                                            .reserved = 0,                                         \
                                            .query = (query_)__VA_OPT__(, ) __VA_ARGS__})
#define snek_graphql_list(run, query_, ...)                                                        \
    snek_begin_graphql_list((run), ::snek_graphql{.bytes = (uint32_t)sizeof(struct snek_graphql),  \
                                                  .reserved = 0,                                   \
                                                  .query = (query_)__VA_OPT__(, ) __VA_ARGS__})
#endif

/* A request whose JSON may be NULL: none. */
static inline int32_t snek_send_json(struct snek_run *run, const char *method, const char *url,
                                     const char *json, struct snek_response **response) {
    struct snek_request request;
    memset(&request, 0, sizeof request);
    request.bytes = (uint32_t)sizeof request;
    request.method = method;
    request.url = url;
    request.json = json;
    request.response = response;
    return snek_github(run)->send(run, &request);
}

/* GETs the URL. `response` may be NULL. */
static inline int32_t snek_get(struct snek_run *run, const char *url,
                               struct snek_response **response) {
    return snek_send_json(run, "GET", url, NULL, response);
}

/* 1 when the installation grants the permission to this run, 0 when not, or a negative enum
 * snek_error: snek_has_permission(run, "checks", "write"). */
static inline int32_t snek_has_permission(struct snek_run *run, const char *name,
                                          const char *access) {
    return snek_github(run)->has_permission(run, name, access);
}

/* 0 and the login of the app's bot user, "my-app[bot]", which is the author of the bot's comments;
 * or a negative enum snek_error. */
static inline int32_t snek_bot_login(struct snek_run *run, const char **login) {
    struct snek_text text;
    int32_t result = snek_github(run)->bot_login(run, &text);
    if (result == 0) {
        *login = text.data;
    }
    return result;
}

/* Posts JSON: snek_post(run, url, snek_json(run, "{'body':'%s'}", text)). */
static inline int32_t snek_post(struct snek_run *run, const char *url, const char *json) {
    return snek_send_json(run, "POST", url, json, NULL);
}

/* Moves to the first item of a list, then to the next one: 1 when there is one, 0 after the last,
 * or a negative enum snek_error. */
static inline int32_t snek_next(struct snek_run *run, struct snek_pages *pages) {
    return snek_github(run)->next(pages);
}

/* For handlers that read many lists; the host frees the others with the run. Takes NULL. */
static inline void snek_free_pages(struct snek_run *run, struct snek_pages *pages) {
    snek_github(run)->free_pages(pages);
}

/* ---- commands ---- */

static inline int32_t snek_reply(struct snek_run *run, const char *markdown) {
    return snek_commands(run)->reply(run, markdown, NULL, NULL);
}

/* The same, once in this run under this name, even if the text differs in a retry:
 * snek_reply_once(run, "welcome", snek_print(run, "It is %s.", time)). */
static inline int32_t snek_reply_once(struct snek_run *run, const char *once,
                                      const char *markdown) {
    return snek_commands(run)->reply(run, markdown, once, NULL);
}

/* snek_reply(), and the id of the comment: with it the plugin can change the comment later. */
static inline int32_t snek_reply_id(struct snek_run *run, const char *markdown, int64_t *id) {
    return snek_commands(run)->reply(run, markdown, NULL, id);
}

/* A comment on the issue or pull request with this number, for events without a text of a person.
 */
static inline int32_t snek_comment(struct snek_run *run, int64_t number, const char *markdown) {
    return snek_commands(run)->comment(run, number, markdown, NULL, NULL);
}

static inline int32_t snek_comment_once(struct snek_run *run, int64_t number, const char *once,
                                        const char *markdown) {
    return snek_commands(run)->comment(run, number, markdown, once, NULL);
}

/* 0 or a negative enum snek_error. */
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

/* ---- timers ---- */

/* Sends the event "snekomatic.timer" to this plugin after `delay_ms`, once this run has ended well.
 * The handler finds `key` as "timer.key", and the JSON `data` (or NULL) as "timer.data". */
static inline int32_t snek_timer(struct snek_run *run, const char *key, int64_t delay_ms,
                                 const char *data) {
    return snek_timers(run)->set(run, key, delay_ms, data);
}

static inline int32_t snek_timer_cancel(struct snek_run *run, const char *key) {
    return snek_timers(run)->cancel(run, key);
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
    return snek_store(run)->put(run, scope, key, text, text ? strlen(text) : 0);
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
    char path[256];
    snprintf(path, sizeof path, "%s[%lu]", key, (unsigned long)n);
    return snek_config(host)->find(host, path, &value) == SNEK_STRING ? value.text.data : NULL;
}

/* ---- the configuration of a repository ---- */

/* Reads `.github/NAME.yml` of the event's repository, else of its owner. 0 and `*config`, which
 * gives only fallbacks when there is no file; or a negative error, to be returned. */
static inline int32_t snek_repository_config(struct snek_run *run, const char *name,
                                             struct snek_repository_config **config) {
    return snek_repository_configs(run)->read(run, name, config);
}

/* Negative when the file has a key at its top level that is not among these. */
static inline int32_t snek_repository_allow(struct snek_run *run,
                                            struct snek_repository_config *config,
                                            const char *const *keys, uint32_t keys_count) {
    return snek_repository_configs(run)->allow(config, keys, keys_count);
}

/* Says that the value at `path` is wrong, with its line. SNEK_E_INVALID, to be returned. */
static inline int32_t snek_repository_wrong(struct snek_run *run,
                                            struct snek_repository_config *config, const char *path,
                                            const char *problem) {
    return snek_repository_configs(run)->wrong(config, path, problem);
}

/* 1 when the file has a value that is not null at the path, else 0: for a fallback that is a list.
 */
static inline int32_t snek_repository_exists(struct snek_run *run,
                                             struct snek_repository_config *config,
                                             const char *path) {
    return snek_repository_configs(run)->find(config, path, NULL) > SNEK_NULL;
}

/* 0 and `*text`, which is `fallback` when the path is absent; negative when it is no text. */
static inline int32_t snek_repository_string(struct snek_run *run,
                                             struct snek_repository_config *config,
                                             const char *path, const char *fallback,
                                             const char **text) {
    struct snek_value value;
    uint32_t kind = snek_repository_configs(run)->find(config, path, &value);
    *text = kind == SNEK_STRING ? value.text.data : fallback;
    if (kind != SNEK_ABSENT && kind != SNEK_STRING) {
        return snek_repository_wrong(run, config, path, "must be a text");
    }
    return 0;
}

/* 0 and `*integer`, which is `fallback` when the path is absent; negative when the value is no
 * whole number from `min` to `max`. */
static inline int32_t snek_repository_integer(struct snek_run *run,
                                              struct snek_repository_config *config,
                                              const char *path, int64_t min, int64_t max,
                                              int64_t fallback, int64_t *integer) {
    struct snek_value value;
    char problem[128];
    uint32_t kind = snek_repository_configs(run)->find(config, path, &value);
    *integer = kind == SNEK_ABSENT ? fallback : value.integer;
    if (kind != SNEK_ABSENT &&
        (kind != SNEK_NUMBER || !value.is_integer || value.integer < min || value.integer > max)) {
        snprintf(problem, sizeof problem, "must be a whole number from %" PRId64 " to %" PRId64,
                 min, max);
        return snek_repository_wrong(run, config, path, problem);
    }
    return 0;
}

/* 0 and `*yes` (1 or 0), which is `fallback` when the path is absent; negative when the value is
 * neither true nor false. */
static inline int32_t snek_repository_boolean(struct snek_run *run,
                                              struct snek_repository_config *config,
                                              const char *path, int32_t fallback, int32_t *yes) {
    struct snek_value value;
    uint32_t kind = snek_repository_configs(run)->find(config, path, &value);
    *yes = kind == SNEK_ABSENT ? fallback : kind == SNEK_TRUE;
    if (kind != SNEK_ABSENT && kind != SNEK_TRUE && kind != SNEK_FALSE) {
        return snek_repository_wrong(run, config, path, "must be true or false");
    }
    return 0;
}

/* 1 and `*text`, the n-th text of the list at `path`; 0 past the last item, and when the path is
 * absent; negative when the value is no list, or the item no text. */
static inline int32_t snek_repository_item(struct snek_run *run,
                                           struct snek_repository_config *config, const char *path,
                                           uint32_t n, const char **text) {
    struct snek_value value;
    char item[256];
    uint32_t kind = snek_repository_configs(run)->find(config, path, &value);
    *text = NULL;
    if (kind == SNEK_ABSENT || (kind == SNEK_ARRAY && n >= value.count)) {
        return 0;
    }
    if (kind != SNEK_ARRAY) {
        return snek_repository_wrong(run, config, path, "must be a list");
    }
    snprintf(item, sizeof item, "%.200s[%lu]", path, (unsigned long)n);
    int32_t result = snek_repository_string(run, config, item, NULL, text);
    return result < 0 ? result : 1;
}

#ifdef __cplusplus
}
#endif

#endif
