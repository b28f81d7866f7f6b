/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts the worker, sends and receives frames, and cleans up the copies of the plugins. */
#include "worker_host.h"

#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PATIENCE_MS 20000

static const char *worker_path;
static char directory[] = "/tmp/snek-worker-XXXXXX";

/* ---- the plugins' directory ---- */

/* Copies, because others may be allowed to write above the build directory. */
static int copy_file(const char *from, const char *to) {
    AUTO_BUFFER struct buffer content = BUFFER_INIT(64u << 20);
    struct error err;
    if (io_read_file(from, &content, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    AUTO_CLOSE int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd < 0 ? -1 : io_write_full(fd, content.data, content.bytes);
}

int worker_tests_setup(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    if (argc != 3 || !mkdtemp(directory)) {
        fprintf(stderr, "usage: %s WORKER PLUGINS\n", argv[0]);
        return -1;
    }
    worker_path = argv[1];
    DIR *plugins = opendir(argv[2]);
    struct dirent *entry;
    int result = plugins ? 0 : -1;
    while (result == 0 && (entry = readdir(plugins))) {
        char from[PATH_MAX], to[PATH_MAX];
        size_t length = strlen(entry->d_name);
        if (length > 3 && strcmp(entry->d_name + length - 3, ".so") == 0) {
            snprintf(from, sizeof from, "%s/%s", argv[2], entry->d_name);
            snprintf(to, sizeof to, "%s/%s", directory, entry->d_name);
            result = copy_file(from, to);
        }
    }
    if (plugins) {
        closedir(plugins);
    }
    return result;
}

void worker_tests_finish(void) {
    DIR *files = opendir(directory);
    struct dirent *entry;
    while (files && (entry = readdir(files))) {
        unlinkat(dirfd(files), entry->d_name, 0);
    }
    if (files) {
        closedir(files);
    }
    rmdir(directory);
}

const char *worker_tests_directory(void) {
    return directory;
}

const char *plugin_path(const char *name) {
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_MAX, "%s/%s.so", directory, name);
    return path;
}

/* ---- starting ---- */

void host_spawn(struct worker_host *host, bool quiet) {
    int fds[2];
    char *const argv[] = {(char[]){"snekomatic-worker"}, NULL}, *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    if (fds[1] == 3) {
        /* dup2() onto itself would keep the close-on-exec flag. */
        fds[1] = fcntl(3, F_DUPFD_CLOEXEC, 10);
        assert_true(fds[1] >= 0);
        close(3);
    }
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fds[1], 3), 0);
#ifdef SNEK_SANITIZED
    /* The sanitizers report on standard error. */
    quiet = false;
#endif
    /* The tests' own report goes to standard output. */
    if (!quiet) {
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, 2, 1), 0);
    }
    for (int fd = 0; quiet && fd < 3; fd++) {
        assert_int_equal(posix_spawn_file_actions_addclose(&actions, fd), 0);
    }
    assert_int_equal(posix_spawn(&host->pid, worker_path, &actions, NULL, argv, environment), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    host->fd = fds[0];
}

static uint64_t usual(uint64_t given, uint64_t otherwise) {
    return given ? given : otherwise;
}

void host_load(struct worker_host *host, const char *path, const struct worker_options *options) {
    static const struct worker_options usually = {0};
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_writer writer;
    options = options ? options : &usually;
    frame_begin(&writer, &buffer, FRAME_START, 0, 0);
    frame_put_number(&writer, usual(options->protocol, FRAME_PROTOCOL));
    frame_put_text(&writer, path);
    frame_put_number(&writer, options->sandbox);
    frame_put_number(&writer, usual(options->memory_mib, 256));
    assert_int_equal(frame_end(&writer), 0);
    frame_begin(&writer, &buffer, FRAME_LOAD, 0, 0);
    frame_put_text(&writer, options->config ? options->config : "{}");
    frame_put_number(&writer, usual(options->concurrency, 4));
    frame_put_number(&writer, options->log_level);
    frame_put_number(&writer, 0);
    assert_int_equal(frame_end(&writer), 0);
    host_send(host, &buffer);
}

