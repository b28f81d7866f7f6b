/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The broker's thread: waits for mail, for the supervisor and for GitHub, and hands on. */
#include "broker/broker.h"

#include "broker/request.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define REQUEST_TIMEOUT_MS 30000
#define RETRY_FIRST_MS 250
#define WAIT_MS 60000 /* curl's own deadlines and descriptors wake the thread before */

struct broker {
    pthread_t thread;
    struct mailbox mailbox;
    struct mail stop, drain;
    bool stopping; /* the thread's */
    void (*supervisor_lost)(void *context);
    void *context;
    struct origin origin;
    struct app_way way;
    struct retries retries;
    struct workshop workshop;
};

void broker_request_finish(struct broker_request *request) {
    buffer_finish(&request->headers);
    buffer_finish(&request->answer);
}

static void supervisor_lost(void *context) {
    struct broker *broker = context;
    if (broker->supervisor_lost) {
        broker->supervisor_lost(broker->context);
    }
}

static void take_request(struct mail *mail) {
    struct broker_request *request = CONTAINER_OF(mail, struct broker_request, mail);
    struct broker *broker = request->broker_private;
    request_begin(&broker->workshop, request);
}

void broker_submit(struct broker *broker, struct broker_request *request) {
    request->broker_private = broker;
    request->mail.open = take_request;
    mailbox_post(&broker->mailbox, &request->mail);
}

static void stop(struct mail *mail) {
    struct broker *broker = CONTAINER_OF(mail, struct broker, stop);
    broker->stopping = true;
}

static void drain(struct mail *mail) {
    struct broker *broker = CONTAINER_OF(mail, struct broker, drain);
    request_drain_all(&broker->workshop);
}

void broker_drain(struct broker *broker) {
    broker->drain.open = drain;
    mailbox_post(&broker->mailbox, &broker->drain);
}

static int wait_ms(const struct broker *broker) {
    int most_ms = jwt_wait_ms(broker->way.jwt, WAIT_MS);
    most_ms = limits_wait_ms(broker->way.limits, most_ms);
    return retries_wait_ms(&broker->retries, most_ms);
}

/* What is with the inbox lies in our memory, and its answer comes to our mailbox. */
static void wait_for_inbox(struct broker *broker) {
    while (!limits_idle(broker->way.limits) || broker->workshop.fencing > 0) {
        struct pollfd mail = {.fd = broker->mailbox.event_fd, .events = POLLIN};
        (void)poll(&mail, 1, -1);
        (void)mailbox_drain(&broker->mailbox);
    }
}

static void *run(void *context) {
    struct broker *broker = context;
    for (;;) {
        (void)mailbox_drain(&broker->mailbox);
        if (broker->stopping) {
            break;
        }
        jwt_handle(broker->way.jwt);
        retries_handle(&broker->retries);
        limits_handle(broker->way.limits);
        transport_perform(broker->way.transport); /* last: it starts what the others have sent */

        struct curl_waitfd fds[2] = {
            {.fd = broker->mailbox.event_fd, .events = CURL_WAIT_POLLIN},
        };
        unsigned n_fds = jwt_wants(broker->way.jwt, &fds[1]) ? 2 : 1;
        transport_wait(broker->way.transport, fds, n_fds, wait_ms(broker));
    }
    request_cancel_all(&broker->workshop);
    wait_for_inbox(broker);
    return NULL;
}

static void free_parts(struct broker *broker) {
    tokens_free(broker->workshop.tokens); /* it tells the etags */
    etags_free(broker->workshop.etags);
    slug_free(broker->workshop.slug);
    limits_free(broker->way.limits);
    jwt_free(broker->way.jwt);
    transport_free(broker->way.transport);
    origin_finish(&broker->origin);
    free(broker);
}

static int make_parts(struct broker *broker, const struct broker_options *options,
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
                              .lost = supervisor_lost,
                              .context = broker};
    if (transport_new(&transport, &broker->way.transport, err) < 0) {
        return -1;
    }
    broker->way.origin = &broker->origin;
    broker->way.jwt = jwt_new(&jwt);
    broker->workshop.way = &broker->way;
    broker->workshop.etags = etags_new(ETAGS_BYTES_MAX);
    broker->workshop.tokens = tokens_new(&broker->way, broker->workshop.etags);
    broker->workshop.slug = slug_new(&broker->way);
    struct limits_options limits = {.write_interval_ms = options->write_interval_ms,
                                    .notify_interval_ms = options->notify_interval_ms,
                                    .inbox = options->inbox,
                                    .mailbox = &broker->mailbox,
                                    .transport = broker->way.transport};
    broker->way.limits = limits_new(&limits);
    broker->way.retries = &broker->retries;
    broker->workshop.inbox = options->inbox;
    broker->workshop.mailbox = &broker->mailbox;
    broker->workshop.timeout_ms = timeout_ms;
    retries_init(&broker->retries,
                 options->retry_first_ms > 0 ? options->retry_first_ms : RETRY_FIRST_MS);
    TAILQ_INIT(&broker->workshop.jobs);
    TAILQ_INIT(&broker->workshop.errands);
    if (!broker->way.limits || !broker->workshop.etags || !broker->way.jwt ||
        !broker->workshop.tokens || !broker->workshop.slug) {
        return error_set(err, "no memory");
    }
    return 0;
}

/* Signals are the main thread's. */
static int start_thread(struct broker *broker) {
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&broker->thread, NULL, run, broker);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

int broker_new(const struct broker_options *options, struct broker **broker, struct error *err) {
    struct broker *made = calloc(1, sizeof *made);
    if (!made) {
        return error_set(err, "no memory");
    }
    made->supervisor_lost = options->supervisor_lost;
    made->context = options->context;
    if (make_parts(made, options, err) < 0) {
        free_parts(made);
        return -1;
    }
    if (mailbox_init(&made->mailbox) < 0) {
        free_parts(made);
        return error_set(err, "the broker's mailbox cannot be made: %s", strerror(errno));
    }
    int code = start_thread(made);
    if (code != 0) {
        mailbox_finish(&made->mailbox);
        free_parts(made);
        return error_set(err, "the broker's thread cannot be started: %s", strerror(code));
    }
    *broker = made;
    return 0;
}

void broker_free(struct broker *broker) {
    if (broker) {
        broker->stop.open = stop;
        mailbox_post(&broker->mailbox, &broker->stop);
        (void)pthread_join(broker->thread, NULL);
        mailbox_finish(&broker->mailbox);
        free_parts(broker);
    }
}
