/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the fake's files share.
 *
 * Threads: libmicrohttpd gives each connection its own, so that a delayed response holds up nobody.
 * All that `struct fake` holds is guarded by its lock; a handler runs with the lock held, delays
 * and the network are outside of it. Functions that take a `struct http_exchange` answer into it.
 */
#ifndef SNEK_HARNESS_INTERNAL_H
#define SNEK_HARNESS_INTERNAL_H

#include "fake/fake.h"

#include "base/buffer.h"

#include <gnutls/abstract.h>
#include <jansson.h>
#include <microhttpd.h>
#include <pthread.h>

#define FAKE_BODY_MAX (1024 * 1024)
#define FAKE_SEGMENTS_MAX 12
#define FAKE_PARAMETERS_MAX 4
#define FAKE_REQUESTS_MAX 100000 /* recorded; then the oldest go */
#define FAKE_TIME_MAX 24         /* bytes of "2025-01-31T23:59:59Z" and some */

struct token {
    struct token *next;
    char *text;
    json_int_t installation;
    json_t *permissions;
    json_t *repositories; /* full names; NULL: all of the account's */
    uint64_t serial;
    int64_t expires_s;
};

struct fake {
    pthread_mutex_t lock;
    pthread_cond_t stop; /* wakes the delays when `stopping` or `releases` changes */
    bool stopping;
    unsigned releases; /* counted up, it ends the delays that are under way */

    int64_t app_id;
    const char *app_slug;
    gnutls_pubkey_t keys[FAKE_KEYS_MAX];
    size_t n_keys;
    bool quiet;
    char origin[128]; /* http://HOST:PORT */

    json_t *state; /* settings, and the lists that state.c names; complete */
    json_t *rates; /* bucket and caller -> {"used","reset"} */
    json_t *failures;
    json_t *requests;
    json_int_t requests_forgotten;
    json_int_t last_request;
    json_int_t last_id;
    struct token *tokens;
    uint64_t tokens_minted;

    json_t *deliveries; /* webhooks that were sent, in order; keys with a "_" are not GitHub's */
    json_int_t last_delivery;
    unsigned sending;    /* without the lock, right now */
    pthread_cond_t sent; /* when it counts down */
};

enum caller_kind { CALLER_NONE, CALLER_INVALID, CALLER_APP, CALLER_INSTALLATION };

struct caller {
    enum caller_kind kind;
    char problem[160];    /* of CALLER_INVALID: GitHub's message */
    json_t *claims;       /* of CALLER_APP; ours */
    json_t *installation; /* of CALLER_INSTALLATION: as the state has it; ours */
    json_t *permissions;  /* the token's; ours */
    json_t *repositories; /* the token's, or NULL; ours */
    uint64_t token;       /* the token's serial number */
};

struct http_exchange {
    struct fake *fake;
    struct MHD_Connection *connection;
    bool started;
    const char *method;
    char *path;  /* as sent, without the query; ours */
    char *query; /* as sent; ours; NULL when there is none */
    struct buffer body;
    bool body_too_large;

    char *unescaped, *resolved;                  /* where the segments are; ours */
    char *segments[FAKE_SEGMENTS_MAX];           /* of the path, unescaped */
    size_t n_segments;                           /* SIZE_MAX: too many, or a NUL in one */
    const char *parameters[FAKE_PARAMETERS_MAX]; /* what stood in the route's braces */
    const char *documentation;                   /* the route's, for its errors */
    struct caller caller;
    json_t *repository; /* of a route below /repos; in the state; borrowed while locked */
    json_t *record;     /* ours; NULL for the control API */

    /* The response. */
    unsigned status;
    json_t *response;    /* ours; NULL: no body */
    char *response_text; /* ours; a body that is not JSON; wins */
    json_t *headers;     /* ours; name -> text */
    bool drop;           /* close the connection instead */
};

/* server.c */
int64_t fake_now_s(const struct fake *fake); /* the clock, with the skew of the settings */
void fake_time_text(int64_t time_s, char text[FAKE_TIME_MAX]); /* as GitHub writes times */

/* response.c: each gives the whole response; an earlier one is forgotten. */
void respond_json(struct http_exchange *exchange, unsigned status,
                  json_t *body); /* steals `body` */
