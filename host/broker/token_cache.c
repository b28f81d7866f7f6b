/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The cached tokens and the requests for new ones. */
#include "broker/token_cache.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/lru_map.h"
#include "base/mailbox.h"
#include "base/secret.h"
#include "base/text.h"
#include "broker/granted_cache.h"
#include "broker/permission_set.h"
#include "broker/response.h"
#include "broker/token_budget.h"
#include "broker/token_denials.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <string.h>
#include <time.h>

#define RENEW_BEFORE_S 60
#define FRESH_MS 15000
#define PERMISSIONS_SHOWN 200
#define KEY_MAX (1u << 20)
/* After GitHub said that an installation is suspended, so long it is not asked again. */
#define SUSPENDED_FOR_MS 20000

TAILQ_HEAD(token_waiters, token_waiter);

/* Why GitHub gave no token. Only GitHub's own JSON decides. */
enum denial {
    DENIAL_NONE,
    /* The installation does not grant the permissions. */
    DENIAL_NOT_GRANTED,
    /* The installation does not reach the repository. */
    DENIAL_REPOSITORY,
    DENIAL_SUSPENDED,
    /* The app is not installed there any more. */
    DENIAL_GONE,
};

struct token {
    struct lru_entry entry;
    char *installation, *permissions, *optional, *repository;
    struct token_cache *cache;
    /* The permissions of the present request, and of the token: JSON. */
    char *wanted, *granted;
    /* The present request, or the token, leaves out optional permissions, until this (monotonic).
     */
    bool narrowed;
    int64_t narrowed_until_ms;
    /* They are left out by what was read for an earlier token. */
    bool remembered;
    struct secret text;
    uint64_t token_id;
    /* Monotonic. */
    int64_t renew_at_ms, created_at_ms;
    /* NULL: none in progress. */
    struct app_request *request;
    /* GitHub denied it because of a permission, while `request` asks which ones the installation
     * grants; else NULL. */
    struct app_request *denied;
    /* The permissions that the installation lacks, in words; NULL: not known. */
    char *lacking;
    /* The plugin that it is for; "": the host. */
    char asker[INBOX_NAME_MAX + 1];
    int64_t requested_at_ms;
    struct token_waiters waiters;
    /* From the last response. */
    enum denial denial;
    /* Monotonic; 0: not suspended. */
    int64_t suspended_until_ms;
    /* Waits for GET /app, which confirms that the app is gone. */
    struct slug_waiter confirmation;
};

struct token_cache {
    const struct app_client *client;
    struct etag_cache *etags;
    struct slug_cache *slug;
    struct lru_map map;
    uint64_t last_token_id;
    struct token_denials denials;
    struct token_budgets budgets;
    struct granted_cache granted;
};

static struct token *token_of(struct lru_entry *entry) {
    return CONTAINER_OF(entry, struct token, entry);
}

static void free_app_request(struct app_request *request) {
    if (request) {
        app_request_finish(request);
        free(request);
    }
}

static void free_request(struct token *token) {
    free_app_request(STEAL(token->request));
}

/* Also drops the responses that were cached under it. */
static void forget_text(struct token *token) {
    if (token->text.data) {
        etag_cache_drop(token->cache->etags, token->token_id);
    }
    secret_finish(&token->text);
}

static void free_token(struct token *token) {
    assert(TAILQ_EMPTY(&token->waiters));
    slug_cache_forget(&token->confirmation);
    free_request(token);
    free_app_request(token->denied);
    forget_text(token);
    free(token->installation);
    free(token->permissions);
    free(token->optional);
    free(token->repository);
    free(token->wanted);
    free(token->granted);
    free(token->lacking);
    free(token);
}

static bool is_in_use(const struct lru_entry *entry, void *context) {
    (void)context;
    return CONTAINER_OF(entry, const struct token, entry)->request != NULL;
}

static void on_evict(struct lru_entry *entry, void *context) {
    (void)context;
    free_token(token_of(entry));
}

