/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Follows `Link: rel="next"` and GraphQL's cursors. One page is held at a time, as the response
 * that it arrived in. */
#include "worker/pagination.h"

#include "base/json.h"
#include "base/link.h"
#include "worker/failing_allocation.h"
#include "worker/http_send.h"
#include "worker/json_body.h"
#include "worker/memory_limit.h"
#include "worker/response.h"
#include "worker/run.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PER_PAGE "per_page=100"

struct snek_pages {
    struct run_resource resource;
    /* The call for the next page. Its texts are ours. */
    struct http_call call;
    /* The memory of the call's media type and repository. */
    char *owned;
    /* For GraphQL; else NULL. */
    char *path, *cursor;
    /* The key of the array in a page that is an object; NULL when the plugin names none. */
    char *list;
    /* The code of the error with which the first next() fails; 0 when there is none. */
    int32_t failure;
    char failure_reason[FRAME_REASON_MAX + 1];
    /* For GraphQL: the bytes of the body's constant part, behind which the cursor goes. */
    size_t open_bytes;
    /* Pages that were requested. */
    unsigned count;
    /* There is no further page. */
    bool ended;
    struct snek_response *page;
    /* Stands in the page's array while `in_page`. */
    struct json_reader reader;
    bool in_page;
    /* In the page; NULL when there is none. */
    const char *item;
    size_t item_bytes;
};

static void pages_on_run_end(struct run_resource *resource) {
    pagination_free(CONTAINER_OF(resource, struct snek_pages, resource));
}

void pagination_free(struct snek_pages *pages) {
    if (!pages) {
        return;
    }
    run_detach(&pages->resource);
    response_free(pages->page);
    http_call_finish(&pages->call);
    free(pages->owned);
    free(pages->path);
    free(pages->cursor);
    free(pages->list);
    free(pages);
}

static struct snek_pages *pages_new(struct run *run) {
    struct snek_pages *pages = NULL;
    if (!failing_allocation_take("the SDK")) {
        pages = calloc(1, sizeof *pages);
    }
    if (pages) {
        http_call_init(&pages->call);
        pages->resource.on_run_end = pages_on_run_end;
        run_attach(run, &pages->resource);
    }
    return pages;
}

static int32_t no_memory(struct run *run) {
    return run_fail(run, SNEK_E_FAILED, "%s", memory_limit_sentence());
}

/* ---- beginning ---- */

/* Copies the plugin's texts into one block. */
static int own_texts(struct snek_pages *pages) {
    struct http_call *call = &pages->call;
    size_t accept_bytes = strlen(call->accept) + 1;
    size_t repository_bytes = strlen(call->repository) + 1;
    pages->owned = malloc(accept_bytes + repository_bytes);
    if (!pages->owned) {
        return -1;
    }
    memcpy(pages->owned, call->accept, accept_bytes);
    memcpy(pages->owned + accept_bytes, call->repository, repository_bytes);
    call->accept = pages->owned;
    call->repository = pages->owned + accept_bytes;
    call->method = "GET";
    return 0;
}

static int ask_for_a_hundred(struct buffer *url) {
    const char *query = strchr(url->data, '?');
    for (const char *at = query; at; at = strchr(at + 1, '&')) {
        if (strncmp(at + 1, "per_page=", 9) == 0) {
            return 0;
        }
    }
    return buffer_append_text(url, query ? "&" PER_PAGE : "?" PER_PAGE);
}

/* next() fails with the reason that was left. */
static struct snek_pages *keep_failure(struct snek_pages *pages, int32_t failure) {
    if (failure < 0) {
        pages->failure = failure;
        run_copy_reason(pages->resource.run, pages->failure_reason);
    }
    return pages;
}

/* A copy, NULL for NULL; `*failed` when memory is short. */
static char *copy_text(const char *text, bool *failed) {
    char *copy = text ? strdup(text) : NULL;
    *failed = *failed || (text && !copy);
    return copy;
}

struct snek_pages *pagination_begin(struct snek_run *shown, const struct snek_request *request) {
    struct run *run = shown ? run_of(shown) : NULL;
    struct snek_pages *pages = run ? pages_new(run) : NULL;
    if (!pages) {
        if (run) {
            no_memory(run);
        }
        return NULL;
    }
    int32_t result = http_call_build(run, request, &pages->call);
    if (result == 0 && strcmp(pages->call.method, "GET") != 0) {
        result = run_fail(run, SNEK_E_INVALID,
                          "a list is read with GET: set the method of the request to GET");
    }
    bool failed = false;
    pages->list = result == 0 ? copy_text(request->list, &failed) : NULL;
    if (result == 0 &&
        (failed || own_texts(pages) < 0 || ask_for_a_hundred(&pages->call.url) < 0)) {
        result = no_memory(run);
    }
    return keep_failure(pages, result);
}

