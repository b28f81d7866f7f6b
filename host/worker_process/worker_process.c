/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Has a worker started, queues the frames for it, and parses the frames that it sends. */
#include "worker_process/worker_process.h"
#include "worker_process/run_frames.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/text.h"
#include "worker_process/crash.h"
#include "worker_process/kernel_status.h"
#include "worker_process/output.h"
#include "worker_process/watch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define READ_CHUNK 65536
/* Bytes of frames that the worker has not read: two of the largest responses, and small ones. */
#define WAITING_MAX (24u << 20)
/* All that a dead worker has sent fits into so many read_some()s. */
#define READS_AFTER_DEATH 16
/* A worker that closed its socket gets so long to end by itself, because a dying one closes it
 * too, and its exit status then shows the cause. */
#define CLOSED_GRACE_MS 1000

/* Frames that one system call sends: those of many runs. */
#define GATHERED_MAX 64
/* So many bytes leave at once, and wait for no others. */
#define GATHERED_BYTES 131072

/* Bytes on their way to the worker. */
struct chunk {
    TAILQ_ENTRY(chunk) link;
    char *data;
    size_t bytes, sent, counted;
    /* Has the bytes at `data`; NULL: the chunk owns them. */
    struct payload *payload;
};
TAILQ_HEAD(chunk_list, chunk);

struct worker_process {
    struct loop *loop;
    const struct worker_process_handlers *handlers;
    void *context;
    struct worker_starter *starter;
    struct worker_start start;
    /* Its fd is -1 before the worker was started, and once it neither sends nor receives any more.
     */
    struct loop_source socket;
    /* `gone`: the starter has no process of ours, or none any more. */
    bool wants_out, described, ready, dying, ended, gone;
    /* The level is known once the worker has reported it. */
    bool sandboxed;
    enum frame_sandbox_level level;
    /* Why the level is not full. */
    char level_why[FRAME_REASON_MAX + 1];
    /* The first frame of `in` is a call that must wait. */
    bool paused;
    struct chunk_list out;
    /* The bytes in `out`, and their maximum, in case the worker does not read. The payloads of runs
     * do not count, because claims bound them. */
    size_t waiting_bytes, waiting_max_bytes;
    /* The payloads in `out`. */
    size_t waiting_payload_bytes;
    struct buffer in;
    /* Why the host killed it; "" when it did not. */
    char how[256];
    /* It closed its socket, and is killed at this time (monotonic) unless it ends before; 0: not.
     */
    int64_t kill_at_ms;
    /* The writing ends of its pipes (FRAME_LOAD), until they are sent. */
    int load_fds[FRAME_LOAD_FDS];
    struct output output;
    struct crash crash;
    struct watch watch;
};

static void close_socket(struct worker_process *worker_process) {
    if (worker_process->socket.fd >= 0) {
        loop_remove(worker_process->loop, &worker_process->socket);
        close(worker_process->socket.fd);
        worker_process->socket.fd = -1;
    }
}

void worker_process_kill(struct worker_process *worker_process, const char *why) {
    if (!worker_process->how[0]) {
        snprintf(worker_process->how, sizeof worker_process->how, "%s", why);
    }
    if (!worker_process->gone) {
        worker_process->starter->kill(worker_process->starter, &worker_process->start);
    }
}

/* It has died, and its process's descriptor will report that in a moment, or it closed its socket,
 * without which it is useless. */
static void on_closed(struct worker_process *worker_process) {
    if (worker_process->kill_at_ms == 0) {
        worker_process->kill_at_ms = clock_monotonic_ms() + CLOSED_GRACE_MS;
    }
}

/* ---- out ---- */

static void chunk_free(struct chunk *chunk) {
    if (chunk->payload) {
        payload_unref(chunk->payload);
    } else {
        free(chunk->data);
    }
    free(chunk);
}

static void watch_socket(struct worker_process *worker_process) {
    if (worker_process->socket.fd >= 0) {
        uint32_t in = worker_process->paused ? 0 : EPOLLIN;
        uint32_t out = worker_process->wants_out ? EPOLLOUT : 0;
        loop_modify(worker_process->loop, &worker_process->socket, in | out);
    }
}

