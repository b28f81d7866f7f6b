/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A fake supervisor and a fake GitHub around a real broker. */
#include "broker_fixture.h"

#include "answers.h"
#include "base/clock.h"
#include "base/log.h"
#include "inbox/common/writer.h"
#include "supervisor/messages.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* GitHub's tokens may have 520 bytes and more. */
#define TOKEN_BYTES 600

static void *run_supervisor(void *context) {
    struct fixture *fixture = context;
    struct supervisor_message question;
    while (recv(fixture->supervisor_fds[1], &question, sizeof question, 0) ==
           (ssize_t)sizeof question) {
        struct supervisor_reply answer = {.ok = fixture->mood != SUPERVISOR_SAYS_NO};
        int number = ++fixture->jwts;
        fixture->last_skew_s = question.skew_s;
        if (question.kind != SUPERVISOR_JWT || question.key > 1) {
            fixture->wrong++;
        }
        while (fixture->mood == SUPERVISOR_WAITS) {
            (void)usleep(5000);
        }
        (void)usleep((useconds_t)fixture->sign_ms * 1000);
        if (question.key == 1) { /* no rotation */
            answer.ok = 0;
            (void)snprintf(answer.text, sizeof answer.text, "there is no next private key");
        } else if (answer.ok) {
            (void)snprintf(answer.text, sizeof answer.text, JWT_MARK ".%d.%d", number,
                           question.skew_s);
        } else {
            (void)snprintf(answer.text, sizeof answer.text, "the key\nis asleep");
        }
        (void)send(fixture->supervisor_fds[1], &answer, sizeof answer, MSG_NOSIGNAL);
    }
    return NULL;
}

static bool answer(struct fixture *fixture, int fd, int status, const char *extra,
                   const char *body) {
    char head[1024], date[64];
    time_t now_s = time(NULL) + fixture->clock_off_s;
    struct tm utc;
    (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now_s, &utc));
    int bytes = snprintf(head, sizeof head,
                         "HTTP/1.1 %d X\r\nDate: %s\r\nContent-Type: application/json\r\n"
                         "Content-Length: %zu\r\n%s\r\n",
                         status, date, strlen(body), extra);
    return http_write(fd, head, (size_t)bytes) && http_write(fd, body, strlen(body));
}

static void token_id(struct fixture *fixture, char *token, char *json, size_t room) {
    char expires[64];
    time_t then_s = time(NULL) + fixture->clock_off_s + fixture->token_life_s;
    struct tm utc;
    (void)strftime(expires, sizeof expires, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&then_s, &utc));
    int used = snprintf(token, TOKEN_BYTES + 1, TOKEN_MARK "%d_", ++fixture->last_token_id);
    memset(token + used, 'x', (size_t)(TOKEN_BYTES - used));
    token[TOKEN_BYTES] = '\0';
    const char *reaches = fixture->reaches;
    (void)snprintf(json, room, "{\"token\":\"%s\",\"expires_at\":\"%s\"%s%.100s%s}", token, expires,
                   reaches ? ",\"repositories\":[{\"id\":1,\"full_name\":\"" : "",
                   reaches ? reaches : "", reaches ? "\"}]" : "");
}

/* `text` is "STATUS BODY". */
static bool say(struct fixture *fixture, int fd, const char *text) {
    char *body;
    int status = (int)strtol(text, &body, 10);
    return answer(fixture, fd, status, "", body + (*body == ' '));
}

