/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests ingest over real sockets and time: deadlines, limits, disconnects, floods, shutdown. */
#include "ingest_rig.h"

#include <sys/resource.h>
#include <sys/wait.h>

#define HEALTH "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"

static struct rig *rig_with_deadlines(int64_t header_ms, int64_t body_ms) {
    struct rig *rig = rig_init();
    rig->options.header_deadline_ms = rig->options.idle_deadline_ms = header_ms;
    rig->options.body_deadline_ms = body_ms;
    return rig_start(rig);
}

/* Sends `text` and then one byte every 20 ms. Returns how long the server accepts that. */
static int64_t trickle(struct rig *rig, const char *text) {
    int fd = rig_connect(rig);
    int64_t start_ms = clock_monotonic_ms();
    char byte;
    assert_true(send_text(fd, text));
    for (;;) {
        if (!send_text(fd, "a") || recv(fd, &byte, 1, MSG_DONTWAIT) == 0) {
            break;
        }
        assert_true(clock_monotonic_ms() - start_ms < 10000);
        usleep(20000);
    }
    close(fd);
    return clock_monotonic_ms() - start_ms;
}

static void assert_about(int64_t ms, int64_t wanted_ms) {
    /* The machine may be busy. */
    if (ms < wanted_ms - 20 || ms > wanted_ms + 3000) {
        fail_msg("%d ms, not %d", (int)ms, (int)wanted_ms);
    }
}

static void a_trickle_of_bytes_does_not_keep_a_connection(void **state) {
    (void)state;
    struct rig *rig = rig_with_deadlines(200, 400);
    assert_about(trickle(rig, ""), 200);
    assert_about(trickle(rig, "GET / HTTP/1.1\r\nHost: h\r\nX-A: "), 200);
    assert_about(trickle(rig, "POST /webhook/github HTTP/1.1\r\nHost: h\r\n"
                              "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"),
                 400);
    assert_logged(rig, "msg=rejected status=408 ");
    rig_stop(rig);
}

static void silence_ends_a_connection(void **state) {
    (void)state;
    struct rig *rig = rig_with_deadlines(200, 400);
    int64_t start_ms = clock_monotonic_ms();
    int silent = rig_connect(rig), idle = rig_connect(rig);
    assert_true(send_text(idle, HEALTH));
    assert_int_equal(read_reply(rig, idle), 200);
    assert_true(at_end(silent));
    assert_true(at_end(idle));
    assert_about(clock_monotonic_ms() - start_ms, 200);
    close(silent);
    close(idle);
    rig_stop(rig);
}

static void an_idle_connection_outlives_the_header_deadline(void **state) {
    (void)state;
    struct rig *rig = rig_init();
    rig->options.header_deadline_ms = 200;
    rig->options.idle_deadline_ms = 20000;
    rig_start(rig);
    int64_t start_ms = clock_monotonic_ms();
    int idle = rig_connect(rig);
    assert_true(send_text(idle, HEALTH));
    assert_int_equal(read_reply(rig, idle), 200);
    assert_null(strstr(rig->reply, "Connection: close"));
    usleep(500000);
    assert_true(send_text(idle, HEALTH));
    assert_int_equal(read_reply(rig, idle), 200);
    /* The next request has begun, so its headers have 200 ms. */
    assert_true(send_text(idle, "GET /healthz HTTP/1.1\r\n"));
    assert_true(at_end(idle));
    assert_about(clock_monotonic_ms() - start_ms, 700);
    close(idle);
    rig_stop(rig);
}

static void a_crowded_server_closes_connections_after_the_response(void **state) {
    (void)state;
    enum { LIMIT = 16 };
    struct rig *rig = rig_init();
    rig->options.max_connections = LIMIT;
    rig_start(rig);
    int fds[LIMIT];
    for (int i = 0; i < LIMIT; i++) {
        fds[i] = rig_connect(rig);
        assert_true(send_text(fds[i], HEALTH));
        assert_int_equal(read_reply(rig, fds[i]), 200);
        bool closes = strstr(rig->reply, "Connection: close") != NULL;
        assert_int_equal(closes, i + 1 > LIMIT - LIMIT / 8);
        if (closes) {
            assert_true(at_end(fds[i]));
            break;
        }
    }
    for (int i = 0; i < LIMIT - LIMIT / 8 + 1; i++) {
        close(fds[i]);
    }
    rig_stop(rig);
}