/* Puts the cursor behind the constant part of the body: `json` is a JSON string, or null. */
static int put_cursor(struct snek_pages *pages, const char *json, size_t bytes) {
    struct buffer *body = &pages->call.json;
    body->bytes = pages->open_bytes;
    int failed = buffer_append_text(body, body->data[body->bytes - 1] == '{' ? "" : ",");
    failed |= buffer_append_json_string(body, pages->cursor, strlen(pages->cursor));
    failed |= buffer_append_text(body, ":") | buffer_append(body, json, bytes);
    failed |= buffer_append_text(body, "}}");
    pages->call.body = body->data;
    pages->call.body_bytes = body->bytes;
    return failed ? -1 : 0;
}

struct snek_pages *pagination_begin_graphql(struct snek_run *shown,
                                            const struct snek_graphql *query) {
    struct run *run = shown ? run_of(shown) : NULL;
    struct snek_pages *pages = run ? pages_new(run) : NULL;
    if (!pages) {
        if (run) {
            no_memory(run);
        }
        return NULL;
    }
    int32_t result = http_call_build_graphql(run, query, true, &pages->call);
    if (result == 0 && !query->path) {
        result = run_fail(run, SNEK_E_INVALID,
                          "a list of GraphQL needs the path of its connection: set path");
    }
    bool failed = false;
    if (result == 0) {
        pages->path = copy_text(query->path, &failed);
        pages->cursor = copy_text(query->cursor ? query->cursor : "after", &failed);
        pages->open_bytes = pages->call.json.bytes;
        if (failed || put_cursor(pages, "null", 4) < 0) {
            result = no_memory(run);
        }
    }
    return keep_failure(pages, result);
}

/* ---- the array of a page ---- */

#define KEYS_SHOWN_MAX 400

/* The arrays of an object: how many, the first one, and the keys for a sentence. */
struct arrays {
    unsigned count;
    struct json_value first;
    bool has_total;
    char keys[KEYS_SHOWN_MAX];
};

/* 0, or -1 when the object is malformed. */
static int find_arrays(const struct json_value *object, struct arrays *arrays) {
    struct json_reader reader;
    *arrays = (struct arrays){0};
    json_init(&reader, object->raw, object->raw_bytes);
    json_next(&reader);
    while (json_next(&reader) == JSON_KEY) {
        const char *key = reader.text;
        size_t key_bytes = reader.text_bytes, used = strlen(arrays->keys);
        enum json_token first = json_next(&reader);
        const char *start = reader.at - 1;
        if (json_skip(&reader, first) < 0) {
            return -1;
        }
        arrays->has_total |= key_bytes == 11 && memcmp(key, "total_count", 11) == 0;
        if (first == JSON_ARRAY_BEGIN) {
            if (arrays->count++ == 0) {
                arrays->first = (struct json_value){first, start, (size_t)(reader.at - start)};
            }
            snprintf(arrays->keys + used, sizeof arrays->keys - used, "%s%.*s",
                     used > 0 ? ", " : "", (int)(key_bytes < 50 ? key_bytes : 50), key);
        }
    }
    return 0;
}

/* The array of an object: that of the key which the plugin names; else that beside `total_count`,
 * or the only one. A commit has several, and so has an issue: these are no lists. */
static int32_t find_in_object(struct snek_pages *pages, const struct json_value *object,
                              struct json_value *array) {
    struct arrays arrays;
    struct run *run = pages->resource.run;
    const char *url = pages->call.url.data;
    if (find_arrays(object, &arrays) < 0 || arrays.count == 0) {
        return run_fail(run, SNEK_E_SERVER, "the response to GET %.200s holds no list", url);
    }
    if (!pages->list && (arrays.count == 1 || arrays.has_total)) {
        *array = arrays.first;
        return 0;
    }
    if (!pages->list) {
        return run_fail(run, SNEK_E_INVALID,
                        "the response to GET %.200s is an object with several arrays: set list to "
                        "one of their keys: %s",
                        url, arrays.keys);
    }
    if (!json_find(object->raw, object->raw_bytes, pages->list, array) ||
        array->type != JSON_ARRAY_BEGIN) {
        return run_fail(run, SNEK_E_INVALID,
                        "the response to GET %.200s has no array %.100s: set list to one of its "
                        "keys: %s",
                        url, pages->list, arrays.keys);
    }
    return 0;
}

static int32_t find_array(struct snek_pages *pages, struct json_value *array) {
    struct snek_text body = response_body(pages->page);
    struct json_value whole;
    if (json_find(body.data, body.bytes, "", &whole)) {
        if (whole.type == JSON_OBJECT_BEGIN) {
            return find_in_object(pages, &whole, array);
        }
        if (whole.type == JSON_ARRAY_BEGIN) {
            *array = whole;
            return 0;
        }
    }
    return run_fail(pages->resource.run, SNEK_E_SERVER, "the response to GET %.200s holds no list",
                    pages->call.url.data);
}