/* The installation's name decides, as at GitHub. */
static bool answer_token(struct fixture *fixture, int fd, const struct http_question *question) {
    char token[TOKEN_BYTES + 1], json[TOKEN_BYTES + 300];
    fixture->token_asks++;
    (void)pthread_mutex_lock(&fixture->lock);
    (void)snprintf(fixture->token_body, sizeof fixture->token_body, "%.255s", question->body);
    (void)snprintf(fixture->token_target, sizeof fixture->token_target, "%.255s", question->target);
    (void)pthread_mutex_unlock(&fixture->lock);
    if (fixture->token_says) {
        return say(fixture, fd, fixture->token_says);
    }
    if (strstr(question->target, "/not-granted/")) {
        return answer(fixture, fd, 422, "",
                      "{\"message\":\"The permissions requested are not granted to this "
                      "installation.\"}");
    }
    if (strstr(question->body, "[\"nobodys")) {
        return answer(fixture, fd, 422, "",
                      "{\"message\":\"There is at least one repository that does not exist or is "
                      "not accessible to the parent installation.\"}");
    }
    if (strstr(question->target, "/gone/")) {
        return answer(fixture, fd, 404, "", "{\"message\":\"Not Found\"}");
    }
    if (strstr(question->target, "/wrong-key/")) {
        return answer(fixture, fd, 401, "",
                      "{\"message\":\"A JSON web token could not be decoded\"}");
    }
    if (strstr(question->target, "/senseless/")) {
        return answer(fixture, fd, 201, "", "{\"token\":\"" TOKEN_MARK "a\\nb\"}");
    }
    int minting = ++fixture->minting, most = fixture->most_minting;
    while (minting > most &&
           !atomic_compare_exchange_weak(&fixture->most_minting, &most, minting)) {}
    (void)usleep((useconds_t)fixture->mint_ms * 1000); /* others come meanwhile */
    fixture->minting--;
    token_id(fixture, token, json, sizeof json);
    char quota[128] = "";
    if (fixture->app_remaining > 0) {
        (void)snprintf(quota, sizeof quota,
                       "X-RateLimit-Limit: 5000\r\nX-RateLimit-Remaining: %d\r\n"
                       "X-RateLimit-Reset: %lld\r\n",
                       (int)fixture->app_remaining, (long long)time(NULL) + 600);
    }
    return answer(fixture, fd, 201, quota, json);
}

static bool answer_app(struct fixture *fixture, int fd, const struct http_question *question) {
    char authorization[8192];
    int number = 0, skew_s = 0;
    (void)http_header(question, "Authorization", authorization, sizeof authorization);
    if (sscanf(authorization, "Bearer " JWT_MARK ".%d.%d", &number, &skew_s) != 2) {
        fixture->wrong++;
        return false;
    }
    if (fixture->app_broken > 0) {
        fixture->app_broken--;
        fixture->app_heard++;
        return fixture->app_broken_how > 0 &&
               answer(fixture, fd, fixture->app_broken_how, "", "{\"message\":\"So it is\"}");
    }
    if (fixture->app_limited > 0) {
        char headers[64];
        fixture->app_limited--;
        (void)snprintf(headers, sizeof headers, "Retry-After: %d\r\n", (int)fixture->app_limit_s);
        return answer(fixture, fd, 429, headers, "{\"message\":\"secondary rate limit\"}");
    }
    int off_s = fixture->clock_off_s - skew_s;
    if (off_s < -60 || off_s > 60) {
        return answer(fixture, fd, 401, "", "{\"message\":\"'Expiration time' claim ('exp')\"}");
    }
    if (strcmp(question->target, "/app") == 0) {
        fixture->app_asks++;
        if (fixture->app_says) {
            return say(fixture, fd, fixture->app_says);
        }
        return answer(fixture, fd, 200, "", "{\"id\":1,\"slug\":\"snek-o\"}");
    }
    return answer_token(fixture, fd, question);
}

static bool answer_status(struct fixture *fixture, int fd, const char *how) {
    static const char validation[] =
        "{\"message\":\"Validation Failed\",\"errors\":[{\"resource\":\"Label\",\"field\":"
        "\"name\",\"code\":\"already_exists\"},\"body is\\u0007too long\",{\"message\":\"no\"},7]}";
    int status = atoi(how);
    const char *variant = strchr(how, '-');
    variant = variant ? variant : "";
    char reset[96];
    (void)snprintf(reset, sizeof reset, "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: %lld\r\n",
                   (long long)time(NULL) + fixture->clock_off_s + 3600);
    const char *extra = "", *body = "{\"message\":\"So it is\"}";
    if (status == 204) {
        body = "";
    } else if (status / 100 == 3) {
        extra = "Location: http://elsewhere.test/\r\n";
    }
    if (strcmp(variant, "-after") == 0) {
        extra = "Retry-After: 60\r\n";
    } else if (strcmp(variant, "-reset") == 0) {
        extra = reset;
    } else if (strcmp(variant, "-empty") == 0) {
        extra = "X-RateLimit-Remaining: 0\r\n";
    } else if (strcmp(variant, "-message") == 0) {
        body = "{\"message\":\"You have exceeded a secondary rate limit.\"}";
    } else if (strcmp(variant, "-html") == 0) {
        body = "<html>Unicorn!</html>";
    } else if (strcmp(variant, "-errors") == 0) {
        body = validation;
    }
    return answer(fixture, fd, status, extra, body);
}

