/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One curl multi handle and the transfers on it. */
#include "broker/transport.h"

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/secret.h"
#include "base/text.h"
#include "broker/curl_error.h"
#include "broker/headers.h"
#include "broker/response.h"
#include "broker/url.h"
#include "metrics/metrics.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 10000
/* Bytes of the reason why no response came. */
#define REASON_SHOWN 600

TAILQ_HEAD(transfer_list, http_transfer);

struct transport {
    CURLM *multi;
    char *user_agent, *ca_file;
    struct proxy proxy;
    bool tls;
    int64_t timeout_ms;
    int64_t skew_s;
    unsigned in_flight;
    /* Bytes of the responses that are arriving. */
    size_t held_bytes;
    /* Its entries are http_transfer.entry. */
    struct fair_queue queue;
    struct transfer_list large, paused;
};

/* Only a loopback host is reached without TLS, and never through a proxy. */
static int copy_proxy(const struct transport_options *options, struct proxy *copy) {
    const struct proxy *proxy = options->proxy;
    if (!options->tls || !proxy || !proxy->url) {
        return 0;
    }
    copy->url = strdup(proxy->url);
    copy->shown = strdup(proxy->shown);
    copy->except = strdup(proxy->except ? proxy->except : "");
    return copy->url && copy->shown && copy->except ? 0 : -1;
}

int transport_new(const struct transport_options *options, struct transport **transport,
                  struct error *err) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return error_set(err, "libcurl cannot be initialised: " ERROR_FIX_MEMORY);
    }
    struct transport *made = calloc(1, sizeof *made);
    if (!made) {
        curl_global_cleanup();
        return error_set(err, "no memory");
    }
    fair_queue_init(&made->queue);
    TAILQ_INIT(&made->large);
    TAILQ_INIT(&made->paused);
    made->tls = options->tls;
    made->timeout_ms = options->timeout_ms;
    made->user_agent = strdup(options->user_agent);
    made->ca_file = options->ca_file ? strdup(options->ca_file) : NULL;
    made->multi = curl_multi_init();
    if (copy_proxy(options, &made->proxy) < 0 || !made->multi || !made->user_agent ||
        (options->ca_file && !made->ca_file) ||
        curl_multi_setopt(made->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                          (long)TRANSPORT_IN_FLIGHT_MAX) ||
        curl_multi_setopt(made->multi, CURLMOPT_MAXCONNECTS, (long)TRANSPORT_IN_FLIGHT_MAX)) {
        transport_free(made);
        return error_set(err, "libcurl cannot be set up");
    }
    *transport = made;
    return 0;
}

void transport_free(struct transport *transport) {
    if (transport) {
        curl_multi_cleanup(transport->multi);
        free(transport->user_agent);
        free(transport->ca_file);
        if (transport->proxy.url) {
            explicit_bzero(transport->proxy.url, strlen(transport->proxy.url));
        }
        free(transport->proxy.url);
        free(transport->proxy.shown);
        free(transport->proxy.except);
        free(transport);
        curl_global_cleanup();
    }
}

int64_t transport_skew_s(const struct transport *transport) {
    return transport->skew_s;
}

void http_transfer_init(struct http_transfer *transfer, size_t response_max, bool secret) {
    *transfer = (struct http_transfer){.secret = secret,
                                       .headers = BUFFER_INIT(TRANSPORT_HEADERS_MAX),
                                       .response = BUFFER_INIT(response_max)};
}

void http_transfer_take(struct http_transfer *transfer, struct buffer *headers,
                        struct buffer *response) {
    *headers = transfer->headers;
    *response = transfer->response;
    transfer->headers = (struct buffer)BUFFER_INIT(headers->max);
    transfer->response = (struct buffer)BUFFER_INIT(response->max);
}

static void wipe_list(struct curl_slist *list) {
    for (struct curl_slist *item = list; item; item = item->next) {
        explicit_bzero(item->data, strlen(item->data));
    }
    curl_slist_free_all(list);
}

/* ---- large responses ---- */

static struct http_transfer *find_of_owner(const struct transfer_list *list, const char *owner) {
    struct http_transfer *transfer;
    TAILQ_FOREACH(transfer, list, link_size) {
        if (strcmp(transfer->entry.owner, owner) == 0) {
            return transfer;
        }
    }
    return NULL;
}