struct token_cache *token_cache_new(const struct app_client *client, struct etag_cache *etags,
                                    struct slug_cache *slug) {
    struct token_cache *cache = calloc(1, sizeof *cache);
    if (cache) {
        cache->client = client;
        cache->etags = etags;
        cache->slug = slug;
        token_budgets_init(&cache->budgets);
        granted_cache_init(&cache->granted);
        lru_map_init(&cache->map, &(struct lru_map_options){.entries_max = TOKEN_CACHE_MAX,
                                                            .is_in_use = is_in_use,
                                                            .on_evict = on_evict});
    }
    return cache;
}

void token_cache_free(struct token_cache *cache) {
    if (cache) {
        lru_map_finish(&cache->map);
        token_budgets_finish(&cache->budgets);
        granted_cache_finish(&cache->granted);
        free(cache);
    }
}

static int build_key(const struct token_waiter *waiter, struct buffer *key) {
    int failed = lru_map_key_part(key, waiter->installation);
    failed |= lru_map_key_part(key, waiter->permissions);
    failed |= lru_map_key_part(key, waiter->optional);
    failed |= lru_map_key_part(key, waiter->repository);
    return failed ? -1 : 0;
}

static struct token *find_token(struct token_cache *cache, const struct token_waiter *waiter) {
    AUTO_BUFFER struct buffer key = BUFFER_INIT(KEY_MAX);
    if (build_key(waiter, &key) < 0) {
        return NULL;
    }
    struct lru_entry *entry = lru_map_find(&cache->map, key.data, key.bytes);
    return entry ? token_of(entry) : NULL;
}

static struct token *add_token(struct token_cache *cache, const struct token_waiter *waiter) {
    AUTO_BUFFER struct buffer key = BUFFER_INIT(KEY_MAX);
    struct token *token = calloc(1, sizeof *token);
    if (!token) {
        return NULL;
    }
    token->cache = cache;
    TAILQ_INIT(&token->waiters);
    token->installation = strdup(waiter->installation);
    token->permissions = strdup(waiter->permissions);
    token->optional = strdup(waiter->optional);
    token->repository = strdup(waiter->repository);
    if (!token->installation || !token->permissions || !token->optional || !token->repository ||
        build_key(waiter, &key) < 0 ||
        lru_map_put(&cache->map, &token->entry, key.data, key.bytes, 0) < 0) {
        free_token(token);
        return NULL;
    }
    return token;
}

/* The token request names the repository without its owner. True if the token that GitHub returned
 * reaches a repository of another owner. */
static bool is_foreign(const struct token *token, const struct buffer *body) {
    struct json_value name;
    const char *json = body->data ? body->data : "";
    if (!token->repository[0] ||
        !json_find(json, body->bytes, "repositories[0].full_name", &name) ||
        name.type != JSON_STRING) {
        return false;
    }
    AUTO_FREE char *text = malloc(name.raw_bytes);
    if (!text) {
        return true;
    }
    size_t bytes = json_unescape(name.raw + 1, name.raw_bytes - 2, text);
    return bytes != strlen(token->repository) || strncasecmp(text, token->repository, bytes) != 0;
}

static enum denial denial_of(const struct token *token, const struct http_transfer *transfer) {
    char message[RESPONSE_MESSAGE_SHOWN + 1] = "";
    response_message(&transfer->response, message, sizeof message);
    if (transfer->status == 422 && strcasestr(message, "not granted")) {
        return DENIAL_NOT_GRANTED;
    }
    if (token->repository[0] && ((transfer->status == 422 && strcasestr(message, "repositor")) ||
                                 (transfer->status == 201 && transfer->outcome < 0))) {
        return DENIAL_REPOSITORY;
    }
    if (transfer->status == 403 && strcasestr(message, "suspended")) {
        return DENIAL_SUSPENDED;
    }
    if (transfer->status == 404 && strcasestr(message, "not found")) {
        return DENIAL_GONE;
    }
    return DENIAL_NONE;
}