/* Fails so many times as `flaky` says, as the path says; then it is well. */
static bool answer_flaky(struct fixture *fixture, int fd, const char *how) {
    char text[128];
    if (atomic_fetch_sub(&fixture->flaky, 1) <= 0) {
        return answer(fixture, fd, 200, "", "{\"ok\":true,\"data\":{}}");
    }
    if (strcmp(how, "hang-up") == 0) {
        return false;
    }
    if (strcmp(how, "cut") == 0) {
        return hostile_answer(fd, "/cut") && false;
    }
    if (strcmp(how, "surplus") == 0) {
        return http_write(fd, "{\"evil\":1}\r\n\r\n", 14) && false;
    }
    if (strcmp(how, "503-after") == 0) {
        return answer(fixture, fd, 503, "Retry-After: 1\r\n", "{\"message\":\"So it is\"}");
    }
    (void)snprintf(text, sizeof text, "Retry-After: %d\r\n", atoi(how));
    return atoi(how) < 100 ? answer(fixture, fd, 429, text, "{\"message\":\"So it is\"}")
                           : answer(fixture, fd, atoi(how), "", "{\"message\":\"So it is\"}");
}

/* The tag is the token's own, and the kept answer is GitHub's n-th. "/kept/BYTES/..." */
static bool answer_kept(struct fixture *fixture, int fd, const struct http_question *question,
                        int token) {
    char wanted[64], tag[32], headers[64];
    (void)snprintf(tag, sizeof tag, "W/\"%d.%d\"", token, (int)fixture->edition);
    (void)http_header(question, "If-None-Match", wanted, sizeof wanted);
    (void)snprintf(headers, sizeof headers, "ETag: %s\r\n", tag);
    if (strcmp(wanted, tag) == 0) {
        fixture->unchanged++;
        return answer(fixture, fd, 304, headers, "");
    }
    size_t bytes = strtoul(question->target + 6, NULL, 10);
    char *body = malloc(bytes + 64);
    int used = snprintf(body, 64, "{\"token\":%d,\"edition\":%d}", token, (int)fixture->edition);
    memset(body + used, ' ', bytes);
    body[(size_t)used + bytes] = '\0';
    bool more = answer(fixture, fd, 200, headers, body);
    free(body);
    return more;
}

/* "STATUS/LOCATION" */
static bool answer_redirect(struct fixture *fixture, int fd, const char *how) {
    char headers[300];
    (void)snprintf(headers, sizeof headers, "Location: %.200s\r\n", strchr(how, '/'));
    return answer(fixture, fd, atoi(how), headers, "");
}

static void expect_header(struct fixture *fixture, const struct http_question *question,
                          const char *name, const char *value) {
    char got[8192];
    if (!http_header(question, name, got, sizeof got) || strcmp(got, value) != 0) {
        fprintf(stderr, "%s %s: %s is '%s', not '%s'\n", question->method, question->target, name,
                got, value);
        fixture->wrong++;
    }
}

static void check_question(struct fixture *fixture, const struct http_question *question) {
    char host[64], length[32];
    bool has_body = question->body_bytes > 0;
    (void)snprintf(host, sizeof host, "127.0.0.1:%d", (int)http_server_port(fixture->server));
    (void)snprintf(length, sizeof length, "%zu", question->body_bytes);
    bool wants_length = has_body || question->method[0] == 'P';
    expect_header(fixture, question, "Host", host);
    bool odd = strncmp(question->target, "/odd", 4) == 0;
    expect_header(fixture, question, "Accept",
                  odd ? "application/vnd.github.diff" : "application/vnd.github+json");
    expect_header(fixture, question, "X-GitHub-Api-Version", odd ? "2030-01-01" : "2022-11-28");
    expect_header(fixture, question, "X-Snake", odd ? "sss" : "");
    expect_header(fixture, question, "User-Agent", "snekomatic/test");
    const char *type = odd ? "text/x-markdown" : "application/json";
    expect_header(fixture, question, "Content-Type", has_body ? type : "");
    expect_header(fixture, question, "Content-Length", wants_length ? length : "");
    expect_header(fixture, question, "Expect", "");
    expect_header(fixture, question, "Cookie", "");
    expect_header(fixture, question, "Accept-Encoding", "");
}