static void set_size(struct http_transfer *transfer, int size) {
    struct transport *transport = transfer->transport;
    struct transfer_list *const lists[] = {NULL, &transport->large, &transport->paused};
    if (lists[transfer->size]) {
        TAILQ_REMOVE(lists[transfer->size], transfer, link_size);
    }
    if (lists[size]) {
        TAILQ_INSERT_TAIL(lists[size], transfer, link_size);
    }
    transfer->size = size;
}

/* True when the response may grow further now. */
static bool may_be_large(struct http_transfer *transfer) {
    const char *owner = transfer->entry.owner;
    if (!owner || transfer->size == TRANSFER_LARGE) {
        return true;
    }
    if (find_of_owner(&transfer->transport->large, owner)) {
        set_size(transfer, TRANSFER_PAUSED);
        return false;
    }
    set_size(transfer, TRANSFER_LARGE);
    return true;
}

/* The transfer ends: the next one of its owner goes on. */
static void leave_sizes(struct http_transfer *transfer) {
    bool large = transfer->size == TRANSFER_LARGE;
    set_size(transfer, TRANSFER_SMALL);
    struct http_transfer *next =
        large ? find_of_owner(&transfer->transport->paused, transfer->entry.owner) : NULL;
    if (next) {
        set_size(next, TRANSFER_LARGE);
        curl_easy_pause(next->easy, CURLPAUSE_CONT);
    }
}

/* Takes it off the queue or the multi handle. */
static void detach(struct http_transfer *transfer) {
    struct transport *transport = transfer->transport;
    if (transfer->easy) {
        leave_sizes(transfer);
        curl_multi_remove_handle(transport->multi, transfer->easy);
        curl_easy_cleanup(STEAL(transfer->easy));
        assert(transport->in_flight > 0 && transport->held_bytes >= transfer->held_bytes);
        transport->in_flight--;
        transport->held_bytes -= transfer->held_bytes;
        transfer->held_bytes = 0;
    } else if (transport) {
        fair_queue_remove(&transport->queue, &transfer->entry);
    }
    assert(!transfer->easy && !transfer->entry.queued);
    transfer->transport = NULL;
    wipe_list(STEAL(transfer->sent_headers));
    free(STEAL(transfer->curl_error));
}

static void forget_response(struct http_transfer *transfer) {
    if (transfer->response.data && transfer->secret) {
        explicit_bzero(transfer->response.data, transfer->response.capacity);
    }
    buffer_finish(&transfer->response);
    buffer_finish(&transfer->headers);
}

void http_transfer_finish(struct http_transfer *transfer) {
    detach(transfer);
    forget_response(transfer);
}

static int add_header(struct http_transfer *transfer, const char *line) {
    struct curl_slist *longer = curl_slist_append(transfer->sent_headers, line);
    if (!longer) {
        return -1;
    }
    transfer->sent_headers = longer;
    return 0;
}

/* "NAME: VALUE" */
static int add_named(struct http_transfer *transfer, const char *name, const char *value) {
    AUTO_FREE char *line = NULL;
    if (asprintf(&line, "%s: %s", name, value) < 0) {
        line = NULL;
        return -1;
    }
    return add_header(transfer, line);
}

static int add_more(struct http_transfer *transfer) {
    AUTO_FREE char *lines = strdup(transfer->more_headers ? transfer->more_headers : "");
    int result = lines ? 0 : -1;
    char *rest = lines;
    for (char *line; result == 0 && (line = strsep(&rest, "\n"));) {
        result = *line ? add_header(transfer, line) : 0;
    }
    return result;
}

static int add_token(struct http_transfer *transfer, const char *token) {
    static const char bearer[] = "Authorization: Bearer ";
    size_t token_bytes = strlen(token);
    AUTO_SECRET struct secret line = {.data = malloc(sizeof bearer + token_bytes),
                                      .bytes = sizeof bearer - 1 + token_bytes};
    if (!line.data) {
        return -1;
    }
    memcpy(line.data, bearer, sizeof bearer - 1);
    memcpy(line.data + sizeof bearer - 1, token, token_bytes + 1);
    return add_header(transfer, line.data);
}

