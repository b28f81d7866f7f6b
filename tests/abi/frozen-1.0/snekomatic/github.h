/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "github", revision 1: requests to GitHub's API as the installation that the webhook came
 * from. Below /app, and if plugin.app_requests allows it, as the app.
 *
 *   plugin                      host                                 GitHub
 *    | send(run, &request)       |                                     |
 *    |-------------------------->| adds the token and GitHub's headers |
 *    |                           | waits for rate limits, retries      |
 *    |                           |------------------------------------>|
 *    |  0 or a negative error    |<------------------------------------|
 *    |<--------------------------|                                     |
 *    | status(r), body(r), header(r, name), find(r, path, &value)
 *    | free_response(r)            (else the host frees it with the run)
 *
 *    | p = pages(run, &request)                nothing is sent yet
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

/* A header of a request. The host rejects the headers that it sets itself: Authorization, Accept
 * and Content-Type (members of struct snek_request set these two), Content-Length, Host,
 * User-Agent, conditional headers (the host caches responses), and headers of the connection. */
struct snek_header {
    const char *name;
    const char *value;
};

enum snek_request_flag {
    /* Repeating the request is harmless: for example, adding a label that may be there already.
     *
     * After a crash, nobody knows whether a request without a response has reached GitHub. The host
     * then repeats a PUT, PATCH or DELETE, and it looks for a comment or check run before it posts
     * it again. Any other POST and a GraphQL mutation fail with SNEK_E_IN_DOUBT, unless this flag
     * is set. */
    SNEK_REQUEST_REPEATABLE = 1,
    /* Each repetition adds something: for example, a PATCH of a check run adds its annotations to
     * those that are there. In doubt, such a PUT, PATCH or DELETE fails with SNEK_E_IN_DOUBT, like
     * a POST. So does a POST of a check run, which the plugin looks for by itself.
     *
     * With both flags it is the repetition of such a request, after the plugin has looked and not
     * found its effect. While GitHub may still be carrying out the request that is in doubt (12 s
     * after the response was lost, 30 s after the request of a host that died), it fails with
     * SNEK_E_REQUEUE: the host starts the run again later, and the plugin looks once more. */
    SNEK_REQUEST_ADDS = 2
};

/* The most parameters, and the most parts of the query, of one request. */
#define SNEK_PARAMETERS_MAX 8
/* The most headers of one request. */
#define SNEK_HEADERS_MAX 8

/* A response. The host owns its memory. */
struct snek_response;

/* A request, for snek_request(run, "PUT", url, .json = ...), which sets the first four members.
 * Borrowed with everything that it points to until the call returns. */
struct snek_request {
    /* The size of this struct in the plugin. */
    uint32_t bytes;
    /* 0. */
    uint32_t reserved;
    /* GET, HEAD, PUT, POST, PATCH or DELETE. */
    const char *method;
    /* "/orgs/{org}/memberships/{username}" below the root of the API; or a whole URL from a
     * payload, which must be of the configured API. At most 8192 bytes.
     *
     * The host replaces `{name}` by the value of that name (RFC 6570) and percent-encodes it,
     * except letters, digits and -._~, so that a value cannot change the rest of the URL. `{+name}`
     * keeps the slashes of a value. The templates of GitHub's payloads work too: `{/name}` is
     * "/value",
     * `{?a,b}` is "?a=value&b=value" and `{&a}` is "&a=value"; these three leave out a name that
     * has no value.
     *
     * For `{name}` these names have values of the event, unless `parameters` has the name:
     * {owner}, {repo} and {repository} ("owner/repo") of the repository, and {number} of the issue,
     * pull request or discussion, or of the first pull request of a check.
     *
     * A value that is NULL or empty, or makes a segment "." or "..", is an error for which the host
     * rejects the run: such a value often comes from a comment, and a retry changes nothing. */
    const char *url;
    /* Values for the names of the URL, up to the first without a name. */
    struct snek_parameter parameters[SNEK_PARAMETERS_MAX];
    /* Appended to the URL as name=value&…, up to the first without a name. NULL leaves one out. */
    struct snek_parameter query[SNEK_PARAMETERS_MAX];
    /* The body, JSON, as snek_json() makes it. NULL when there is none. Below 4 MiB. */
    const char *json;
    /* A body that is not JSON; `data` is NULL when there is none. Below 4 MiB. */
    struct snek_text body;
    /* The media type of `body`. */
    const char *content_type;
    /* The media type of the response; NULL for application/vnd.github+json. */
    const char *accept;
    /* "owner/name" for a token that reaches only this repository of the installation; NULL for a
     * token that reaches all of them. */
    const char *repository;
    /* Up to the first without a name. */
    struct snek_header headers[SNEK_HEADERS_MAX];
    /* For a list: the key of the array in an object, "check_runs". NULL for a response that is an
     * array, or an object with `total_count` or with exactly one array. */
    const char *list;
    /* Names the effect, "welcome": in this run an effect of that name is made once. When GitHub has
     * accepted it, every later request of the name gets its recorded response and is not sent, even
     * if its method, URL or body differs. Use it for a text that may differ in a retry. The same
     * attempt gets only the status of a response over 64 KiB, or when the host has kept 8 MiB of
     * the plugin's. A line of at most 100 bytes. NULL: an equal request is recognized by its
     * method, URL and body. */
    const char *once;
    /* enum snek_request_flag, or 0. */
    uint32_t flags;
    /* 0. */
    uint32_t reserved_2;
    /* Where the response goes; NULL when the result is enough, and for a list. */
    struct snek_response **response;
};

