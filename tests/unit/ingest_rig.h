/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The fixture of ingest's tests: the real server on a port of its own, a fake inbox that responds,
 * delays or fails on demand, a client that sends raw bytes, and the log as text. */
#ifndef SNEK_TESTS_INGEST_RIG_H
#define SNEK_TESTS_INGEST_RIG_H

#include "unit.h"

#include "base/clock.h"
#include "ingest/ingest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nettle/hmac.h>

#define RIG_SECRET "a secret of the test"
#define RIG_BODY_MAX 1048576
#define REPLY_MAX 65536

struct inbox {
    pthread_mutex_t lock;
    /* of every operation */
    int result;
    /* keep operations until inbox_release() */
    bool hold;
    struct inbox_operation *held[1024];
    unsigned n_held, n_puts;
    /* Details of the last operation. */
    char guid[INBOX_GUID_MAX + 1], event[101], action[101], installation[101];
    char repository[256], sender[128], body[256], plugins[256];
    size_t body_bytes;
    int64_t received_ms, due_ms;
};

struct rig {
    struct inbox inbox;
    struct secret secrets[2];
    struct ingest_options options;
    struct ingest *ingest;
    int listen_fd, port;
    int log_fd, stdout_fd;
    bool ready;
    unsigned n_routed, n_stored;
    /* of the last request */
    char reply[REPLY_MAX];
    size_t reply_bytes;
};

static inline void open_operation(struct mail *mail) {
    struct inbox_operation *operation = CONTAINER_OF(mail, struct inbox_operation, mail);
    operation->on_result(operation);
}

static inline void answer_operation(struct inbox *inbox, struct inbox_operation *operation) {
    operation->result = inbox->result;
    error_set(&operation->error, "the disk is full");
    operation->mail.open = open_operation;
    mailbox_post(operation->reply_to, &operation->mail);
}

void inbox_submit(struct inbox *inbox, struct inbox_operation *operation) {
    const struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    pthread_mutex_lock(&inbox->lock);
    inbox->n_puts++;
    snprintf(inbox->guid, sizeof inbox->guid, "%s", put->guid);
    snprintf(inbox->event, sizeof inbox->event, "%s", put->event);
    snprintf(inbox->action, sizeof inbox->action, "%s", put->action);
    snprintf(inbox->installation, sizeof inbox->installation, "%s", put->installation);
    snprintf(inbox->repository, sizeof inbox->repository, "%s", put->repository);
    snprintf(inbox->sender, sizeof inbox->sender, "%s", put->sender);
    snprintf(inbox->body, sizeof inbox->body, "%.*s", (int)put->body_bytes, put->body);
    inbox->plugins[0] = '\0';
    for (size_t i = 0; i < put->n_runs; i++) {
        strcat(strcat(inbox->plugins, put->runs[i].plugin), ";");
    }
    inbox->body_bytes = put->body_bytes;
    inbox->received_ms = put->received_ms;
    inbox->due_ms = put->due_ms;
    if (inbox->hold) {
        inbox->held[inbox->n_held++] = operation;
    } else {
        answer_operation(inbox, operation);
    }
    pthread_mutex_unlock(&inbox->lock);
}

static inline void inbox_hold(struct inbox *inbox) {
    pthread_mutex_lock(&inbox->lock);
    inbox->hold = true;
    pthread_mutex_unlock(&inbox->lock);
}

static inline void inbox_release(struct inbox *inbox) {
    pthread_mutex_lock(&inbox->lock);
    inbox->hold = false;
    for (unsigned i = 0; i < inbox->n_held; i++) {
        answer_operation(inbox, inbox->held[i]);
    }
    inbox->n_held = 0;
    pthread_mutex_unlock(&inbox->lock);
}

static inline void wait_until_held(struct inbox *inbox, unsigned n) {
    for (unsigned n_held = 0, tries = 0; n_held < n; tries++) {
        assert_true(tries < 5000);
        usleep(1000);
        pthread_mutex_lock(&inbox->lock);
        n_held = inbox->n_held;
        pthread_mutex_unlock(&inbox->lock);
    }
}

static inline void rig_route(void *context, struct inbox_put *put) {
    struct rig *rig = context;
    rig->n_routed++;
    if (strcmp(put->event, "pull_request") == 0) {
        put->runs[0].plugin = "invite";
        put->runs[1].plugin = "ping";
        put->n_runs = 2;
    }
}

static inline void rig_stored(void *context, const struct inbox_put *put, struct buffer *body) {
    struct rig *rig = context;
    rig->n_stored += put->operation.result >= 0;
    assert_true(put->body >= body->data);
    assert_true(put->body + put->body_bytes <= body->data + body->bytes);
}

static inline bool rig_status(void *context, struct buffer *json) {
    struct rig *rig = context;
    buffer_append_text(json, "\"store\":\"ok\",\"plugins\":2");
    return rig->ready;
}

