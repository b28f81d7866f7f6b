/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Marks check runs and finds them again, by reading JSON in one pass. */
#include "dispatch/check_run.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#define PATH_END "/check-runs"

/* ---- texts ---- */

/* 0 and the string at the path, NULL when there is none; -1 when memory is short. */
static int copy_string(const char *json, size_t bytes, const char *path, char **text) {
    struct json_value found;
    *text = NULL;
    if (!json_find(json, bytes, path, &found) || found.type != JSON_STRING) {
        return 0;
    }
    char *copy = malloc(found.raw_bytes);
    if (!copy) {
        return -1;
    }
    copy[json_unescape(found.raw + 1, found.raw_bytes - 2, copy)] = '\0';
    *text = copy;
    return 0;
}

static bool string_is(const char *json, size_t bytes, const char *path, const char *text) {
    struct json_value found;
    return json_find(json, bytes, path, &found) && found.type == JSON_STRING &&
           json_text_is(found.raw + 1, found.raw_bytes - 2, text, strlen(text));
}

/* ---- the request ---- */

static bool is_object(const char *body, size_t bytes) {
    const char *why;
    size_t at;
    struct json_value whole;
    return bytes > 0 && json_check(body, bytes, &why, &at) == 0 &&
           json_find(body, bytes, "", &whole) && whole.type == JSON_OBJECT_BEGIN;
}

int check_run_list_url(const char *url, const char *body, size_t bytes, char **list_url) {
    size_t url_bytes = strlen(url), end_bytes = strlen(PATH_END);
    AUTO_FREE char *name = NULL;
    AUTO_FREE char *sha = NULL;
    if (url_bytes < end_bytes || strcmp(url + url_bytes - end_bytes, PATH_END) != 0 ||
        !strstr(url, "/repos/") || strchr(url, '?') || !is_object(body, bytes)) {
        return CHECK_RUN_NONE;
    }
    if (copy_string(body, bytes, "name", &name) < 0 ||
        copy_string(body, bytes, "head_sha", &sha) < 0) {
        return -1;
    }
    if (!name || !sha) {
        return CHECK_RUN_NONE;
    }
    AUTO_BUFFER struct buffer list = BUFFER_INIT(url_bytes + 3 * bytes + 100);
    int result = buffer_append(&list, url, url_bytes - end_bytes);
    result |= buffer_append_text(&list, "/commits/");
    result |= buffer_append_encoded(&list, sha, "");
    result |= buffer_append_text(&list, "/check-runs?filter=all&check_name=");
    result |= buffer_append_encoded(&list, name, "");
    char *text = result == 0 ? buffer_steal(&list) : NULL;
    *list_url = text ? text : *list_url;
    return text ? CHECK_RUN_OK : -1;
}

int check_run_mark(const char *body, size_t bytes, const char *marker, char **marked) {
    struct json_value found;
    if (json_find(body, bytes, "external_id", &found)) {
        return CHECK_RUN_NONE;
    }
    AUTO_BUFFER struct buffer longer = BUFFER_INIT(bytes + strlen(marker) + 32);
    const char *bracket = memchr(body, '{', bytes);
    size_t before_bytes = (size_t)(bracket - body) + 1;
    /* The body has a name, so something follows. */
    if (buffer_append(&longer, body, before_bytes) < 0 ||
        buffer_printf(&longer, "\"external_id\":\"%s\",", marker) < 0 ||
        buffer_append(&longer, body + before_bytes, bytes - before_bytes) < 0) {
        return -1;
    }
    char *whole = buffer_steal(&longer);
    *marked = whole ? whole : *marked;
    return whole ? CHECK_RUN_OK : -1;
}

/* ---- the list ---- */

/* The values that identify a check run. `title` is NULL when the request has none. */
struct identity {
    char *external_id, *title;
    bool timed;
};

static void identity_finish(struct identity *identity) {
    free(identity->external_id);
    free(identity->title);
}