static int add_headers(struct http_transfer *transfer, const char *token) {
    size_t bytes;
    const char *type = transfer->content_type;
    bool versioned = headers_find(transfer->more_headers, "x-github-api-version", &bytes);
    int result = add_token(transfer, token);
    result |= add_named(transfer, "Accept", transfer->accept ? transfer->accept : TRANSPORT_ACCEPT);
    result |= versioned ? 0 : add_named(transfer, "X-GitHub-Api-Version", TRANSPORT_API_VERSION);
    /* No type for a body that is empty, and no second round trip before a large one. */
    result |= add_header(transfer, "Expect:");
    if (transfer->body_bytes > 0) {
        result |= add_named(transfer, "Content-Type", type ? type : "application/json");
    } else {
        result |= add_header(transfer, "Content-Type:");
    }
    result |= transfer->etag ? add_named(transfer, "If-None-Match", transfer->etag) : 0;
    return result | add_more(transfer);
}

void transport_send(struct transport *transport, struct http_transfer *transfer,
                    const char *token) {
    assert(!transfer->transport);
    forget_response(transfer);
    transfer->outcome = 0;
    transfer->status = 0;
    transfer->unsent = false;
    transfer->begun = false;
    transfer->expired = false;
    transfer->crowded = false;
    transfer->header_bytes = 0;
    transfer->error.text[0] = '\0';
    transfer->transport = transport;
    /* A secret gets its whole buffer at once: a buffer that grows leaves copies behind. */
    if ((transfer->secret && buffer_reserve(&transfer->response, transfer->response.max) < 0) ||
        add_headers(transfer, token) < 0) {
        transfer->outcome = SNEK_E_FAILED; /* start() fails it */
    }
    fair_queue_add(&transport->queue, &transfer->entry);
}

static size_t on_body(char *data, size_t size, size_t count, void *context) {
    struct http_transfer *transfer = context;
    struct transport *transport = transfer->transport;
    size_t bytes = size * count;
    transfer->crowded = transport->held_bytes > TRANSPORT_HELD_MAX &&
                        transfer->response.bytes + bytes > TRANSPORT_SMALL_MAX;
    if (transfer->crowded) {
        /* Not TOO_LARGE: the shortage is the host's own, and passes. */
        transfer->outcome = SNEK_E_FAILED;
        return 0;
    }
    if (transfer->response.bytes + bytes > TRANSPORT_LARGE_FROM && !may_be_large(transfer)) {
        return CURL_WRITEFUNC_PAUSE;
    }
    transport->held_bytes += bytes;
    transfer->held_bytes += bytes;
    if (buffer_append(&transfer->response, data, bytes) < 0) {
        bool too_large = bytes > transfer->response.max - transfer->response.bytes;
        transfer->outcome = too_large ? SNEK_E_TOO_LARGE : SNEK_E_FAILED;
        return 0; /* fails the transfer */
    }
    return bytes;
}

/* Stores "Name: value\r\n" as "name: value\n"; drops a line that is no header. */
static int store_header_line(struct buffer *headers, char *line, size_t bytes) {
    char *colon = memchr(line, ':', bytes);
    size_t name_bytes = colon ? (size_t)(colon - line) : 0;
    for (size_t i = 0; i < name_bytes; i++) {
        if (line[i] <= ' ' || line[i] >= 0x7F) {
            /* E.g. a continuation line, which HTTP/1.1 no longer allows. */
            return 0;
        }
        line[i] = (char)(line[i] >= 'A' && line[i] <= 'Z' ? line[i] + ('a' - 'A') : line[i]);
    }
    if (name_bytes == 0) {
        return 0;
    }
    for (size_t i = name_bytes; i < bytes; i++) {
        line[i] = (unsigned char)line[i] < ' ' || line[i] == 0x7F ? ' ' : line[i];
    }
    const char *value = colon + 1, *end = line + bytes;
    while (value < end && *value == ' ') {
        value++;
    }
    while (end > value && end[-1] == ' ') {
        end--;
    }
    size_t before = headers->bytes;
    if (buffer_append(headers, line, name_bytes) < 0 || buffer_append(headers, ": ", 2) < 0 ||
        buffer_append(headers, value, (size_t)(end - value)) < 0 ||
        buffer_append(headers, "\n", 1) < 0) {
        headers->bytes = before;
        return -1;
    }
    return 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *context) {
    struct http_transfer *transfer = context;
    size_t bytes = size * count;
    /* 1xx responses count too: their number has no bound. */
    transfer->header_bytes += bytes;
    if (bytes >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        transfer->headers.bytes = 0;
    } else if (store_header_line(&transfer->headers, data, bytes) < 0) {
        /* A space is inserted behind each name. */
        bool fits = transfer->headers.bytes + bytes + 1 <= transfer->headers.max;
        transfer->outcome = fits ? SNEK_E_FAILED : SNEK_E_TOO_LARGE;
        transfer->header_bytes += fits ? 0 : TRANSPORT_HEADERS_MAX;
    }
    if (transfer->outcome == 0 && transfer->header_bytes > TRANSPORT_HEADERS_MAX) {
        transfer->outcome = SNEK_E_TOO_LARGE;
    }
    /* 0 fails the transfer. */
    return transfer->outcome == 0 ? bytes : 0;
}