void respond_empty(struct http_exchange *exchange, unsigned status);
void respond_error(struct http_exchange *exchange, unsigned status, const char *message);
void respond_invalid(struct http_exchange *exchange, const char *resource, const char *field,
                     const char *code,
                     const char *message); /* 422 Validation Failed; the message may be NULL */
void response_header(struct http_exchange *exchange, const char *name,
                     const char *value); /* after the response */
enum MHD_Result response_send(struct http_exchange *exchange);
/* The body as an object, the caller's; NULL when it responded with an error. No body is an empty
 * object. Keys other than `allowed` (NULL-terminated) are rejected. */
json_t *exchange_body(struct http_exchange *exchange, const char *resource,
                      const char *const allowed[]);
/* The query's value of `name`, unescaped, the caller's to free; NULL when it is not there. */
char *exchange_query(const struct http_exchange *exchange, const char *name);

/* state.c */
json_t *state_empty(void);
/* Checks a whole state and fills in what was left out (lists, ids, settings). 0, or -1. */
int state_complete(struct fake *fake, json_t *state, struct error *err);
int state_check_settings(const json_t *settings, struct error *err);
json_t *state_list(const struct fake *fake, const char *name); /* borrowed */
json_int_t state_setting(const struct fake *fake, const char *name);
bool state_creates(const struct fake *fake, const char *what); /* settings.auto_create */
json_int_t state_new_id(struct fake *fake);
/* The item of `list` whose `key` is the text (in any case) or the number; borrowed, or NULL. */
json_t *list_find(const json_t *list, const char *key, const char *text);
json_t *list_find_number(const json_t *list, const char *key, json_int_t number);
json_t *list_add(json_t *list, json_t *item);                /* steals; the item, borrowed */
json_t *state_user(struct fake *fake, const char *login);    /* may create; borrowed, or NULL */
const char *text_of(const json_t *object, const char *key);  /* NULL when it is no text */
json_int_t number_of(const json_t *object, const char *key); /* 0 when it is no number */

/* merge.c */
int state_merge(json_t *into, const json_t *changes, struct error *err);

/* jwt.c, tokens.c, permissions.c */
int jwt_read_key(const char *file, gnutls_pubkey_t *key, struct error *err);
void jwt_verify(struct fake *fake, const char *jwt, struct caller *caller);
void caller_identify(struct http_exchange *exchange, const char *authorization);
void caller_finish(struct caller *caller);
const char *token_mint(struct fake *fake, json_int_t installation, json_t *permissions,
                       json_t *repositories, int64_t expires_s); /* steals both; NULL: no memory */
json_int_t tokens_expire(struct fake *fake, json_int_t installation); /* 0: of all */
void tokens_free(struct fake *fake);
bool permission_exists(const char *name);
/* Is `level` one that the permission knows? */
bool permission_has_level(const char *name, const char *level);
bool permission_is_of_repositories(const char *name);
/* Does what is granted include `name` at `level`? */
bool permission_covers(const json_t *granted, const char *name, const char *level);

/* record.c, failures.c */
void record_begin(struct http_exchange *exchange);
void record_caller(struct http_exchange *exchange);
void record_end(struct http_exchange *exchange, const json_t *failure);
/* The failure that is meant for this call, counted down; the caller's; or NULL. */
json_t *failure_take(struct fake *fake, const struct http_exchange *exchange);
int failure_check(const json_t *failure, struct error *err);
bool failure_breaks(const json_t *failure); /* or does it only delay? */
void failure_respond(struct http_exchange *exchange, const json_t *failure);

/* rates.c: GitHub's primary limits. */
enum rate_bucket { RATE_CORE, RATE_SEARCH, RATE_GRAPHQL };
bool rate_allows(struct http_exchange *exchange,
                 enum rate_bucket bucket); /* counts; false: it has responded */
void rate_give_back(struct http_exchange *exchange, enum rate_bucket bucket);
void add_rate_headers(struct http_exchange *exchange, enum rate_bucket bucket);
void rates_set(struct fake *fake, const json_t *settings); /* new limits begin new windows */

/* etags.c: marks the response. True when the caller has it already; it is a 304 then. */
bool response_is_unchanged(struct http_exchange *exchange);

/* repositories.c */
enum reach { REACH_NOTHING, REACH_HERE, REACH_ELSEWHERE };
/* The one that a route's first two parameters name, to exchange->repository. Elsewhere: it was
 * renamed.
 */