static void watch_output(struct worker_process *worker_process, bool wanted) {
    if (worker_process->wants_out != wanted) {
        worker_process->wants_out = wanted;
        watch_socket(worker_process);
    }
}

static void on_send_error(struct worker_process *worker_process) {
    bool full = errno == EAGAIN || errno == EWOULDBLOCK;
    if (!full && !worker_process->ended) {
        on_closed(worker_process);
    }
    /* A broken socket is always ready for output. */
    watch_output(worker_process, full);
}

static void close_load_fds(struct worker_process *worker_process) {
    for (size_t i = 0; i < FRAME_LOAD_FDS; i++) {
        if (worker_process->load_fds[i] >= 0) {
            close(worker_process->load_fds[i]);
            worker_process->load_fds[i] = -1;
        }
    }
}

/* The first bytes carry the descriptors of LOAD. */
static ssize_t send_first(struct worker_process *worker_process, const struct chunk *chunk) {
    ssize_t sent = descriptors_send(worker_process->socket.fd, chunk->data, chunk->bytes,
                                    worker_process->load_fds, FRAME_LOAD_FDS);
    if (sent > 0) {
        close_load_fds(worker_process);
    }
    return sent;
}

/* One system call takes at most so many chunks. */
static ssize_t send_some(struct worker_process *worker_process) {
    struct iovec parts[GATHERED_MAX];
    struct msghdr message = {.msg_iov = parts};
    struct chunk *chunk;
    TAILQ_FOREACH(chunk, &worker_process->out, link) {
        if (message.msg_iovlen == GATHERED_MAX) {
            break;
        }
        parts[message.msg_iovlen++] = (struct iovec){.iov_base = chunk->data + chunk->sent,
                                                     .iov_len = chunk->bytes - chunk->sent};
    }
    return sendmsg(worker_process->socket.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void remove_chunk(struct worker_process *worker_process, struct chunk *chunk) {
    assert(worker_process->waiting_bytes >= chunk->counted);
    TAILQ_REMOVE(&worker_process->out, chunk, link);
    worker_process->waiting_bytes -= chunk->counted;
    worker_process->waiting_payload_bytes -= chunk->payload ? chunk->bytes : 0;
    chunk_free(chunk);
}

static void on_sent(struct worker_process *worker_process, size_t bytes) {
    struct chunk *chunk;
    while ((chunk = TAILQ_FIRST(&worker_process->out)) && chunk->bytes - chunk->sent <= bytes) {
        bytes -= chunk->bytes - chunk->sent;
        remove_chunk(worker_process, chunk);
    }
    assert(chunk || bytes == 0);
    if (chunk) {
        chunk->sent += bytes;
    }
}

static void send_waiting(struct worker_process *worker_process) {
    struct chunk *chunk;
    while ((chunk = TAILQ_FIRST(&worker_process->out)) && worker_process->socket.fd >= 0) {
        bool is_first = worker_process->load_fds[0] >= 0;
        ssize_t sent = is_first ? send_first(worker_process, chunk) : send_some(worker_process);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            on_send_error(worker_process);
            return;
        }
        on_sent(worker_process, (size_t)sent);
    }
    watch_output(worker_process, false);
}

static void queue_chunk(struct worker_process *worker_process, struct chunk what) {
    bool fits = what.counted <= worker_process->waiting_max_bytes - worker_process->waiting_bytes;
    struct chunk *chunk = fits ? malloc(sizeof *chunk) : NULL;
    if (!chunk) {
        worker_process_kill(worker_process, fits ? "was ended: the host is out of memory"
                                                 : "was ended: it does not read its responses");
        if (what.payload) {
            payload_unref(what.payload);
        } else {
            free(what.data);
        }
        return;
    }
    *chunk = what;
    worker_process->waiting_bytes += chunk->counted;
    worker_process->waiting_payload_bytes += chunk->payload ? chunk->bytes : 0;
    TAILQ_INSERT_TAIL(&worker_process->out, chunk, link);
}

void worker_process_flush(struct worker_process *worker_process) {
    if (!worker_process->wants_out) {
        send_waiting(worker_process);
    }
}

static void gather(struct worker_process *worker_process) {
    if (worker_process->waiting_bytes + worker_process->waiting_payload_bytes >= GATHERED_BYTES) {
        worker_process_flush(worker_process);
    }
}

static void queue_buffer(struct worker_process *worker_process, struct frame_writer *writer) {
    struct buffer *buffer = writer->buffer;
    if (frame_end(writer) < 0) {
        worker_process_kill(worker_process, "was ended: a frame for it was too large");
        return;
    }
    size_t bytes = buffer->bytes;
    queue_chunk(worker_process,
                (struct chunk){.bytes = bytes, .counted = bytes, .data = buffer_steal(buffer)});
    gather(worker_process);
}

static void send_load(struct worker_process *worker_process,
                      const struct worker_process_spec *spec) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_LOAD, 0, 0);
    frame_put_text(&writer, spec->config_json);
    frame_put_number(&writer, spec->concurrency);
    frame_put_number(&writer, (uint64_t)spec->log_level);
    frame_put_number(&writer, spec->failing_allocation);
    queue_buffer(worker_process, &writer);
}