static int32_t find_nodes(struct snek_pages *pages, struct json_value *array) {
    struct snek_text body = response_body(pages->page);
    struct json_value connection;
    if (json_find(body.data, body.bytes, pages->path, &connection) &&
        json_find(connection.raw, connection.raw_bytes, "nodes", array) &&
        array->type == JSON_ARRAY_BEGIN) {
        return 0;
    }
    return run_fail(pages->resource.run, SNEK_E_SERVER,
                    "the response to the GraphQL query holds no list at %.200s", pages->path);
}

static int32_t open_page(struct snek_pages *pages) {
    struct json_value array;
    if (!pages->path && response_status(pages->page) == 204) {
        /* "No content" is an empty list: an empty repository has no contributors. */
        pages->ended = true;
        return 0;
    }
    int32_t result = pages->path ? find_nodes(pages, &array) : find_array(pages, &array);
    if (result < 0) {
        return result;
    }
    json_init(&pages->reader, array.raw, array.raw_bytes);
    json_next(&pages->reader);
    pages->in_page = true;
    return 0;
}

/* True when there is one. */
static bool next_in_page(struct snek_pages *pages) {
    struct json_reader *reader = &pages->reader;
    if (!pages->in_page) {
        return false;
    }
    const char *start = reader->at + strspn(reader->at, " \t\r\n,");
    enum json_token first = json_next(reader);
    pages->in_page =
        first != JSON_ARRAY_END && first != JSON_ERROR && json_skip(reader, first) == 0;
    pages->item = pages->in_page ? start : NULL;
    pages->item_bytes = (size_t)(reader->at - start);
    return pages->in_page;
}

/* ---- where the next page is ---- */

static int32_t follow_link(struct snek_pages *pages) {
    size_t bytes = 0;
    struct snek_text link = response_header(pages->page, "link");
    const char *url = link_next(link.data, link.bytes, &bytes);
    struct buffer *now = &pages->call.url;
    pages->ended = !url;
    if (!url) {
        return 0;
    }
    if (now->bytes == bytes && memcmp(now->data, url, bytes) == 0) {
        return run_fail(pages->resource.run, SNEK_E_SERVER,
                        "GitHub's Link header of %.200s names that page as the next one",
                        now->data);
    }
    now->bytes = 0;
    return buffer_append(now, url, bytes) == 0 ? 0
                                               : run_fail(pages->resource.run, SNEK_E_TOO_LARGE,
                                                          "the URL of the next page is too long");
}

static int32_t follow_cursor(struct snek_pages *pages) {
    struct snek_text body = response_body(pages->page);
    struct json_value connection, more, cursor;
    if (!json_find(body.data, body.bytes, pages->path, &connection) ||
        !json_find(connection.raw, connection.raw_bytes, "pageInfo.hasNextPage", &more) ||
        (more.type == JSON_TRUE &&
         (!json_find(connection.raw, connection.raw_bytes, "pageInfo.endCursor", &cursor) ||
          cursor.type != JSON_STRING))) {
        return run_fail(pages->resource.run, SNEK_E_INVALID,
                        "%.200s has no pageInfo: ask for pageInfo { hasNextPage endCursor } in the "
                        "query",
                        pages->path);
    }
    pages->ended = more.type != JSON_TRUE;
    if (!pages->ended && put_cursor(pages, cursor.raw, cursor.raw_bytes) < 0) {
        return json_body_too_large(pages->resource.run);
    }
    return 0;
}

static int32_t turn_page(struct snek_pages *pages) {
    if (pages->count >= SNEK_PAGES_MAX) {
        return run_fail(pages->resource.run, SNEK_E_TOO_LARGE, "the list has more than %d pages",
                        SNEK_PAGES_MAX);
    }
    int32_t result = 0;
    if (pages->page) {
        result = pages->path ? follow_cursor(pages) : follow_link(pages);
    }
    if (result < 0 || pages->ended) {
        return result;
    }
    /* First: at most one page is held. */
    response_free(pages->page);
    pages->page = NULL;
    pages->item = NULL;
    pages->count++;
    result = http_send(pages->resource.run, &pages->call, &pages->page);
    return result < 0 ? result : open_page(pages);
}

int32_t pagination_next(struct snek_pages *pages) {
    if (!pages) {
        return SNEK_E_FAILED;
    }
    if (pages->failure < 0 && !pages->ended) {
        /* Once: a further call finds no item. */
        pages->ended = true;
        return run_fail(pages->resource.run, pages->failure, "%s", pages->failure_reason);
    }
    while (!next_in_page(pages)) {
        int32_t result = pages->ended ? 0 : turn_page(pages);
        if (result < 0) {
            /* A further call finds no item. */
            pages->ended = true;
            return result;
        }
        if (pages->ended) {
            return 0;
        }
    }
    return 1;
}

uint32_t pagination_item(struct snek_pages *pages, const char *path, struct snek_value *value) {
    if (!pages || !pages->item) {
        if (value) {
            memset(value, 0, sizeof *value);
        }
        return SNEK_ABSENT;
    }
    return response_find_in(pages->page, pages->item, pages->item_bytes, path, value);
}

struct snek_response *pagination_page(struct snek_pages *pages) {
    return pages ? pages->page : NULL;
}
