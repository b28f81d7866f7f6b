/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The app's webhook: the fake signs a test's deliveries, sends them to the bot and logs them as
 * GitHub does. The log's API lists them and sends them again.
 *
 * Threads: a delivery is sent without the lock, by the thread of the control API's request. A
 * redelivery has a thread of its own. */
#include "fake/webhooks.h"

#include "fake/handlers.h"
#include "fake/repositories.h"
#include "fake/response.h"
#include "fake/state.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <errno.h>
#include <nettle/base16.h>
#include <nettle/hmac.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

/* Docs: "the past 3 days". */
#define KEPT_S (3 * 86400)
#define PAGE_DEFAULT 30
#define PAGE_MAX 100
#define SEND_TIMEOUT_MS 10000L /* as GitHub's */
#define FIRST_DELIVERY_ID 900000000001
#define RESPONSE_BYTES_KEPT 65536

/* ---- sending ---- */

struct sending {
    struct fake *fake;
    /* The entry in the log, a reference of ours. */
    json_t *entry;
    char *url, *secret, *body, *event, *guid;
    /* The body is sent as a form's field, not as JSON. */
    bool form;
    bool lose_response;
    struct buffer response;
    long status; /* 0: none came */
    int64_t took_ms;
};

static void sending_free(struct sending *sending) {
    free(sending->url);
    free(sending->secret);
    free(sending->body);
    free(sending->event);
    free(sending->guid);
    buffer_finish(&sending->response);
    free(sending);
}

static size_t on_response_body(char *data, size_t size, size_t count, void *context) {
    struct sending *sending = context;
    /* A long response is cut. */
    buffer_append(&sending->response, data, size * count);
    return size * count;
}

static struct curl_slist *add(struct curl_slist *list, const char *name, const char *value) {
    char line[512];
    snprintf(line, sizeof line, "%s: %s", name, value);
    return curl_slist_append(list, line);
}

static struct curl_slist *headers_of(const struct sending *sending) {
    struct hmac_sha256_ctx hmac;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char signature[7 + BASE16_ENCODE_LENGTH(SHA256_DIGEST_SIZE) + 1] = "sha256=", id[24];
    hmac_sha256_set_key(&hmac, strlen(sending->secret), (const uint8_t *)sending->secret);
    hmac_sha256_update(&hmac, strlen(sending->body), (const uint8_t *)sending->body);
    hmac_sha256_digest(&hmac, sizeof digest, digest);
    base16_encode_update(signature + 7, sizeof digest, digest);
    snprintf(id, sizeof id, "%lld", (long long)sending->fake->app_id);
    struct curl_slist *list =
        add(NULL, "Content-Type",
            sending->form ? "application/x-www-form-urlencoded" : "application/json");
    list = add(list, "Accept", "*/*");
    list = add(list, "X-GitHub-Event", sending->event);
    list = add(list, "X-GitHub-Delivery", sending->guid);
    list = add(list, "X-GitHub-Hook-ID", "48001");
    list = add(list, "X-GitHub-Hook-Installation-Target-ID", id);
    list = add(list, "X-GitHub-Hook-Installation-Target-Type", "integration");
    list = add(list, "X-Hub-Signature-256", signature);
    return add(list, "Expect", "");
}

bool webhooks_lead_nowhere(const char *url) {
    static const char end[] = ".invalid";
    const char *host = strstr(url, "://");
    size_t bytes = host ? strcspn(host + 3, ":/?#") : 0, end_bytes = sizeof end - 1;
    return bytes >= end_bytes && strncasecmp(host + 3 + bytes - end_bytes, end, end_bytes) == 0;
}

/* Without the lock. */
static void post(struct sending *sending) {
    if (webhooks_lead_nowhere(sending->url)) {
        return;
    }
    int64_t begun_ms = clock_monotonic_ms();
    CURL *easy = curl_easy_init();
    struct curl_slist *headers = headers_of(sending);
    if (easy && sending->url[0] && !curl_easy_setopt(easy, CURLOPT_URL, sending->url) &&
        !curl_easy_setopt(easy, CURLOPT_USERAGENT, "GitHub-Hookshot/f4e0001") &&
        !curl_easy_setopt(easy, CURLOPT_POSTFIELDS, sending->body) &&
        !curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(sending->body)) &&
        !curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) &&
        !curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, SEND_TIMEOUT_MS) &&
        !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) &&
        !curl_easy_setopt(easy, CURLOPT_PROXY, "") &&
        !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_response_body) &&
        !curl_easy_setopt(easy, CURLOPT_WRITEDATA, sending) &&
        curl_easy_perform(easy) == CURLE_OK) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &sending->status);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
    sending->took_ms = clock_monotonic_ms() - begun_ms;
}

