/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The queue and the thread. What an event looks like is event.c's. */
#include "telemetry/sentry.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "metrics/metrics.h"
#include "telemetry/event.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#define CONNECT_TIMEOUT_MS 3000
#define TIMEOUT_MS 5000
#define HOLD_MS 60000 /* after a 429 that names no time */
#define HOLD_MAX_S 86400
#define FAILED_HOLD_MS 10000 /* before Sentry is tried again after a connection that failed */
#define POLL_MS 1000
#define HEADER_MAX 8192

struct sentry {
    struct event_target target;
    char *environment;
    const struct proxy *proxy;
    CURLM *multi;
    struct curl_slist *headers;
    pthread_t thread;
    _Atomic int64_t hold_until_ms; /* monotonic; what comes before is dropped */
    bool failing;                  /* the thread's: it was said that Sentry cannot be reached */

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t work;
    struct buffer queue[SENTRY_QUEUE_MAX]; /* a ring of envelopes */
    size_t first, count;
    bool stopping;
    int64_t stop_at_ms; /* monotonic */
};

/* ---- from any thread ---- */

static void watch(void *context, enum log_level level, const char *message,
                  const struct log_field *fields) {
    struct sentry *sentry = context;
    if (!event_wanted(level, message)) {
        return;
    }
    if (atomic_load(&sentry->hold_until_ms) > clock_monotonic_ms()) {
        metrics_report(METRICS_HELD);
        return;
    }
    struct buffer envelope = BUFFER_INIT(EVENT_BYTES_MAX);
    if (event_write(&envelope, sentry->environment, level, message, fields) < 0) {
        buffer_finish(&envelope);
        metrics_report(METRICS_FAILED);
        return;
    }
    (void)pthread_mutex_lock(&sentry->lock);
    bool fits = sentry->count < SENTRY_QUEUE_MAX;
    if (fits) {
        sentry->queue[(sentry->first + sentry->count++) % SENTRY_QUEUE_MAX] = envelope;
        (void)pthread_cond_signal(&sentry->work);
    }
    (void)pthread_mutex_unlock(&sentry->lock);
    if (!fits) {
        buffer_finish(&envelope);
        metrics_report(METRICS_QUEUE_FULL);
    }
}

/* ---- the thread ---- */

/* False when there is none and will be none, or the time is up. */
static bool take(struct sentry *sentry, struct buffer *envelope) {
    (void)pthread_mutex_lock(&sentry->lock);
    while (sentry->count == 0 && !sentry->stopping) {
        (void)pthread_cond_wait(&sentry->work, &sentry->lock);
    }
    bool late = sentry->stopping && clock_monotonic_ms() >= sentry->stop_at_ms;
    bool any = sentry->count > 0 && !late;
    if (any) {
        *envelope = sentry->queue[sentry->first];
        sentry->first = (sentry->first + 1) % SENTRY_QUEUE_MAX;
        sentry->count--;
    }
    (void)pthread_mutex_unlock(&sentry->lock);
    return any;
}

/* How long the transfer that is under way may go on. */
static int left_ms(struct sentry *sentry, int64_t deadline_ms) {
    (void)pthread_mutex_lock(&sentry->lock);
    if (sentry->stopping && sentry->stop_at_ms < deadline_ms) {
        deadline_ms = sentry->stop_at_ms;
    }
    (void)pthread_mutex_unlock(&sentry->lock);
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

static size_t take_header(char *data, size_t size, size_t count, void *context) {
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

static size_t ignore(char *data, size_t size, size_t count, void *context) {
    (void)data;
    (void)context;
    return size * count;
}

static CURL *prepare(struct sentry *sentry, const struct buffer *envelope, struct limits *limits) {
    CURL *easy = curl_easy_init();
    if (!easy) {
        return NULL;
    }
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, sentry->target.url);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_HTTPHEADER, sentry->headers);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_POSTFIELDS, envelope->data);
    code = code ? code
                : curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)envelope->bytes);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_HEADERDATA, limits);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    code =
        code ? code : curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_USERAGENT, EVENT_CLIENT);
    const struct proxy *proxy = sentry->proxy;
    bool proxied = sentry->target.tls && proxy->url;
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PROXY, proxied ? proxy->url : "");
    code = code ? code
                : curl_easy_setopt(easy, CURLOPT_NOPROXY,
                                   proxied && proxy->except ? proxy->except : "");
#if LIBCURL_VERSION_NUM >= 0x075500
    code =
        code ? code
             : curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, sentry->target.tls ? "https" : "http");
#else
    code = code ? code
                : curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
                                   sentry->target.tls ? CURLPROTO_HTTPS : CURLPROTO_HTTP);
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Does not wait at the end for a name that nobody resolves. */
    code = code ? code : curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    if (code) {
        curl_easy_cleanup(easy);
        return NULL;
    }
    return easy;
}