static bool changes_something(const struct http_transfer *transfer) {
    return strcmp(transfer->method, "GET") != 0 && strcmp(transfer->method, "HEAD") != 0;
}

/* curl calls this before it sends the request, and once more when a kept connection broke before
 * the first byte of the response, for then it would send the request again. GitHub may have acted
 * on the first one: the second would make another comment, or get a 404 for a DELETE that was done.
 * So curl may repeat a write only if none of its bytes had left. */
static int on_before_request(void *context, char *there, char *here, int there_port,
                             int here_port) {
    (void)there, (void)here, (void)there_port, (void)here_port;
    struct http_transfer *transfer = context;
    long sent_bytes = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
    if (!transfer->begun && transfer->not_after_ms > 0 &&
        clock_monotonic_ms() >= transfer->not_after_ms) {
        transfer->expired = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (!transfer->begun) {
        transfer->begun = true;
        /* The bytes of CONNECT, to a proxy. */
        transfer->before_bytes = sent_bytes;
        return CURL_PREREQFUNC_OK;
    }
    return changes_something(transfer) && sent_bytes > transfer->before_bytes
               ? CURL_PREREQFUNC_ABORT
               : CURL_PREREQFUNC_OK;
}

static CURLcode set_body(struct http_transfer *transfer) {
    CURL *easy = transfer->easy;
    if (transfer->body_bytes == 0 && strcmp(transfer->method, "POST") != 0 &&
        strcmp(transfer->method, "PUT") != 0 && strcmp(transfer->method, "PATCH") != 0) {
        return CURLE_OK;
    }
    CURLcode code = curl_easy_setopt(easy, CURLOPT_POST, 1L);
    code = code ? code
                : curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                   (curl_off_t)transfer->body_bytes);
    const char *body = transfer->body_bytes > 0 ? transfer->body : "";
    return code ? code : curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
}

static CURLcode set_request_options(struct http_transfer *transfer) {
    CURL *easy = transfer->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, transfer->url);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_before_request);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    code = code ? code : set_body(transfer);
    if (!code && strcmp(transfer->method, "HEAD") == 0) {
        code = curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (!code) {
        code = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, transfer->method);
    }
    return code ? code : curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->sent_headers);
}

static CURLcode set_response_options(struct http_transfer *transfer) {
    CURL *easy = transfer->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_error);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    return code ? code
                : curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE,
                                   (curl_off_t)transfer->response.max);
}

static CURLcode set_connection_options(const struct transport *transport,
                                       const struct http_transfer *transfer) {
    CURL *easy = transfer->easy;
    int64_t timeout_ms = transfer->timeout_ms > 0 ? transfer->timeout_ms : transport->timeout_ms;
    int64_t connect_ms = timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS;
#if LIBCURL_VERSION_NUM >= 0x075500
    CURLcode code =
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, transport->tls ? "https" : "http");
#else
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
                                     transport->tls ? (long)CURLPROTO_HTTPS : (long)CURLPROTO_HTTP);