/* The status code and the words that GitHub shows for it. */
static long shown_status(const struct sending *sending, const char **words) {
    if (sending->lose_response) {
        *words = "timed out";
        return 504;
    }
    if (sending->status == 0) {
        *words = "failed to connect to host";
        return 502;
    }
    *words = sending->status < 300 ? "OK" : "Invalid HTTP Response";
    return sending->status;
}

/* With the lock: puts the result into the log. */
static void log_outcome(struct sending *sending) {
    const char *words;
    long status = shown_status(sending, &words);
    bool has_response = sending->status != 0 && !sending->lose_response;
    json_t *entry = sending->entry;
    json_t *text =
        has_response && status >= 300 ? json_sprintf("%s: %ld", words, status) : json_string(words);
    const char *body = sending->response.data ? sending->response.data : "";
    json_t *response =
        has_response ? json_stringn_nocheck(body, sending->response.bytes) : json_null();
    json_object_set_new(entry, "duration", json_real((double)sending->took_ms / 1000));
    json_object_set_new(entry, "status", text);
    json_object_set_new(entry, "status_code", json_integer(status));
    json_object_set_new(entry, "_response", response);
    json_decref(entry);
}

/* A new entry of the log in GitHub's shape, with the body as a member of ours; NULL: out of memory.
 */
static json_t *new_entry(struct fake *fake, const char *guid, const char *event, const char *body,
                         bool redelivery, int64_t age_s) {
    char now[FAKE_TIME_MAX];
    fake_time_text(fake_now_s(fake) - age_s, now);
    json_t *payload = json_loads(body, 0, NULL);
    json_t *installation = json_object_get(json_object_get(payload, "installation"), "id");
    json_t *repository = json_object_get(json_object_get(payload, "repository"), "id");
    json_t *entry =
        json_pack("{s:I, s:s, s:s, s:b, s:n, s:s, s:i, s:s, s:O?, s:O?, s:O?, s:n, s:s, s:I}", "id",
                  (json_int_t)(FIRST_DELIVERY_ID + fake->last_delivery++), "guid", guid,
                  "delivered_at", now, "redelivery", redelivery, "duration", "status", "pending",
                  "status_code", 0, "event", event, "action", json_object_get(payload, "action"),
                  "installation_id", installation, "repository_id", repository, "throttled_at",
                  "_body", body, "_time_s", (json_int_t)(fake_now_s(fake) - age_s));
    json_decref(payload);
    return entry;
}

/* The caller's; NULL: out of memory. */
static char *form_of(const char *body) {
    char *escaped = curl_easy_escape(NULL, body, 0), *form = NULL;
    if (escaped && asprintf(&form, "payload=%s", escaped) < 0) {
        form = NULL;
    }
    curl_free(escaped);
    return form;
}

/* The URL to post to, the caller's: with `webhook_via` only the path of the app's own URL. */
static char *webhook_url(const json_t *settings) {
    const char *url = text_of(settings, "webhook_url"), *via = text_of(settings, "webhook_via");
    const char *host = strstr(url, "://");
    const char *path = host ? strchr(host + strlen("://"), '/') : NULL;
    char *whole = NULL;
    if (!*via || !*url || webhooks_lead_nowhere(url)) {
        return strdup(url);
    }
    return asprintf(&whole, "%s%s", via, path ? path : "/") < 0 ? NULL : whole;
}

/* With the lock: logs a new delivery and prepares its sending; NULL: out of memory. */
static struct sending *begin(struct fake *fake, const char *guid, const char *event,
                             const char *body, bool redelivery, int64_t age_s) {
    struct sending *sending = calloc(1, sizeof *sending);
    json_t *settings = state_settings(fake);
    json_t *entry = new_entry(fake, guid, event, body, redelivery, age_s);
    if (!sending || !entry) {
        free(sending);
        json_decref(entry);
        return NULL;
    }
    sending->fake = fake;
    sending->url = webhook_url(settings);
    sending->secret = strdup(text_of(settings, "webhook_secret"));
    sending->form = strcmp(text_of(settings, "webhook_content_type"), "form") == 0;
    sending->body = sending->form ? form_of(body) : strdup(body);
    sending->event = strdup(event);
    sending->guid = strdup(guid);
    sending->response = (struct buffer)BUFFER_INIT(RESPONSE_BYTES_KEPT);
    if (!sending->url || !sending->secret || !sending->body || !sending->event || !sending->guid) {
        json_decref(entry);
        sending_free(sending);
        return NULL;
    }
    sending->entry = json_incref(entry);
    json_array_append_new(fake->deliveries, entry);
    fake->sending++;
    return sending;
}

