/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ingest over real sockets and time: deadlines, limits, hang-ups, floods, the end. */
#include "ingest_rig.h"

#include <sys/resource.h>
#include <sys/wait.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

#define HEALTH "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"

static struct rig *rig_with_deadlines(int64_t header_ms, int64_t body_ms) {
    struct rig *rig = rig_init();
    rig->options.header_deadline_ms = header_ms;
    rig->options.body_deadline_ms = body_ms;
    return rig_start(rig);
}

/* Sends `text` and then one byte more every 20 ms; how long the server bears that. */
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
        (void)usleep(20000);
    }
    (void)close(fd);
    return clock_monotonic_ms() - start_ms;
}

static void assert_about(int64_t ms, int64_t wanted_ms) {
    if (ms < wanted_ms - 20 || ms > wanted_ms + 3000) { /* a machine may be busy */
        fail_msg("%d ms, not %d", (int)ms, (int)wanted_ms);
    }
}

static void a_byte_now_and_then_does_not_keep_a_connection(void **state) {
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
    (void)close(silent);
    (void)close(idle);
    rig_stop(rig);
}

static void waiting_for_the_inbox_is_not_the_clients_fault(void **state) {
    (void)state;
    struct rig *rig = rig_with_deadlines(100, 100);
    inbox_hold(&rig->inbox);
    int fd = rig_connect(rig);
    assert_true(send_text(fd, webhook(delivery)));
    wait_until_held(&rig->inbox, 1);
    (void)usleep(400000);
    inbox_release(&rig->inbox);
    assert_int_equal(read_reply(rig, fd), 202);
    (void)close(fd);
    rig_stop(rig);
}

