/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "github", revision 1: requests to GitHub's API as the installation that the webhook came
 * from (or, below /app, as the app, where plugin.app_requests allows it). The host adds the token,
 * which is narrowed to the plugin's declared permissions and which the plugin never sees, and the
 * headers that GitHub wants. Calls block until the answer is there. */
#ifndef SNEKOMATIC_GITHUB_H
#define SNEKOMATIC_GITHUB_H

#include <snekomatic/event.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_GITHUB_SERVICE "github"
#define SNEK_GITHUB_REVISION 1

/* A value for `{name}` in a URL (RFC 6570), or of its query. It is percent-encoded: only letters,
 * digits and -._~ stay, so a value can never leave its place. As in the URLs of payloads,
 * `{/name}` is "/value", `{?a,b}` is "?a=value&b=value" and `{&a}` is "&a=value"; of these, what
 * has no value is left out. */
struct snek_parameter {
    const char *name;  /* [since 1.0] */
    const char *value; /* in a query NULL leaves it out [since 1.0] */
};

/* A header of a request. Rejected are those that the host owns: Authorization, Accept, Content-Type
 * (which have their places below), Content-Length, Host, User-Agent, conditions (the host keeps
 * what did not change), and what concerns the connection. */
struct snek_header {
    const char *name;  /* [since 1.0] */
    const char *value; /* [since 1.0] */
};

enum snek_field_kind {
    SNEK_FIELD_TEXT = 0,    /* `text`, as a JSON string [since 1.0] */
    SNEK_FIELD_INTEGER = 1, /* `integer` [since 1.0] */
    SNEK_FIELD_BOOLEAN = 2, /* `integer` not 0 [since 1.0] */
    SNEK_FIELD_JSON = 3,    /* `text` is JSON already: an array, an object, null [since 1.0] */
};

/* A member of the request's JSON object. */
struct snek_field {
    const char *name;  /* [since 1.0] */
    const char *text;  /* UTF-8 [since 1.0] */
    int64_t integer;   /* [since 1.0] */
    uint32_t kind;     /* enum snek_field_kind [since 1.0] */
    uint32_t reserved; /* 0 [since 1.0] */
};

/* A request that changes something is sent once, even when the run is tried again after a crash.
 * Whether one that was cut off had reached GitHub, nobody can tell: a PUT, PATCH or DELETE is then
 * repeated, a comment is looked for first, and any other POST, and a GraphQL mutation, fails with
 * SNEK_E_IN_DOUBT, unless this flag says that repeating it does no harm (adding a label that may be
 * there already). */
enum snek_request_flag {
    SNEK_REQUEST_REPEATABLE = 1, /* [since 1.0] */
};

struct snek_request {
    uint32_t bytes;     /* sizeof this struct, as the plugin knows it [since 1.0] */
    uint32_t flags;     /* enum snek_request_flag, or 0 [since 1.0] */
    const char *method; /* GET, HEAD, PUT, POST, PATCH or DELETE [since 1.0] */
    const char *url;    /* "/orgs/{org}/memberships/{username}" below the API's root, or a whole URL
                           from a payload, which must be of the configured API [since 1.0] */
    const struct snek_parameter
        *parameters;                    /* every {name} in the URL must be among them [since 1.0] */
    const struct snek_parameter *query; /* put behind the URL: name=value&... [since 1.0] */
    const struct snek_header *headers;  /* [since 1.0] */
    const struct snek_field *fields;    /* the body, member by member; [since 1.0] */
    uint32_t parameters_count;          /* [since 1.0] */
    uint32_t query_count;               /* [since 1.0] */
    uint32_t headers_count;             /* [since 1.0] */
    uint32_t fields_count;              /* [since 1.0] */
    struct snek_text
        body; /* or the body as it is; data NULL when the fields are it, or none [since 1.0] */
    const char *content_type; /* of the body; NULL: JSON, which is checked [since 1.0] */
    const char *accept;       /* the media type; NULL: application/vnd.github+json [since 1.0] */
    const char *repository;   /* "owner/name": with a token that reaches only this one of the
                                 installation's repositories; NULL: all of them [since 1.0] */
};

