/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "github", revision 1: requests to GitHub's API as the installation that the webhook came
 * from. Below /app, and if plugin.app_requests allows it, as the app.
 *
 *   plugin                      host                                 GitHub
 *    | send(run, &request, &r)   |                                     |
 *    |-------------------------->| adds the token and GitHub's headers |
 *    |                           | waits for rate limits, retries      |
 *    |                           |------------------------------------>|
 *    |  0 or a negative error    |<------------------------------------|
 *    |<--------------------------|                                     |
 *    | status(r), body(r), header(r, name), find(r, path, &value)
 *    | free_response(r)            (else the host frees it with the run)
 *
 *    | pages(run, &request, &p)                nothing is sent yet
 *    | next(p) -> 1                            sends when the next item is on another page
 *    | item(p, path, &value), page(p)          the present item, and its page
 *    | next(p) -> 0                            no more items
 *    | free_pages(p)               (else the host frees it with the run)
 *
 * The host narrows the token to the permissions that the plugin declares. The plugin never sees it.
 * A request that changes something is sent once, even when the run is retried after a crash.
 *
 * Threads: any thread of a handler may call a slot, but one thread at a time may use a response or
 * a list. */
#ifndef SNEKOMATIC_GITHUB_H
#define SNEKOMATIC_GITHUB_H

#include <snekomatic/event.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_GITHUB_SERVICE "github"
#define SNEK_GITHUB_REVISION 1

/* A struct snek_parameter is the value for `{name}` in a URL (RFC 6570), or a part of its query.
 * The host percent-encodes the value, except letters, digits and -._~, so that it cannot change the
 * rest of the URL. The templates in GitHub's payloads work too: `{/name}` is "/value", `{?a,b}` is
 * "?a=value&b=value" and `{&a}` is "&a=value". These three leave out a name that has no value; NULL
 * also leaves a parameter out of a query. */

/* A header of a request. The host rejects the headers that it sets itself: Authorization, Accept
 * and Content-Type (members of struct snek_request set these two), Content-Length, Host,
 * User-Agent, conditional headers (the host caches responses), and headers of the connection. */
struct snek_header {
    const char *name;
    const char *value;
};

enum snek_field_kind {
    /* `text` becomes a JSON string. */
    SNEK_FIELD_TEXT = 0,
    /* `integer` becomes a number. */
    SNEK_FIELD_INTEGER = 1,
    /* true when `integer` is not 0, else false. */
    SNEK_FIELD_BOOLEAN = 2,
    /* `text` is JSON: an array, an object, null. */
    SNEK_FIELD_JSON = 3
};

/* A member of the JSON object that is the request's body. */
struct snek_field {
    const char *name;
    /* UTF-8. */
    const char *text;
    int64_t integer;
    /* enum snek_field_kind. */
    uint32_t kind;
    /* 0. */
    uint32_t reserved;
};

enum snek_request_flag {
    /* Repeating the request is harmless: for example, adding a label that may be there already.
     *
     * After a crash, nobody knows whether a request without a response has reached GitHub. The host
     * then repeats a PUT, PATCH or DELETE, and it looks for a comment before it posts it again. Any
     * other POST and a GraphQL mutation fail with SNEK_E_IN_DOUBT, unless this flag is set. */
    SNEK_REQUEST_REPEATABLE = 1
};

/* Borrowed with everything that it points to until send() or pages() returns. */
struct snek_request {
    /* The size of this struct in the plugin. */
    uint32_t bytes;
    /* enum snek_request_flag, or 0. */
    uint32_t flags;
    /* GET, HEAD, PUT, POST, PATCH or DELETE. */
    const char *method;
    /* "/orgs/{org}/memberships/{username}" below the root of the API; or a whole URL from a
     * payload, which must be of the configured API. At most 8192 bytes. */
    const char *url;
    /* Every {name} of the URL must be among them. At most 256. */
    const struct snek_parameter *parameters;
    /* Appended to the URL as name=value&… At most 256. */
    const struct snek_parameter *query;
    /* At most 32. */
    const struct snek_header *headers;
    /* The members of a JSON body. At most 256. */
    const struct snek_field *fields;
    uint32_t parameters_count;
    uint32_t query_count;
    uint32_t headers_count;
    uint32_t fields_count;
    /* The body, when it is not made of fields; `data` is NULL when there is none. Below 4 MiB. */
    struct snek_text body;
    /* The media type of `body`; NULL for JSON, which the host then checks. */
    const char *content_type;
    /* The media type of the response; NULL for application/vnd.github+json. */
    const char *accept;
    /* "owner/name" for a token that reaches only this repository of the installation; NULL for a
     * token that reaches all of them. */
    const char *repository;
};