static void send_now(struct sending *sending) {
    struct fake *fake = sending->fake;
    pthread_mutex_unlock(&fake->lock);
    post(sending);
    pthread_mutex_lock(&fake->lock);
    log_outcome(sending);
    sending_free(sending);
    fake->sending--;
    pthread_cond_broadcast(&fake->sent);
}

static void *send_in_thread(void *argument) {
    struct sending *sending = argument;
    struct fake *fake = sending->fake;
    pthread_mutex_lock(&fake->lock);
    send_now(sending);
    pthread_mutex_unlock(&fake->lock);
    return NULL;
}

void webhooks_init(struct fake *fake) {
    fake->deliveries = json_array();
    pthread_cond_init(&fake->sent, NULL);
}

void webhooks_finish(struct fake *fake) {
    pthread_mutex_lock(&fake->lock);
    while (fake->sending > 0) {
        pthread_cond_wait(&fake->sent, &fake->lock);
    }
    pthread_mutex_unlock(&fake->lock);
    json_decref(fake->deliveries);
    pthread_cond_destroy(&fake->sent);
}

/* ---- the API ---- */

static bool is_kept(const struct fake *fake, const json_t *entry) {
    return number_of(entry, "_time_s") > fake_now_s(fake) - KEPT_S;
}

/* Removes our members, whose keys start with "_". */
static json_t *shape(json_t *entry) {
    json_t *shown = json_object();
    const char *key;
    json_t *value;
    json_object_foreach(entry, key, value) {
        if (key[0] != '_') {
            json_object_set(shown, key, value);
        }
    }
    return shown;
}

static bool read_number(const char *text, long long least, long long most, long long *number) {
    char *end;
    errno = 0;
    *number = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *number >= least && *number <= most;
}

/* The newest come first. A test can give ages, so the list itself is not in the order of time. */
static int newer_first(const void *a, const void *b) {
    const json_t *left = *(json_t *const *)a, *right = *(json_t *const *)b;
    json_int_t by_time = number_of(right, "_time_s") - number_of(left, "_time_s");
    json_int_t by_id = number_of(right, "id") - number_of(left, "id");
    json_int_t order = by_time != 0 ? by_time : by_id;
    return (order > 0) - (order < 0);
}

static bool has_status(const json_t *entry, const char *wanted) {
    json_int_t status = number_of(entry, "status_code");
    bool success = status >= 200 && status < 400;
    return !wanted || success == (strcmp(wanted, "success") == 0);
}

/* The page starts after the delivery that the cursor names. -1: it names none. */
static long find_start(json_t **sorted, size_t n, const char *cursor) {
    long long id;
    if (!cursor) {
        return 0;
    }
    if (strncmp(cursor, "v1_", 3) != 0 || !read_number(cursor + 3, 1, INT64_MAX, &id)) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (number_of(sorted[i], "id") == id) {
            return (long)i + 1;
        }
    }
    return -1;
}

static void respond_deliveries(struct http_exchange *exchange, json_t **sorted, size_t n,
                               size_t start, size_t per_page, const char *status) {
    json_t *page = json_array();
    size_t i = start;
    for (; i < n && json_array_size(page) < per_page; i++) {
        if (is_kept(exchange->fake, sorted[i]) && has_status(sorted[i], status)) {
            json_array_append_new(page, shape(sorted[i]));
        }
    }
    bool more = false;
    for (size_t rest = i; rest < n; rest++) {
        more = more || (is_kept(exchange->fake, sorted[rest]) && has_status(sorted[rest], status));
    }
    respond_json(exchange, 200, page);
    if (more) {
        char link[512];
        snprintf(link, sizeof link,
                 "<%s/app/hook/deliveries?per_page=%zu%s%s&cursor=v1_%" JSON_INTEGER_FORMAT
                 ">; rel=\"next\"",
                 exchange->fake->origin, per_page, status ? "&status=" : "", status ? status : "",
                 number_of(sorted[i - 1], "id"));
        response_header(exchange, "Link", link);
    }
}

