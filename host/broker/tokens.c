/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kept tokens and the requests for new ones. */
#include "broker/tokens.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/secret.h"
#include "base/text.h"
#include "broker/answer.h"
#include "broker/token_denials.h"

#include <snekomatic/types.h>

#include <search.h>
#include <string.h>
#include <time.h>

#define RENEW_BEFORE_S 60
#define FRESH_MS 15000
#define PERMISSIONS_SHOWN 200

TAILQ_HEAD(token_waiters, token_waiter);
TAILQ_HEAD(token_list, token);

struct token {
    char *installation, *permissions, *repository; /* the key */
    struct tokens *tokens;
    struct secret text;
    uint64_t mint;
    int64_t renew_at_ms, minted_at_ms; /* monotonic */
    struct app_request *asking;        /* NULL: none under way */
    char asker[INBOX_NAME_MAX + 1];    /* the plugin for which it is; "": the host */
    int64_t asked_at_ms;
    struct token_waiters waiters;
    TAILQ_ENTRY(token) link;
};

struct tokens {
    const struct app_way *way;
    struct etags *etags;
    void *tree;               /* of tsearch(), by key */
    struct token_list by_use; /* the last used first */
    unsigned count;
    uint64_t mints;
    struct rejected rejected;
};

static int compare_keys(const void *a, const void *b) {
    const struct token *left = a, *right = b;
    int order = strcmp(left->installation, right->installation);
    order = order ? order : strcmp(left->permissions, right->permissions);
    return order ? order : strcmp(left->repository, right->repository);
}

struct tokens *tokens_new(const struct app_way *way, struct etags *etags) {
    struct tokens *tokens = calloc(1, sizeof *tokens);
    if (tokens) {
        tokens->way = way;
        tokens->etags = etags;
        TAILQ_INIT(&tokens->by_use);
    }
    return tokens;
}

static void free_asking(struct token *token) {
    if (token->asking) {
        app_request_finish(token->asking);
        free(STEAL(token->asking));
    }
}

/* And what was kept under it. */
static void forget_text(struct token *token) {
    if (token->text.data) {
        etags_drop(token->tokens->etags, token->mint);
    }
    secret_finish(&token->text);
}

static void free_token(struct token *token) {
    free_asking(token);
    forget_text(token);
    free(token->installation);
    free(token->permissions);
    free(token->repository);
    free(token);
}

static void remove_token(struct token *token) {
    struct tokens *tokens = token->tokens;
    (void)tdelete(token, &tokens->tree, compare_keys);
    TAILQ_REMOVE(&tokens->by_use, token, link);
    tokens->count--;
    free_token(token);
}

void tokens_free(struct tokens *tokens) {
    if (tokens) {
        struct token *token;
        while ((token = TAILQ_FIRST(&tokens->by_use))) {
            remove_token(token);
        }
        free(tokens);
    }
}

static struct token *find_token(struct tokens *tokens, const struct token_waiter *waiter) {
    struct token key = {.installation = (char *)waiter->installation,
                        .permissions = (char *)waiter->permissions,
                        .repository = (char *)waiter->repository};
    struct token **found = tfind(&key, &tokens->tree, compare_keys);
    return found ? *found : NULL;
}

static void make_room(struct tokens *tokens) {
    struct token *token = TAILQ_LAST(&tokens->by_use, token_list);
    while (token && tokens->count >= TOKENS_KEPT) {
        struct token *before = TAILQ_PREV(token, token_list, link);
        if (!token->asking) {
            remove_token(token);
        }
        token = before;
    }
}

static struct token *add_token(struct tokens *tokens, const struct token_waiter *waiter) {
    make_room(tokens);
    struct token *token = calloc(1, sizeof *token);
    if (!token) {
        return NULL;
    }
    token->tokens = tokens;
    TAILQ_INIT(&token->waiters);
    token->installation = strdup(waiter->installation);
    token->permissions = strdup(waiter->permissions);
    token->repository = strdup(waiter->repository);
    if (!token->installation || !token->permissions || !token->repository ||
        !tsearch(token, &tokens->tree, compare_keys)) {
        free_token(token);
        return NULL;
    }
    TAILQ_INSERT_HEAD(&tokens->by_use, token, link);
    tokens->count++;
    return token;
}

