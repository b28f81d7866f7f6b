/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "github", revision 1: requests to GitHub's API as the installation that the webhook came
 * from. The host adds the token, which is narrowed to the plugin's declared permissions and which
 * the plugin never sees, and the headers that GitHub wants. Calls block until the answer is there.
 */
#ifndef SNEKOMATIC_GITHUB_H
#define SNEKOMATIC_GITHUB_H

#include <snekomatic/event.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_GITHUB_SERVICE "github"
#define SNEK_GITHUB_REVISION 1

/* A value for `{name}` in a URL. It is percent-encoded as RFC 6570 level 1 says: only letters,
 * digits and -._~ stay, so a value can never leave its place in the path. */
struct snek_parameter {
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
 * repeated, a comment is looked for first, and any other POST fails with SNEK_E_DOUBTFUL, unless
 * this flag says that repeating it does no harm (adding a label that may be there already). */
enum snek_request_flag {
    SNEK_REQUEST_REPEATABLE = 1, /* [since 1.0] */
};

struct snek_request {
    uint32_t bytes;     /* sizeof this struct, as the plugin knows it [since 1.0] */
    uint32_t flags;     /* enum snek_request_flag, or 0 [since 1.0] */
    const char *method; /* GET, PUT, POST, PATCH or DELETE [since 1.0] */
    const char *url;    /* "/orgs/{org}/memberships/{username}" below the API's root, or a whole URL
                           from a payload, which must be of the configured API [since 1.0] */
    const struct snek_parameter
        *parameters;                 /* every {name} in the URL must be among them [since 1.0] */
    const struct snek_field *fields; /* the body, member by member; [since 1.0] */
    uint32_t parameters_count;       /* [since 1.0] */
    uint32_t fields_count;           /* [since 1.0] */
    struct snek_text
        body; /* or the body as JSON; data NULL when the fields are it, or none [since 1.0] */
};

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
};

#ifdef __cplusplus
}
#endif

#endif