static void send_delivery(struct worker_process *worker_process, enum frame_kind kind,
                          struct worker_process_run *run) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, kind, run->run, 0);
    frame_put_text(&writer, run->event);
    frame_put_text(&writer, run->action);
    frame_put_text(&writer, run->guid);
    frame_put_text(&writer, run->installation);
    frame_put_number(&writer, (uint64_t)run->attempt);
    frame_put_number(&writer, (uint64_t)run->received_ms);
    frame_put_number(&writer, (uint64_t)run->bot_user);
    frame_put_text(&writer, run->app);
    struct payload *payload = run->payload;
    /* This saves a copy of up to 25 MiB. */
    frame_put_bytes_apart(&writer, payload->bytes);
    queue_buffer(worker_process, &writer);
    queue_chunk(worker_process,
                (struct chunk){.data = payload->data, .bytes = payload->bytes, .payload = payload});
    run->payload = NULL;
    gather(worker_process);
}

void worker_process_send_run(struct worker_process *worker_process,
                             struct worker_process_run *run) {
    send_delivery(worker_process, FRAME_RUN, run);
}

void worker_process_send_explain(struct worker_process *worker_process,
                                 struct worker_process_run *delivery) {
    send_delivery(worker_process, FRAME_EXPLAIN, delivery);
}

void worker_process_send_http_response(struct worker_process *worker_process, uint64_t run,
                                       uint64_t request, int32_t outcome, int32_t status,
                                       const char *error, const struct buffer *headers,
                                       const struct buffer *body) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_HTTP_RESPONSE, run, request);
    frame_put_number(&writer, (uint64_t)(int64_t)outcome);
    frame_put_number(&writer, (uint64_t)status);
    frame_put_bytes(&writer, error, strnlen(error, FRAME_REASON_MAX));
    frame_put_bytes(&writer, headers->data ? headers->data : "", headers->bytes);
    frame_put_bytes(&writer, body->data ? body->data : "", body->bytes);
    queue_buffer(worker_process, &writer);
}

void worker_process_send_store_result(struct worker_process *worker_process, uint64_t run,
                                      uint64_t request, int64_t outcome, const void *value,
                                      size_t value_bytes) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_STORE_RESULT, run, request);
    frame_put_number(&writer, (uint64_t)outcome);
    frame_put_bytes(&writer, value_bytes > 0 ? value : "", value_bytes);
    queue_buffer(worker_process, &writer);
}

void worker_process_send_cancel(struct worker_process *worker_process, uint64_t run) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_WORKER_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_CANCEL, run, 0);
    queue_buffer(worker_process, &writer);
}

enum frame_sandbox_level worker_process_level(const struct worker_process *worker_process,
                                              const char **why) {
    assert(worker_process->sandboxed);
    *why = worker_process->level_why;
    return worker_process->level;
}

pid_t worker_process_pid(const struct worker_process *worker_process) {
    return worker_process->start.pid;
}