static void waiting_for_the_inbox_is_not_the_clients_fault(void **state) {
    (void)state;
    /* Long enough to send it on a busy machine. */
    struct rig *rig = rig_with_deadlines(400, 400);
    inbox_hold(&rig->inbox);
    int fd = rig_connect(rig);
    assert_true(send_text(fd, webhook(delivery)));
    wait_until_held(&rig->inbox, 1);
    usleep(800000);
    inbox_release(&rig->inbox);
    assert_int_equal(read_reply(rig, fd), 202);
    close(fd);
    rig_stop(rig);
}

static void a_client_may_disconnect_while_the_inbox_commits(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    inbox_hold(&rig->inbox);
    for (unsigned i = 0; i < 20; i++) {
        int fd = rig_connect(rig);
        assert_true(send_text(fd, webhook(delivery)));
        wait_until_held(&rig->inbox, i + 1);
        /* Every other connection is reset. */
        struct linger reset = {.l_onoff = 1};
        if (i % 2) {
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        close(fd);
    }
    inbox_release(&rig->inbox);
    assert_int_equal(ask(rig, webhook(delivery)), 202);
    assert_int_equal(rig->inbox.n_puts, 21);
    /* They are stored although no client got the response. */
    assert_int_equal(rig->n_stored, 21);
    rig_stop(rig);
}

static void a_client_may_disconnect_after_any_byte(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    const char *request = webhook(delivery);
    size_t bytes = strlen(request);
    for (size_t n = 0; n < bytes; n += 3) {
        int fd = rig_connect(rig);
        assert_true(send_bytes(fd, request, n));
        close(fd);
    }
    assert_int_equal(ask(rig, request), 202);
    assert_int_equal(rig->inbox.n_puts, 1);
    rig_stop(rig);
}

static void a_client_that_left_does_not_hold_its_connection(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    int64_t start_ms = clock_monotonic_ms();
    for (int i = 0; i < 50; i++) {
        /* The bytes and the close arrive together. */
        int fd = rig_connect(rig);
        assert_true(send_text(fd, "POST /webhook/github HTTP/1.1\r\nHost: h\r\n"
                                  "Content-Length: 10\r\n\r\nabc"));
        close(fd);
    }
    assert_int_equal(ask(rig, HEALTH), 200);
    ingest_free(rig->ingest, 20000);
    rig->ingest = NULL;
    assert_true(clock_monotonic_ms() - start_ms < 10000);
    rig_stop(rig);
}

static void clients_may_close_their_side_and_read(void **state) {
    (void)state;
    enum { N = 50 };
    int fds[N];
    struct rig *rig = rig_start(NULL);
    /* Shorter and longer than the deadline. */
    for (int seconds = 0; seconds < 2; seconds++) {
        inbox_hold(&rig->inbox);
        for (int i = 0; i < N; i++) {
            fds[i] = rig_connect(rig);
            assert_true(send_text(fds[i], webhook(delivery)));
            assert_int_equal(shutdown(fds[i], SHUT_WR), 0);
        }
        wait_until_held(&rig->inbox, N);
        usleep((useconds_t)seconds * 1200000);
        inbox_release(&rig->inbox);
        for (int i = 0; i < N; i++) {
            assert_int_equal(read_reply(rig, fds[i]), 202);
            assert_true(at_end(fds[i]));
            close(fds[i]);
        }
    }
    rig_stop(rig);
}

static void five_hundred_connections_wait_together(void **state) {
    (void)state;
    enum { N = 500 };
    static int fds[N];
    struct rig *rig = rig_start(NULL);
    const char *request = webhook(delivery);
    inbox_hold(&rig->inbox);
    for (int i = 0; i < N; i++) {
        fds[i] = rig_connect(rig);
        assert_true(send_text(fds[i], request));
    }
    wait_until_held(&rig->inbox, N);
    inbox_release(&rig->inbox);
    for (int i = 0; i < N; i++) {
        assert_int_equal(read_reply(rig, fds[i]), 202);
    }
    /* Each connection serves one more request. */
    for (int i = 0; i < N; i++) {
        assert_true(send_text(fds[i], request));
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(read_reply(rig, fds[i]), 202);
        close(fds[i]);
    }
    assert_int_equal(rig->inbox.n_puts, 2 * N);
    rig_stop(rig);
}

/* Announces a body of `bytes` and sends `sent` of it. */
static int start_body(struct rig *rig, size_t bytes, size_t sent) {
    char head[512];
    char *body = calloc(1, sent + 1);
    assert_non_null(body);
    snprintf(head, sizeof head,
             "POST /webhook/github HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
             "X-GitHub-Delivery: g\r\nX-GitHub-Event: push\r\nContent-Length: %zu\r\n"
             "X-Hub-Signature-256: %s\r\n\r\n",
             bytes, sign("", 0));
    int fd = rig_connect(rig);
    assert_true(send_text(fd, head));
    assert_true(send_bytes(fd, body, sent));
    free(body);
    return fd;
}

static void connections_past_the_limit_wait_for_their_turn(void **state) {
    (void)state;
    enum { LIMIT = 3 };
    struct rig *rig = rig_init();
    rig->options.max_connections = LIMIT;
    rig_start(rig);
    inbox_hold(&rig->inbox);
    int fds[LIMIT + 1];
    char byte;
    for (int i = 0; i < LIMIT; i++) {
        fds[i] = rig_connect(rig);
        assert_true(send_text(fds[i], webhook(delivery)));
    }
    /* A connection that waits for the inbox is never closed. */
    wait_until_held(&rig->inbox, LIMIT);
    fds[LIMIT] = rig_connect(rig);
    assert_true(send_text(fds[LIMIT], HEALTH));
    usleep(100000);
    assert_int_equal(recv(fds[LIMIT], &byte, 1, MSG_DONTWAIT), -1);
    int64_t start_ms = clock_monotonic_ms();
    inbox_release(&rig->inbox);
    assert_int_equal(read_reply(rig, fds[LIMIT]), 200);
    /* Not only when a deadline passes. */
    assert_true(clock_monotonic_ms() - start_ms < 5000);
    for (int i = 0; i < LIMIT; i++) {
        assert_int_equal(read_reply(rig, fds[i]), 202);
    }
    for (int i = 0; i <= LIMIT; i++) {
        close(fds[i]);
    }
    rig_stop(rig);
}

static void the_connection_idle_for_longest_makes_room(void **state) {
    (void)state;
    enum { LIMIT = 4 };
    struct rig *rig = rig_init();
    rig->options.max_connections = LIMIT;
    rig_start(rig);
    inbox_hold(&rig->inbox);
    int busy = rig_connect(rig), fds[LIMIT], asked = rig_connect(rig);
    assert_true(send_text(busy, webhook(delivery)));
    wait_until_held(&rig->inbox, 1);
    fds[0] = rig_connect(rig);
    assert_true(send_text(fds[0], "GET /healthz HT"));
    usleep(20000);
    fds[1] = rig_connect(rig);
    usleep(20000);
    /* This connection came first, but was idle last. */
    assert_true(send_text(asked, HEALTH));
    assert_int_equal(read_reply(rig, asked), 200);

    int64_t start_ms = clock_monotonic_ms();
    fds[2] = rig_connect(rig);
    assert_true(send_text(fds[2], HEALTH));
    assert_int_equal(read_reply(rig, fds[2]), 200);
    assert_true(at_end(fds[0]));
    fds[3] = rig_connect(rig);
    assert_true(send_text(fds[3], HEALTH));
    assert_int_equal(read_reply(rig, fds[3]), 200);
    assert_true(at_end(fds[1]));
    assert_true(clock_monotonic_ms() - start_ms < 5000);
    assert_logged(rig, "all connections were taken, and this one had been idle for longest");
    /* No other connection was closed. */
    assert_true(send_text(asked, HEALTH));
    assert_int_equal(read_reply(rig, asked), 200);
    inbox_release(&rig->inbox);
    assert_int_equal(read_reply(rig, busy), 202);
    for (int i = 0; i < LIMIT; i++) {
        close(fds[i]);
    }
    close(busy);
    close(asked);
    rig_stop(rig);
}

static void a_thousand_idle_connections_keep_no_webhook_out(void **state) {
    (void)state;
    enum { N = 1500 };
    static int fds[N];
    struct rig *rig = rig_start(NULL);
    for (int i = 0; i < N; i++) {
        fds[i] = rig_connect(rig);
    }
    int64_t start_ms = clock_monotonic_ms();
    assert_int_equal(ask(rig, webhook(delivery)), 202);
    /* A silent connection would end after 10 s. */
    assert_true(clock_monotonic_ms() - start_ms < 5000);
    for (int i = 0; i < N; i++) {
        close(fds[i]);
    }
    rig_stop(rig);
}

static void an_arriving_body_makes_room_when_no_connection_is_idle(void **state) {
    (void)state;
    struct rig *rig = rig_init();
    rig->options.max_connections = 2;
    rig_start(rig);
    int first = start_body(rig, 1000, 10), second = start_body(rig, 1000, 10);
    int64_t start_ms = clock_monotonic_ms();
    assert_int_equal(ask(rig, HEALTH), 200);
    assert_true(clock_monotonic_ms() - start_ms < 4000);
    close(first);
    close(second);
    rig_stop(rig);
}

static void complete_bodies_over_the_budget_get_503(void **state) {
    (void)state;
    struct rig *rig = rig_init();
    rig->options.max_body_bytes = 100000;
    rig->options.max_held_bytes = 100000;
    rig_start(rig);
    AUTO_FREE char *large = malloc(60000);
    AUTO_FREE char *request = malloc(70000);
    assert_true(large && request);
    memset(large, ' ', 60000 - 1);
    memcpy(large, delivery, sizeof delivery - 1);
    large[60000 - 1] = '\0';
    snprintf(request, 70000,
             "POST /webhook/github HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
             "X-GitHub-Delivery: g\r\nX-GitHub-Event: push\r\nContent-Length: %zu\r\n"
             "X-Hub-Signature-256: %s\r\n\r\n%s",
             strlen(large), sign(large, strlen(large)), large);
    /* An announcement alone locks nobody out. */
    int announced = start_body(rig, 90000, 0);
    inbox_hold(&rig->inbox);
    int whole = rig_connect(rig);
    assert_true(send_text(whole, request));
    wait_until_held(&rig->inbox, 1);

    assert_int_equal(ask(rig, request), 503);
    assert_non_null(strstr(rig->reply, "\r\nRetry-After: 10\r\n"));
    assert_non_null(
        strstr(rig->reply, "{\"error\":\"the host holds too many request bodies at once\""));
    /* A client that asks first gets the response before it sends. */
    char asking[512];
    snprintf(asking, sizeof asking,
             "POST /webhook/github HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
             "X-GitHub-Delivery: g\r\nX-GitHub-Event: push\r\nContent-Length: 50000\r\n"
             "Expect: 100-continue\r\nX-Hub-Signature-256: %s\r\n\r\n",
             sign("", 0));
    assert_int_equal(ask(rig, asking), 503);
    /* An announcement that fitted; its bytes do not fit any more. */
    AUTO_FREE char *body = calloc(1, 90000);
    assert_non_null(body);
    assert_true(send_bytes(announced, body, 90000));
    assert_int_equal(read_reply(rig, announced), 503);

    /* Its memory is free again. */
    inbox_release(&rig->inbox);
    assert_int_equal(read_reply(rig, whole), 202);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask(rig, request), 202);
    }
    close(announced);
    close(whole);
    rig_stop(rig);
}

