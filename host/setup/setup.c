/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The setup's process: waits on its main thread for codes, signals, the end of the time, and the
 * person's last form. */
#include "setup/setup.h"

#include "base/clock.h"
#include "base/log.h"
#include "ingest/ingest.h"
#include "setup/guide.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

/* For the last response. */
#define RESPONSES_GRACE_MS 2000
/* The person has the App, and the bot waits for them. */
#define MADE_MS (10 * 60 * 1000)
#define BODY_MAX SETUP_FORM_BYTES_MAX

struct setup {
    const struct setup_options *options;
    struct setup_files files;
    struct mailbox mailbox;
    int signals_fd;
    struct guide guide;
    struct ingest *ingest;
};

/* ---- codes ---- */

static void store(struct guide *guide, const struct setup_choices *choices) {
    if (guide->app.webhook_secret.bytes == 0 && !choices->pull) {
        guide->own_secret = setup_make_secret(&guide->app.webhook_secret) == 0;
    }
    guide->stored = setup_files_store(guide->files, guide->options->config, &guide->app, choices,
                                      NULL, &guide->not_stored) == 0;
    log_event(SNEK_LEVEL_INFO, "setup_app_made", LOG_NUMBER("app", guide->app.id),
              LOG_TEXT("slug", guide->app.slug), LOG_TEXT("page", guide->app.page));
    if (guide->stored) {
        log_event(SNEK_LEVEL_INFO, "setup_stored", LOG_TEXT("file", guide->files->file));
    } else {
        log_event(SNEK_LEVEL_ERROR, "setup_not_stored", LOG_TEXT("reason", guide->not_stored.text));
    }
}

void guide_on_code(struct mail *mail) {
    struct guide_exchange *exchange = CONTAINER_OF(mail, struct guide_exchange, mail);
    struct guide *guide = exchange->guide;
    if (guide->ending) {
        exchange->result = error_set(&exchange->error, "the setup is ending");
        guide_reply(exchange);
        return;
    }
    exchange->result = setup_convert(guide->options->config, guide->web_url, exchange->code,
                                     &guide->app, &exchange->error);
    explicit_bzero(exchange->code, sizeof exchange->code);
    if (exchange->result == SETUP_CONVERTED) {
        store(guide, &exchange->choices);
        atomic_store(&guide->until_ms, clock_monotonic_ms() + MADE_MS);
    }
    guide_reply(exchange);
}

/* ---- the link ---- */

/* Where the setup listens. */
struct place {
    /* HOST:PORT: as it is, and as this machine's browser opens it. */
    char address[SETUP_ORIGIN_MAX], local[SETUP_ORIGIN_MAX];
    uint16_t port;
    /* For people. */
    const char *reachable_from;
};

static void put_address(char address[SETUP_ORIGIN_MAX], const char *host, uint16_t port) {
    snprintf(address, SETUP_ORIGIN_MAX, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

static void find_place(int listen_fd, struct place *place) {
    struct sockaddr_storage local = {0};
    socklen_t bytes = sizeof local;
    char text[INET6_ADDRSTRLEN] = "";
    getsockname(listen_fd, (struct sockaddr *)&local, &bytes);
    bool ipv6 = local.ss_family == AF_INET6;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&local;
    const struct sockaddr_in *in = (const struct sockaddr_in *)&local;
    place->port = ntohs(ipv6 ? in6->sin6_port : in->sin_port);
    bool any = ipv6 ? IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr) : in->sin_addr.s_addr == INADDR_ANY;
    bool loopback =
        ipv6 ? IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) : ntohl(in->sin_addr.s_addr) >> 24 == 127;
    inet_ntop(local.ss_family, ipv6 ? (const void *)&in6->sin6_addr : &in->sin_addr, text,
              sizeof text);
    put_address(place->address, text, place->port);
    put_address(place->local, any ? "127.0.0.1" : text, place->port);
    place->reachable_from = any ? "every network of this machine" : "the network of this address";
    if (loopback) {
        place->reachable_from = "this machine only";
    }
}

/* For `snekomatic setup`. `public_link` is NULL without a public URL. */
static void print_link(const struct place *place, const char *link, const char *public_link) {
    printf("Open this link in a browser within 30 minutes. It works once:\n\n  %s\n\n",
           public_link ? public_link : link);
    if (public_link) {
        printf("If the public address does not lead to this machine yet, open it here instead:"
               "\n\n  %s\n\n",
               link);
    }
    printf("The page is reachable from %s (it listens on %s). If the browser\nruns on another "
           "machine, make a tunnel there first, and leave it open:\n\n"
           "  ssh -L %u:127.0.0.1:%u THIS-MACHINE\n\n",
           place->reachable_from, place->address, place->port, place->port);
    fflush(stdout);
}