unsigned worker_process_threads(const struct worker_process *worker_process) {
    return kernel_status_threads(worker_process->watch.status_fd);
}

bool worker_process_take_many_threads(struct worker_process *worker_process) {
    return thread_admission_take_used_up(&worker_process->watch.threads);
}

const char *worker_process_file_hash(const struct worker_process *worker_process) {
    return worker_process->start.file_hash;
}

void worker_process_close(struct worker_process *worker_process) {
    worker_process_flush(worker_process);
    worker_process->ended = true;
    if (worker_process->socket.fd >= 0) {
        shutdown(worker_process->socket.fd, SHUT_WR);
    }
}

/* ---- in ---- */

static int parse_watch(const struct worker_process *worker_process, struct frame_reader *reader) {
    uint64_t count = frame_get_number(reader);
    return frame_read_end(reader) == 0 && watch_has(&worker_process->watch, count) ? 0 : -1;
}

/* The worker sends this before any code of the plugin runs, so it is our own program's word. */
static int parse_sandbox(struct worker_process *worker_process, struct frame_reader *reader) {
    uint64_t level = frame_get_number(reader);
    struct frame_text why = frame_get_text(reader, FRAME_REASON_MAX);
    struct error err;
    if (frame_read_end(reader) < 0 || level > FRAME_LEVEL_FULL || worker_process->sandboxed) {
        return -1;
    }
    worker_process->sandboxed = true;
    worker_process->level = (enum frame_sandbox_level)level;
    text_clean(worker_process->level_why, sizeof worker_process->level_why, why.data, why.bytes);
    int result =
        kernel_status_confirm(worker_process->watch.status_fd, worker_process->level, &err);
    if (result == 0 && worker_process->start.sandbox == FRAME_SANDBOX_STRICT &&
        worker_process->level != FRAME_LEVEL_FULL) {
        result = error_set(&err, "plugin.sandbox = \"strict\" requires the full sandbox, and %s",
                           worker_process->level_why);
    }
    if (result < 0) {
        worker_process->handlers->on_rejected(worker_process->context, err.text);
        worker_process_kill(worker_process, "was ended: its sandbox was rejected");
    }
    return result;
}

static int parse_described(struct worker_process *worker_process, struct frame_text body) {
    struct description *description = NULL;
    struct error err;
    if (worker_process->described) {
        return -1;
    }
    worker_process->described = true;
    if (description_parse(body.data, body.bytes, &description, &err) < 0) {
        worker_process->handlers->on_rejected(worker_process->context, err.text);
        worker_process_kill(worker_process, "was ended: its description was rejected");
        return 0;
    }
    worker_process->handlers->on_described(worker_process->context, description, body);
    return 0;
}

static int parse_ready(struct worker_process *worker_process, const struct frame_reader *reader) {
    if (frame_read_end(reader) < 0 || !worker_process->described || worker_process->ready) {
        return -1;
    }
    worker_process->ready = true;
    worker_process->handlers->on_ready(worker_process->context);
    return 0;
}

static int parse_rejected(struct worker_process *worker_process, struct frame_reader *reader) {
    struct frame_text why = frame_get_text(reader, FRAME_REASON_MAX);
    if (frame_read_end(reader) < 0 || worker_process->ready) {
        return -1;
    }
    char sentence[FRAME_REASON_MAX + 1];
    snprintf(sentence, sizeof sentence, "%.*s", (int)why.bytes, why.data);
    /* It may go to a terminal. */
    text_clean_in_place(sentence);
    worker_process->handlers->on_rejected(worker_process->context, sentence);
    return 0;
}

