/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "runner/runner.h"

#include "base/mailbox.h"
#include "base/program.h"
#include "base/utf8.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define WORKER_FD 3 /* where the worker finds its socket */
#define READ_CHUNK 65536

#define LAST_WORDS_READS                                                                           \
    16 /* read_some()s after a death: what the dead one left fits into these                       \
        */

/* Bytes on their way to the worker. */
struct chunk {
    struct chunk *next;
    char *data;
    size_t bytes, sent, counted;
    struct payload *payload; /* whose bytes `data` are; NULL: `data` is the chunk's own */
};

struct runner {
    struct loop *loop;
    const struct runner_handlers *handlers;
    void *context;
    pid_t pid;
    struct loop_source process; /* a pidfd: readable once the worker has died */
    struct loop_source socket;  /* fd -1 once the worker says and hears nothing more */
    bool wants_out, described, dying, ended, reaped;
    struct chunk *out, **out_last;
    size_t waiting_bytes;     /* in `out`, payloads of runs (which claims bound) not counted … */
    size_t waiting_max_bytes; /* … at most this, in case the worker does not read */
    struct buffer in;
    char how[256]; /* why we killed it; "" when we did not */
};

char *runner_find_worker(struct error *err) {
    /* Installed (bin/ and libexec/snekomatic/), beside, and in the build's directories. */
    static const char *const places[] = {"../libexec/snekomatic/snekomatic-worker",
                                         "snekomatic-worker", "worker/snekomatic-worker"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *path = program_beside(places[i]);
        if (path && access(path, X_OK) == 0) {
            return path;
        }
        free(path);
    }
    (void)error_set(err, "snekomatic-worker is neither beside this program nor in "
                         "../libexec/snekomatic from there");
    return NULL;
}

/* An empty environment, the socket as the one descriptor, a process group of its own. */
static int spawn(const char *path, int socket_fd, bool keep_output, pid_t *pid) {
    char *const argv[] = {(char[]){"snekomatic-worker"}, NULL}, *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setsigdefault(&attributes, &all);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETPGROUP);
    (void)posix_spawn_file_actions_adddup2(&actions, socket_fd, WORKER_FD);
    for (int fd = 0; fd < WORKER_FD && !keep_output; fd++) {
        (void)posix_spawn_file_actions_addclose(&actions, fd);
    }
    (void)posix_spawn_file_actions_addclosefrom_np(&actions, WORKER_FD + 1);
    int problem = posix_spawn(pid, path, &actions, &attributes, argv, environment);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    errno = problem;
    return problem == 0 ? 0 : -1;
}

static void close_socket(struct runner *runner) {
    if (runner->socket.fd >= 0) {
        loop_remove(runner->loop, &runner->socket);
        (void)close(runner->socket.fd);
        runner->socket.fd = -1;
    }
}

void runner_kill(struct runner *runner, const char *why) {
    if (!runner->how[0]) {
        (void)snprintf(runner->how, sizeof runner->how, "%s", why);
    }
    (void)kill(runner->pid, SIGKILL); /* not reaped yet, so the number is still its own */
}

/* ---- out ---- */

static void chunk_free(struct chunk *chunk) {
    if (chunk->payload) {
        (void)payload_unref(chunk->payload);
    } else {
        free(chunk->data);
    }
    free(chunk);
}

static void send_waiting(struct runner *runner) {
    while (runner->out && runner->socket.fd >= 0) {
        struct chunk *chunk = runner->out;
        ssize_t sent = send(runner->socket.fd, chunk->data + chunk->sent,
                            chunk->bytes - chunk->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            /* Full: later. Broken: the worker is gone, the process's descriptor will tell. */
            bool full = errno == EAGAIN || errno == EWOULDBLOCK;
            if (full && !runner->wants_out) {
                (void)loop_modify(runner->loop, &runner->socket, EPOLLIN | EPOLLOUT);
                runner->wants_out = true;
            }
            if (!full && !runner->ended) {
                runner_kill(runner, "was ended: it closed its socket");
            }
            if (!full && runner->wants_out) {
                /* A broken socket is always ready to be written to. */
                (void)loop_modify(runner->loop, &runner->socket, EPOLLIN);
                runner->wants_out = false;
            }
            return;
        }
        chunk->sent += (size_t)sent;
        if (chunk->sent == chunk->bytes) {
            runner->out = chunk->next;
            if (!runner->out) {
                runner->out_last = &runner->out;
            }
            runner->waiting_bytes -= chunk->counted;
            chunk_free(chunk);
        }
    }
    if (runner->wants_out && runner->socket.fd >= 0) {
        (void)loop_modify(runner->loop, &runner->socket, EPOLLIN);
        runner->wants_out = false;
    }
}