/* Names the permissions that the installation lacks, or all that the plugin declares. */
static void explain_permissions(const struct token *token, const struct http_transfer *transfer,
                                const struct token_waiter *waiter, const char *where,
                                struct error *err) {
    static const char fix[] = "to the App's settings at GitHub (Permissions & events), then let an "
                              "owner accept";
    bool known = token->lacking && *token->lacking;
    const char *plugin = waiter->plugin ? waiter->plugin : "?";
    const char *all = known ? token->lacking : waiter->permissions;
    char shown[PERMISSIONS_SHOWN + 1];
    text_clean(shown, sizeof shown, all, strlen(all));
    if (known) {
        bool one = !strchr(token->lacking, ',');
        error_set(
            err,
            "installation %s does not grant plugin %s the permission%s '%s'. Add %s %s %s where "
            "the App is installed (%s)",
            where, plugin, one ? "" : "s", shown, one ? "it" : "them", fix, one ? "it" : "them",
            transfer->error.text);
    } else {
        error_set(
            err,
            "plugin %s declares the permissions %s, which installation %s does not grant: add "
            "them %s them where the App is installed (%s)",
            plugin, shown, where, fix, transfer->error.text);
    }
}

/* Explains GitHub's denial to this waiter: its outcome. */
static int32_t explain(const struct token *token, const struct http_transfer *transfer,
                       const struct token_waiter *waiter, struct error *err) {
    char where[101], which[201];
    text_clean(where, sizeof where, waiter->installation, strlen(waiter->installation));
    text_clean(which, sizeof which, waiter->repository, strlen(waiter->repository));
    switch (token->denial) {
    case DENIAL_REPOSITORY:
        error_set(err, "installation %s does not reach the repository %s (%s)", where, which,
                  transfer->error.text);
        return SNEK_E_VALIDATION;
    case DENIAL_NOT_GRANTED:
        explain_permissions(token, transfer, waiter, where, err);
        return SNEK_E_NOT_GRANTED;
    case DENIAL_SUSPENDED:
        error_set(err,
                  "installation %s is suspended: its runs wait until an owner, or the app, "
                  "unsuspends it (%s)",
                  where, transfer->error.text);
        return SNEK_E_NOT_GRANTED;
    case DENIAL_GONE:
        error_set(err, "installation %s: the app is not installed there any more (%s)", where,
                  transfer->error.text);
        /* A plugin would read NOT_FOUND as a response: "no member". */
        return SNEK_E_FORBIDDEN;
    case DENIAL_NONE:
    default:
        *err = transfer->error;
        error_wrap(err, "no token for installation %s", where);
        return transfer->outcome == SNEK_E_NOT_FOUND ? SNEK_E_SERVER : transfer->outcome;
    }
}

static void grant(struct token *token, struct token_waiter *waiter) {
    struct token_result result = {.text = token->text.data,
                                  .granted = token->granted,
                                  .token_id = token->token_id,
                                  .fresh = clock_monotonic_ms() - token->created_at_ms < FRESH_MS};
    waiter->on_token(waiter, &result);
}

static void serve_waiters(struct token *token, const struct app_request *request) {
    const struct http_transfer *transfer = &request->transfer;
    struct token_waiter *waiter;
    while ((waiter = TAILQ_FIRST(&token->waiters))) {
        token_cache_forget(waiter);
        if (transfer->outcome == 0) {
            grant(token, waiter);
        } else {
            struct error err;
            struct token_result result = {.error = &err,
                                          .gone = token->denial == DENIAL_GONE,
                                          .only_this = request->limit.leaves_reserve,
                                          .until_ms = request->until_ms};
            result.outcome = explain(token, transfer, waiter, &err);
            waiter->on_token(waiter, &result);
        }
    }
}