/* A request with the token number `token`. */
static bool answer_api(struct fixture *fixture, int fd, const struct http_question *question,
                       int token) {
    const char *target = question->target;
    if (strncmp(target, "/say", 4) == 0) {
        return say(fixture, fd, fixture->api_says);
    }
    if (strncmp(target, "/status/", 8) == 0) {
        return answer_status(fixture, fd, target + 8);
    }
    if (strncmp(target, "/flaky/", 7) == 0) {
        return answer_flaky(fixture, fd, target + 7);
    }
    if (strcmp(target, "/graphql") == 0 && fixture->graphql) {
        return answer(fixture, fd, 200, "", fixture->graphql);
    }
    if (strcmp(target, "/graphql") == 0) {
        return answer_flaky(fixture, fd, "502");
    }
    if (strncmp(target, "/kept/", 6) == 0) {
        return answer_kept(fixture, fd, question, token);
    }
    if (strncmp(target, "/to/", 4) == 0) {
        return answer_redirect(fixture, fd, target + 4);
    }
    if (strcmp(target, "/head") == 0) {
        static const char head[] = "HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\n";
        return http_write(fd, head, sizeof head - 1);
    }
    if (strncmp(target, "/odd", 4) == 0) {
        return answer(fixture, fd, 200, "", "{}");
    }
    if (strncmp(target, "/limited/", 9) == 0) {
        fixture->flaky = fixture->requests == 1; /* the first only */
        return answer_flaky(fixture, fd, target + 9);
    }
    if (strncmp(target, "/unknown-yet/", 13) == 0 && fixture->requests <= atoi(target + 13)) {
        return answer(fixture, fd, 401, "", "{\"message\":\"Bad credentials\"}");
    }
    bool revoked = strncmp(target, "/revoked/1", 10) == 0;
    if (revoked && token == 1) {
        while (strstr(target, "/late") && fixture->last_token_id < 2) {
            /* Until another has got a new one. */
            (void)usleep(5000);
        }
        return answer(fixture, fd, 401, "", "{\"message\":\"Bad credentials\"}");
    }
    if (strncmp(target, "/ok", 3) == 0 || strncmp(target, "/unknown-yet/", 13) == 0 || revoked) {
        return answer(fixture, fd, 200, "X-Odd: \ta\tb \r\nLink: <x>; rel=\"next\"\r\n",
                      "{\"ok\":true}");
    }
    if (!hostile_answer(fd, target)) {
        fixture->wrong++;
    }
    return false;
}

static bool handle(void *context, int fd, const struct http_question *question) {
    struct fixture *fixture = context;
    char authorization[8192];
    int token = 0;
    check_question(fixture, question);
    const char *target = question->target;
    if (strcmp(target, "/app") == 0 || strncmp(target, "/app/", 5) == 0) {
        return answer_app(fixture, fd, question);
    }
    fixture->requests++;
    (void)pthread_mutex_lock(&fixture->lock);
    (void)snprintf(fixture->last_body, sizeof fixture->last_body, "%.255s", question->body);
    (void)pthread_mutex_unlock(&fixture->lock);
    (void)http_header(question, "Authorization", authorization, sizeof authorization);
    if (sscanf(authorization, "Bearer " TOKEN_MARK "%d_", &token) != 1 ||
        strlen(authorization) != TOKEN_BYTES + strlen("Bearer ") ||
        token > fixture->last_token_id) {
        fixture->wrong++;
        return false;
    }
    return answer_api(fixture, fd, question, token);
}

static void lost(void *context) {
    struct fixture *fixture = context;
    fixture->lost++;
}

/* ---- a store in which nothing waits and every run is held ---- */

struct calm_store {
    struct store store;
    struct fixture *fixture;
};

static int transact(struct store *store, struct inbox_operation *const *operations, size_t n,
                    bool probe, struct store_failure *failure) {
    (void)probe, (void)failure;
    for (size_t i = 0; i < n; i++) {
        operations[i]->result = 0;
        if (operations[i]->kind == INBOX_LEASE_CHECK) {
            CONTAINER_OF(store, struct calm_store, store)->fixture->lease_check_count++;
        }
    }
    return 0;
}

static void free_store(struct store *store) {
    free(CONTAINER_OF(store, struct calm_store, store));
}

static struct inbox *start_inbox(struct fixture *fixture) {
    static const struct store_methods methods = {.transact = transact, .free = free_store};
    struct calm_store *calm = calloc(1, sizeof *calm);
    struct inbox *inbox = NULL;
    assert_non_null(calm);
    *calm = (struct calm_store){.store = {.methods = &methods}, .fixture = fixture};
    assert_int_equal(inbox_new(&inbox, NULL), 0);
    assert_int_equal(writer_start(inbox, &calm->store, NULL), 0);
    return inbox;
}