void handle_hook_deliveries(struct http_exchange *exchange) {
    struct fake *fake = exchange->fake;
    AUTO_FREE char *per_page_text = exchange_query(exchange, "per_page");
    AUTO_FREE char *cursor = exchange_query(exchange, "cursor");
    AUTO_FREE char *status = exchange_query(exchange, "status");
    long long per_page = PAGE_DEFAULT;
    if (per_page_text && !read_number(per_page_text, 1, PAGE_MAX, &per_page)) {
        respond_error(exchange, 422, "per_page is from 1 to 100");
        return;
    }
    if (status && strcmp(status, "success") != 0 && strcmp(status, "failure") != 0) {
        respond_error(exchange, 422, "status is success or failure");
        return;
    }
    size_t n = json_array_size(fake->deliveries);
    AUTO_FREE json_t **sorted = calloc(n + 1, sizeof *sorted);
    for (size_t i = 0; sorted && i < n; i++) {
        sorted[i] = json_array_get(fake->deliveries, i);
    }
    if (sorted) {
        qsort(sorted, n, sizeof *sorted, newer_first);
    }
    long start = sorted ? find_start(sorted, n, cursor) : -1;
    if (start < 0) {
        respond_error(exchange, 422, "Invalid cursor");
        return;
    }
    respond_deliveries(exchange, sorted, n, (size_t)start, (size_t)per_page, status);
}

static json_t *find_delivery(struct http_exchange *exchange) {
    long long id;
    json_t *entry = read_number(exchange->parameters[0], 1, INT64_MAX, &id)
                        ? list_find_number(exchange->fake->deliveries, "id", id)
                        : NULL;
    if (!entry || !is_kept(exchange->fake, entry)) {
        respond_error(exchange, 404, "Not Found");
        return NULL;
    }
    return entry;
}

void handle_hook_delivery(struct http_exchange *exchange) {
    json_t *entry = find_delivery(exchange);
    if (!entry) {
        return;
    }
    json_t *shown = shape(entry);
    json_t *payload = json_is_true(json_object_get(entry, "_no_payload"))
                          ? json_null()
                          : json_loads(text_of(entry, "_body"), 0, NULL);
    json_object_set_new(shown, "request",
                        json_pack("{s:{s:s, s:s}, s:o}", "headers", "X-GitHub-Delivery",
                                  text_of(entry, "guid"), "X-GitHub-Event", text_of(entry, "event"),
                                  "payload", payload));
    json_object_set_new(
        shown, "response",
        json_pack("{s:{}, s:O?}", "headers", "payload", json_object_get(entry, "_response")));
    respond_json(exchange, 200, shown);
}

void handle_hook_attempts(struct http_exchange *exchange) {
    json_t *entry = find_delivery(exchange);
    if (!entry) {
        return;
    }
    struct sending *sending = begin(exchange->fake, text_of(entry, "guid"), text_of(entry, "event"),
                                    text_of(entry, "_body"), true, 0);
    pthread_t thread;
    if (!sending || pthread_create(&thread, NULL, send_in_thread, sending) != 0) {
        respond_error(exchange, 500, "the fake is out of memory or threads");
        return;
    }
    pthread_detach(thread);
    respond_json(exchange, 202, json_object());
}

/* ---- the control API ---- */