/* Only characters that may stand in a header. */
static bool is_token(const struct json_value *value) {
    if (value->type != JSON_STRING || value->raw_bytes < 3 || value->raw_bytes - 2 > TOKEN_MAX) {
        return false;
    }
    for (size_t i = 1; i < value->raw_bytes - 1; i++) {
        if (value->raw[i] <= ' ' || value->raw[i] >= 0x7F || value->raw[i] == '\\') {
            return false;
        }
    }
    return true;
}

/* The permissions that GitHub gave the token; those that were wanted if the response has none.
 * NULL: no memory. */
static char *granted_of(const struct token *token, const struct buffer *body) {
    struct json_value value;
    if (json_find(body->data, body->bytes, "permissions", &value) &&
        value.type == JSON_OBJECT_BEGIN) {
        return strndup(value.raw, value.raw_bytes);
    }
    return strdup(token->wanted);
}

/* 0, or -1 when the response has no usable token. */
static int store_token(struct token *token, const struct buffer *body) {
    struct json_value text, expires;
    const char *json = body->data ? body->data : "";
    if (!json_find(json, body->bytes, "token", &text) || !is_token(&text) ||
        !json_find(json, body->bytes, "expires_at", &expires)) {
        return -1;
    }
    int64_t expires_ms;
    AUTO_FREE char *granted = granted_of(token, body);
    struct secret copy;
    if (!json_to_time(&expires, &expires_ms) || expires_ms <= 0 || !granted ||
        secret_copy(&copy, text.raw + 1, text.raw_bytes - 2) < 0) {
        return -1;
    }
    forget_text(token);
    token->text = copy;
    free(token->granted);
    token->granted = STEAL(granted);
    token->token_id = ++token->cache->last_token_id;
    /* Expiry by GitHub's clock, counted from now on by the monotonic one. */
    int64_t there_s = clock_wall_ms() / 1000 + transport_skew_s(token->cache->client->transport);
    token->created_at_ms = clock_monotonic_ms();
    token->renew_at_ms = token->created_at_ms + expires_ms - (there_s + RENEW_BEFORE_S) * 1000;
    if (token->narrowed && token->renew_at_ms > token->narrowed_until_ms) {
        token->renew_at_ms = token->narrowed_until_ms;
    }
    return 0;
}

static bool counts(const struct token *token) {
    return token->repository[0] && token->asker[0];
}

/* The plugin caused it: no rate limit, and no fault of the host's (a key unknown to GitHub). */
static bool is_rejection(const struct http_transfer *transfer) {
    bool rejected = transfer->status >= 400 && transfer->status < 500 && transfer->status != 401 &&
                    transfer->outcome != SNEK_E_RATE_LIMITED;
    return rejected || (transfer->status == 201 && transfer->outcome == SNEK_E_VALIDATION);
}

static void count_rejection(const struct token *token, const struct http_transfer *transfer) {
    struct token_waiter asker = {.plugin = token->asker,
                                 .installation = token->installation,
                                 .permissions = token->permissions,
                                 .repository = token->repository};
    struct error err;
    if (counts(token) && is_rejection(transfer)) {
        token_denials_count(&token->cache->denials, token->asker, token->installation,
                            explain(token, transfer, &asker, &err));
    }
}

static void end_request(struct token *token) {
    const struct app_request *request = token->request;
    if (token->denial == DENIAL_SUSPENDED) {
        token->suspended_until_ms = clock_monotonic_ms() + SUSPENDED_FOR_MS;
    }
    count_rejection(token, &request->transfer);
    serve_waiters(token, request);
    free_request(token);
}

/* GitHub said "Not Found". A server that is not GitHub says so too, to everything. */
static void on_confirmed(struct slug_waiter *waiter, const char *slug,
                         const struct app_request *request) {
    struct token *token = CONTAINER_OF(waiter, struct token, confirmation);
    struct http_transfer *transfer = &token->request->transfer;
    if (!slug) {
        struct error err = transfer->error;
        token->denial = DENIAL_NONE;
        error_set(&transfer->error, "%.300s; is github.api_url right? %.500s", err.text,
                  request->transfer.error.text);
    }
    end_request(token);
}

