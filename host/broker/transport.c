/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One curl multi handle and the exchanges on it. */
#include "broker/transport.h"

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/secret.h"
#include "base/text.h"
#include "broker/answer.h"
#include "broker/cause.h"
#include "broker/headers.h"
#include "metrics/metrics.h"

#include <snekomatic/types.h>

#include <string.h>

#define CONNECT_TIMEOUT_MS 10000
#define CAUSE_SHOWN 600 /* bytes of why no answer came */

struct transport {
    CURLM *multi;
    char *user_agent, *ca_file;
    struct proxy proxy;
    bool tls;
    int64_t timeout_ms;
    int64_t skew_s;
    unsigned in_flight;
    size_t held_bytes;  /* of the answers under way */
    struct turns queue; /* of exchange.turn */
};

/* Only a loopback host is asked without TLS, and that is no proxy's business. */
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
        return error_set(err, "libcurl cannot be initialised");
    }
    struct transport *made = calloc(1, sizeof *made);
    if (!made) {
        curl_global_cleanup();
        return error_set(err, "no memory");
    }
    turns_init(&made->queue);
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
        (void)curl_multi_cleanup(transport->multi);
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

void exchange_init(struct exchange *exchange, size_t answer_max, bool secret) {
    *exchange = (struct exchange){.secret = secret,
                                  .headers = BUFFER_INIT(TRANSPORT_HEADERS_MAX),
                                  .answer = BUFFER_INIT(answer_max)};
}

static void wipe_list(struct curl_slist *list) {
    for (struct curl_slist *item = list; item; item = item->next) {
        explicit_bzero(item->data, strlen(item->data));
    }
    curl_slist_free_all(list);
}

/* Takes it off the queue or the multi handle. */
static void detach(struct exchange *exchange) {
    struct transport *transport = exchange->transport;
    if (exchange->easy) {
        (void)curl_multi_remove_handle(transport->multi, exchange->easy);
        curl_easy_cleanup(STEAL(exchange->easy));
        transport->in_flight--;
        transport->held_bytes -= exchange->held_bytes;
        exchange->held_bytes = 0;
    } else if (transport) {
        turns_remove(&transport->queue, &exchange->turn);
    }
    exchange->transport = NULL;
    wipe_list(STEAL(exchange->sent_headers));
    free(STEAL(exchange->curl_error));
}

static void forget_answer(struct exchange *exchange) {
    if (exchange->answer.data && exchange->secret) {
        explicit_bzero(exchange->answer.data, exchange->answer.capacity);
    }
    buffer_finish(&exchange->answer);
    buffer_finish(&exchange->headers);
}

void exchange_finish(struct exchange *exchange) {
    detach(exchange);
    forget_answer(exchange);
}

static int add_header(struct exchange *exchange, const char *line) {
    struct curl_slist *longer = curl_slist_append(exchange->sent_headers, line);
    if (!longer) {
        return -1;
    }
    exchange->sent_headers = longer;
    return 0;
}

/* "NAME: VALUE" */
static int add_named(struct exchange *exchange, const char *name, const char *value) {
    AUTO_FREE char *line = NULL;
    if (asprintf(&line, "%s: %s", name, value) < 0) {
        line = NULL;
        return -1;
    }
    return add_header(exchange, line);
}

static int add_more(struct exchange *exchange) {
    AUTO_FREE char *lines = strdup(exchange->more_headers ? exchange->more_headers : "");
    int result = lines ? 0 : -1;
    char *rest = lines;
    for (char *line; result == 0 && (line = strsep(&rest, "\n"));) {
        result = *line ? add_header(exchange, line) : 0;
    }
    return result;
}

static int add_token(struct exchange *exchange, const char *token) {
    static const char bearer[] = "Authorization: Bearer ";
    size_t token_bytes = strlen(token);
    AUTO_SECRET struct secret line = {.data = malloc(sizeof bearer + token_bytes),
                                      .bytes = sizeof bearer - 1 + token_bytes};
    if (!line.data) {
        return -1;
    }
    memcpy(line.data, bearer, sizeof bearer - 1);
    memcpy(line.data + sizeof bearer - 1, token, token_bytes + 1);
    return add_header(exchange, line.data);
}