void host_start(struct worker_host *host, const char *plugin,
                const struct worker_options *options) {
    AUTO_RECEIVED struct received received = {0};
    host_spawn(host, options && options->quiet);
    host_load(host, plugin_path(plugin), options);
    host_receive(host, FRAME_DESCRIBED, &received);
    expect_ready(host);
}

void expect_ready(struct worker_host *host) {
    AUTO_RECEIVED struct received received = {0};
    host_receive(host, FRAME_READY, &received);
    received_end(&received);
}

/* ---- saying ---- */

void host_send(struct worker_host *host, const struct buffer *frame) {
    assert_int_equal(io_write_full(host->fd, frame->data, frame->bytes), 0);
}

static void send_run(struct worker_host *host, uint64_t run, const char *event, const char *action,
                     const char *payload, uint64_t bot_user, int64_t received_ms) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_RUN, run, 0);
    frame_put_text(&writer, event);
    frame_put_text(&writer, action);
    frame_put_text(&writer, "guid-1");
    frame_put_text(&writer, "xyzzy");
    frame_put_number(&writer, 3);
    frame_put_number(&writer, (uint64_t)received_ms);
    frame_put_number(&writer, bot_user);
    frame_put_text(&writer, "12345");
    frame_put_text(&writer, payload);
    assert_int_equal(frame_end(&writer), 0);
    host_send(host, &buffer);
}

void host_run_from(struct worker_host *host, uint64_t run, const char *event, const char *action,
                   const char *payload, uint64_t bot_user) {
    send_run(host, run, event, action, payload, bot_user, 1700000000000);
}

void host_run_at(struct worker_host *host, uint64_t run, const char *event, const char *action,
                 const char *payload, int64_t received_ms) {
    send_run(host, run, event, action, payload, 0, received_ms);
}

void host_run(struct worker_host *host, uint64_t run, const char *event, const char *action,
              const char *payload) {
    host_run_from(host, run, event, action, payload, 0);
}

void host_reply(struct worker_host *host, const struct received *call, int64_t outcome,
                uint64_t status, const char *sentence, const char *headers, const char *body) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_HTTP_RESPONSE, call->head.run, call->head.request);
    frame_put_number(&writer, (uint64_t)outcome);
    frame_put_number(&writer, status);
    frame_put_text(&writer, sentence);
    frame_put_text(&writer, headers);
    frame_put_text(&writer, body);
    assert_int_equal(frame_end(&writer), 0);
    host_send(host, &buffer);
}

void host_store_reply(struct worker_host *host, const struct received *call, int64_t outcome,
                      const char *value, size_t bytes) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_STORE_RESULT, call->head.run, call->head.request);
    frame_put_number(&writer, (uint64_t)outcome);
    frame_put_bytes(&writer, value, bytes);
    assert_int_equal(frame_end(&writer), 0);
    host_send(host, &buffer);
}

void host_cancel(struct worker_host *host, uint64_t run) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_CANCEL, run, 0);
    assert_int_equal(frame_end(&writer), 0);
    host_send(host, &buffer);
}

/* ---- hearing ---- */

static void wait_readable(struct worker_host *host) {
    struct pollfd polled = {.fd = host->fd, .events = POLLIN};
    assert_int_equal(poll(&polled, 1, PATIENCE_MS), 1);
}

static void receive(struct worker_host *host, struct received *received) {
    wait_readable(host);
    assert_int_equal(io_read_full(host->fd, &received->head, sizeof received->head), 0);
    assert_true(received->head.body_bytes <= FRAME_TO_HOST_MAX);
    received->body = malloc(received->head.body_bytes + 1);
    assert_non_null(received->body);
    if (received->head.body_bytes > 0) {
        assert_int_equal(io_read_full(host->fd, received->body, received->head.body_bytes), 0);
    }
    frame_read_begin(&received->reader, received->body, received->head.body_bytes);
}