static void start(struct fixture *fixture, int64_t timeout_ms) {
    fixture->token_life_s = 3600;
    fixture->mint_ms = 20;
    (void)pthread_mutex_init(&fixture->lock, NULL);
    (void)fflush(stdout);
    fixture->stdout_fd = dup(STDOUT_FILENO);
    fixture->log_fd = memfd_create("log", MFD_CLOEXEC);
    (void)dup2(fixture->log_fd, STDOUT_FILENO);
    log_setup(SNEK_LEVEL_DEBUG, LOG_LOGFMT);
    fixture->server = http_server_start(handle, fixture);
    (void)snprintf(fixture->api_url, sizeof fixture->api_url, "http://127.0.0.1:%d",
                   (int)http_server_port(fixture->server));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fixture->supervisor_fds),
                     0);
    assert_int_equal(pthread_create(&fixture->supervisor, NULL, run_supervisor, fixture), 0);
    assert_int_equal(mailbox_init(&fixture->mailbox), 0);
    struct broker_options options = {.api_url = fixture->api_url,
                                     .app_id = "1",
                                     .user_agent = "snekomatic/test",
                                     .supervisor_fd = fixture->supervisor_fds[0],
                                     .on_supervisor_lost = lost,
                                     .context = fixture,
                                     .request_timeout_ms = timeout_ms,
                                     .retry_first_ms = 1,
                                     .inbox = fixture->inbox};
    struct error err = {0};
    if (broker_new(&options, &fixture->broker, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

void fixture_start(struct fixture *fixture, int64_t timeout_ms) {
    memset(fixture, 0, sizeof *fixture);
    start(fixture, timeout_ms);
}

void fixture_start_with_inbox(struct fixture *fixture, int64_t timeout_ms) {
    memset(fixture, 0, sizeof *fixture);
    fixture->inbox = start_inbox(fixture);
    start(fixture, timeout_ms);
}

void fixture_stop(struct fixture *fixture) {
    broker_free(fixture->broker);
    inbox_free(fixture->inbox);
    mailbox_finish(&fixture->mailbox);
    fixture->mood = SUPERVISOR_ANSWERS;
    (void)shutdown(fixture->supervisor_fds[1], SHUT_RDWR);
    (void)pthread_join(fixture->supervisor, NULL);
    (void)close(fixture->supervisor_fds[0]);
    (void)close(fixture->supervisor_fds[1]);
    unsigned violations = http_server_stop(fixture->server);
    (void)pthread_mutex_destroy(&fixture->lock);

    (void)fflush(stdout);
    (void)dup2(fixture->stdout_fd, STDOUT_FILENO);
    (void)close(fixture->stdout_fd);
    off_t bytes = lseek(fixture->log_fd, 0, SEEK_END);
    fixture->log = calloc(1, (size_t)bytes + 1);
    assert_non_null(fixture->log);
    assert_int_equal(pread(fixture->log_fd, fixture->log, (size_t)bytes, 0), bytes);
    (void)close(fixture->log_fd);
    assert_null(strstr(fixture->log, TOKEN_MARK));
    assert_null(strstr(fixture->log, JWT_MARK));
    assert_int_equal(violations, 0);
    assert_int_equal(fixture->wrong, 0);
}

static void mark_done(struct broker_request *request) {
    struct asked *asked = CONTAINER_OF(request, struct asked, request);
    assert_false(asked->done);
    asked->done = true;
}

void fixture_fill(struct fixture *fixture, struct asked *asked, const char *method, const char *url,
                  const char *body) {
    *asked = (struct asked){.request = {.reply_to = &fixture->mailbox,
                                        .on_done = mark_done,
                                        .plugin = "invite",
                                        .delivery = "72d3162e",
                                        .attempt = 1,
                                        .installation = "42",
                                        .permissions = "{\"members\":\"write\"}",
                                        .method = method,
                                        .url = url,
                                        .body = body,
                                        .body_bytes = body ? strlen(body) : 0}};
}

static void look_for_secrets(const struct broker_request *request) {
    assert_null(strstr(request->error.text, TOKEN_MARK));
    assert_null(strstr(request->error.text, JWT_MARK));
    if (request->headers.data) {
        assert_null(strstr(request->headers.data, TOKEN_MARK));
    }
    assert_true((request->outcome == 0) == (request->error.text[0] == '\0'));
}

void fixture_wait(struct fixture *fixture, struct asked *asked, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int64_t deadline_ms = clock_monotonic_ms() + 60000;
        while (!asked[i].done) {
            struct pollfd fd = {.fd = fixture->mailbox.event_fd, .events = POLLIN};
            assert_true(clock_monotonic_ms() < deadline_ms);
            (void)poll(&fd, 1, 1000);
            (void)mailbox_drain(&fixture->mailbox);
        }
        look_for_secrets(&asked[i].request);
    }
}

void fixture_ask(struct fixture *fixture, struct asked *asked, const char *method, const char *url,
                 const char *body) {
    fixture_fill(fixture, asked, method, url, body);
    broker_submit(fixture->broker, &asked->request);
    fixture_wait(fixture, asked, 1);
}