static int parse_frame(struct worker_process *worker_process, const struct frame_head *head,
                       const char *body) {
    struct frame_reader reader;
    frame_read_begin(&reader, body, head->body_bytes);
    if (head->kind >= FRAME_HTTP_CALL && head->kind <= FRAME_RESULT && head->kind != FRAME_LOG &&
        !worker_process->ready) {
        return -1;
    }
    bool is_early = head->kind == FRAME_WATCH || head->kind == FRAME_SANDBOX;
    if (!worker_process->sandboxed && !is_early && head->kind != FRAME_REJECTED) {
        return -1;
    }
    switch (head->kind) {
    case FRAME_WATCH:
        return worker_process->sandboxed ? -1 : parse_watch(worker_process, &reader);
    case FRAME_SANDBOX:
        return parse_sandbox(worker_process, &reader);
    case FRAME_DESCRIBED:
        return parse_described(worker_process, (struct frame_text){body, head->body_bytes});
    case FRAME_READY:
        return parse_ready(worker_process, &reader);
    case FRAME_REJECTED:
        return parse_rejected(worker_process, &reader);
    default:
        return run_frames_parse(worker_process->handlers, worker_process->context, head, &reader);
    }
}

/* Handles the whole frames that are there, up to a call that must wait. -1 at the first malformed
 * one. The calls of a dead worker do not wait: nobody would get their responses. */
static int parse_frames(struct worker_process *worker_process) {
    struct buffer *in = &worker_process->in;
    size_t at = 0;
    int result = 0;
    struct frame_head head;
    while (result == 0 && in->bytes - at >= sizeof head) {
        memcpy(&head, in->data + at, sizeof head);
        if (head.body_bytes > FRAME_TO_HOST_MAX) {
            result = -1;
        } else if (in->bytes - at - sizeof head < head.body_bytes) {
            break;
        } else {
            result = parse_frame(worker_process, &head, in->data + at + sizeof head);
            result = result == RUN_FRAME_MUST_WAIT && worker_process->dying ? 0 : result;
            at += result == RUN_FRAME_MUST_WAIT ? 0 : sizeof head + head.body_bytes;
        }
    }
    memmove(in->data, in->data + at, in->bytes - at);
    in->bytes -= at;
    if (result == RUN_FRAME_MUST_WAIT && !worker_process->paused) {
        worker_process->paused = true;
        watch_socket(worker_process);
    }
    return result < 0 ? -1 : 0;
}

static void on_malformed_frame(struct worker_process *worker_process) {
    close_socket(worker_process);
    worker_process_kill(worker_process, "was ended: it sent a malformed frame");
}

/* Until the worker has entered its sandbox, descriptors may come. */
static ssize_t receive(struct worker_process *worker_process, char *chunk, size_t bytes) {
    int fds[DESCRIPTORS_MAX];
    if (worker_process->sandboxed) {
        return recv(worker_process->socket.fd, chunk, bytes, MSG_DONTWAIT);
    }
    ssize_t got = descriptors_receive(worker_process->socket.fd, chunk, bytes, fds, MSG_DONTWAIT);
    if (watch_keep(&worker_process->watch, fds) < 0) {
        worker_process_kill(worker_process, "was ended: the host cannot watch its threads");
    }
    return got;
}

/* Reads what is there, at most a few chunks so that no worker keeps the loop to itself.
 * True when more may be there. */
static bool read_some(struct worker_process *worker_process) {
    char chunk[READ_CHUNK];
    for (int i = 0; i < 8 && worker_process->socket.fd >= 0 && !worker_process->paused; i++) {
        ssize_t got = receive(worker_process, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return false;
        }
        if (got <= 0) {
            close_socket(worker_process);
            if (!worker_process->dying) {
                on_closed(worker_process);
            }
            return false;
        }
        if (buffer_append(&worker_process->in, chunk, (size_t)got) < 0 ||
            parse_frames(worker_process) < 0) {
            on_malformed_frame(worker_process);
            return false;
        }
    }
    return worker_process->socket.fd >= 0 && !worker_process->paused;
}

void worker_process_resume(struct worker_process *worker_process) {
    if (!worker_process->paused) {
        return;
    }
    worker_process->paused = false;
    if (parse_frames(worker_process) < 0) {
        on_malformed_frame(worker_process);
    } else if (!worker_process->paused) {
        watch_socket(worker_process);
    }
}

size_t worker_process_waiting_bytes(const struct worker_process *worker_process) {
    return worker_process->waiting_bytes;
}

size_t worker_process_waiting_payload_bytes(const struct worker_process *worker_process) {
    return worker_process->waiting_payload_bytes;
}