static void the_body_that_arrives_for_longest_makes_room(void **state) {
    (void)state;
    enum { N = 12 };
    struct rig *rig = rig_init();
    rig->options.max_body_bytes = 100000;
    rig->options.max_held_bytes = 250000;
    rig_start(rig);
    int fds[N];
    /* Two of them fit. */
    for (int i = 0; i < N; i++) {
        fds[i] = start_body(rig, 100000, 99999);
    }
    assert_true(at_end(fds[0]));
    assert_logged(rig,
                  "its body had been arriving for longest when another request needed the memory");
    /* Small and large bodies are served alike. */
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask(rig, webhook(delivery)), 202);
        int fd = start_body(rig, 90000, 90000);
        assert_int_equal(read_reply(rig, fd), 401);
        close(fd);
    }
    for (int i = 0; i < N; i++) {
        close(fds[i]);
    }
    rig_stop(rig);
}

static void a_body_must_arrive_at_a_minimum_rate(void **state) {
    (void)state;
    struct rig *rig = rig_init();
    rig->options.body_grace_ms = 300;
    rig_start(rig);
    static const char head[] =
        "POST /webhook/github HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        "X-GitHub-Delivery: g\r\nX-GitHub-Event: push\r\nContent-Length: 100000\r\n";
    char request[1024];
    snprintf(request, sizeof request, "%sX-Hub-Signature-256: %s\r\n\r\n", head, sign("", 0));
    /* This body may take a minute. */
    int fast = start_body(rig, 65536, 65535);
    /* 50 bytes a second are too few. */
    assert_about(trickle(rig, request), 300);
    assert_logged(rig, "msg=rejected delivery=g status=408 ");
    assert_true(send_text(fast, "a"));
    assert_int_equal(read_reply(rig, fast), 401);
    close(fast);
    rig_stop(rig);
}