static void show_link(const struct setup *setup) {
    const char *public_url = setup->options->config->server.public_url;
    const char *token = setup->guide.session.link;
    char link[2 * SETUP_ORIGIN_MAX], public_link[2 * SETUP_ORIGIN_MAX];
    struct place place;
    find_place(setup->options->listen_fd, &place);
    snprintf(link, sizeof link, "http://%s/setup?link=%s", place.local, token);
    snprintf(public_link, sizeof public_link, "%s/setup?link=%s", public_url ? public_url : "",
             token);
    log_event(SNEK_LEVEL_INFO, "listening", LOG_TEXT("address", place.address),
              LOG_NUMBER("port", place.port), LOG_TEXT("reachable_from", place.reachable_from));
    if (setup->options->by_terminal) {
        print_link(&place, link, public_url ? public_link : NULL);
    } else {
        log_event(SNEK_LEVEL_INFO, "setup_link", LOG_TEXT("link", public_url ? public_link : link),
                  LOG_TEXT("local_link", public_url ? link : NULL), LOG_NUMBER("minutes", 30),
                  LOG_TEXT("next", "open this link in a browser; it works once"));
    }
    explicit_bzero(link, sizeof link);
    explicit_bzero(public_link, sizeof public_link);
}

/* ---- the process ---- */

static bool append_status(void *context, struct buffer *json) {
    (void)context;
    buffer_append_text(json, "\"setup\":\"the bot has no GitHub App yet; open the link that its "
                             "log shows\"");
    return false;
}

static int start(struct setup *setup, struct error *err) {
    const struct setup_options *options = setup->options;
    if (guide_init(&setup->guide, options, &setup->files, &setup->mailbox, err) < 0) {
        return -1;
    }
    const struct ingest_options ingest = {.listen_fd = options->listen_fd,
                                          .max_body_bytes = BODY_MAX,
                                          .not_serving = "the bot has no GitHub App yet",
                                          .not_serving_fix =
                                              "finish the setup; GitHub keeps the delivery, and "
                                              "the bot fetches it",
                                          .append_status = append_status,
                                          .context = setup,
                                          .routes = setup->guide.routes,
                                          .n_routes = GUIDE_ROUTES,
                                          .max_connections = 64};
    if (ingest_new(&ingest, &setup->ingest, err) < 0) {
        return -1;
    }
    show_link(setup);
    return 0;
}

static int prepare(struct setup *setup, struct error *err) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    setup->signals_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (setup->signals_fd < 0 || mailbox_init(&setup->mailbox) < 0) {
        return error_set(err, "cannot wait for signals: %s", strerror(errno));
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return error_set(err, "libcurl does not start");
    }
    if (setup_files_init(&setup->files, setup->options->file, err) < 0) {
        return -1;
    }
    setup_files_log_left(&setup->files);
    return 0;
}

/* True when a signal asks for the end. */
static bool read_signals(const struct setup *setup) {
    struct signalfd_siginfo info;
    bool end = false;
    while (read(setup->signals_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        end = end || info.ssi_signo != SIGHUP;
    }
    return end;
}

static int wait_ms(const struct setup *setup) {
    int64_t left_ms = atomic_load(&setup->guide.until_ms) - clock_monotonic_ms();
    return left_ms > 0 ? (int)left_ms + 1 : 0;
}

/* Until the person is done, the time is over, a signal comes, or the supervisor has ended. The exit
 * status. */
static int run(struct setup *setup) {
    for (;;) {
        struct pollfd fds[] = {{.fd = setup->signals_fd, .events = POLLIN},
                               {.fd = setup->mailbox.event_fd, .events = POLLIN},
                               {.fd = setup->options->supervisor_fd, .events = POLLIN}};
        poll(fds, sizeof fds / sizeof *fds, wait_ms(setup));
        if (read_signals(setup) || fds[2].revents) {
            return EX_OK;
        }
        mailbox_drain(&setup->mailbox);
        /* ingest's thread writes guide->app no more once it is made. */
        bool over = clock_monotonic_ms() >= atomic_load(&setup->guide.until_ms);
        if (!over && !atomic_load(&setup->guide.finished)) {
            continue;
        }
        if (setup->guide.app.id != 0) {
            return setup->guide.stored ? EX_OK : EX_CONFIG;
        }
        log_event(SNEK_LEVEL_ERROR, "setup_too_late",
                  LOG_TEXT("reason", "nobody finished the setup in time; start it again for "
                                     "another link"));
        return EX_TEMPFAIL;
    }
}

static void finish(struct setup *setup) {
    guide_end(&setup->guide);
    mailbox_drain(&setup->mailbox);
    ingest_free(setup->ingest, RESPONSES_GRACE_MS);
    mailbox_drain(&setup->mailbox);
    guide_finish(&setup->guide);
    mailbox_finish(&setup->mailbox);
    cleanup_close(&setup->signals_fd);
}

int setup_run(const struct setup_options *options) {
    static struct setup setup;
    struct error err = {.text = ""};
    setup = (struct setup){.options = options, .signals_fd = -1};
    if (prepare(&setup, &err) < 0 || start(&setup, &err) < 0) {
        log_event(SNEK_LEVEL_ERROR, "cannot_start", LOG_TEXT("reason", err.text));
        return EX_CONFIG;
    }
    int status = run(&setup);
    finish(&setup);
    return status;
}