static void a_client_may_hang_up_while_the_inbox_has_its_request(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    inbox_hold(&rig->inbox);
    for (unsigned i = 0; i < 20; i++) {
        int fd = rig_connect(rig);
        assert_true(send_text(fd, webhook(delivery)));
        wait_until_held(&rig->inbox, i + 1);
        struct linger reset = {.l_onoff = 1}; /* with every other, not even a goodbye */
        if (i % 2) {
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        (void)close(fd);
    }
    inbox_release(&rig->inbox);
    assert_int_equal(ask(rig, webhook(delivery)), 202);
    assert_int_equal(rig->inbox.n_puts, 21);
    assert_int_equal(rig->n_stored, 21); /* they are stored, whoever heard of it */
    rig_stop(rig);
}

static void a_client_may_hang_up_at_any_byte(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    const char *request = webhook(delivery);
    size_t bytes = strlen(request);
    for (size_t n = 0; n < bytes; n += 3) {
        int fd = rig_connect(rig);
        assert_true(send_bytes(fd, request, n));
        (void)close(fd);
    }
    assert_int_equal(ask(rig, request), 202);
    assert_int_equal(rig->inbox.n_puts, 1);
    rig_stop(rig);
}

static void who_left_in_the_middle_is_not_waited_for(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    int64_t start_ms = clock_monotonic_ms();
    for (int i = 0; i < 50; i++) {
        int fd = rig_connect(rig); /* the bytes and the hang-up come together */
        assert_true(send_text(fd, "POST /webhook/github HTTP/1.1\r\nHost: h\r\n"
                                  "Content-Length: 10\r\n\r\nabc"));
        (void)close(fd);
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
    for (int seconds = 0; seconds < 2; seconds++) { /* shorter and longer than what is borne */
        inbox_hold(&rig->inbox);
        for (int i = 0; i < N; i++) {
            fds[i] = rig_connect(rig);
            assert_true(send_text(fds[i], webhook(delivery)));
            assert_int_equal(shutdown(fds[i], SHUT_WR), 0);
        }
        wait_until_held(&rig->inbox, N);
        (void)usleep((useconds_t)seconds * 1200000);
        inbox_release(&rig->inbox);
        for (int i = 0; i < N; i++) {
            assert_int_equal(read_reply(rig, fds[i]), 202);
            assert_true(at_end(fds[i]));
            (void)close(fds[i]);
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
    for (int i = 0; i < N; i++) { /* and all are good for one more */
        assert_true(send_text(fds[i], request));
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(read_reply(rig, fds[i]), 202);
        (void)close(fds[i]);
    }
    assert_int_equal(rig->inbox.n_puts, 2 * N);
    rig_stop(rig);
}

/* Announces a body of `bytes` and sends `sent` of it. */
static int start_body(struct rig *rig, size_t bytes, size_t sent) {
    char head[512];
    char *body = calloc(1, sent + 1);
    assert_non_null(body);
    (void)snprintf(head, sizeof head,
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
    wait_until_held(&rig->inbox, LIMIT); /* who waits for us makes room for nobody */
    fds[LIMIT] = rig_connect(rig);
    assert_true(send_text(fds[LIMIT], HEALTH));
    (void)usleep(100000);
    assert_int_equal(recv(fds[LIMIT], &byte, 1, MSG_DONTWAIT), -1);
    int64_t start_ms = clock_monotonic_ms();
    inbox_release(&rig->inbox);
    assert_int_equal(read_reply(rig, fds[LIMIT]), 200);
    assert_true(clock_monotonic_ms() - start_ms < 5000); /* not only when a deadline passes */
    for (int i = 0; i < LIMIT; i++) {
        assert_int_equal(read_reply(rig, fds[i]), 202);
    }
    for (int i = 0; i <= LIMIT; i++) {
        (void)close(fds[i]);
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
    (void)usleep(20000);
    fds[1] = rig_connect(rig);
    (void)usleep(20000);
    assert_true(send_text(asked, HEALTH)); /* came first, but was idle last */
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
    assert_logged(rig, "all connections were taken, and this one was idle for longest");
    assert_true(send_text(asked, HEALTH)); /* nobody else had to go */
    assert_int_equal(read_reply(rig, asked), 200);
    inbox_release(&rig->inbox);
    assert_int_equal(read_reply(rig, busy), 202);
    for (int i = 0; i < LIMIT; i++) {
        (void)close(fds[i]);
    }
    (void)close(busy);
    (void)close(asked);
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
    assert_true(clock_monotonic_ms() - start_ms < 5000); /* where silence ends after 10 s */
    for (int i = 0; i < N; i++) {
        (void)close(fds[i]);
    }
    rig_stop(rig);
}

static void a_body_under_way_makes_room_when_no_connection_is_idle(void **state) {
    (void)state;
    struct rig *rig = rig_init();
    rig->options.max_connections = 2;
    rig_start(rig);
    int first = start_body(rig, 1000, 10), second = start_body(rig, 1000, 10);
    int64_t start_ms = clock_monotonic_ms();
    assert_int_equal(ask(rig, HEALTH), 200);
    assert_true(clock_monotonic_ms() - start_ms < 4000);
    (void)close(first);
    (void)close(second);
    rig_stop(rig);
}

static void whole_bodies_past_the_budget_are_put_off(void **state) {
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
    (void)snprintf(request, 70000,
                   "POST /webhook/github HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                   "X-GitHub-Delivery: g\r\nX-GitHub-Event: push\r\nContent-Length: %zu\r\n"
                   "X-Hub-Signature-256: %s\r\n\r\n%s",
                   strlen(large), sign(large, strlen(large)), large);
    int announced = start_body(rig, 90000, 0); /* what is only announced keeps nobody out */
    inbox_hold(&rig->inbox);
    int whole = rig_connect(rig);
    assert_true(send_text(whole, request));
    wait_until_held(&rig->inbox, 1);

    assert_int_equal(ask(rig, request), 503);
    assert_non_null(strstr(rig->reply, "\r\nRetry-After: 10\r\n"));
    assert_non_null(strstr(rig->reply, "{\"error\":\"too many bodies are held at once\""));
    char asking[512]; /* and who asks first is told before it sends */
    (void)snprintf(asking, sizeof asking,
                   "POST /webhook/github HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                   "X-GitHub-Delivery: g\r\nX-GitHub-Event: push\r\nContent-Length: 50000\r\n"
                   "Expect: 100-continue\r\nX-Hub-Signature-256: %s\r\n\r\n",
                   sign("", 0));
    assert_int_equal(ask(rig, asking), 503);
    /* An announcement that fitted once; its bytes do not any more. */
    AUTO_FREE char *body = calloc(1, 90000);
    assert_non_null(body);
    assert_true(send_bytes(announced, body, 90000));
    assert_int_equal(read_reply(rig, announced), 503);

    inbox_release(&rig->inbox); /* what it held is free again */
    assert_int_equal(read_reply(rig, whole), 202);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask(rig, request), 202);
    }
    (void)close(announced);
    (void)close(whole);
    rig_stop(rig);
}

static void the_body_under_way_for_longest_makes_room(void **state) {
    (void)state;
    enum { N = 12 };
    struct rig *rig = rig_init();
    rig->options.max_body_bytes = 100000;
    rig->options.max_held_bytes = 250000;
    rig_start(rig);
    int fds[N];
    for (int i = 0; i < N; i++) { /* two of them fit */
        fds[i] = start_body(rig, 100000, 99999);
    }
    assert_true(at_end(fds[0]));
    assert_logged(rig, "its body was coming for longest when another needed the memory");
    for (int i = 0; i < 20; i++) { /* small ones and large ones are served all the same */
        assert_int_equal(ask(rig, webhook(delivery)), 202);
        int fd = start_body(rig, 90000, 90000);
        assert_int_equal(read_reply(rig, fd), 401);
        (void)close(fd);
    }
    for (int i = 0; i < N; i++) {
        (void)close(fds[i]);
    }
    rig_stop(rig);
}

static void a_body_must_come_at_a_rate(void **state) {
    (void)state;
    struct rig *rig = rig_init();
    rig->options.body_grace_ms = 300;
    rig_start(rig);
    static const char head[] =
        "POST /webhook/github HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        "X-GitHub-Delivery: g\r\nX-GitHub-Event: push\r\nContent-Length: 100000\r\n";
    char request[1024];
    (void)snprintf(request, sizeof request, "%sX-Hub-Signature-256: %s\r\n\r\n", head, sign("", 0));
    int fast = start_body(rig, 65536, 65535); /* is good for a minute */
    assert_about(trickle(rig, request), 300); /* 50 bytes a second are too few */
    assert_logged(rig, "msg=rejected delivery=g status=408 ");
    assert_true(send_text(fast, "a"));
    assert_int_equal(read_reply(rig, fast), 401);
    (void)close(fast);
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
    (void)close(fd);
    int64_t seconds = (clock_monotonic_ms() - start_ms) / 1000 + 2; /* begun ones */
    (void)usleep(1100000);
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

static void a_quiesced_server_answers_what_it_has_and_leaves_the_rest(void **state) {
    (void)state;
    struct rig *rig = rig_start(NULL);
    int fresh = rig_connect(rig), idle = rig_connect(rig), busy = rig_connect(rig);
    assert_true(send_text(idle, HEALTH)); /* accepted, and so is what came before */
    assert_int_equal(read_reply(rig, idle), 200);
    inbox_hold(&rig->inbox);
    assert_true(send_text(busy, webhook(delivery)));
    wait_until_held(&rig->inbox, 1);

    ingest_quiesce(rig->ingest);
    ingest_quiesce(rig->ingest);
    assert_true(at_end(idle));
    int late = rig_connect(rig); /* the socket still listens, for the next host */
    assert_true(send_text(late, HEALTH));
    assert_true(send_text(fresh, HEALTH)); /* was accepted: is served */
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
    (void)close(fresh);
    (void)close(idle);
    (void)close(busy);
    (void)close(late);
    rig_stop(rig);
}

static void *release_soon(void *context) {
    (void)usleep(400000);
    inbox_release(context);
    return NULL;
}

/* Stops with a request at the inbox, which answers 400 ms later. */
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
    (void)pthread_join(thread, NULL);
    (void)close(fd);
    (void)close(silent);
    rig_stop(rig);
    return status;
}

static void the_end_waits_for_answers_within_its_grace(void **state) {
    (void)state;
    int64_t took_ms;
    assert_int_equal(stop_while_waiting(8000, &took_ms), 202);
    assert_true(took_ms < 6000); /* and not longer than it must */
}

static void past_its_grace_the_end_says_so(void **state) {
    (void)state;
    int64_t took_ms;
    assert_int_equal(stop_while_waiting(50, &took_ms), 503);
    assert_true(took_ms >= 300); /* what the inbox has is still its */
}

static void the_end_does_not_wait_for_the_slow(void **state) {
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
    (void)close(body);
    (void)close(head);
    rig_stop(rig);
}

static void a_socket_that_does_not_serve_is_an_error(void **state) {
    (void)state;
    struct rig *rig = rig_init();
    struct error err = {""};
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
        (void)sscanf(line, "VmHWM: %ld", &kib);
    }
    if (file) {
        (void)fclose(file);
    }
    return kib;
}

/* A server in a process of its own: says its port, waits for a byte, says its peak. */
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
    (void)snprintf(
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
    (void)close(fd);
}

static void the_largest_hostile_body_costs_little_memory(void **state) {
    (void)state;
    int to[2], from[2], child_status;
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    (void)fflush(stdout);
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
    (void)close(to[0]);
    (void)close(to[1]);
    (void)close(from[0]);
    (void)close(from[1]);
    print_message("# peak of the server: %ld KiB\n", kib);
#ifndef SANITIZED /* whose own memory is more than all of ours */
    assert_true(kib > 25 * 1024 && kib < 64 * 1024);
#endif
}

int main(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 4096) {
        files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_hostile_body_costs_little_memory),
        cmocka_unit_test(a_byte_now_and_then_does_not_keep_a_connection),
        cmocka_unit_test(silence_ends_a_connection),
        cmocka_unit_test(waiting_for_the_inbox_is_not_the_clients_fault),
        cmocka_unit_test(a_client_may_hang_up_while_the_inbox_has_its_request),
        cmocka_unit_test(a_client_may_hang_up_at_any_byte),
        cmocka_unit_test(who_left_in_the_middle_is_not_waited_for),
        cmocka_unit_test(clients_may_close_their_side_and_read),
        cmocka_unit_test(five_hundred_connections_wait_together),
        cmocka_unit_test(connections_past_the_limit_wait_for_their_turn),
        cmocka_unit_test(the_connection_idle_for_longest_makes_room),
        cmocka_unit_test(a_thousand_idle_connections_keep_no_webhook_out),
        cmocka_unit_test(a_body_under_way_makes_room_when_no_connection_is_idle),
        cmocka_unit_test(whole_bodies_past_the_budget_are_put_off),
        cmocka_unit_test(the_body_under_way_for_longest_makes_room),
        cmocka_unit_test(a_body_must_come_at_a_rate),
        cmocka_unit_test(a_flood_of_rejections_is_counted_not_logged),
        cmocka_unit_test(a_quiesced_server_answers_what_it_has_and_leaves_the_rest),
        cmocka_unit_test(the_end_waits_for_answers_within_its_grace),
        cmocka_unit_test(past_its_grace_the_end_says_so),
        cmocka_unit_test(the_end_does_not_wait_for_the_slow),
        cmocka_unit_test(a_socket_that_does_not_serve_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