/* GitHub was told the repository's name alone, and gave a token for another owner's. */
static bool is_strangers(const struct token *token, const struct buffer *body) {
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

/* What GitHub's rejection means to this waiter. */
static int32_t explain(const struct exchange *exchange, const struct token_waiter *waiter,
                       struct error *err) {
    char wanted[PERMISSIONS_SHOWN + 1], where[101];
    text_clean(wanted, sizeof wanted, waiter->permissions, strlen(waiter->permissions));
    text_clean(where, sizeof where, waiter->installation, strlen(waiter->installation));
    if (waiter->repository[0] &&
        ((exchange->status == 201 && exchange->outcome == SNEK_E_VALIDATION) ||
         (exchange->status == 422 && strcasestr(exchange->error.text, "repositor")))) {
        char which[201];
        text_clean(which, sizeof which, waiter->repository, strlen(waiter->repository));
        (void)error_set(err, "the repository %s is none of installation %s's (%s)", which, where,
                        exchange->error.text);
        return SNEK_E_VALIDATION;
    }
    if (exchange->status == 422) {
        (void)error_set(err,
                        "plugin %s declares the permissions %s, which installation %s does not "
                        "grant: add them to the app's settings, then let an owner accept them "
                        "where the app is installed (%s)",
                        waiter->plugin ? waiter->plugin : "?", wanted, where, exchange->error.text);
        return SNEK_E_NOT_GRANTED;
    }
    if (exchange->status == 404) {
        (void)error_set(err, "installation %s: the app is not installed there any more (%s)", where,
                        exchange->error.text);
        return SNEK_E_FORBIDDEN; /* NOT_FOUND is what a plugin takes for an answer: "no member" */
    }
    *err = exchange->error;
    (void)error_wrap(err, "no token for installation %s", where);
    return exchange->outcome;
}

static void grant(struct token *token, struct token_waiter *waiter) {
    struct token_answer answer = {.text = token->text.data,
                                  .mint = token->mint,
                                  .fresh = clock_monotonic_ms() - token->minted_at_ms < FRESH_MS};
    waiter->answered(waiter, &answer);
}

static void answer_waiters(struct token *token, const struct app_request *asking) {
    const struct exchange *exchange = &asking->exchange;
    struct token_waiter *waiter;
    while ((waiter = TAILQ_FIRST(&token->waiters))) {
        tokens_forget(waiter);
        if (exchange->outcome == 0) {
            grant(token, waiter);
        } else {
            struct error err;
            struct token_answer answer = {
                .error = &err, .gone = exchange->status == 404, .until_ms = asking->until_ms};
            answer.outcome = explain(exchange, waiter, &err);
            waiter->answered(waiter, &answer);
        }
    }
}

/* "2016-07-11T22:14:10Z"; 0 when it is none. */
static time_t parse_time(const struct json_value *value) {
    char text[32];
    struct tm utc = {0};
    if (value->type != JSON_STRING || value->raw_bytes - 2 >= sizeof text) {
        return 0;
    }
    memcpy(text, value->raw + 1, value->raw_bytes - 2);
    text[value->raw_bytes - 2] = '\0';
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    return end && strcmp(end, "Z") == 0 ? timegm(&utc) : 0;
}

/* Only what may stand in a header. */
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

/* 0, or -1 when the answer makes no sense. */
static int keep(struct token *token, const struct buffer *body) {
    struct json_value text, expires;
    const char *json = body->data ? body->data : "";
    if (!json_find(json, body->bytes, "token", &text) || !is_token(&text) ||
        !json_find(json, body->bytes, "expires_at", &expires)) {
        return -1;
    }
    time_t expires_s = parse_time(&expires);
    struct secret kept;
    if (expires_s <= 0 || secret_copy(&kept, text.raw + 1, text.raw_bytes - 2) < 0) {
        return -1;
    }
    forget_text(token);
    token->text = kept;
    token->mint = ++token->tokens->mints;
    /* By GitHub's clock, and from then on by one that nobody sets. */
    int64_t there_s = clock_wall_ms() / 1000 + transport_skew_s(token->tokens->way->transport);
    token->minted_at_ms = clock_monotonic_ms();
    token->renew_at_ms =
        token->minted_at_ms + ((int64_t)expires_s - there_s - RENEW_BEFORE_S) * 1000;
    return 0;
}

static bool counts(const struct token *token) {
    return token->repository[0] && token->asker[0];
}

/* Its own doing: not a limit, and nothing of ours (a key that GitHub does not know). */
static bool is_rejection(const struct exchange *exchange) {
    bool rejected = exchange->status >= 400 && exchange->status < 500 && exchange->status != 401 &&
                    exchange->outcome != SNEK_E_RATE_LIMITED;
    return rejected || (exchange->status == 201 && exchange->outcome == SNEK_E_VALIDATION);
}

static void count_rejection(const struct token *token, const struct exchange *exchange) {
    struct token_waiter asker = {.plugin = token->asker,
                                 .installation = token->installation,
                                 .permissions = token->permissions,
                                 .repository = token->repository};
    struct error err;
    if (counts(token) && is_rejection(exchange)) {
        rejected_count(&token->tokens->rejected, token->asker, token->installation,
                       explain(exchange, &asker, &err));
    }
}

static void asked(struct app_request *asking) {
    struct token *token = asking->context;
    struct exchange *exchange = &asking->exchange;
    if (exchange->outcome == 0 && is_strangers(token, &exchange->answer)) {
        exchange->outcome = SNEK_E_VALIDATION; /* the token is wiped with its answer */
        (void)error_set(&exchange->error, "GitHub gave one for another owner's");
    } else if (exchange->outcome == 0 && keep(token, &exchange->answer) < 0) {
        exchange->outcome = SNEK_E_SERVER;
        (void)error_set(&exchange->error, "%s %s answered %d without a token that can be used",
                        exchange->method, exchange->path, (int)exchange->status);
    }
    log_event(SNEK_LEVEL_INFO, "token", LOG_TEXT("installation", token->installation),
              LOG_TEXT("permissions", token->permissions),
              LOG_TEXT("repository", token->repository[0] ? token->repository : NULL),
              LOG_NUMBER("status", exchange->status),
              LOG_NUMBER("ms", clock_monotonic_ms() - token->asked_at_ms));
    count_rejection(token, exchange);
    answer_waiters(token, asking);
    free_asking(token);
}

/* NULL: no memory. */
static char *body_of(const struct token *token) {
    AUTO_BUFFER struct buffer body = BUFFER_INIT(SIZE_MAX / 2);
    const char *slash = strchr(token->repository, '/');
    bool all = !token->permissions[0];
    int failed = buffer_printf(&body, "{%s%s", all ? "" : "\"permissions\":", token->permissions);
    if (slash) { /* GitHub wants the name alone: the owner is the installation's account */
        failed |= buffer_append_text(&body, all ? "\"repositories\":[" : ",\"repositories\":[");
        failed |= buffer_append_json_string(&body, slash + 1, strlen(slash + 1));
        failed |= buffer_append_text(&body, "]");
    }
    failed |= buffer_append_text(&body, "}");
    return failed ? NULL : buffer_steal(&body);
}

static int32_t ask(struct token *token, const struct token_waiter *waiter, struct error *err) {
    AUTO_FREE char *path = NULL, *body = NULL;
    (void)snprintf(token->asker, sizeof token->asker, "%s", waiter->plugin ? waiter->plugin : "");
    int32_t rejected = counts(token) ? rejected_check(&token->tokens->rejected, token->asker,
                                                      token->installation, err)
                                     : 0;
    if (rejected < 0) {
        return rejected;
    }
    char *installation = curl_easy_escape(NULL, token->installation, 0);
    if (!installation || asprintf(&path, "/app/installations/%s/access_tokens", installation) < 0) {
        path = NULL;
    }
    curl_free(installation);
    body = body_of(token);
    token->asking = calloc(1, sizeof *token->asking);
    if (!path || !body || !token->asking) {
        free(STEAL(token->asking));
        (void)error_set(err, "no memory");
        return SNEK_E_FAILED;
    }
    int32_t outcome = app_request_init(token->asking, token->tokens->way, "POST", path, body, err);
    if (outcome < 0) {
        free_asking(token);
        return outcome;
    }
    token->asking->done = asked;
    token->asking->context = token;
    token->asked_at_ms = clock_monotonic_ms();
    app_send(token->asking);
    return 0;
}

void tokens_get(struct tokens *tokens, struct token_waiter *waiter) {
    struct token *token = find_token(tokens, waiter);
    if (token) {
        TAILQ_REMOVE(&tokens->by_use, token, link);
        TAILQ_INSERT_HEAD(&tokens->by_use, token, link);
    } else {
        token = add_token(tokens, waiter);
    }
    if (token && token->text.data && clock_monotonic_ms() < token->renew_at_ms) {
        grant(token, waiter);
        return;
    }
    struct error err;
    struct token_answer rejection = {.outcome = SNEK_E_FAILED, .error = &err};
    (void)error_set(&err, "no memory");
    if (token && !token->asking) {
        rejection.outcome = ask(token, waiter, &err);
    }
    if (token && token->asking) {
        waiter->token = token;
        TAILQ_INSERT_TAIL(&token->waiters, waiter, link);
    } else {
        waiter->answered(waiter, &rejection);
    }
}

void tokens_forget(struct token_waiter *waiter) {
    if (waiter->token) {
        TAILQ_REMOVE(&waiter->token->waiters, waiter, link);
        waiter->token = NULL;
    }
}

void tokens_drop(struct tokens *tokens, const struct token_waiter *waiter, uint64_t mint) {
    struct token *token = find_token(tokens, waiter);
    if (token && token->mint == mint) {
        forget_text(token);
    }
}