static void a_flood_of_rejections_is_counted_not_logged(void **state) {
    (void)state;
    enum { N = 400 };
    struct rig *rig = rig_start(NULL);
    int64_t start_ms = clock_monotonic_ms();
    int fd = rig_connect(rig);
    for (int i = 0; i < N; i++) {
        assert_true(send_text(fd, "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_int_equal(read_reply(rig, fd), 404);
    }
    close(fd);
    /* Seconds that have begun. */
    int64_t seconds = (clock_monotonic_ms() - start_ms) / 1000 + 2;
    usleep(1100000);
    char *log = rig_log(rig);
    int lines = 0, more = 0;
    for (const char *at = log; (at = strstr(at, "msg=rejected ")); at++) {
        lines++;
        if (strncmp(at, "msg=rejected more=", 18) == 0) {
            more += atoi(at + 18);
            lines--;
        }
    }
    assert_int_equal(lines + more, N);
    assert_true(lines >= 50 && lines <= 50 * seconds);
    free(log);
    rig_stop(rig);
}

static void a_quiesced_server_finishes_its_requests_only(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    int fresh = rig_connect(rig), idle = rig_connect(rig), busy = rig_connect(rig);
    /* Accepted, like the connections before it. */
    assert_true(send_text(idle, HEALTH));
    assert_int_equal(read_reply(rig, idle), 200);
    inbox_hold(&rig->inbox);
    assert_true(send_text(busy, webhook(delivery)));
    wait_until_held(&rig->inbox, 1);

    ingest_quiesce(rig->ingest);
    ingest_quiesce(rig->ingest);
    assert_true(at_end(idle));
    /* The socket still listens, for the next host. */
    int late = rig_connect(rig);
    assert_true(send_text(late, HEALTH));
    /* It was accepted, so it is served. */
    assert_true(send_text(fresh, HEALTH));
    assert_int_equal(read_reply(rig, fresh), 200);
    assert_non_null(strstr(rig->reply, "\r\nConnection: close\r\n"));
    inbox_release(&rig->inbox);
    assert_int_equal(read_reply(rig, busy), 202);
    assert_true(at_end(busy));
    ingest_free(rig->ingest, 1000);
    char byte;
    assert_int_equal(recv(late, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);

    rig_start(rig);
    assert_int_equal(read_reply(rig, late), 200);
    close(fresh);
    close(idle);
    close(busy);
    close(late);
    rig_stop(rig);
}

static void *release_soon(void *context) {
    usleep(400000);
    inbox_release(context);
    return NULL;
}

/* Stops while the inbox has a request, which it finishes 400 ms later. */
static int stop_while_waiting(int64_t grace_ms, int64_t *took_ms) {
    struct rig *rig = rig_start(NULL);
    pthread_t thread;
    inbox_hold(&rig->inbox);
    int fd = rig_connect(rig), silent = rig_connect(rig);
    assert_true(send_text(fd, webhook(delivery)));
    wait_until_held(&rig->inbox, 1);
    assert_int_equal(pthread_create(&thread, NULL, release_soon, &rig->inbox), 0);
    int64_t start_ms = clock_monotonic_ms();
    ingest_free(rig->ingest, grace_ms);
    *took_ms = clock_monotonic_ms() - start_ms;
    rig->ingest = NULL;
    int status = read_reply(rig, fd);
    assert_true(at_end(fd));
    pthread_join(thread, NULL);
    close(fd);
    close(silent);
    rig_stop(rig);
    return status;
}

static void stopping_waits_for_responses_within_its_grace(void **state) {
    (void)state;
    int64_t took_ms;
    assert_int_equal(stop_while_waiting(8000, &took_ms), 202);
    /* Not longer than necessary. */
    assert_true(took_ms < 6000);
}

static void after_its_grace_stopping_rejects_the_others(void **state) {
    (void)state;
    int64_t took_ms;
    assert_int_equal(stop_while_waiting(50, &took_ms), 503);
    /* The inbox still owns its operation. */
    assert_true(took_ms >= 300);
}

static void stopping_does_not_wait_for_slow_clients(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    int body = start_body(rig, 1000, 10), head = rig_connect(rig);
    assert_true(send_text(head, "GET / HT"));
    assert_int_equal(ask(rig, HEALTH), 200);
    int64_t start_ms = clock_monotonic_ms();
    ingest_free(rig->ingest, 200);
    rig->ingest = NULL;
    assert_about(clock_monotonic_ms() - start_ms, 200);
    assert_true(at_end(body));
    assert_true(at_end(head));
    close(body);
    close(head);
    rig_stop(rig);
}

static void an_unusable_socket_is_an_error(void **state) {
    (void)state;
    struct rig *rig = rig_init();
    struct error err = {.text = ""};
    rig->options.listen_fd = -1;
    assert_int_equal(ingest_new(&rig->options, &rig->ingest, &err), -1);
    assert_string_not_equal(err.text, "");
    rig_stop(rig);
}

#define HOSTILE_BYTES ((size_t)25 << 20)

/* {"x":[[],[],[], ...]}: a tree of it would cost a gigabyte. */
static char *hostile_body(void) {
    static const char before[] = "{\"action\":\"a\",\"x\":[", after[] = "[]]}";
    char *body = malloc(HOSTILE_BYTES), *at = body;
    assert_non_null(body);
    at += sprintf(at, "%s", before);
    while (at + 3 + sizeof after <= body + HOSTILE_BYTES) {
        memcpy(at, "[],", 3);
        at += 3;
    }
    memset(at, ' ', (size_t)(body + HOSTILE_BYTES - at));
    memcpy(body + HOSTILE_BYTES - (sizeof after - 1), after, sizeof after - 1);
    return body;
}

static long own_peak_kib(void) {
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "VmHWM: %ld", &kib);
    }
    if (file) {
        fclose(file);
    }
    return kib;
}

/* A server in a process of its own. It prints its port, waits for a byte, and prints its peak
 * memory. */
static void serve_in_child(int in, int out) {
    struct rig *rig = rig_init();
    rig->options.max_body_bytes = (int64_t)HOSTILE_BYTES;
    rig_start(rig);
    char byte;
    (void)!write(out, &rig->port, sizeof rig->port);
    (void)!read(in, &byte, 1);
    long kib = own_peak_kib();
    (void)!write(out, &kib, sizeof kib);
    rig_stop(rig);
    _exit(0);
}

static void ask_hostile(struct rig *rig, const char *body, bool chunked) {
    char head[512];
    int fd = rig_connect(rig);
    snprintf(
        head, sizeof head,
        "POST /webhook/github HTTP/1.1\r\nHost: h\r\nX-GitHub-Delivery: g\r\n"
        "X-GitHub-Event: push\r\nContent-Type: application/json\r\n"
        "X-Hub-Signature-256: %s\r\n%s%zu\r\n\r\n",
        sign(body, HOSTILE_BYTES),
        chunked ? "Transfer-Encoding: chunked\r\nX-Bytes: " : "Content-Length: ", HOSTILE_BYTES);
    assert_true(send_text(fd, head));
    for (size_t at = 0, step = 65536; at < HOSTILE_BYTES; at += step) {
        assert_true(!chunked || send_text(fd, "10000\r\n"));
        assert_true(send_bytes(fd, body + at, step));
        assert_true(!chunked || send_text(fd, "\r\n"));
    }
    assert_true(!chunked || send_text(fd, "0\r\n\r\n"));
    assert_int_equal(read_reply(rig, fd), 202);
    close(fd);
}

static void the_largest_hostile_body_costs_little_memory(void **state) {
    (void)state;
    int to[2], from[2], child_status;
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        serve_in_child(to[0], from[1]);
    }
    assert_true(child > 0);
    struct rig *client = calloc(1, sizeof *client);
    assert_non_null(client);
    assert_int_equal(read(from[0], &client->port, sizeof client->port), sizeof client->port);
    char *body = hostile_body();
    ask_hostile(client, body, false);
    ask_hostile(client, body, true);
    free(body);
    free(client);
    long kib = 0;
    assert_int_equal(write(to[1], "", 1), 1);
    assert_int_equal(read(from[0], &kib, sizeof kib), sizeof kib);
    assert_int_equal(waitpid(child, &child_status, 0), child);
    assert_int_equal(child_status, 0);
    close(to[0]);
    close(to[1]);
    close(from[0]);
    close(from[1]);
    print_message("# peak of the server: %ld KiB\n", kib);
/* A sanitizer's own memory exceeds all of ours. */
#ifndef SANITIZED
    assert_true(kib > 25 * 1024 && kib < 64 * 1024);
#endif
}

