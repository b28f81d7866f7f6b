/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The measured servers: ingest on an inbox, and libmicrohttpd alone. Each runs in a process of its
 * own, so that its processor time and memory are its own. */
#include "bench.h"

#include "base/clock.h"
#include "base/log.h"
#include "inbox/inbox.h"
#include "ingest/ingest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int listen_here(int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, 1024) < 0 || getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
        bench_fail("listening: %s", strerror(errno));
    }
    *port = ntohs(address.sin_port);
    return fd;
}

static struct inbox *open_inbox(const char *url) {
    struct inbox *inbox = NULL;
    struct error err = {.text = ""};
    if (inbox_open(url, clock_wall_ms(), &inbox, &err) < 0) {
        bench_fail("%s", err.text);
    }
    return inbox;
}

/* ---- ingest ---- */

static void route(void *context, struct inbox_put *put) {
    (void)context;
    put->runs[0].plugin = "bench";
    put->n_runs = 1;
}

static void stored(void *context, const struct inbox_put *put, struct buffer *body) {
    (void)context, (void)put, (void)body;
}

static bool status(void *context, struct buffer *json) {
    (void)context, (void)json;
    return true;
}

static void serve_inbox(int listen_fd, const char *url, const sigset_t *stop) {
    struct error err = {.text = ""};
    struct secret secret;
    struct ingest *ingest = NULL;
    struct inbox *inbox = open_inbox(url);
    if (secret_copy(&secret, BENCH_SECRET, sizeof BENCH_SECRET - 1) < 0) {
        bench_fail("out of memory");
    }
    struct ingest_options options = {.listen_fd = listen_fd,
                                     .max_body_bytes = 25 << 20,
                                     .webhook_secrets = &secret,
                                     .n_webhook_secrets = 1,
                                     .delay_ms = 1000,
                                     .inbox = inbox,
                                     .route = route,
                                     .on_stored = stored,
                                     .append_status = status};
    if (ingest_new(&options, &ingest, &err) < 0) {
        bench_fail("%s", err.text);
    }
    int number;
    sigwait(stop, &number);
    ingest_free(ingest, 0);
    inbox_free(inbox);
    secret_finish(&secret);
}

/* ---- libmicrohttpd alone ---- */

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *bytes, void **state) {
    static int begun;
    (void)cls, (void)url, (void)method, (void)version, (void)data;
    if (!*state || *bytes > 0) {
        *state = &begun;
        *bytes = 0;
        return MHD_YES;
    }
    static char text[] = "{\"status\":\"queued\"}\n";
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_ACCEPTED, response);
    MHD_destroy_response(response);
    return result;
}

static volatile sig_atomic_t stopped;
static void on_stop(int number) {
    (void)number;
    stopped = 1;
}

/* On an epoll of ours, like ingest. */
static void serve_bare(int listen_fd, const sigset_t *stop) {
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, answer, NULL, MHD_OPTION_LISTEN_SOCKET,
                         listen_fd, MHD_OPTION_CONNECTION_LIMIT, 1024U, MHD_OPTION_END);
    if (!daemon) {
        bench_fail("libmicrohttpd does not start");
    }
    signal(SIGTERM, on_stop);
    sigprocmask(SIG_UNBLOCK, stop, NULL);
    struct pollfd ready = {.fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
                           .events = POLLIN};
    while (!stopped) {
        MHD_UNSIGNED_LONG_LONG left_ms;
        bool more = MHD_get_timeout(daemon, &left_ms) == MHD_YES && left_ms == 0;
        poll(&ready, 1, more ? 0 : 100);
        (void)MHD_run(daemon);
    }
    MHD_stop_daemon(daemon);
}

struct bench_server bench_serve(enum bench_target target, const char *url) {
    struct bench_server server = {0};
    int listen_fd = listen_here(&server.port);
    fflush(NULL);
    server.pid = fork();
    if (server.pid < 0) {
        bench_fail("fork: %s", strerror(errno));
    }
    if (server.pid == 0) {
        sigset_t stop;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigemptyset(&stop);
        sigaddset(&stop, SIGTERM);
        sigprocmask(SIG_BLOCK, &stop, NULL);
        mallopt(M_MMAP_THRESHOLD, 256 << 10); /* as host.c */
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        /* The log lines are written, but no process reads them. */
        (void)dup2(null, STDOUT_FILENO);
        struct error err;
        log_setup(SNEK_LEVEL_INFO, LOG_LOGFMT);
        if (log_start(&err) < 0) {
            bench_fail("%s", err.text);
        }
        if (target == BENCH_BARE) {
            serve_bare(listen_fd, &stop);
        } else {
            serve_inbox(listen_fd, url, &stop);
        }
        _exit(0);
    }
    close(listen_fd);
    return server;
}

struct bench_usage bench_stop(struct bench_server server) {
    int how;
    struct rusage usage;
    kill(server.pid, SIGTERM);
    if (wait4(server.pid, &how, 0, &usage) != server.pid || how != 0) {
        bench_fail("what was measured ended with %d", how);
    }
    double user = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
    double kernel = (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    return (struct bench_usage){.cpu_s = user + kernel, .rss_kib = usage.ru_maxrss};
}

/* ---- one commit after the other ---- */

static void on_answer(struct inbox_operation *operation) {
    if (operation->result != INBOX_STORED) {
        bench_fail("storing: %s", operation->error.text);
    }
}

double bench_single_commits(const char *url, const struct bench_bodies *bodies, double seconds) {
    struct inbox *inbox = open_inbox(url);
    struct mailbox mailbox;
    if (mailbox_init(&mailbox) < 0) {
        bench_fail("no descriptors");
    }
    size_t n = 0;
    uint32_t part = arc4random(); /* of the GUIDs */
    double began = bench_now(), now = began;
    for (; now < began + seconds; now = bench_now(), n++) {
        const struct bench_body *body = &bodies->all[n % bodies->n];
        char guid[37];
        snprintf(guid, sizeof guid, "%08x-0000-4000-8000-%012zx", part, n);
        struct inbox_put_run run = {.plugin = "bench"};
        struct inbox_put put = {
            .operation = {.kind = INBOX_PUT, .reply_to = &mailbox, .on_result = on_answer},
            .guid = guid,
            .event = body->event,
            .action = "opened",
            .installation = "60001",
            .repository = "sneks-united/terrarium",
            .sender = "mona",
            .repository_id = "",
            .item = "",
            .body = body->json,
            .body_bytes = body->bytes,
            .received_ms = clock_wall_ms(),
            .due_ms = clock_wall_ms() + 1000,
            .runs = &run,
            .n_runs = 1};
        inbox_submit(inbox, &put.operation);
        struct pollfd ready = {.fd = mailbox.event_fd, .events = POLLIN};
        while (poll(&ready, 1, -1) < 1 || mailbox_drain(&mailbox) == 0) {}
    }
    inbox_free(inbox);
    mailbox_finish(&mailbox);
    return (double)n / (now - began);
}