static void queue_chunk(struct runner *runner, struct chunk what) {
    bool fits = what.counted <= runner->waiting_max_bytes - runner->waiting_bytes;
    struct chunk *chunk = fits ? malloc(sizeof *chunk) : NULL;
    if (!chunk) {
        runner_kill(runner, fits ? "was ended: the host is out of memory"
                                 : "was ended: it does not read its answers");
        (void)payload_unref(what.payload);
        free(what.payload ? NULL : what.data);
        return;
    }
    *chunk = what;
    runner->waiting_bytes += chunk->counted;
    *runner->out_last = chunk;
    runner->out_last = &chunk->next;
}

static void send_buffer(struct runner *runner, struct frame_writer *writer) {
    struct buffer *buffer = writer->buffer;
    if (frame_end(writer) < 0) {
        runner_kill(runner, "was ended: a frame for it was too large");
        return;
    }
    size_t bytes = buffer->bytes;
    queue_chunk(runner,
                (struct chunk){.bytes = bytes, .counted = bytes, .data = buffer_steal(buffer)});
    send_waiting(runner);
}

static void send_load(struct runner *runner, const struct config_plugin *plugin,
                      enum log_level level) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_LOAD, 0, 0);
    frame_put_number(&writer, FRAME_PROTOCOL);
    frame_put_text(&writer, plugin->path);
    frame_put_text(&writer, plugin->config_json);
    frame_put_number(&writer, plugin->concurrency);
    frame_put_number(&writer, (uint64_t)plugin->sandbox);
    frame_put_number(&writer, plugin->memory_mib);
    frame_put_number(&writer, (uint64_t)level);
    send_buffer(runner, &writer);
}

void runner_send_run(struct runner *runner, struct runner_run *run) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_RUN, run->run, 0);
    frame_put_text(&writer, run->event);
    frame_put_text(&writer, run->action);
    frame_put_text(&writer, run->guid);
    frame_put_text(&writer, run->installation);
    frame_put_number(&writer, (uint64_t)run->attempt);
    frame_put_number(&writer, (uint64_t)run->received_ms);
    frame_put_number(&writer, run->from_self);
    struct payload *payload = run->payload;
    frame_put_bytes_apart(&writer, payload->bytes); /* 25 MiB are not copied once more */
    send_buffer(runner, &writer);
    queue_chunk(runner,
                (struct chunk){.data = payload->data, .bytes = payload->bytes, .payload = payload});
    run->payload = NULL;
    send_waiting(runner);
}

void runner_send_http_reply(struct runner *runner, uint64_t run, uint64_t request, int32_t outcome,
                            int32_t status, const char *error, const struct buffer *headers,
                            const struct buffer *body) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_HTTP_REPLY, run, request);
    frame_put_number(&writer, (uint64_t)(int64_t)outcome);
    frame_put_number(&writer, (uint64_t)status);
    frame_put_bytes(&writer, error, strnlen(error, FRAME_REASON_MAX));
    frame_put_bytes(&writer, headers->data ? headers->data : "", headers->bytes);
    frame_put_bytes(&writer, body->data ? body->data : "", body->bytes);
    send_buffer(runner, &writer);
}

void runner_send_store_reply(struct runner *runner, uint64_t run, uint64_t request, int64_t outcome,
                             const void *value, size_t value_bytes) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_STORE_REPLY, run, request);
    frame_put_number(&writer, (uint64_t)outcome);
    frame_put_bytes(&writer, value_bytes > 0 ? value : "", value_bytes);
    send_buffer(runner, &writer);
}

void runner_send_cancel(struct runner *runner, uint64_t run) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_CANCEL, run, 0);
    send_buffer(runner, &writer);
}

pid_t runner_pid(const struct runner *runner) {
    return runner->pid;
}

void runner_end(struct runner *runner) {
    runner->ended = true;
    if (runner->socket.fd >= 0) {
        (void)shutdown(runner->socket.fd, SHUT_WR);
    }
}

/* ---- in ---- */

static int got_described(struct runner *runner, const char *body, size_t bytes) {
    struct description *description = NULL;
    struct error err;
    if (runner->described) {
        return -1;
    }
    runner->described = true;
    if (description_parse(body, bytes, &description, &err) < 0) {
        runner->handlers->refused(runner->context, err.text);
        runner_kill(runner, "was ended: its description was refused");
        return 0;
    }
    runner->handlers->described(runner->context, description);
    return 0;
}

static int got_refused(struct runner *runner, struct frame_reader *reader) {
    struct frame_text why = frame_get_text(reader, FRAME_REASON_MAX);
    if (frame_read_end(reader) < 0 || runner->described) {
        return -1;
    }
    char sentence[FRAME_REASON_MAX + 1];
    (void)snprintf(sentence, sizeof sentence, "%.*s", (int)why.bytes, why.data);
    utf8_clean(sentence); /* it may go to a terminal */
    runner->handlers->refused(runner->context, sentence);
    return 0;
}