static void on_token_response(struct app_request *request);

/* NULL: no memory. */
static char *body_of(const struct token *token) {
    AUTO_BUFFER struct buffer body = BUFFER_INIT(SIZE_MAX / 2);
    const char *slash = strchr(token->repository, '/');
    bool all = !token->wanted[0];
    int failed = buffer_printf(&body, "{%s%s", all ? "" : "\"permissions\":", token->wanted);
    /* GitHub takes the name alone: the owner is the installation's account. */
    if (slash) {
        failed |= buffer_append_text(&body, all ? "\"repositories\":[" : ",\"repositories\":[");
        failed |= buffer_append_json_string(&body, slash + 1, strlen(slash + 1));
        failed |= buffer_append_text(&body, "]");
    }
    failed |= buffer_append_text(&body, "}");
    return failed ? NULL : buffer_steal(&body);
}

static char *path_of(const struct token *token, const char *below) {
    char *path = NULL;
    char *installation = curl_easy_escape(NULL, token->installation, 0);
    if (!installation || asprintf(&path, "/app/installations/%s%s", installation, below) < 0) {
        path = NULL;
    }
    curl_free(installation);
    return path;
}

/* Takes the place of the present request, if there is one. 0, or a negative enum snek_error: then
 * the present request is unchanged. */
static int32_t replace_request(struct token *token, const char *method, const char *path,
                               const char *body, void (*on_done)(struct app_request *),
                               struct error *err) {
    struct app_request *request = calloc(1, sizeof *request);
    if (!request) {
        error_set(err, "no memory");
        return SNEK_E_FAILED;
    }
    int32_t outcome = app_request_init(request, token->cache->client, method, path, body, err);
    if (outcome < 0) {
        app_request_finish(request);
        free(request);
        return outcome;
    }
    free_request(token);
    token->request = request;
    request->limit.leaves_reserve = counts(token);
    request->on_done = on_done;
    request->context = token;
    app_send(request);
    return 0;
}

/* Asks for a token with `token->wanted`. */
static int32_t send_for_token(struct token *token, struct error *err) {
    AUTO_FREE char *path = path_of(token, "/access_tokens");
    AUTO_FREE char *body = body_of(token);
    if (!path || !body) {
        error_set(err, "no memory");
        return SNEK_E_FAILED;
    }
    return replace_request(token, "POST", path, body, on_token_response, err);
}

/* ---- permissions that are not granted ---- */

/* The response to GET /app/installations/ID has the installation's permissions. */
static bool find_granted(const struct http_transfer *transfer, struct json_value *granted) {
    const char *json = transfer->response.data ? transfer->response.data : "";
    return transfer->outcome == 0 &&
           json_find(json, transfer->response.bytes, "permissions", granted) &&
           granted->type == JSON_OBJECT_BEGIN;
}

/* The waiters get GitHub's denial, with the permissions that are missing if they are known. */
static void on_reason(struct app_request *request) {
    struct token *token = request->context;
    struct json_value granted;
    assert(token->denied);
    if (find_granted(&request->transfer, &granted)) {
        token->lacking = permission_set_lacking(token->permissions, &granted);
    }
    free_request(token);
    token->request = STEAL(token->denied);
    end_request(token);
}

/* True when the installation is being asked why GitHub denied the present request. */
static bool ask_reason(struct token *token) {
    struct error err;
    AUTO_FREE char *path = path_of(token, "");
    if (!path || !token->permissions[0]) {
        return false;
    }
    token->denied = STEAL(token->request);
    if (replace_request(token, "GET", path, NULL, on_reason, &err) == 0) {
        return true;
    }
    token->request = STEAL(token->denied);
    return false;
}

static bool may_narrow(const struct token *token) {
    return token->optional[0] && (!token->narrowed || token->remembered);
}

