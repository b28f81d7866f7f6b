/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The broker's thread: waits for mail, for the supervisor and for GitHub, and passes events on. */
#include "broker/broker.h"

#include "broker/request.h"
#include "broker/response.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define REQUEST_TIMEOUT_MS 30000
#define RETRY_FIRST_MS 250
/* libcurl's own deadlines and descriptors wake the thread earlier. */
#define WAIT_MS 60000

struct broker {
    pthread_t thread;
    struct mailbox mailbox;
    struct mail stop, drain;
    /* The thread's. */
    bool stopping;
    void (*on_supervisor_lost)(void *context);
    void *context;
    struct origin origin;
    struct app_client client;
    struct retries retries;
    struct request_context requests;
    char *app_id;
};

void broker_request_finish(struct broker_request *request) {
    buffer_finish(&request->headers);
    buffer_finish(&request->response);
}

const char *broker_header(const struct buffer *headers, const char *name, size_t *bytes) {
    return response_header(headers, name, bytes);
}

static void on_supervisor_lost(void *context) {
    struct broker *broker = context;
    if (broker->on_supervisor_lost) {
        broker->on_supervisor_lost(broker->context);
    }
}

static void on_request(struct mail *mail) {
    struct broker_request *request = CONTAINER_OF(mail, struct broker_request, mail);
    struct broker *broker = request->broker_private;
    request_begin(&broker->requests, request);
}

void broker_submit(struct broker *broker, struct broker_request *request) {
    request->broker_private = broker;
    request->mail.open = on_request;
    mailbox_post(&broker->mailbox, &request->mail);
}

static void on_stop(struct mail *mail) {
    struct broker *broker = CONTAINER_OF(mail, struct broker, stop);
    broker->stopping = true;
}

static void on_drain(struct mail *mail) {
    struct broker *broker = CONTAINER_OF(mail, struct broker, drain);
    request_drain_all(&broker->requests);
}

void broker_drain(struct broker *broker) {
    broker->drain.open = on_drain;
    mailbox_post(&broker->mailbox, &broker->drain);
}

static int wait_ms(const struct broker *broker) {
    int most_ms = jwt_wait_ms(broker->client.jwt, WAIT_MS);
    most_ms = limits_wait_ms(broker->client.limits, most_ms);
    most_ms = rejection_log_wait_ms(&broker->requests.rejections, most_ms);
    return retries_wait_ms(&broker->retries, most_ms);
}

/* The inbox still uses operations in our memory, and their results come to our mailbox. */
static void wait_for_inbox(struct broker *broker) {
    while (!limits_idle(broker->client.limits) || broker->requests.leases.in_progress > 0) {
        struct pollfd mail = {.fd = broker->mailbox.event_fd, .events = POLLIN};
        poll(&mail, 1, -1);
        mailbox_drain(&broker->mailbox);
    }
}

static void *run(void *context) {
    struct broker *broker = context;
    for (;;) {
        mailbox_drain(&broker->mailbox);
        if (broker->stopping) {
            break;
        }
        jwt_handle(broker->client.jwt);
        retries_handle(&broker->retries);
        limits_handle(broker->client.limits);
        rejection_log_handle(&broker->requests.rejections);
        /* Last: it starts the transfers that the others have queued. */
        transport_perform(broker->client.transport);

        struct curl_waitfd fds[2] = {
            {.fd = broker->mailbox.event_fd, .events = CURL_WAIT_POLLIN},
        };
        unsigned n_fds = jwt_wants(broker->client.jwt, &fds[1]) ? 2 : 1;
        transport_wait(broker->client.transport, fds, n_fds, wait_ms(broker));
    }
    request_cancel_all(&broker->requests);
    rejection_log_finish(&broker->requests.rejections);
    wait_for_inbox(broker);
    return NULL;
}