/* The status; 0 when no answer came. */
static long perform(struct sentry *sentry, CURL *easy) {
    int64_t deadline_ms = clock_monotonic_ms() + TIMEOUT_MS;
    long status = 0;
    int running = 1, left;
    if (curl_multi_add_handle(sentry->multi, easy) != CURLM_OK) {
        return 0;
    }
    while (curl_multi_perform(sentry->multi, &running) == CURLM_OK && running > 0) {
        int wait_ms = left_ms(sentry, deadline_ms);
        if (wait_ms == 0) {
            break;
        }
        (void)curl_multi_poll(sentry->multi, NULL, 0, wait_ms < POLL_MS ? wait_ms : POLL_MS, NULL);
    }
    CURLMsg *message = curl_multi_info_read(sentry->multi, &left);
    if (message && message->msg == CURLMSG_DONE && message->data.result == CURLE_OK) {
        (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    }
    (void)curl_multi_remove_handle(sentry->multi, easy);
    return status;
}

static void judge(struct sentry *sentry, long status, const struct limits *limits) {
    bool taken = status >= 200 && status < 300;
    metrics_report(taken ? METRICS_SENT : METRICS_FAILED);
    if (limits->named_s >= 0) {
        hold(sentry, (limits->named_s < HOLD_MAX_S ? limits->named_s : HOLD_MAX_S) * 1000);
    } else if (status == 429) {
        hold(sentry, HOLD_MS);
    } else if (status == 0) {
        hold(sentry, FAILED_HOLD_MS);
    }
    if (!taken && !sentry->failing) {
        log_event(SNEK_LEVEL_WARNING, "sentry_rejected", LOG_NUMBER("status", status),
                  LOG_TEXT("reason", status == 0 ? "Sentry gave no answer in time; its events are "
                                                   "dropped and counted in /metrics"
                                                 : "Sentry does not take events; they are dropped "
                                                   "and counted in /metrics"));
    }
    sentry->failing = !taken;
}

static void send_one(struct sentry *sentry, const struct buffer *envelope) {
    struct limits limits = {.named_s = -1};
    if (atomic_load(&sentry->hold_until_ms) > clock_monotonic_ms()) {
        metrics_report(METRICS_HELD);
        return;
    }
    CURL *easy = prepare(sentry, envelope, &limits);
    if (!easy) {
        metrics_report(METRICS_FAILED);
        return;
    }
    judge(sentry, perform(sentry, easy), &limits);
    curl_easy_cleanup(easy);
}

static void *run(void *context) {
    struct sentry *sentry = context;
    struct buffer envelope;
    while (take(sentry, &envelope)) {
        send_one(sentry, &envelope);
        buffer_finish(&envelope);
    }
    return NULL;
}

/* ---- life ---- */

static void finish(struct sentry *sentry) {
    for (; sentry->count > 0; sentry->count--) {
        buffer_finish(&sentry->queue[sentry->first]);
        sentry->first = (sentry->first + 1) % SENTRY_QUEUE_MAX;
    }
    (void)pthread_cond_destroy(&sentry->work);
    (void)pthread_mutex_destroy(&sentry->lock);
    (void)curl_multi_cleanup(sentry->multi);
    curl_slist_free_all(sentry->headers);
    event_target_finish(&sentry->target);
    free(sentry->environment);
    free(sentry);
    curl_global_cleanup();
}

static int add_header(struct sentry *sentry, const char *line) {
    struct curl_slist *longer = curl_slist_append(sentry->headers, line);
    sentry->headers = longer ? longer : sentry->headers;
    return longer ? 0 : -1;
}

/* Signals are the main thread's. */
static int start_thread(struct sentry *sentry) {
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&sentry->thread, NULL, run, sentry);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

int sentry_new(const char *dsn, const char *environment, const struct proxy *proxy,
               struct sentry **sentry, struct error *err) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return error_set(err, "libcurl cannot be initialised");
    }
    struct sentry *made = calloc(1, sizeof *made);
    if (!made) {
        curl_global_cleanup();
        return error_set(err, "no memory for Sentry's events");
    }
    (void)pthread_mutex_init(&made->lock, NULL);
    (void)pthread_cond_init(&made->work, NULL);
    made->multi = curl_multi_init();
    made->environment = strdup(environment);
    made->proxy = proxy;
    if (event_target_init(&made->target, dsn, err) < 0) {
        finish(made);
        return -1;
    }
    if (!made->multi || !made->environment || add_header(made, made->target.authorization) < 0 ||
        add_header(made, "Content-Type: application/x-sentry-envelope") < 0 ||
        add_header(made, "Expect:") < 0) {
        finish(made);
        return error_set(err, "no memory for Sentry's events");
    }
    int code = start_thread(made);
    if (code != 0) {
        finish(made);
        return error_set(err, "Sentry's thread cannot be started: %s", strerror(code));
    }
    log_watch(watch, made);
    *sentry = made;
    return 0;
}

void sentry_free(struct sentry *sentry) {
    if (!sentry) {
        return;
    }
    log_watch(NULL, NULL);
    (void)pthread_mutex_lock(&sentry->lock);
    sentry->stopping = true;
    sentry->stop_at_ms = clock_monotonic_ms() + SENTRY_FLUSH_MS;
    (void)pthread_cond_signal(&sentry->work);
    (void)pthread_mutex_unlock(&sentry->lock);
    (void)curl_multi_wakeup(sentry->multi);
    (void)pthread_join(sentry->thread, NULL);
    finish(sentry);
}