/* A GraphQL query or mutation, for snek_graphql(run, query, .variables = ...), which sets the first
 * three members. Borrowed like struct snek_request. */
struct snek_graphql {
    /* The size of this struct in the plugin. */
    uint32_t bytes;
    /* 0. */
    uint32_t reserved;
    /* The GraphQL document. */
    const char *query;
    /* A JSON object, as snek_json() makes it. NULL for none. */
    const char *variables;
    /* For a list: leads to the connection, "data.repository.issues". The query must ask it for
     * `nodes` and for `pageInfo { hasNextPage endCursor }`. */
    const char *path;
    /* For a list: the name of the variable for the cursor, whose value is null for the first page.
     * NULL for "after". */
    const char *cursor;
    /* Names the effect of a mutation, as in struct snek_request. */
    const char *once;
    /* enum snek_request_flag, or 0. */
    uint32_t flags;
    /* 0. */
    uint32_t reserved_2;
    /* Where the response goes; NULL when the result is enough, and for a list. */
    struct snek_response **response;
};

/* The most pages of one list. GitHub gives up to 100 items a page. */
#define SNEK_PAGES_MAX 1000

/* A list that is read page by page. The host owns its memory. */
struct snek_pages;

struct snek_github_service {
    /* The size of this struct in the host. */
    uint32_t bytes;
    /* The size of struct snek_request in the host. */
    uint32_t request_bytes;

    /* [handler] Sends a request and blocks until the response arrives. 0 when its status is 200 to
     * 299, else a negative enum snek_error with a reason. `*request->response` is then the
     * response, of any status, which the caller may pass to free_response(); NULL when none came.
     */
    int32_t (*send)(struct snek_run *run, const struct snek_request *request);

    /* [handler] Frees a response; takes NULL. The host frees the others with the run. Never blocks.
     */
    void (*free_response)(struct snek_response *response);

    /* [handler] The HTTP status. Never blocks. */
    int32_t (*status)(const struct snek_response *response);

    /* [handler] The body, borrowed until the response is freed. At most 8 MiB. Never blocks. */
    struct snek_text (*body)(const struct snek_response *response);

    /* [handler] The value of a header, by its name in lower case, borrowed until the response is
     * freed. `data` is NULL when there is no such header. Never blocks. */
    struct snek_text (*header)(struct snek_response *response, const char *name);

    /* [handler] Works like the event service's find(), in the JSON of the body. Texts are borrowed
     * until the response is freed. Never blocks. */
    uint32_t (*find)(struct snek_response *response, const char *path, struct snek_value *value);

    /* [handler] Sends a GraphQL document to the API's GraphQL URL, as send() does. A response with
     * errors is an error, although GitHub's status is 200: the first one decides the code, and
     * their messages are the reason. Such a response may have both "data" and "errors". */
    int32_t (*graphql)(struct snek_run *run, const struct snek_graphql *query);

    /* [handler] Starts to read a list with a GET request, 100 items a page unless its URL or query
     * sets per_page. Nothing is sent yet, and the request is copied. Never blocks. The list, which
     * the caller may pass to free_pages(). When the request is wrong, next() fails with the reason.
     * NULL when memory is short. */
    struct snek_pages *(*pages)(struct snek_run *run, const struct snek_request *request);

    /* [handler] Starts to read a GraphQL connection, as pages() does. */
    struct snek_pages *(*graphql_pages)(struct snek_run *run, const struct snek_graphql *query);

    /* [handler] Moves to the next item: 1 when there is one, 0 after the last, or a negative enum
     * snek_error with a reason (SNEK_E_TOO_LARGE after SNEK_PAGES_MAX pages). The items are those
     * of the array that the page is, or that its object contains: that of the key `list`; else the
     * one array beside "total_count", or the only one. A page that has several fails with
     * SNEK_E_INVALID and the keys of its arrays. A 204 is an empty list. Blocks when the item is on
     * another page, which `Link: rel="next"` names. One page is in memory at a time. SNEK_E_FAILED
     * for NULL. */
    int32_t (*next)(struct snek_pages *pages);

    /* [handler] Works like find(), in the present item; the empty path is the item itself. Texts
     * are borrowed until next() moves to another page. Never blocks. */
    uint32_t (*item)(struct snek_pages *pages, const char *path, struct snek_value *value);

    /* [handler] The page of the present item, borrowed until next() moves to another page. NULL
     * before the first. Never blocks. */
    struct snek_response *(*page)(struct snek_pages *pages);

    /* [handler] Frees a list and its page; takes NULL. The host frees the others with the run.
     * Never blocks.
     */
    void (*free_pages)(struct snek_pages *pages);

    /* [handler] 1 when the token of this run has the permission (by GitHub's name, at least at the
     * access "read", "write" or "admin"), 0 when not, or a negative enum snek_error with a reason.
     * For the optional permissions of the descriptor. Blocks until the host has a token. A
     * permission that an owner grants later is there within ten minutes. The answer is recorded
     * like a read. */
    int32_t (*has_permission)(struct snek_run *run, const char *name, const char *access);

    /* [handler] The login of the app's bot user, "my-app[bot]": 0 and `*login`, borrowed until the
     * handler returns, or a negative enum snek_error with a reason. Blocks until the host knows it.
     * It changes when the app is renamed, which the host notices within an hour. The answer is
     * recorded like a read. */
    int32_t (*bot_login)(struct snek_run *run, struct snek_text *login);
};

#ifdef __cplusplus
}
#endif

#endif