#endif
    code = code ? code : curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_USERAGENT, transport->user_agent);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Without it, giving up on a name blocks until the resolver does: 20 s with two silent servers,
     * in which no other connection makes progress. */
    code = code ? code : curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    /* Never the proxy that libcurl would find in the environment. */
    const struct proxy *proxy = &transport->proxy;
    const char *proxy_url = proxy->url ? proxy->url : "";
    const char *no_proxy = proxy->url ? proxy->except : "*";
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PROXY, proxy_url);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_NOPROXY, no_proxy);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!code && transport->ca_file) {
        /* Only this file: Debian's libcurl would also read the system's 150 certificates for each
         * connection, which takes 60 ms. */
        code = curl_easy_setopt(easy, CURLOPT_CAINFO, transport->ca_file);
        code = code ? code : curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (!code && transport->tls) {
        /* Wait until a new connection has negotiated HTTP/2. Without TLS it never does, and the
         * other requests would wait for the first response. A curl without HTTP/2 rejects this
         * option, and then nothing is lost. */
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        code = curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    }
    return code;
}

/* 0 when the transfer has started. */
static int start(struct transport *transport, struct http_transfer *transfer) {
    if (transfer->outcome < 0) {
        return -1;
    }
    transfer->curl_error = calloc(1, CURL_ERROR_SIZE);
    transfer->easy = transfer->curl_error ? curl_easy_init() : NULL;
    if (!transfer->easy) {
        return -1;
    }
    if (set_request_options(transfer) || set_response_options(transfer) ||
        set_connection_options(transport, transfer) ||
        curl_multi_add_handle(transport->multi, transfer->easy)) {
        curl_easy_cleanup(STEAL(transfer->easy));
        return -1;
    }
    fair_queue_take(&transport->queue, &transfer->entry);
    transport->in_flight++;
    return 0;
}

/* On a kept connection, a malformed response may be left over from the one before. */
static bool is_leftover(const struct http_transfer *transfer) {
    long connects = 1;
    return transfer->easy &&
           curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK &&
           connects == 0;
}

static int32_t outcome_of(const struct http_transfer *transfer, CURLcode code) {
    if (transfer->outcome < 0) {
        return transfer->outcome; /* a callback failed it */
    }
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return SNEK_E_TIMEOUT;
    case CURLE_FILESIZE_EXCEEDED:
        return SNEK_E_TOO_LARGE;
    case CURLE_OUT_OF_MEMORY:
        return SNEK_E_FAILED;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
        return is_leftover(transfer) ? SNEK_E_NETWORK : SNEK_E_SERVER;
    default:
        return SNEK_E_NETWORK;
    }
}

/* libcurl's reason and the setting that fixes it, cleaned for a sentence. */
static void describe_reason(const struct transport *transport, const struct http_transfer *transfer,
                            CURLcode code, char reason[REASON_SHOWN + 1]) {
    char described[REASON_SHOWN + 1];
    const char *text = curl_easy_strerror(code);
    if (transfer->expired) {
        text = "the connection took so long that the run's lease may have expired";
    } else if (code == CURLE_ABORTED_BY_CALLBACK) { /* see on_before_request() */
        text = "the connection broke before a response came";
    } else if (transfer->curl_error && transfer->curl_error[0]) {
        text = transfer->curl_error;
    }
    struct curl_error error = {.easy = transfer->easy,
                               .code = code,
                               .text = text,
                               .ca_file = transport->ca_file,
                               .proxy = transport->proxy.url ? &transport->proxy : NULL,
                               .unsent = transfer->unsent};
    curl_error_describe(&error, described, sizeof described);
    text_clean(reason, REASON_SHOWN + 1, described, strlen(described));
}