/* A socket that listens on loopback; the port into `port`. */
static inline int rig_listen(int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(listen(fd, 1024), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* For options that differ: rig_init(), change rig->options, rig_start(). */
static inline struct rig *rig_init(void) {
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    pthread_mutex_init(&rig->inbox.lock, NULL);
    assert_int_equal(secret_copy(&rig->secrets[0], RIG_SECRET, strlen(RIG_SECRET)), 0);
    rig->ready = true;
    rig->listen_fd = rig_listen(&rig->port);
    rig->options = (struct ingest_options){
        .listen_fd = rig->listen_fd,
        .max_body_bytes = RIG_BODY_MAX,
        .webhook_secrets = rig->secrets,
        .n_webhook_secrets = 2, /* the second is unset */
        .delay_ms = 1000,
        .inbox = &rig->inbox,
        .route = rig_route,
        .on_stored = rig_stored,
        .append_status = rig_status,
        .context = rig,
    };
    /* The log goes to standard output, which is the test's protocol. */
    fflush(stdout);
    rig->log_fd = memfd_create("log", MFD_CLOEXEC);
    rig->stdout_fd = dup(STDOUT_FILENO);
    assert_true(rig->log_fd >= 0 && rig->stdout_fd >= 0);
    assert_int_equal(dup2(rig->log_fd, STDOUT_FILENO), STDOUT_FILENO);
    return rig;
}

static inline struct rig *rig_start(struct rig *rig) {
    struct error err;
    rig = rig ? rig : rig_init();
    if (ingest_new(&rig->options, &rig->ingest, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return rig;
}

/* Everything logged so far; the caller frees it. */
static inline char *rig_log(struct rig *rig) {
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(pread(rig->log_fd, text, (1 << 20) - 1, 0) >= 0);
    return text;
}

static inline void assert_logged(struct rig *rig, const char *text) {
    char *log = rig_log(rig);
    if (!strstr(log, text)) {
        fail_msg("not logged: %s\n%s", text, log);
    }
    free(log);
}

static inline void rig_stop(struct rig *rig) {
    ingest_free(rig->ingest, 2000);
    (void)dup2(rig->stdout_fd, STDOUT_FILENO);
    close(rig->stdout_fd);
    close(rig->log_fd);
    close(rig->listen_fd);
    secret_finish(&rig->secrets[0]);
    free(rig);
}

/* A connection that gives up after 10 s. */
static inline int rig_connect(const struct rig *rig) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)rig->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Whether all of it went out. */
static inline bool send_bytes(int fd, const void *data, size_t bytes) {
    for (size_t sent = 0; sent < bytes;) {
        ssize_t n = send(fd, (const char *)data + sent, bytes - sent, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        sent += (size_t)n;
    }
    return true;
}

static inline bool send_text(int fd, const char *text) {
    return send_bytes(fd, text, strlen(text));
}

/* Reads one answer into rig->reply, up to the end of its body (none for HEAD), or what came before
 * the connection ended. Its status, 0 when there is none. */
static inline int read_reply_of(struct rig *rig, int fd, bool head) {
    rig->reply_bytes = 0;
    for (;;) {
        rig->reply[rig->reply_bytes] = '\0';
        const char *end = strstr(rig->reply, "\r\n\r\n");
        const char *length = strcasestr(rig->reply, "\r\nContent-Length: ");
        if (end && strncmp(rig->reply, "HTTP/1.1 100", 12) == 0) {
            break;
        }
        if (end && (head || (length && length < end))) {
            size_t body = head ? 0 : strtoul(length + 18, NULL, 10);
            if (rig->reply_bytes >= (size_t)(end + 4 - rig->reply) + body) {
                break;
            }
        }
        /* one by one within the header: the next answer is not ours to read */
        size_t want = end ? REPLY_MAX - 1 - rig->reply_bytes : 1;
        if (end && length) {
            want =
                (size_t)(end + 4 - rig->reply) + strtoul(length + 18, NULL, 10) - rig->reply_bytes;
        }
        ssize_t n = recv(fd, rig->reply + rig->reply_bytes, want, 0);
        if (n <= 0) {
            break;
        }
        rig->reply_bytes += (size_t)n;
    }
    return rig->reply_bytes > 12 ? atoi(rig->reply + 9) : 0;
}

static inline int read_reply(struct rig *rig, int fd) {
    return read_reply_of(rig, fd, false);
}

/* Does the connection end without one byte more? */
static inline bool at_end(int fd) {
    char byte;
    ssize_t n = recv(fd, &byte, 1, 0);
    return n == 0 || (n < 0 && errno != EAGAIN);
}

static inline int ask_bytes(struct rig *rig, const void *request, size_t bytes) {
    int fd = rig_connect(rig);
    send_bytes(fd, request, bytes);
    int status = read_reply(rig, fd);
    close(fd);
    return status;
}

static inline int ask(struct rig *rig, const char *request) {
    return ask_bytes(rig, request, strlen(request));
}

/* "sha256=..." of the body under the rig's secret. */
static inline const char *sign(const char *body, size_t bytes) {
    static char text[80];
    struct hmac_sha256_ctx hmac;
    uint8_t digest[SHA256_DIGEST_SIZE];
    hmac_sha256_set_key(&hmac, strlen(RIG_SECRET), (const uint8_t *)RIG_SECRET);
    hmac_sha256_update(&hmac, bytes, (const uint8_t *)body);
    hmac_sha256_digest(&hmac, sizeof digest, digest);
    strcpy(text, "sha256=");
    for (size_t i = 0; i < sizeof digest; i++) {
        sprintf(text + 7 + 2 * i, "%02x", digest[i]);
    }
    return text;
}

#define GUID "72d3162e-cc78-11e3-81ab-4c9367dc0958"

static const char delivery[] =
    "{\"action\":\"closed\",\"installation\":{\"id\":12345},"
    "\"repository\":{\"full_name\":\"o/r\"},\"sender\":{\"login\":\"someone\"}}";

/* A webhook as GitHub sends it, with a body of text. */
static inline const char *webhook(const char *body) {
    static char request[8192];
    snprintf(request, sizeof request,
             "POST /webhook/github HTTP/1.1\r\nHost: h\r\nUser-Agent: GitHub-Hookshot/1\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n"
             "X-GitHub-Delivery: " GUID "\r\nX-GitHub-Event: pull_request\r\n"
             "X-Hub-Signature-256: %s\r\n\r\n%s",
             strlen(body), sign(body, strlen(body)), body);
    return request;
}

#endif
