/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The queue of events and the thread that sends them. event.c writes the events. */
#include "telemetry/sentry.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "config/sentry_dsn.h"
#include "metrics/metrics.h"
#include "telemetry/event.h"

#include <assert.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#define CONNECT_TIMEOUT_MS 3000L
#define TIMEOUT_MS 5000
#define HOLD_MAX_S 86400
/* After a 429 that names no time. */
#define HOLD_MS 60000
/* After a connection failed. */
#define FAILED_HOLD_MS 10000
#define POLL_MS 1000
#define HEADER_MAX 8192

struct sentry {
    struct sentry_dsn dsn;
    char *environment;
    const struct proxy *proxy;
    CURLM *multi;
    struct curl_slist *headers;
    pthread_t thread;
    /* Monotonic. Events before this time are dropped. */
    _Atomic int64_t hold_until_ms;
    /* The thread's: it has logged that Sentry does not take events. */
    bool failing;

    /* Guards the members below. */
    pthread_mutex_t lock;
    pthread_cond_t work;
    /* A ring of envelopes. */
    struct buffer queue[SENTRY_QUEUE_MAX];
    size_t first, count;
    bool stopping;
    int64_t stop_at_ms; /* monotonic */
};

/* From any thread. */

static bool is_held(struct sentry *sentry) {
    return atomic_load(&sentry->hold_until_ms) > clock_monotonic_ms();
}

/* False when the queue is full. */
static bool enqueue(struct sentry *sentry, struct buffer envelope) {
    SCOPED_LOCK(&sentry->lock);
    assert(sentry->count <= SENTRY_QUEUE_MAX);
    if (sentry->count == SENTRY_QUEUE_MAX) {
        return false;
    }
    sentry->queue[(sentry->first + sentry->count++) % SENTRY_QUEUE_MAX] = envelope;
    pthread_cond_signal(&sentry->work);
    return true;
}

static void on_log_line(void *context, enum log_level level, const char *message,
                        const struct log_field *fields) {
    struct sentry *sentry = context;
    if (!event_wanted(level, message)) {
        return;
    }
    if (is_held(sentry)) {
        metrics_report(METRICS_HELD);
        return;
    }
    struct buffer envelope = BUFFER_INIT(EVENT_BYTES_MAX);
    if (event_write(&envelope, sentry->environment, level, message, fields) < 0) {
        buffer_finish(&envelope);
        metrics_report(METRICS_FAILED);
    } else if (!enqueue(sentry, envelope)) {
        buffer_finish(&envelope);
        metrics_report(METRICS_QUEUE_FULL);
    }
}

/* On this room's thread. */

/* Waits for an envelope. False at the end: the queue is empty and will stay so, or the time is up.
 */
static bool dequeue(struct sentry *sentry, struct buffer *envelope) {
    SCOPED_LOCK(&sentry->lock);
    while (sentry->count == 0 && !sentry->stopping) {
        pthread_cond_wait(&sentry->work, &sentry->lock);
    }
    bool late = sentry->stopping && clock_monotonic_ms() >= sentry->stop_at_ms;
    if (sentry->count == 0 || late) {
        return false;
    }
    *envelope = sentry->queue[sentry->first];
    sentry->first = (sentry->first + 1) % SENTRY_QUEUE_MAX;
    sentry->count--;
    return true;
}

/* The time that the current transfer has left. */
static int remaining_ms(struct sentry *sentry, int64_t deadline_ms) {
    SCOPED_LOCK(&sentry->lock);
    if (sentry->stopping && sentry->stop_at_ms < deadline_ms) {
        deadline_ms = sentry->stop_at_ms;
    }
    int64_t left_ms = deadline_ms - clock_monotonic_ms();
    return left_ms < 0 ? 0 : (int)left_ms;
}

static void hold(struct sentry *sentry, int64_t wait_ms) {
    int64_t until_ms = clock_monotonic_ms() + wait_ms;
    if (until_ms > atomic_load(&sentry->hold_until_ms)) {
        atomic_store(&sentry->hold_until_ms, until_ms);
    }
}