static void on_socket_ready(struct loop_source *source, uint32_t events) {
    struct worker_process *worker_process = CONTAINER_OF(source, struct worker_process, socket);
    if (events & EPOLLOUT) {
        send_waiting(worker_process);
    }
    if (worker_process->paused && events & (EPOLLHUP | EPOLLERR)) {
        close_socket(worker_process);
        on_closed(worker_process);
    } else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        read_some(worker_process);
    }
}

/* ---- the starter ---- */

static void on_ended(struct worker_start *start, int code, int status) {
    struct worker_process *worker_process = CONTAINER_OF(start, struct worker_process, start);
    const siginfo_t info = {.si_code = code, .si_status = status};
    struct worker_death death;
    worker_process->dying = true;
    worker_process->gone = true;
    worker_process_resume(worker_process);
    for (int i = 0; i < READS_AFTER_DEATH && read_some(worker_process); i++) {
        /* All that it sent before it died counts. A child that it forked may send for ever. */
    }
    close_socket(worker_process);
    /* Its output comes first: it may explain an abort. */
    output_end(&worker_process->output);
    crash_explain(&worker_process->crash, &info, worker_process->how, &death);
    /* May free the worker_process. */
    worker_process->handlers->on_exit(worker_process->context, &death);
}

static void on_failed(struct worker_start *start, const struct error *why) {
    struct worker_process *worker_process = CONTAINER_OF(start, struct worker_process, start);
    worker_process->gone = true;
    worker_process->handlers->on_start_failed(worker_process->context, why);
}

static void on_started(struct worker_start *start, int socket_fd) {
    struct worker_process *worker_process = CONTAINER_OF(start, struct worker_process, start);
    crash_set_file(&worker_process->crash, start->file_hash);
    worker_process->socket = (struct loop_source){socket_fd, on_socket_ready};
    if (loop_add(worker_process->loop, &worker_process->socket, EPOLLIN) < 0) {
        close(socket_fd);
        worker_process->socket.fd = -1;
        worker_process_kill(worker_process, "was ended: the host cannot watch its socket");
        return;
    }
    send_waiting(worker_process);
    if (worker_process->ended && worker_process->socket.fd >= 0) {
        shutdown(worker_process->socket.fd, SHUT_WR);
    }
}

/* ---- time ---- */

void worker_process_tick(struct worker_process *worker_process, int64_t now_ms) {
    output_tick(&worker_process->output, now_ms);
    thread_admission_tick(&worker_process->watch.threads, now_ms);
    if (worker_process->kill_at_ms > 0 && worker_process->kill_at_ms <= now_ms) {
        worker_process->kill_at_ms = INT64_MAX;
        worker_process_kill(worker_process, "was ended: it closed its socket");
    }
}

int64_t worker_process_next_ms(const struct worker_process *worker_process) {
    const int64_t due_ms[] = {thread_admission_next_ms(&worker_process->watch.threads),
                              worker_process->kill_at_ms > 0 ? worker_process->kill_at_ms
                                                             : INT64_MAX};
    int64_t next_ms = output_next_ms(&worker_process->output);
    for (size_t i = 0; i < ARRAY_LENGTH(due_ms); i++) {
        next_ms = due_ms[i] < next_ms ? due_ms[i] : next_ms;
    }
    return next_ms;
}

/* ---- its output ---- */

static void on_line(void *context, enum output_stream stream, const char *text, size_t bytes) {
    struct worker_process *worker_process = context;
    if (stream == OUTPUT_STDERR) {
        crash_note_line(&worker_process->crash, text, bytes);
    }
    worker_process->handlers->on_output(worker_process->context,
                                        stream == OUTPUT_STDERR ? "stderr" : "stdout", text, bytes);
}

static void on_dropped(void *context, uint64_t bytes) {
    struct worker_process *worker_process = context;
    worker_process->handlers->on_output_dropped(worker_process->context, bytes);
}

/* A pipe whose reading end is ours and does not block. A writer waits while it is full, except in
 * the handler of a crash. */