static int add_headers(struct exchange *exchange, const char *token) {
    size_t bytes;
    const char *type = exchange->content_type;
    bool versioned = headers_find(exchange->more_headers, "x-github-api-version", &bytes);
    int result = add_token(exchange, token);
    result |= add_named(exchange, "Accept", exchange->accept ? exchange->accept : TRANSPORT_ACCEPT);
    result |= versioned ? 0 : add_named(exchange, "X-GitHub-Api-Version", TRANSPORT_API_VERSION);
    /* No type for a body that is empty, and no second round trip before a large one. */
    result |= add_header(exchange, "Expect:");
    result |= exchange->body_bytes > 0
                  ? add_named(exchange, "Content-Type", type ? type : "application/json")
                  : add_header(exchange, "Content-Type:");
    result |= exchange->tag ? add_named(exchange, "If-None-Match", exchange->tag) : 0;
    return result | add_more(exchange);
}

void transport_send(struct transport *transport, struct exchange *exchange, const char *token) {
    forget_answer(exchange);
    exchange->outcome = 0;
    exchange->status = 0;
    exchange->unsent = false;
    exchange->begun = false;
    exchange->crowded = false;
    exchange->header_bytes = 0;
    exchange->error.text[0] = '\0';
    exchange->transport = transport;
    /* A secret in one place from the start: growing would leave copies behind. */
    if ((exchange->secret && buffer_reserve(&exchange->answer, exchange->answer.max) < 0) ||
        add_headers(exchange, token) < 0) {
        exchange->outcome = SNEK_E_FAILED; /* start() sees it */
    }
    turns_add(&transport->queue, &exchange->turn);
}

static size_t take_body(char *data, size_t size, size_t count, void *context) {
    struct exchange *exchange = context;
    struct transport *transport = exchange->transport;
    size_t bytes = size * count;
    exchange->crowded = transport->held_bytes > TRANSPORT_HELD_MAX &&
                        exchange->answer.bytes + bytes > TRANSPORT_SMALL_MAX;
    if (exchange->crowded) {
        exchange->outcome = SNEK_E_TOO_LARGE;
        return 0;
    }
    transport->held_bytes += bytes;
    exchange->held_bytes += bytes;
    if (buffer_append(&exchange->answer, data, bytes) < 0) {
        bool too_large = bytes > exchange->answer.max - exchange->answer.bytes;
        exchange->outcome = too_large ? SNEK_E_TOO_LARGE : SNEK_E_FAILED;
        return 0; /* fails the exchange */
    }
    return bytes;
}

/* "Name: value\r\n" into "name: value\n"; what is no header is left out. */
static int take_header_line(struct buffer *headers, char *line, size_t bytes) {
    char *colon = memchr(line, ':', bytes);
    size_t name_bytes = colon ? (size_t)(colon - line) : 0;
    for (size_t i = 0; i < name_bytes; i++) {
        if (line[i] <= ' ' || line[i] >= 0x7F) {
            return 0; /* the continuation of a line, which HTTP/1.1 has given up, or worse */
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

static size_t take_header(char *data, size_t size, size_t count, void *context) {
    struct exchange *exchange = context;
    size_t bytes = size * count;
    exchange->header_bytes += bytes; /* of 1xx answers too, of which there is no end */
    if (bytes >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        exchange->headers.bytes = 0;
    } else if (take_header_line(&exchange->headers, data, bytes) < 0) {
        exchange->header_bytes = TRANSPORT_HEADERS_MAX + 1;
    }
    if (exchange->header_bytes > TRANSPORT_HEADERS_MAX) {
        exchange->outcome = SNEK_E_TOO_LARGE;
        return 0; /* fails the exchange */
    }
    return bytes;
}

static bool changes_something(const struct exchange *exchange) {
    return strcmp(exchange->method, "GET") != 0 && strcmp(exchange->method, "HEAD") != 0;
}

/* curl tells before it sends the request. It does so once more when a kept connection broke before
 * a byte of the answer, for then it would send it again, though GitHub may have acted on it: a
 * comment twice, or a 404 to a DELETE that was done. Unless nothing of it had left, that is not
 * curl's to decide. */
static int before_request(void *context, char *there, char *here, int there_port, int here_port) {
    (void)there, (void)here, (void)there_port, (void)here_port;
    struct exchange *exchange = context;
    long sent_bytes = 0;
    (void)curl_easy_getinfo(exchange->easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
    if (!exchange->begun) {
        exchange->begun = true;
        exchange->before_bytes = sent_bytes; /* of CONNECT, to a proxy */
        return CURL_PREREQFUNC_OK;
    }
    return changes_something(exchange) && sent_bytes > exchange->before_bytes
               ? CURL_PREREQFUNC_ABORT
               : CURL_PREREQFUNC_OK;
}

static CURLcode set_body(struct exchange *exchange) {
    CURL *easy = exchange->easy;
    if (exchange->body_bytes == 0 && strcmp(exchange->method, "POST") != 0 &&
        strcmp(exchange->method, "PUT") != 0 && strcmp(exchange->method, "PATCH") != 0) {
        return CURLE_OK;
    }
    CURLcode code = curl_easy_setopt(easy, CURLOPT_POST, 1L);
    code = code ? code
                : curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                   (curl_off_t)exchange->body_bytes);
    return code ? code
                : curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                                   exchange->body_bytes > 0 ? exchange->body : "");
}

static CURLcode set_question(struct exchange *exchange) {
    CURL *easy = exchange->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, exchange->url);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PREREQDATA, exchange);
    code = code ? code : set_body(exchange);
    code = code ? code
           : strcmp(exchange->method, "HEAD") == 0
               ? curl_easy_setopt(easy, CURLOPT_NOBODY, 1L)
               : curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, exchange->method);
    return code ? code : curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->sent_headers);
}