/* Only the body may hold a NUL, at which others would stop reading. */
static bool has_nul(const struct runner_request *request) {
    const struct frame_text *texts[] = {&request->method,  &request->url,
                                        &request->accept,  &request->content_type,
                                        &request->headers, &request->repository};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (memchr(texts[i]->data, '\0', texts[i]->bytes)) {
            return true;
        }
    }
    return false;
}

static int got_http(struct runner *runner, const struct frame_head *head,
                    struct frame_reader *reader) {
    struct runner_request request = {.run = head->run, .request = head->request};
    uint64_t flags = frame_get_number(reader);
    request.repeatable = flags & FRAME_HTTP_REPEATABLE;
    request.announced = flags & FRAME_HTTP_ANNOUNCED;
    request.method = frame_get_text(reader, 10);
    request.url = frame_get_text(reader, FRAME_URL_MAX);
    request.accept = frame_get_text(reader, FRAME_MEDIA_MAX);
    request.content_type = frame_get_text(reader, FRAME_MEDIA_MAX);
    request.headers = frame_get_text(reader, FRAME_HEADERS_MAX);
    request.repository = frame_get_text(reader, FRAME_NAME_MAX * 2);
    request.body = frame_get_text(reader, FRAME_TO_HOST_MAX);
    if (frame_read_end(reader) < 0 || flags > (FRAME_HTTP_REPEATABLE | FRAME_HTTP_ANNOUNCED) ||
        has_nul(&request)) {
        return -1;
    }
    runner->handlers->http(runner->context, &request);
    return 0;
}

static int got_store(struct runner *runner, const struct frame_head *head,
                     struct frame_reader *reader) {
    struct runner_store request = {.run = head->run, .request = head->request};
    uint64_t operation = frame_get_number(reader), per_installation = frame_get_number(reader);
    request.operation = (enum frame_store)operation;
    request.per_installation = per_installation == 1;
    request.set = frame_get_text(reader, FRAME_NAME_MAX);
    request.name = frame_get_text(reader, FRAME_STORE_ENTRY_MAX);
    request.value = frame_get_text(reader, FRAME_STORE_VALUE_MAX);
    if (frame_read_end(reader) < 0 || operation > FRAME_KEY_DELETE || per_installation > 1) {
        return -1;
    }
    runner->handlers->store(runner->context, &request);
    return 0;
}

static int got_log(struct runner *runner, const struct frame_head *head,
                   struct frame_reader *reader) {
    uint64_t level = frame_get_number(reader);
    struct frame_text text = frame_get_text(reader, FRAME_REASON_MAX);
    if (frame_read_end(reader) < 0 || level > LOG_ERROR) {
        return -1;
    }
    runner->handlers->log(runner->context, head->run, (enum log_level)level, text);
    return 0;
}

static int got_result(struct runner *runner, const struct frame_head *head,
                      struct frame_reader *reader) {
    int64_t result = (int64_t)frame_get_number(reader);
    int64_t delay_ms = (int64_t)frame_get_number(reader);
    struct frame_text reason = frame_get_text(reader, FRAME_REASON_MAX);
    if (frame_read_end(reader) < 0) {
        return -1;
    }
    runner->handlers->result(runner->context, head->run, result, delay_ms, reason);
    return 0;
}

static int got_frame(struct runner *runner, const struct frame_head *head, const char *body) {
    struct frame_reader reader;
    frame_read_begin(&reader, body, head->body_bytes);
    if (head->kind >= FRAME_HTTP && head->kind <= FRAME_RESULT && head->kind != FRAME_LOG &&
        !runner->described) {
        return -1;
    }
    switch (head->kind) {
    case FRAME_DESCRIBED:
        return got_described(runner, body, head->body_bytes);
    case FRAME_REFUSED:
        return got_refused(runner, &reader);
    case FRAME_HTTP:
        return got_http(runner, head, &reader);
    case FRAME_STORE:
        return got_store(runner, head, &reader);
    case FRAME_LOG:
        return got_log(runner, head, &reader);
    case FRAME_RESULT:
        return got_result(runner, head, &reader);
    default:
        return -1;
    }
}

/* Handles the whole frames that are there; -1 at the first malformed one. */
static int take_frames(struct runner *runner) {
    size_t at = 0;
    int result = 0;
    struct frame_head head;
    while (result == 0 && runner->in.bytes - at >= sizeof head) {
        memcpy(&head, runner->in.data + at, sizeof head);
        if (head.body_bytes > FRAME_TO_HOST_MAX) {
            result = -1;
        } else if (runner->in.bytes - at - sizeof head < head.body_bytes) {
            break;
        } else {
            result = got_frame(runner, &head, runner->in.data + at + sizeof head);
            at += sizeof head + head.body_bytes;
        }
    }
    memmove(runner->in.data, runner->in.data + at, runner->in.bytes - at);
    runner->in.bytes -= at;
    return result;
}