static void free_members(struct broker *broker) {
    /* Before the ETags, which it drops. */
    token_cache_free(broker->requests.tokens);
    etag_cache_free(broker->requests.etags);
    slug_cache_free(broker->requests.slug);
    limits_free(broker->client.limits);
    jwt_free(broker->client.jwt);
    transport_free(broker->client.transport);
    origin_finish(&broker->origin);
    free(broker->app_id);
    free(broker);
}

static int init_members(struct broker *broker, const struct broker_options *options,
                        struct error *err) {
    int64_t timeout_ms =
        options->request_timeout_ms > 0 ? options->request_timeout_ms : REQUEST_TIMEOUT_MS;
    if (origin_init(&broker->origin, options->api_url, err) < 0) {
        return -1;
    }
    struct transport_options transport = {.user_agent = options->user_agent,
                                          .ca_file = options->ca_file,
                                          .proxy = options->proxy,
                                          .tls = strcmp(broker->origin.scheme, "https") == 0,
                                          .timeout_ms = timeout_ms};
    struct jwt_options jwt = {.fd = options->supervisor_fd,
                              .timeout_ms = timeout_ms,
                              .on_lost = on_supervisor_lost,
                              .context = broker};
    if (transport_new(&transport, &broker->client.transport, err) < 0) {
        return -1;
    }
    broker->client.origin = &broker->origin;
    broker->client.jwt = jwt_new(&jwt);
    broker->requests.client = &broker->client;
    broker->requests.etags = etag_cache_new(ETAG_CACHE_BYTES_MAX);
    broker->app_id = options->app_id ? strdup(options->app_id) : NULL;
    broker->requests.slug = slug_cache_new(&broker->client, broker->app_id);
    broker->requests.tokens =
        token_cache_new(&broker->client, broker->requests.etags, broker->requests.slug);
    struct limits_options limits = {.write_interval_ms = options->write_interval_ms,
                                    .notify_interval_ms = options->notify_interval_ms,
                                    .inbox = options->inbox,
                                    .mailbox = &broker->mailbox,
                                    .transport = broker->client.transport};
    broker->client.limits = limits_new(&limits);
    broker->client.retries = &broker->retries;
    broker->requests.leases.inbox = options->inbox;
    broker->requests.leases.mailbox = &broker->mailbox;
    broker->requests.timeout_ms = timeout_ms;
    retries_init(&broker->retries,
                 options->retry_first_ms > 0 ? options->retry_first_ms : RETRY_FIRST_MS);
    TAILQ_INIT(&broker->requests.list);
    rejection_log_init(&broker->requests.rejections);
    TAILQ_INIT(&broker->requests.calls);
    if (!broker->client.limits || !broker->requests.etags || !broker->client.jwt ||
        !broker->requests.tokens || !broker->requests.slug ||
        (options->app_id && !broker->app_id)) {
        return error_set(err, "no memory");
    }
    return 0;
}

/* The main thread alone handles signals. */
static int start_thread(struct broker *broker) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&broker->thread, NULL, run, broker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

int broker_new(const struct broker_options *options, struct broker **broker, struct error *err) {
    struct broker *created = calloc(1, sizeof *created);
    if (!created) {
        return error_set(err, "no memory");
    }
    created->on_supervisor_lost = options->on_supervisor_lost;
    created->context = options->context;
    if (init_members(created, options, err) < 0) {
        free_members(created);
        return -1;
    }
    if (mailbox_init(&created->mailbox) < 0) {
        free_members(created);
        return error_set(err, "the broker's mailbox cannot be created (%s): " ERROR_FIX_FILES,
                         strerror(errno));
    }
    int code = start_thread(created);
    if (code != 0) {
        mailbox_finish(&created->mailbox);
        free_members(created);
        return error_set(err, "the broker's thread cannot be started (%s): " ERROR_FIX_THREADS,
                         strerror(code));
    }
    *broker = created;
    return 0;
}

void broker_free(struct broker *broker) {
    if (broker) {
        broker->stop.open = on_stop;
        mailbox_post(&broker->mailbox, &broker->stop);
        pthread_join(broker->thread, NULL);
        mailbox_finish(&broker->mailbox);
        free_members(broker);
    }
}