/* Leaves out the optional permissions that are not in `granted`. -1: no memory. */
static int narrow(struct token *token, const struct json_value *granted, int64_t until_ms) {
    char *wanted = permission_set_merge(token->permissions, token->optional, granted);
    if (!wanted) {
        return -1;
    }
    free(token->wanted);
    token->wanted = wanted;
    token->narrowed = true;
    token->narrowed_until_ms = until_ms;
    return 0;
}

/* The installation's permissions: asks for a token with those of them that are wanted. */
static void on_installation(struct app_request *request) {
    struct token *token = request->context;
    struct http_transfer *transfer = &request->transfer;
    struct json_value granted;
    struct error err = {.text = ""};
    bool known = find_granted(transfer, &granted);
    token->denial = DENIAL_NONE;
    if (!known && transfer->outcome == 0) {
        transfer->outcome = SNEK_E_SERVER;
        error_set(&transfer->error, "%s %s answered %d without permissions: check github.api_url",
                  transfer->method, transfer->path, (int)transfer->status);
    }
    token->remembered = false;
    if (known) {
        granted_cache_put(&token->cache->granted, token->installation, &granted);
    }
    bool narrowed = known && narrow(token, &granted, clock_monotonic_ms() + GRANTED_FOR_MS) == 0;
    if (known && (!narrowed || send_for_token(token, &err) < 0)) {
        transfer->outcome = SNEK_E_FAILED;
        error_set(&transfer->error, "%s", narrowed ? err.text : "no memory");
        known = false;
    }
    if (!known) {
        end_request(token);
    }
}

/* GitHub rejects a token with any permission that is not granted. True when the installation is
 * being asked which are. */
static bool read_granted(struct token *token) {
    struct error err;
    AUTO_FREE char *path = path_of(token, "");
    return path && replace_request(token, "GET", path, NULL, on_installation, &err) == 0;
}

static void on_token_response(struct app_request *request) {
    struct token *token = request->context;
    struct http_transfer *transfer = &request->transfer;
    assert(token->request == request);
    if (transfer->outcome == 0 && is_foreign(token, &transfer->response)) {
        /* The token is wiped with its response. */
        transfer->outcome = SNEK_E_VALIDATION;
        error_set(&transfer->error, "GitHub gave a token for another owner's repository");
    } else if (transfer->outcome == 0 && store_token(token, &transfer->response) < 0) {
        transfer->outcome = SNEK_E_SERVER;
        error_set(&transfer->error,
                  "%s %s answered %d without a token that can be used: check github.api_url",
                  transfer->method, transfer->path, (int)transfer->status);
    }
    log_event(SNEK_LEVEL_INFO, "token", LOG_TEXT("installation", token->installation),
              LOG_TEXT("permissions", token->wanted),
              LOG_TEXT("repository", token->repository[0] ? token->repository : NULL),
              LOG_NUMBER("status", transfer->status),
              LOG_NUMBER("ms", clock_monotonic_ms() - token->requested_at_ms));
    token->denial = denial_of(token, transfer);
    token->suspended_until_ms = 0;
    if (token->denial == DENIAL_NOT_GRANTED && may_narrow(token) && read_granted(token)) {
        return;
    }
    if (token->denial == DENIAL_NOT_GRANTED && ask_reason(token)) {
        return;
    }
    if (token->denial == DENIAL_GONE) {
        token->confirmation.on_slug = on_confirmed;
        slug_cache_get(token->cache->slug, &token->confirmation);
    } else {
        end_request(token);
    }
}

/* 0, or the outcome with which the waiter is rejected at once; SNEK_E_REQUEUE: until `*until_ms`.
 */