/* Reads what is there, at most a few chunks so that no worker keeps the loop to itself.
 * True when more may be there. */
static bool read_some(struct runner *runner) {
    char chunk[READ_CHUNK];
    for (int i = 0; i < 8 && runner->socket.fd >= 0; i++) {
        ssize_t got = recv(runner->socket.fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return false;
        }
        if (got <= 0) {
            close_socket(runner);
            if (!runner->dying) {
                runner_kill(runner, ""); /* it closed its socket: no use without */
            }
            return false;
        }
        if (buffer_append(&runner->in, chunk, (size_t)got) < 0 || take_frames(runner) < 0) {
            close_socket(runner);
            runner_kill(runner, "was ended: it sent a malformed frame");
            return false;
        }
    }
    return runner->socket.fd >= 0;
}

static void socket_ready(struct loop_source *source, uint32_t events) {
    struct runner *runner = CONTAINER_OF(source, struct runner, socket);
    if (events & EPOLLOUT) {
        send_waiting(runner);
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        (void)read_some(runner);
    }
}

static void describe_end(const struct runner *runner, const siginfo_t *info, char *how,
                         size_t room) {
    if (runner->how[0]) {
        (void)snprintf(how, room, "%s", runner->how);
    } else if (info->si_code == CLD_EXITED) {
        (void)snprintf(how, room, "exited with status %d", info->si_status);
    } else {
        (void)snprintf(how, room, "was killed by signal %d (%s)", info->si_status,
                       strsignal(info->si_status));
    }
}

static void process_ready(struct loop_source *source, uint32_t events) {
    (void)events;
    struct runner *runner = CONTAINER_OF(source, struct runner, process);
    runner->dying = true;
    for (int i = 0; i < LAST_WORDS_READS && read_some(runner); i++) {
        /* all that it said before it died counts; a child that it forked may go on for ever */
    }
    (void)kill(-runner->pid, SIGKILL); /* such children, as far as they stayed in its group */
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)runner->pid, &info, WEXITED | WNOHANG) < 0) {
        return;
    }
    runner->reaped = true;
    close_socket(runner);
    char how[300];
    describe_end(runner, &info, how, sizeof how);
    runner->handlers->died(runner->context, how); /* may free the runner */
}

/* ---- life ---- */

int runner_start(const struct runner_options *options, struct runner **runner, struct error *err) {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
        return error_set(err, "no socketpair for a worker: %s", strerror(errno));
    }
    AUTO_CLOSE int ours = fds[0];
    AUTO_CLOSE int theirs = fds[1];
    struct runner *new = calloc(1, sizeof *new);
    if (!new) {
        return error_set(err, "out of memory");
    }
#ifdef SNEK_SANITIZED
    bool keep_output = true; /* the sanitizers report on it */
#else
    bool keep_output = options->plugin->sandbox == CONFIG_SANDBOX_OFF; /* for printf and gdb */
#endif
    if (spawn(options->worker_path, theirs, keep_output, &new->pid) < 0) {
        free(new);
        return error_set(err, "cannot start %s: %s", options->worker_path, strerror(errno));
    }
    new->loop = options->loop;
    new->handlers = options->handlers;
    new->context = options->context;
    new->out_last = &new->out;
    new->waiting_max_bytes = (size_t)options->plugin->memory_mib << 20; /* it could hold no more */
    new->in =
        (struct buffer)BUFFER_INIT(FRAME_TO_HOST_MAX + sizeof(struct frame_head) + READ_CHUNK);
    new->process = (struct loop_source){pidfd_open(new->pid, 0), process_ready};
    new->socket = (struct loop_source){steal_fd(&ours), socket_ready};
    if (new->process.fd < 0 || loop_add(new->loop, &new->process, EPOLLIN) < 0 ||
        loop_add(new->loop, &new->socket, EPOLLIN) < 0) {
        (void)error_set(err, "cannot watch a worker: %s", strerror(errno));
        runner_free(new);
        return -1;
    }
    send_load(new, options->plugin, options->log_level);
    *runner = new;
    return 0;
}

void runner_free(struct runner *runner) {
    if (!runner) {
        return;
    }
    close_socket(runner);
    if (!runner->reaped) {
        (void)kill(-runner->pid, SIGKILL);
        (void)waitpid(runner->pid, NULL, 0);
    }
    if (runner->process.fd >= 0) {
        loop_remove(runner->loop, &runner->process);
        (void)close(runner->process.fd);
    }
    while (runner->out) {
        struct chunk *chunk = runner->out;
        runner->out = chunk->next;
        chunk_free(chunk);
    }
    buffer_finish(&runner->in);
    free(runner);
}