/* A GraphQL query or mutation. */
struct snek_graphql {
    uint32_t bytes;                     /* sizeof this struct, as the plugin knows it [since 1.0] */
    uint32_t flags;                     /* as a request's [since 1.0] */
    const char *query;                  /* the document [since 1.0] */
    const struct snek_field *variables; /* [since 1.0] */
    uint32_t variables_count;           /* [since 1.0] */
    uint32_t reserved;                  /* 0 [since 1.0] */
};

#define SNEK_PAGES_MAX 1000 /* of one list; a hundred items each where GitHub gives so many */

struct snek_pages; /* the host's: a list that is read page by page; one thread at a time */

struct snek_response; /* the host's; one thread at a time */

struct snek_github_service {
    uint32_t bytes;         /* sizeof this struct, as the host knows it [since 1.0] */
    uint32_t request_bytes; /* sizeof struct snek_request, as the host knows it [since 1.0] */

    /* Sends and waits. 0 when GitHub answered 200 to 299, else a negative enum snek_error; a
     * failure leaves its sentence as the run's reason. When `response` is not NULL and an answer
     * came, of whatever status, `*response` is the caller's, to be given to free_response();
     * otherwise `*response` is NULL. [since 1.0] */
    int32_t (*send)(struct snek_run *run, const struct snek_request *request,
                    struct snek_response **response);

    /* Frees; takes NULL. Never blocks. Responses that are forgotten go with the run. [since 1.0] */
    void (*free_response)(struct snek_response *response);

    /* The HTTP status. Never blocks. [since 1.0] */
    int32_t (*status)(const struct snek_response *response);

    /* The body, borrowed from the response. Never blocks. [since 1.0] */
    struct snek_text (*body)(const struct snek_response *response);

    /* A header by its name in lower case, borrowed from the response; data is NULL when absent.
     * Never blocks. [since 1.0] */
    struct snek_text (*header)(struct snek_response *response, const char *name);

    /* As the event service's find(), in the response's JSON; texts are borrowed from the response.
     * Never blocks. [since 1.0] */
    uint32_t (*find)(struct snek_response *response, const char *path, struct snek_value *value);

    /* A GraphQL request: POST to the API's GraphQL URL, whichever that is. As send(), but errors in
     * the answer are errors, though GitHub answers 200: their first decides the code, and their
     * messages are the reason. The response then has both "data" and "errors". [since 1.0] */
    int32_t (*graphql)(struct snek_run *run, const struct snek_graphql *query,
                       struct snek_response **response);

    /* Begins to read a list, with a GET (100 items a page unless the URL or query says otherwise).
     * Nothing is sent yet. 0 and `*pages`, to be given to free_pages(); or a negative enum
     * snek_error. What `request` points to is copied. [since 1.0] */
    int32_t (*pages)(struct snek_run *run, const struct snek_request *request,
                     struct snek_pages **pages);

    /* The same over a GraphQL connection, which the query must ask for `nodes` and
     * `pageInfo { hasNextPage endCursor }`. `path` leads to it: "data.repository.issues". The
     * cursor goes into the variable `cursor` ("after"); it is null for the first page.
     * [since 1.0] */
    int32_t (*graphql_pages)(struct snek_run *run, const struct snek_graphql *query,
                             const char *path, const char *cursor, struct snek_pages **pages);

    /* Moves to the next item, and sends and waits when it is on another page: of the array that the
     * page is, or that its object wraps ("total_count" and "items"). Pages follow each other by
     * `Link: rel="next"`, within the configured API; one is held at a time. 1 there is an item, 0
     * there are no more, or a negative enum snek_error, SNEK_E_TOO_LARGE after SNEK_PAGES_MAX
     * pages. [since 1.0] */
    int32_t (*next)(struct snek_pages *pages);

    /* As find(), within the present item; an empty path is the item itself. Texts are borrowed
     * until next() moves to another page. Never blocks. [since 1.0] */
    uint32_t (*item)(struct snek_pages *pages, const char *path, struct snek_value *value);

    /* The page that the item is on, borrowed likewise; NULL before the first. Never blocks.
     * [since 1.0] */
    struct snek_response *(*page)(struct snek_pages *pages);

    /* Frees; takes NULL. Never blocks. What is forgotten goes with the run. [since 1.0] */
    void (*free_pages)(struct snek_pages *pages);
};

#ifdef __cplusplus
}
#endif

#endif