static bool is_of_app(const char *json, size_t bytes, const char *app) {
    struct json_value id;
    bool found = json_find(json, bytes, "app.id", &id) && id.type == JSON_NUMBER;
    return (found && id.raw_bytes == strlen(app) && memcmp(id.raw, app, id.raw_bytes) == 0) ||
           string_is(json, bytes, "app.client_id", app);
}

/* True when the check run began long before the request. */
static bool is_older(const char *json, size_t bytes, int64_t since_ms) {
    struct json_value started;
    int64_t started_ms;
    return json_find(json, bytes, "started_at", &started) && json_to_time(&started, &started_ms) &&
           started_ms < since_ms;
}

static bool matches(const char *json, size_t bytes, const struct identity *identity,
                    const struct check_run_sought *sought) {
    return is_of_app(json, bytes, sought->app) &&
           string_is(json, bytes, "external_id", identity->external_id) &&
           (!identity->title || string_is(json, bytes, "output.title", identity->title)) &&
           (identity->timed || !is_older(json, bytes, sought->since_ms));
}

static int read_identity(const struct check_run_sought *sought, struct identity *identity,
                         struct error *err) {
    struct json_value found;
    const char *body = sought->body;
    size_t bytes = sought->body_bytes;
    if (copy_string(body, bytes, "external_id", &identity->external_id) < 0 ||
        copy_string(body, bytes, "output.title", &identity->title) < 0) {
        return error_set(err, "the host is out of memory");
    }
    identity->timed = json_find(body, bytes, "started_at", &found);
    return identity->external_id ? 0 : error_set(err, "the request's external id is no string");
}

static int64_t id_of(const char *json, size_t bytes) {
    struct json_value value;
    int64_t id = 0;
    bool found = json_find(json, bytes, "id", &value) && json_to_integer(&value, &id);
    return found ? id : 0;
}

/* Goes through the array. 0 and the newest check run that matches, `raw` NULL when there is none.
 */
static int search_list(const struct json_value *list, const struct identity *identity,
                       const struct check_run_sought *sought, struct json_value *newest,
                       size_t *n) {
    struct json_reader reader;
    enum json_token token;
    int64_t newest_id = 0;
    *newest = (struct json_value){.raw = NULL};
    json_init(&reader, list->raw, list->raw_bytes);
    json_next(&reader);
    for (*n = 0; (token = json_next(&reader)) == JSON_OBJECT_BEGIN; ++*n) {
        const char *begin = reader.text;
        if (json_skip(&reader, token) < 0) {
            return -1;
        }
        size_t bytes = (size_t)(reader.at - begin);
        int64_t id = id_of(begin, bytes);
        if (id > newest_id && matches(begin, bytes, identity, sought)) {
            newest_id = id;
            *newest = (struct json_value){JSON_OBJECT_BEGIN, begin, bytes};
        }
    }
    return token == JSON_ARRAY_END ? 0 : -1;
}

int check_run_find(const struct buffer *page, const struct check_run_sought *sought,
                   char **check_run, size_t *n_check_runs, struct error *err) {
    CLEANUP(identity_finish) struct identity identity = {.title = NULL};
    struct json_value list, newest;
    const char *json = page->data ? page->data : "", *why;
    size_t at, n = 0;
    if (json_check(json, page->bytes, &why, &at) < 0 ||
        !json_find(json, page->bytes, "check_runs", &list) || list.type != JSON_ARRAY_BEGIN) {
        return error_set(err, "GitHub's response is not a list of check runs");
    }
    if (read_identity(sought, &identity, err) < 0) {
        return -1;
    }
    if (search_list(&list, &identity, sought, &newest, &n) < 0) {
        return error_set(err, "GitHub's response is not a list of check runs");
    }
    if (!newest.raw) {
        *n_check_runs = n;
        return CHECK_RUN_NONE;
    }
    char *copy = strndup(newest.raw, newest.raw_bytes);
    if (!copy) {
        return error_set(err, "the host is out of memory");
    }
    *n_check_runs = n;
    *check_run = copy;
    return CHECK_RUN_OK;
}