static void make_guid(char guid[37]) {
    uint8_t b[16];
    (void)!getrandom(b, sizeof b, 0);
    snprintf(guid, 37, "%02x%02x%02x%02x-%02x%02x-11ee-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13]);
}

void webhooks_send(struct fake *fake, const char *event, json_t *payload) {
    char guid[37];
    make_guid(guid);
    AUTO_FREE char *text = json_dumps(payload, JSON_COMPACT);
    json_decref(payload);
    bool active = json_is_true(json_object_get(state_settings(fake), "webhook_active"));
    struct sending *sending = text && active ? begin(fake, guid, event, text, false, 0) : NULL;
    pthread_t thread;
    if (sending && pthread_create(&thread, NULL, send_in_thread, sending) == 0) {
        pthread_detach(thread);
    } else if (sending) {
        send_now(sending);
    }
}

void control_deliver(struct http_exchange *exchange, json_t *body) {
    const char *event, *guid = NULL;
    char made[37];
    int lose_response = 0, unsent = 0, no_payload = 0;
    json_int_t age_s = 0, id = 0;
    json_t *payload;
    json_error_t problem;
    if (json_unpack_ex(body, &problem, 0, "{s:s, s:o, s?s, s?I, s?I, s?b, s?b, s?b !}", "event",
                       &event, "payload", &payload, "guid", &guid, "age_s", &age_s, "id", &id,
                       "no_payload", &no_payload, "lose_response", &lose_response, "unsent",
                       &unsent) < 0) {
        respond_json(exchange, 422, json_pack("{s:s}", "message", problem.text));
        return;
    }
    if (id < 0 || (id > 0 && list_find_number(exchange->fake->deliveries, "id", id))) {
        respond_json(exchange, 422, json_pack("{s:s}", "message", "id is taken, or negative"));
        return;
    }
    if (!json_is_true(json_object_get(state_settings(exchange->fake), "webhook_active"))) {
        respond_json(exchange, 422,
                     json_pack("{s:s}", "message", "the webhook is not active: GitHub sends none"));
        return;
    }
    make_guid(made);
    AUTO_FREE char *text = json_dumps(payload, JSON_COMPACT);
    guid = guid ? guid : made;
    struct sending *sending = text ? begin(exchange->fake, guid, event, text, false, age_s) : NULL;
    if (!sending) {
        respond_json(exchange, 500, json_pack("{s:s}", "message", "out of memory"));
        return;
    }
    if (unsent) {
        /* GitHub does not reach the bot, even if it listens. */
        sending->url[0] = '\0';
    }
    sending->lose_response = lose_response;
    if (id > 0) {
        json_object_set_new(sending->entry, "id", json_integer(id));
    }
    json_object_set_new(sending->entry, "_no_payload", json_boolean(no_payload));
    json_t *entry = json_incref(sending->entry);
    send_now(sending);
    respond_json(exchange, 200, shape(entry));
    json_decref(entry);
}

/* A person presses Redeliver in the app's settings. */
void control_redeliver(struct http_exchange *exchange, json_t *body) {
    json_int_t id;
    int no_payload = 0;
    json_error_t problem;
    if (json_unpack_ex(body, &problem, 0, "{s:I, s?b !}", "id", &id, "no_payload", &no_payload) <
        0) {
        respond_json(exchange, 422, json_pack("{s:s}", "message", problem.text));
        return;
    }
    json_t *of = list_find_number(exchange->fake->deliveries, "id", id);
    struct sending *sending = of ? begin(exchange->fake, text_of(of, "guid"), text_of(of, "event"),
                                         text_of(of, "_body"), true, 0)
                                 : NULL;
    if (!sending) {
        respond_json(exchange, 422, json_pack("{s:s}", "message", "no delivery has this id"));
        return;
    }
    json_object_set_new(sending->entry, "_no_payload", json_boolean(no_payload));
    json_t *entry = json_incref(sending->entry);
    send_now(sending);
    respond_json(exchange, 200, shape(entry));
    json_decref(entry);
}

/* GitHub loses the payload of an entry, or has it now. */
void control_payload(struct http_exchange *exchange, json_t *body) {
    json_int_t id;
    int no_payload;
    json_error_t problem;
    json_t *entry = NULL;
    if (json_unpack_ex(body, &problem, 0, "{s:I, s:b !}", "id", &id, "no_payload", &no_payload) <
        0) {
        respond_json(exchange, 422, json_pack("{s:s}", "message", problem.text));
        return;
    }
    entry = list_find_number(exchange->fake->deliveries, "id", id);
    if (!entry) {
        respond_json(exchange, 422, json_pack("{s:s}", "message", "no delivery has this id"));
        return;
    }
    json_object_set_new(entry, "_no_payload", json_boolean(no_payload));
    respond_empty(exchange, 204);
}

void control_deliveries(struct http_exchange *exchange) {
    respond_json(exchange, 200, json_pack("{s:O}", "deliveries", exchange->fake->deliveries));
}

void control_age(struct http_exchange *exchange, json_t *body) {
    json_int_t by_s;
    json_error_t problem;
    if (json_unpack_ex(body, &problem, 0, "{s:I !}", "by_s", &by_s) < 0) {
        respond_json(exchange, 422, json_pack("{s:s}", "message", problem.text));
        return;
    }
    size_t i;
    json_t *entry;
    json_array_foreach(exchange->fake->deliveries, i, entry) {
        char text[FAKE_TIME_MAX];
        json_int_t time_s = number_of(entry, "_time_s") - by_s;
        fake_time_text(time_s, text);
        json_object_set_new(entry, "_time_s", json_integer(time_s));
        json_object_set_new(entry, "delivered_at", json_string(text));
    }
    respond_empty(exchange, 204);
}