static int open_pipe(int *ours, int *theirs, bool writer_waits) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
        return -1;
    }
    *ours = fds[0];
    *theirs = fds[1];
    return writer_waits ? fcntl(fds[1], F_SETFL, 0) : 0;
}

static int open_pipes(struct worker_process *worker_process,
                      const struct worker_process_spec *spec) {
    const struct output_handlers on_output = {on_line, on_dropped, worker_process};
    int output[OUTPUT_STREAMS] = {-1, -1}, crash = -1;
    int *theirs = worker_process->load_fds;
    int result = open_pipe(&output[OUTPUT_STDOUT], &theirs[FRAME_LOAD_STDOUT], true);
    result |= open_pipe(&output[OUTPUT_STDERR], &theirs[FRAME_LOAD_STDERR], true);
    result |= open_pipe(&crash, &theirs[FRAME_LOAD_CRASH], false);
    crash_init(&worker_process->crash, crash, spec->plugin_shown, spec->memory_mib);
    return output_init(&worker_process->output, worker_process->loop, output, &on_output) | result;
}

/* ---- life ---- */

/* Everything but the process. */
static struct worker_process *new_process(struct loop *loop, struct worker_starter *starter,
                                          const struct worker_process_spec *spec,
                                          const struct worker_process_handlers *handlers,
                                          void *context) {
    struct worker_process *new = calloc(1, sizeof *new);
    if (!new) {
        return NULL;
    }
    new->loop = loop;
    new->handlers = handlers;
    new->context = context;
    new->starter = starter;
    new->gone = true;
    TAILQ_INIT(&new->out);
    new->waiting_max_bytes = WAITING_MAX;
    new->in =
        (struct buffer)BUFFER_INIT(FRAME_TO_HOST_MAX + sizeof(struct frame_head) + READ_CHUNK);
    new->socket = (struct loop_source){-1, on_socket_ready};
    watch_init(&new->watch, loop, spec->concurrency + WORKER_PROCESS_THREADS_MORE);
    new->start = (struct worker_start){.plugin = spec->plugin,
                                       .plugin_path = spec->plugin_path,
                                       .plugin_shown = spec->plugin_shown,
                                       .memory_mib = spec->memory_mib,
                                       .sandbox = spec->sandbox,
                                       .process = {-1, NULL},
                                       .on_started = on_started,
                                       .on_failed = on_failed,
                                       .on_ended = on_ended};
    for (size_t i = 0; i < FRAME_LOAD_FDS; i++) {
        new->load_fds[i] = -1;
    }
    return new;
}

int worker_process_start(struct loop *loop, struct worker_starter *starter,
                         const struct worker_process_spec *spec,
                         const struct worker_process_handlers *handlers, void *context,
                         struct worker_process **worker_process, struct error *err) {
    struct worker_process *new = new_process(loop, starter, spec, handlers, context);
    if (!new) {
        return error_set(err, "out of memory");
    }
    if (open_pipes(new, spec) < 0) {
        error_set(err, "cannot make pipes for a worker: %s", strerror(errno));
        worker_process_free(new);
        return error_mark_transient(err);
    }
    /* The frame waits until there is a socket. */
    send_load(new, spec);
    if (new->how[0]) {
        worker_process_free(new);
        return error_set(err, "out of memory");
    }
    new->gone = false;
    if (starter->start(starter, &new->start, err) < 0) {
        new->gone = true;
        worker_process_free(new);
        return -1;
    }
    *worker_process = new;
    return 0;
}

void worker_process_free(struct worker_process *worker_process) {
    if (!worker_process) {
        return;
    }
    close_socket(worker_process);
    if (!worker_process->gone) {
        worker_process->starter->forget(worker_process->starter, &worker_process->start);
    }
    struct chunk *chunk;
    while ((chunk = TAILQ_FIRST(&worker_process->out))) {
        TAILQ_REMOVE(&worker_process->out, chunk, link);
        chunk_free(chunk);
    }
    buffer_finish(&worker_process->in);
    close_load_fds(worker_process);
    output_finish(&worker_process->output);
    crash_finish(&worker_process->crash);
    watch_finish(&worker_process->watch);
    free(worker_process);
}