struct limits {
    int64_t named_s; /* -1: none */
};

static size_t on_header(char *data, size_t size, size_t count, void *context) {
    struct limits *limits = context;
    size_t bytes = size * count;
    char line[HEADER_MAX];
    if (bytes < sizeof line) {
        memcpy(line, data, bytes);
        line[bytes] = '\0';
        int64_t seconds = event_limit_s(line);
        limits->named_s = seconds > limits->named_s ? seconds : limits->named_s;
    }
    return bytes;
}

static size_t on_body(char *data, size_t size, size_t count, void *context) {
    return size * count;
}

/* Proxy and protocols. 0, or not. */
static int set_route(const struct sentry *sentry, CURL *easy) {
    const struct proxy *proxy = sentry->proxy;
    bool tls = sentry->dsn.tls, proxied = tls && proxy->url;
    bool except = proxied && proxy->except;
    int failed = curl_easy_setopt(easy, CURLOPT_PROXY, proxied ? proxy->url : "") != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_NOPROXY, except ? proxy->except : "") != CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x075500
    failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http") != CURLE_OK;
#else
    long protocols = tls ? CURLPROTO_HTTPS : CURLPROTO_HTTP;
    failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS, protocols) != CURLE_OK;
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Do not wait at the end for a name that does not resolve. */
    failed |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) != CURLE_OK;
#endif
    return failed;
}

static CURL *prepare(struct sentry *sentry, const struct buffer *envelope, struct limits *limits) {
    CURL *easy = curl_easy_init();
    if (!easy) {
        return NULL;
    }
    curl_off_t bytes = (curl_off_t)envelope->bytes;
    int failed = curl_easy_setopt(easy, CURLOPT_URL, sentry->dsn.url) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, sentry->headers) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, envelope->data) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, bytes) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, limits) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_USERAGENT, EVENT_CLIENT) != CURLE_OK;
    failed |= set_route(sentry, easy);
    if (failed) {
        curl_easy_cleanup(easy);
        return NULL;
    }
    return easy;
}

/* The status; 0 when no response came. */
static long perform(struct sentry *sentry, CURL *easy) {
    int64_t deadline_ms = clock_monotonic_ms() + TIMEOUT_MS;
    long status = 0;
    int running = 1, left;
    if (curl_multi_add_handle(sentry->multi, easy) != CURLM_OK) {
        return 0;
    }
    while (curl_multi_perform(sentry->multi, &running) == CURLM_OK && running > 0) {
        int wait_ms = remaining_ms(sentry, deadline_ms);
        if (wait_ms == 0) {
            break;
        }
        curl_multi_poll(sentry->multi, NULL, 0, wait_ms < POLL_MS ? wait_ms : POLL_MS, NULL);
    }
    CURLMsg *message = curl_multi_info_read(sentry->multi, &left);
    if (message && message->msg == CURLMSG_DONE && message->data.result == CURLE_OK) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    }
    curl_multi_remove_handle(sentry->multi, easy);
    return status;
}

static void log_failure(long status) {
    const char *reason = "Sentry does not accept events; they are dropped and counted in /metrics";
    if (status == 0) {
        reason = "Sentry gave no response in time; its events are dropped and counted in /metrics";
    }
    log_event(SNEK_LEVEL_WARNING, "sentry_rejected", LOG_NUMBER("status", status),
              LOG_TEXT("reason", reason));
}

static void on_response(struct sentry *sentry, long status, const struct limits *limits) {
    bool accepted = status >= 200 && status < 300;
    metrics_report(accepted ? METRICS_SENT : METRICS_FAILED);
    if (limits->named_s >= 0) {
        hold(sentry, (limits->named_s < HOLD_MAX_S ? limits->named_s : HOLD_MAX_S) * 1000);
    } else if (status == 429) {
        hold(sentry, HOLD_MS);
    } else if (status == 0) {
        hold(sentry, FAILED_HOLD_MS);
    }
    if (!accepted && !sentry->failing) {
        log_failure(status);
    }
    sentry->failing = !accepted;
}