static int32_t check_bounds(const struct token *token, int64_t *until_ms, struct error *err) {
    struct token_cache *cache = token->cache;
    if (!counts(token)) {
        return 0;
    }
    int32_t denied = token_denials_check(&cache->denials, token->asker, token->installation, err);
    if (denied < 0) {
        return denied;
    }
    int64_t wait_ms = token_budgets_spend(&cache->budgets, token->asker, token->installation);
    if (wait_ms == 0) {
        return 0;
    }
    *until_ms = clock_wall_ms() + wait_ms;
    error_set(err,
              "plugin %s has requested %d tokens of single repositories of installation %.100s "
              "within an hour: it gets the next in %lld s",
              token->asker, TOKEN_BUDGET_MAX, token->installation,
              (long long)((wait_ms + 999) / 1000));
    return SNEK_E_REQUEUE;
}

/* The first request for a token with optional permissions takes what another plugin's token found
 * out. */
static int32_t send_first(struct token *token, struct error *err) {
    struct json_value granted;
    int64_t until_ms;
    if (token->optional[0] &&
        granted_cache_get(&token->cache->granted, token->installation, &granted, &until_ms)) {
        token->remembered = narrow(token, &granted, until_ms) == 0;
    }
    return send_for_token(token, err);
}

/* Likewise. */
static int32_t request_token(struct token *token, const struct token_waiter *waiter,
                             int64_t *until_ms, struct error *err) {
    assert(!token->request);
    snprintf(token->asker, sizeof token->asker, "%s", waiter->plugin ? waiter->plugin : "");
    int32_t rejected = check_bounds(token, until_ms, err);
    if (rejected < 0) {
        return rejected;
    }
    char *wanted = permission_set_merge(token->permissions, token->optional, NULL);
    if (!wanted) {
        error_set(err, "no memory");
        return SNEK_E_FAILED;
    }
    free(token->wanted);
    token->wanted = wanted;
    free(STEAL(token->lacking));
    token->narrowed = token->remembered = false;
    token->requested_at_ms = clock_monotonic_ms();
    return send_first(token, err);
}

/* True when GitHub has said lately that the installation is suspended: each run would ask again. */
static bool reject_suspended(const struct token *token, struct token_waiter *waiter) {
    int64_t left_ms = token->suspended_until_ms - clock_monotonic_ms();
    if (token->suspended_until_ms == 0 || left_ms <= 0 || token->request) {
        return false;
    }
    struct error err;
    error_set(&err, "installation %.100s is suspended: the host asks GitHub again in %lld s",
              token->installation, (long long)((left_ms + 999) / 1000));
    struct token_result result = {.outcome = SNEK_E_REQUEUE,
                                  .only_this = true,
                                  .until_ms = clock_wall_ms() + left_ms,
                                  .error = &err};
    waiter->on_token(waiter, &result);
    return true;
}

void token_cache_get(struct token_cache *cache, struct token_waiter *waiter) {
    struct token *token = find_token(cache, waiter);
    assert(!waiter->token);
    if (!token) {
        token = add_token(cache, waiter);
    }
    if (token && token->text.data && clock_monotonic_ms() < token->renew_at_ms) {
        grant(token, waiter);
        return;
    }
    struct error err;
    if (token && reject_suspended(token, waiter)) {
        return;
    }
    struct token_result rejection = {.outcome = SNEK_E_FAILED, .only_this = true, .error = &err};
    error_set(&err, "no memory");
    if (token && !token->request) {
        rejection.outcome = request_token(token, waiter, &rejection.until_ms, &err);
    }
    if (token && token->request) {
        waiter->token = token;
        TAILQ_INSERT_TAIL(&token->waiters, waiter, link);
    } else {
        waiter->on_token(waiter, &rejection);
    }
}

void token_cache_forget(struct token_waiter *waiter) {
    if (waiter->token) {
        TAILQ_REMOVE(&waiter->token->waiters, waiter, link);
        waiter->token = NULL;
    }
}

void token_cache_drop(struct token_cache *cache, const struct token_waiter *waiter,
                      uint64_t token_id) {
    struct token *token = find_token(cache, waiter);
    if (token && token->token_id == token_id) {
        forget_text(token);
    }
}