/* A GraphQL query or mutation. Borrowed like struct snek_request. */
struct snek_graphql {
    /* The size of this struct in the plugin. */
    uint32_t bytes;
    /* enum snek_request_flag, or 0. */
    uint32_t flags;
    /* The GraphQL document. */
    const char *query;
    const struct snek_field *variables;
    uint32_t variables_count;
    /* 0. */
    uint32_t reserved;
};

/* The most pages of one list. GitHub gives up to 100 items a page. */
#define SNEK_PAGES_MAX 1000

/* A list that is read page by page. The host owns its memory. */
struct snek_pages;

/* A response. The host owns its memory. */
struct snek_response;

struct snek_github_service {
    /* The size of this struct in the host. */
    uint32_t bytes;
    /* The size of struct snek_request in the host. */
    uint32_t request_bytes;

    /* Sends a request and blocks until the response arrives. 0 when its status is 200 to 299, else
     * a negative enum snek_error with a reason. `response` may be NULL. Otherwise `*response` is
     * the response, of any status, which the caller passes to free_response(); NULL when none came.
     */
    int32_t (*send)(struct snek_run *run, const struct snek_request *request,
                    struct snek_response **response);

    /* Frees a response; takes NULL. The host frees the others with the run. Never blocks. */
    void (*free_response)(struct snek_response *response);

    /* The HTTP status. Never blocks. */
    int32_t (*status)(const struct snek_response *response);

    /* The body, borrowed until the response is freed. At most 8 MiB. Never blocks. */
    struct snek_text (*body)(const struct snek_response *response);

    /* The value of a header, by its name in lower case, borrowed until the response is freed.
     * `data` is NULL when there is no such header. Never blocks. */
    struct snek_text (*header)(struct snek_response *response, const char *name);

    /* Works like the event service's find(), in the JSON of the body. Texts are borrowed until the
     * response is freed. Never blocks. */
    uint32_t (*find)(struct snek_response *response, const char *path, struct snek_value *value);

    /* Sends a GraphQL document to the API's GraphQL URL, as send() does. A response with errors is
     * an error, although GitHub's status is 200: the first one decides the code, and their messages
     * are the reason. Such a response may have both "data" and "errors". */
    int32_t (*graphql)(struct snek_run *run, const struct snek_graphql *query,
                       struct snek_response **response);

    /* Starts to read a list with a GET request, 100 items a page unless its URL or query sets
     * per_page. Nothing is sent yet, and the request is copied. Never blocks. 0 and `*pages`, which
     * the caller passes to free_pages(); or a negative enum snek_error with a reason. */
    int32_t (*pages)(struct snek_run *run, const struct snek_request *request,
                     struct snek_pages **pages);

    /* Starts to read a GraphQL connection, as pages() does. `path` leads to the connection:
     * "data.repository.issues". The query must ask it for `nodes` and for
     * `pageInfo { hasNextPage endCursor }`. `cursor` is the name of the variable for the cursor,
     * such as "after"; its value is null for the first page. */
    int32_t (*graphql_pages)(struct snek_run *run, const struct snek_graphql *query,
                             const char *path, const char *cursor, struct snek_pages **pages);

    /* Moves to the next item: 1 when there is one, 0 after the last, or a negative enum snek_error
     * with a reason (SNEK_E_TOO_LARGE after SNEK_PAGES_MAX pages). The items are those of the array
     * that the page is, or that its object contains ("total_count" and "items"). Blocks when the
     * item is on another page, which `Link: rel="next"` names. One page is in memory at a time. */
    int32_t (*next)(struct snek_pages *pages);

    /* Works like find(), in the present item; the empty path is the item itself. Texts are borrowed
     * until next() moves to another page. Never blocks. */
    uint32_t (*item)(struct snek_pages *pages, const char *path, struct snek_value *value);

    /* The page of the present item, borrowed until next() moves to another page. NULL before the
     * first. Never blocks. */
    struct snek_response *(*page)(struct snek_pages *pages);

    /* Frees a list and its page; takes NULL. The host frees the others with the run. Never blocks.
     */
    void (*free_pages)(struct snek_pages *pages);
};

#ifdef __cplusplus
}
#endif

#endif