static CURLcode set_answer(struct exchange *exchange) {
    CURL *easy = exchange->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->curl_error);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    return code ? code
                : curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE,
                                   (curl_off_t)exchange->answer.max);
}

static CURLcode set_connection(const struct transport *transport, const struct exchange *exchange) {
    CURL *easy = exchange->easy;
    int64_t timeout_ms = exchange->timeout_ms > 0 ? exchange->timeout_ms : transport->timeout_ms;
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
    /* Else who gives up on a name waits until the resolver does: 20 s for two servers that are
     * silent, in which nothing moves on the connections that there are. */
    code = code ? code : curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    /* Never what libcurl would find in the environment. */
    const struct proxy *proxy = &transport->proxy;
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PROXY, proxy->url ? proxy->url : "");
    code = code ? code : curl_easy_setopt(easy, CURLOPT_NOPROXY, proxy->url ? proxy->except : "*");
    code = code ? code : curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!code && transport->ca_file) {
        /* And not the system's beside it, which Debian's libcurl would read for each connection:
         * 150 certificates, 60 ms. */
        code = curl_easy_setopt(easy, CURLOPT_CAINFO, transport->ca_file);
        code = code ? code : curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (!code && transport->tls) {
        /* Wait and see whether a connection that is being made speaks HTTP/2. Without TLS it never
         * does, and the rest would wait for the first answer. A curl without HTTP/2 rejects. */
        (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        code = curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    }
    return code;
}

/* 0 when the exchange is under way. */
static int start(struct transport *transport, struct exchange *exchange) {
    if (exchange->outcome < 0) {
        return -1;
    }
    exchange->curl_error = calloc(1, CURL_ERROR_SIZE);
    exchange->easy = exchange->curl_error ? curl_easy_init() : NULL;
    if (!exchange->easy) {
        return -1;
    }
    if (set_question(exchange) || set_answer(exchange) || set_connection(transport, exchange) ||
        curl_multi_add_handle(transport->multi, exchange->easy)) {
        curl_easy_cleanup(STEAL(exchange->easy));
        return -1;
    }
    turns_take(&transport->queue, &exchange->turn);
    transport->in_flight++;
    return 0;
}

/* On a kept connection, what makes no sense may be left of the answer before. */
static bool is_of_another(const struct exchange *exchange) {
    long connects = 1;
    return exchange->easy &&
           curl_easy_getinfo(exchange->easy, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK &&
           connects == 0;
}

static int32_t outcome_of(const struct exchange *exchange, CURLcode code) {
    if (exchange->outcome < 0) {
        return exchange->outcome; /* a callback gave it up */
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
        return is_of_another(exchange) ? SNEK_E_NETWORK : SNEK_E_SERVER;
    default:
        return SNEK_E_NETWORK;
    }
}

static void fail(const struct transport *transport, struct exchange *exchange, CURLcode code) {
    char path[ANSWER_URL_SHOWN + 1], cause[CAUSE_SHOWN + 1], why[CAUSE_SHOWN + 1] = "";
    text_clean(path, sizeof path, exchange->path, strlen(exchange->path));
    const char *text = exchange->curl_error && exchange->curl_error[0] ? exchange->curl_error
                                                                       : curl_easy_strerror(code);
    if (code == CURLE_ABORTED_BY_CALLBACK) { /* see before_request() */
        text = "the connection broke before an answer came";
    }
    cause_describe(&(struct cause){.easy = exchange->easy,
                                   .code = code,
                                   .text = text,
                                   .ca_file = transport->ca_file,
                                   .proxy = transport->proxy.url ? &transport->proxy : NULL,
                                   .unsent = exchange->unsent},
                   cause, sizeof cause);
    text_clean(why, sizeof why, cause, strlen(cause));
    exchange->outcome = outcome_of(exchange, code);
    if (exchange->crowded) {
        (void)error_set(&exchange->error,
                        "%s %s: too many large answers are coming at once for the host's memory",
                        exchange->method, path);
    } else if (exchange->outcome == SNEK_E_TOO_LARGE) {
        (void)error_set(
            &exchange->error, "%s %s answered with more than %zu bytes%s", exchange->method, path,
            exchange->header_bytes > TRANSPORT_HEADERS_MAX ? (size_t)TRANSPORT_HEADERS_MAX
                                                           : exchange->answer.max,
            exchange->header_bytes > TRANSPORT_HEADERS_MAX ? " of headers" : "");
    } else if (exchange->outcome == SNEK_E_FAILED) {
        (void)error_set(&exchange->error, "%s %s: no memory", exchange->method, path);
    } else {
        exchange->status = 0;
        buffer_finish(&exchange->headers);
        (void)error_set(&exchange->error, "%s %s got no whole answer: %s", exchange->method, path,
                        why);
    }
    buffer_finish(&exchange->answer);
}

static void learn_skew(struct transport *transport, const struct buffer *headers) {
    size_t bytes;
    const char *date = answer_header(headers, "date", &bytes);
    char text[64];
    if (date && bytes < sizeof text) {
        memcpy(text, date, bytes);
        text[bytes] = '\0';
        time_t there_s = curl_getdate(text, NULL);
        if (there_s > 0) {
            transport->skew_s = (int64_t)there_s - clock_wall_ms() / 1000;
        }
    }
}

/* Was it over before curl was ready to write the request: at the name, the connection, TLS? */
static bool is_unsent(const struct exchange *exchange) {
    curl_off_t ready_us = 0;
    return !exchange->easy ||
           (!exchange->begun &&
            curl_easy_getinfo(exchange->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us) == CURLE_OK &&
            ready_us == 0);
}

static void finish(struct transport *transport, struct exchange *exchange, CURLcode code) {
    long status = 0;
    if (exchange->easy) {
        (void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
    }
    curl_off_t took_us = 0;
    if (exchange->easy) {
        (void)curl_easy_getinfo(exchange->easy, CURLINFO_TOTAL_TIME_T, &took_us);
    }
    exchange->unsent = code != CURLE_OK && is_unsent(exchange);
    if (code == CURLE_OUT_OF_MEMORY && status > 0 && exchange->answer.bytes == 0) {
        exchange->outcome = SNEK_E_TOO_LARGE; /* what curl says to a header line without end */
        exchange->header_bytes = TRANSPORT_HEADERS_MAX + 1;
    }
    exchange->status = (int32_t)status;
    if (code == CURLE_OK) {
        learn_skew(transport, &exchange->headers);
        exchange->outcome = answer_judge(exchange->method, exchange->path, exchange->status,
                                         &exchange->headers, &exchange->answer, &exchange->error);
    } else {
        fail(transport, exchange, code);
    }
    metrics_request(exchange->method, exchange->status, took_us);
    detach(exchange);
    exchange->done(exchange);
}

static bool has_room(const struct transport *transport) {
    return transport->in_flight < TRANSPORT_IN_FLIGHT_MAX &&
           transport->held_bytes < TRANSPORT_HELD_MAX / 2;
}

static void start_queued(struct transport *transport) {
    struct turn *turn;
    while (has_room(transport) && (turn = TAILQ_FIRST(&transport->queue.list))) {
        struct exchange *exchange = CONTAINER_OF(turn, struct exchange, turn);
        if (start(transport, exchange) < 0) {
            exchange->outcome = SNEK_E_FAILED;
            finish(transport, exchange, CURLE_OUT_OF_MEMORY);
        }
    }
}

void transport_perform(struct transport *transport) {
    do {
        int running, left;
        start_queued(transport);
        (void)curl_multi_perform(transport->multi, &running);
        for (CURLMsg *message; (message = curl_multi_info_read(transport->multi, &left));) {
            char *exchange = NULL;
            if (message->msg == CURLMSG_DONE) {
                CURLcode code = message->data.result; /* gone with the handle */
                (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
                finish(transport, (struct exchange *)(void *)exchange, code);
            }
        }
    } while (!TAILQ_EMPTY(&transport->queue.list) && has_room(transport));
}

void transport_wait(struct transport *transport, struct curl_waitfd *fds, unsigned n_fds,
                    int timeout_ms) {
    (void)curl_multi_poll(transport->multi, fds, n_fds, timeout_ms, NULL);
}