int main(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 4096) {
        files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_hostile_body_costs_little_memory),
        cmocka_unit_test(a_trickle_of_bytes_does_not_keep_a_connection),
        cmocka_unit_test(silence_ends_a_connection),
        cmocka_unit_test(an_idle_connection_outlives_the_header_deadline),
        cmocka_unit_test(a_crowded_server_closes_connections_after_the_response),
        cmocka_unit_test(waiting_for_the_inbox_is_not_the_clients_fault),
        cmocka_unit_test(a_client_may_disconnect_while_the_inbox_commits),
        cmocka_unit_test(a_client_may_disconnect_after_any_byte),
        cmocka_unit_test(a_client_that_left_does_not_hold_its_connection),
        cmocka_unit_test(clients_may_close_their_side_and_read),
        cmocka_unit_test(five_hundred_connections_wait_together),
        cmocka_unit_test(connections_past_the_limit_wait_for_their_turn),
        cmocka_unit_test(the_connection_idle_for_longest_makes_room),
        cmocka_unit_test(a_thousand_idle_connections_keep_no_webhook_out),
        cmocka_unit_test(an_arriving_body_makes_room_when_no_connection_is_idle),
        cmocka_unit_test(complete_bodies_over_the_budget_get_503),
        cmocka_unit_test(the_body_that_arrives_for_longest_makes_room),
        cmocka_unit_test(a_body_must_arrive_at_a_minimum_rate),
        cmocka_unit_test(a_flood_of_rejections_is_counted_not_logged),
        cmocka_unit_test(a_quiesced_server_finishes_its_requests_only),
        cmocka_unit_test(stopping_waits_for_responses_within_its_grace),
        cmocka_unit_test(after_its_grace_stopping_rejects_the_others),
        cmocka_unit_test(stopping_does_not_wait_for_slow_clients),
        cmocka_unit_test(an_unusable_socket_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