static void fail(const struct transport *transport, struct http_transfer *transfer, CURLcode code) {
    char path[URL_SHOWN + 1], reason[REASON_SHOWN + 1];
    text_clean(path, sizeof path, transfer->path, strlen(transfer->path));
    transfer->outcome = outcome_of(transfer, code);
    if (transfer->crowded) {
        error_set(&transfer->error,
                  "%s %s: too many large responses arrive at once for the host's memory",
                  transfer->method, path);
    } else if (transfer->outcome == SNEK_E_TOO_LARGE &&
               transfer->header_bytes > TRANSPORT_HEADERS_MAX) {
        error_set(&transfer->error, "%s %s answered with more than %zu bytes of headers",
                  transfer->method, path, (size_t)TRANSPORT_HEADERS_MAX);
    } else if (transfer->outcome == SNEK_E_TOO_LARGE) {
        error_set(&transfer->error, "%s %s answered with more than %zu bytes", transfer->method,
                  path, transfer->response.max);
    } else if (transfer->outcome == SNEK_E_FAILED) {
        error_set(&transfer->error, "%s %s: no memory", transfer->method, path);
    } else {
        describe_reason(transport, transfer, code, reason);
        transfer->status = 0;
        buffer_finish(&transfer->headers);
        error_set(&transfer->error, "%s %s got no complete response: %s", transfer->method, path,
                  reason);
    }
    buffer_finish(&transfer->response);
}

static void learn_skew(struct transport *transport, const struct buffer *headers) {
    size_t bytes;
    const char *date = response_header(headers, "date", &bytes);
    char text[64];
    if (date && bytes < sizeof text) {
        memcpy(text, date, bytes);
        text[bytes] = '\0';
        time_t there_s = curl_getdate(text, NULL);
        if (there_s > 0) {
            transport->skew_s = (int64_t)there_s - clock_wall_ms() / 1000;
            clock_set_reference((int64_t)there_s * 1000);
        }
    }
}

/* Did it fail before curl could write the request: at the name, the connection, or TLS? */
static bool is_unsent(const struct http_transfer *transfer) {
    curl_off_t ready_us = 0;
    return !transfer->easy || transfer->expired ||
           (!transfer->begun &&
            curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us) == CURLE_OK &&
            ready_us == 0);
}

static void finish(struct transport *transport, struct http_transfer *transfer, CURLcode code) {
    long status = 0;
    if (transfer->easy) {
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    }
    curl_off_t took_us = 0;
    if (transfer->easy) {
        curl_easy_getinfo(transfer->easy, CURLINFO_TOTAL_TIME_T, &took_us);
    }
    transfer->unsent = code != CURLE_OK && is_unsent(transfer);
    if (code == CURLE_OUT_OF_MEMORY && status > 0 && transfer->response.bytes == 0) {
        /* Curl's code for a header line without end. */
        transfer->outcome = SNEK_E_TOO_LARGE;
        transfer->header_bytes = TRANSPORT_HEADERS_MAX + 1;
    }
    transfer->status = (int32_t)status;
    if (code == CURLE_OK) {
        learn_skew(transport, &transfer->headers);
        transfer->outcome =
            response_judge(transfer->method, transfer->path, transfer->status, &transfer->headers,
                           &transfer->response, &transfer->error);
    } else {
        fail(transport, transfer, code);
    }
    metrics_request(transfer->method, transfer->status, took_us);
    detach(transfer);
    transfer->on_done(transfer);
}

static bool has_room(const struct transport *transport) {
    return transport->in_flight < TRANSPORT_IN_FLIGHT_MAX &&
           transport->held_bytes < TRANSPORT_HELD_MAX / 2;
}

static void start_queued(struct transport *transport) {
    struct fair_queue_entry *entry;
    while (has_room(transport) && (entry = TAILQ_FIRST(&transport->queue.list))) {
        struct http_transfer *transfer = CONTAINER_OF(entry, struct http_transfer, entry);
        if (start(transport, transfer) < 0) {
            transfer->outcome = SNEK_E_FAILED;
            finish(transport, transfer, CURLE_OUT_OF_MEMORY);
        }
    }
}

void transport_perform(struct transport *transport) {
    do {
        int running, left;
        start_queued(transport);
        curl_multi_perform(transport->multi, &running);
        for (CURLMsg *message; (message = curl_multi_info_read(transport->multi, &left));) {
            char *transfer = NULL;
            if (message->msg == CURLMSG_DONE) {
                CURLcode code = message->data.result; /* gone with the handle */
                curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
                finish(transport, (struct http_transfer *)(void *)transfer, code);
            }
        }
    } while (!TAILQ_EMPTY(&transport->queue.list) && has_room(transport));
}

void transport_wait(struct transport *transport, struct curl_waitfd *fds, unsigned n_fds,
                    int timeout_ms) {
    curl_multi_poll(transport->multi, fds, n_fds, timeout_ms, NULL);
}