static void send_one(struct sentry *sentry, const struct buffer *envelope) {
    struct limits limits = {.named_s = -1};
    if (is_held(sentry)) {
        metrics_report(METRICS_HELD);
        return;
    }
    CURL *easy = prepare(sentry, envelope, &limits);
    if (!easy) {
        metrics_report(METRICS_FAILED);
        return;
    }
    on_response(sentry, perform(sentry, easy), &limits);
    curl_easy_cleanup(easy);
}

static void *run(void *context) {
    struct sentry *sentry = context;
    struct buffer envelope;
    while (dequeue(sentry, &envelope)) {
        send_one(sentry, &envelope);
        buffer_finish(&envelope);
    }
    return NULL;
}

/* Life. */

static void finish(struct sentry *sentry) {
    for (; sentry->count > 0; sentry->count--) {
        buffer_finish(&sentry->queue[sentry->first]);
        sentry->first = (sentry->first + 1) % SENTRY_QUEUE_MAX;
    }
    pthread_cond_destroy(&sentry->work);
    pthread_mutex_destroy(&sentry->lock);
    curl_multi_cleanup(sentry->multi);
    curl_slist_free_all(sentry->headers);
    sentry_dsn_finish(&sentry->dsn);
    free(sentry->environment);
    free(sentry);
    curl_global_cleanup();
}

static int add_header(struct sentry *sentry, const char *line) {
    struct curl_slist *longer = curl_slist_append(sentry->headers, line);
    sentry->headers = longer ? longer : sentry->headers;
    return longer ? 0 : -1;
}

static int add_authorization(struct sentry *sentry) {
    AUTO_FREE char *line = NULL;
    int bytes = asprintf(&line,
                         "X-Sentry-Auth: Sentry sentry_version=7, sentry_client=" EVENT_CLIENT
                         ", sentry_key=%s",
                         sentry->dsn.key);
    if (bytes < 0) {
        line = NULL;
        return -1;
    }
    return add_header(sentry, line);
}

/* The main thread alone takes signals. */
static int start_thread(struct sentry *sentry) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&sentry->thread, NULL, run, sentry);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

int sentry_new(const char *dsn, const char *environment, const struct proxy *proxy,
               struct sentry **sentry, struct error *err) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return error_set(err, "libcurl cannot be initialised: " ERROR_FIX_MEMORY);
    }
    struct sentry *made = calloc(1, sizeof *made);
    if (!made) {
        curl_global_cleanup();
        return error_set(err, "no memory for Sentry's events: " ERROR_FIX_MEMORY);
    }
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->work, NULL);
    made->multi = curl_multi_init();
    made->environment = strdup(environment);
    made->proxy = proxy;
    if (sentry_dsn_parse(dsn, &made->dsn, err) < 0) {
        finish(made);
        return -1;
    }
    if (!made->multi || !made->environment || add_authorization(made) < 0 ||
        add_header(made, "Content-Type: application/x-sentry-envelope") < 0 ||
        add_header(made, "Expect:") < 0) {
        finish(made);
        return error_set(err, "no memory for Sentry's events: " ERROR_FIX_MEMORY);
    }
    int code = start_thread(made);
    if (code != 0) {
        finish(made);
        return error_set(err, "Sentry's thread cannot be started (%s): " ERROR_FIX_THREADS,
                         strerror(code));
    }
    log_watch(on_log_line, made);
    *sentry = made;
    return 0;
}

static void ask_to_stop(struct sentry *sentry) {
    SCOPED_LOCK(&sentry->lock);
    sentry->stopping = true;
    sentry->stop_at_ms = clock_monotonic_ms() + SENTRY_FLUSH_MS;
    pthread_cond_signal(&sentry->work);
}

void sentry_free(struct sentry *sentry) {
    if (!sentry) {
        return;
    }
    log_watch(NULL, NULL);
    ask_to_stop(sentry);
    curl_multi_wakeup(sentry->multi);
    pthread_join(sentry->thread, NULL);
    finish(sentry);
}