enum reach reach_repository(struct http_exchange *exchange);
void respond_moved(struct http_exchange *exchange);
void find_by_number(
    struct http_exchange *exchange); /* makes /repositories/ID/... /repos/OWNER/NAME/... */
/* Does the token give access to it? */
bool repository_is_reached(const struct http_exchange *exchange, const json_t *repository);

/* graphql.c */
int graphql_check(json_t *entry, struct error *err); /* one of the state's */

/* routes.c: fills in the response. */
void route_exchange(struct http_exchange *exchange);
/* control.c: likewise, for /_fake/. */
void control_exchange(struct http_exchange *exchange);

/* hooks.c: the control API's part of it, and the end, which waits for what is being sent. */
void control_deliver(struct http_exchange *exchange, json_t *body);
void control_deliveries(struct http_exchange *exchange);
void control_age(struct http_exchange *exchange, json_t *body);
void hooks_finish(struct fake *fake);

/* shapes.c: objects in GitHub's shape, new. */
json_t *shape_user(struct fake *fake, const char *login);
json_t *shape_account(struct fake *fake, const char *login); /* a user or an organization */
json_t *shape_membership(struct fake *fake, json_t *organization, json_t *member);
json_t *shape_issue(struct fake *fake, json_t *repository, json_t *issue);
json_t *shape_labels(struct fake *fake, json_t *repository, const json_t *issue);
json_t *shape_comment(struct fake *fake, json_t *repository, json_t *comment);
json_t *shape_review_comment(struct fake *fake, json_t *repository, json_t *comment);
json_t *shape_reaction(struct fake *fake, json_t *reaction);
json_t *shape_repository(struct fake *fake, json_t *repository);
json_t *app_login(const struct fake *fake); /* SLUG[bot] */

/* pages.c: answers the page of `all` (stolen) that the query asks for, with its links. */
void respond_page(struct http_exchange *exchange, json_t *all);
/* The same as the member `name` of `whole` (stolen). */
void respond_page_in(struct http_exchange *exchange, json_t *whole, const char *name, json_t *all);
size_t query_per_page(const struct http_exchange *exchange);
size_t query_number(const struct http_exchange *exchange, const char *name, size_t otherwise);

/* The handlers: apps.c, hooks.c, orgs.c, repositories.c, search.c, graphql.c, issues.c, comments.c,
 * reactions.c. */
void handle_app(struct http_exchange *exchange);
void handle_installations_get(struct http_exchange *exchange);
void handle_installation_get(struct http_exchange *exchange);
void handle_user_get(struct http_exchange *exchange);
void handle_rate_limit(struct http_exchange *exchange);
void handle_access_tokens(struct http_exchange *exchange);
void handle_hook_deliveries(struct http_exchange *exchange);
void handle_hook_delivery(struct http_exchange *exchange);
void handle_hook_attempts(struct http_exchange *exchange);
void handle_membership_get(struct http_exchange *exchange);
void handle_membership_put(struct http_exchange *exchange);
void handle_membership_delete(struct http_exchange *exchange);
void handle_member_get(struct http_exchange *exchange);
void handle_repository_get(struct http_exchange *exchange);
void handle_installation_repositories(struct http_exchange *exchange);
void handle_search_issues(struct http_exchange *exchange);
void handle_graphql(struct http_exchange *exchange);
void handle_issue_get(struct http_exchange *exchange);
void handle_issues_get(struct http_exchange *exchange);
void handle_issue_patch(struct http_exchange *exchange);
void handle_labels_get(struct http_exchange *exchange);
void handle_labels_post(struct http_exchange *exchange);
void handle_label_delete(struct http_exchange *exchange);
void handle_comments_get(struct http_exchange *exchange);
void handle_comments_post(struct http_exchange *exchange);
void handle_replies_post(struct http_exchange *exchange);
void handle_issue_reactions_post(struct http_exchange *exchange);
void handle_comment_reactions_post(struct http_exchange *exchange);
void handle_review_comment_reactions_post(struct http_exchange *exchange);
/* The issue or pull request that the route's third parameter names, created when the settings say
 * so; NULL when it responded with 404. */
json_t *find_issue(struct http_exchange *exchange, bool must_be_pull);
/* A comment of the repository by its id, likewise; `list` is "comments" or "review_comments". */
json_t *find_comment(struct http_exchange *exchange, const char *list, const char *id);

#endif