void host_receive(struct worker_host *host, enum frame_kind kind, struct received *received) {
    receive(host, received);
    if (received->head.kind == FRAME_SANDBOX) {
        host->level = received_number(received);
        snprintf(host->level_why, sizeof host->level_why, "%s", received_text(received));
        received_end(received);
        received_finish(received);
        receive(host, received);
    }
    if (received->head.kind != kind) {
        print_message("# kind %u was received: %.*s\n", received->head.kind,
                      (int)received->head.body_bytes, received->body);
    }
    assert_int_equal(received->head.kind, kind);
}

void received_finish(struct received *received) {
    free(received->body);
    received->body = NULL;
}

int64_t received_number(struct received *received) {
    return (int64_t)frame_get_number(&received->reader);
}

const char *received_text(struct received *received) {
    static char *copies[8];
    static unsigned next;
    struct frame_text text = frame_get_text(&received->reader, FRAME_TO_HOST_MAX);
    char **copy = &copies[next++ % 8];
    free(*copy);
    *copy = strndup(text.data, text.bytes);
    assert_non_null(*copy);
    return *copy;
}

void received_end(struct received *received) {
    assert_int_equal(frame_read_end(&received->reader), 0);
}

void expect_log(struct worker_host *host, uint64_t run, const char *text) {
    AUTO_RECEIVED struct received received = {0};
    host_receive(host, FRAME_LOG, &received);
    assert_int_equal(received.head.run, run);
    received_number(&received);
    assert_string_equal(received_text(&received), text);
    received_end(&received);
}

void expect_http(struct worker_host *host, struct received *received, const char *method,
                 const char *url, const char *body) {
    expect_http_with(host, received, -1, method, url, "", "", "", "", body);
}

void expect_http_with(struct worker_host *host, struct received *received, int64_t flags,
                      const char *method, const char *url, const char *accept, const char *type,
                      const char *headers, const char *repository, const char *body) {
    host_receive(host, FRAME_HTTP_CALL, received);
    int64_t got = received_number(received);
    assert_int_equal(got, flags < 0 ? got : flags);
    assert_string_equal(received_text(received), method);
    assert_string_equal(received_text(received), url);
    assert_string_equal(received_text(received), accept);
    assert_string_equal(received_text(received), type);
    assert_string_equal(received_text(received), headers);
    assert_string_equal(received_text(received), repository);
    assert_string_equal(received_text(received), "");
    assert_string_equal(received_text(received), body);
    received_end(received);
}

void expect_result(struct worker_host *host, uint64_t run, int64_t result, const char *reason) {
    AUTO_RECEIVED struct received received = {0};
    host_receive(host, FRAME_RESULT, &received);
    assert_int_equal(received.head.run, run);
    int64_t got = received_number(&received);
    received_number(&received);
    const char *why = received_text(&received);
    received_text(&received);
    if (got != result) {
        print_message("# the reason: %s\n", why);
    }
    assert_int_equal(got, result);
    if (reason) {
        assert_string_equal(why, reason);
    }
    received_end(&received);
}

void expect_exit(struct worker_host *host, int status) {
    char byte;
    int how = 0;
    wait_readable(host);
    ssize_t got = recv(host->fd, &byte, 1, 0);
    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
    assert_int_equal(waitpid(host->pid, &how, 0), host->pid);
    assert_int_equal(status < 0 ? -WTERMSIG(how) : WEXITSTATUS(how), status);
    assert_int_equal(WIFSIGNALED(how), status < 0);
    close(host->fd);
}

void host_end(struct worker_host *host) {
    int how = 0;
    close(host->fd);
    assert_int_equal(waitpid(host->pid, &how, 0), host->pid);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
}
