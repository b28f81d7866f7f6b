/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sends requests to the supervisor and passes its events to the workers that they are about. */
#include "supervisor_client.h"

#include "base/cleanup.h"
#include "base/descriptors.h"
#include "base/io.h"
#include "base/log.h"
#include "supervisor/messages.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* ---- settings ---- */

static int read_settings(int memory_fd, struct settings **settings, struct error *err) {
    AUTO_WIPED_BUFFER struct buffer message = BUFFER_INIT(SETTINGS_BYTES_MAX);
    struct stat status;
    if (memory_fd < 0 || fstat(memory_fd, &status) < 0 || status.st_size > SETTINGS_BYTES_MAX ||
        lseek(memory_fd, 0, SEEK_SET) < 0) {
        return error_set(err, "the supervisor sent no settings");
    }
    if (buffer_reserve(&message, (size_t)status.st_size) < 0) {
        return error_set(err, "out of memory");
    }
    if (io_read_rest(memory_fd, "the settings", &message, err) < 0) {
        return -1;
    }
    return settings_parse(message.data, message.bytes, settings) < 0
               ? error_set(err, "the supervisor sent malformed settings")
               : 0;
}

int supervisor_client_hello(struct settings **settings, int *descriptions_fd, struct error *err) {
    const struct supervisor_control hello = {.kind = SUPERVISOR_HELLO};
    struct supervisor_event event;
    int fds[DESCRIPTORS_MAX];
    ssize_t got = -1;
    if (send(SUPERVISOR_FD_CONTROL, &hello, sizeof hello, MSG_NOSIGNAL) < 0) {
        return error_set(err, "the supervisor does not accept messages: %s", strerror(errno));
    }
    do {
        got = descriptors_receive(SUPERVISOR_FD_CONTROL, &event, sizeof event, fds, MSG_TRUNC);
    } while (got < 0 && errno == EINTR);
    int result = -1;
    if (got == (ssize_t)sizeof event && event.kind == SUPERVISOR_SETTINGS && fds[1] >= 0) {
        result = read_settings(fds[0], settings, err);
        *descriptions_fd = steal_fd(&fds[1]);
    } else {
        error_set(err, "the supervisor sent no settings");
    }
    if (got >= 0) {
        descriptors_close(fds);
    }
    return result;
}

/* ---- workers ---- */

static int request(uint32_t kind, uint32_t plugin, uint64_t worker, struct error *err) {
    const struct supervisor_control packet = {.kind = kind, .plugin = plugin, .worker = worker};
    if (send(SUPERVISOR_FD_CONTROL, &packet, sizeof packet, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        error_set(err, "the supervisor does not accept messages: %s", strerror(errno));
        return error_mark_transient(err);
    }
    return 0;
}

int supervisor_client_report(uint32_t kind, struct error *err) {
    return request(kind, 0, 0, err);
}

void supervisor_client_report_failure(const struct error *why) {
    struct supervisor_failure packet = {.kind = SUPERVISOR_FAILED};
    snprintf(packet.text, sizeof packet.text, "%.*s", (int)sizeof packet.text - 1, why->text);
    if (send(SUPERVISOR_FD_CONTROL, &packet, sizeof packet, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        log_event(SNEK_LEVEL_WARNING, "request_lost", LOG_TEXT("reason", strerror(errno)));
    }
}

int supervisor_client_report_problems(const struct config_problems *problems) {
    struct supervisor_rejection packet = {.kind = SUPERVISOR_REJECTED};
    snprintf(packet.text, sizeof packet.text, "%s",
             problems->text ? problems->text : "out of memory\n");
    return send(SUPERVISOR_FD_CONTROL, &packet, sizeof packet, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static int start_worker(struct worker_starter *starter, struct worker_start *start,
                        struct error *err) {
    struct supervisor_client *client = CONTAINER_OF(starter, struct supervisor_client, starter);
    start->starter = starter;
    start->id = ++client->last_id;
    start->pid = 0;
    start->process.fd = -1;
    start->killed = false;
    if (request(SUPERVISOR_START_WORKER, start->plugin, start->id, err) < 0) {
        return -1;
    }
    TAILQ_INSERT_TAIL(&client->starts, start, link);
    return 0;
}

/* By the pidfd, which works although the supervisor may stand still. Its request is for a worker
 * that is being started, and for the worker's process group. */
static void kill_worker(struct worker_starter *starter, struct worker_start *start) {
    assert(start->starter == starter);
    start->killed = true;
    if (start->process.fd >= 0) {
        pidfd_send_signal(start->process.fd, SIGKILL, NULL, 0);
    }
    struct error err;
    if (request(SUPERVISOR_STOP_WORKER, start->plugin, start->id, &err) < 0) {
        log_event(SNEK_LEVEL_WARNING, "request_lost", LOG_TEXT("reason", err.text));
    }
}

static void remove_start(struct supervisor_client *client, struct worker_start *start) {
    TAILQ_REMOVE(&client->starts, start, link);
    cleanup_close(&start->process.fd);
    start->process.fd = -1;
}

static void forget_worker(struct worker_starter *starter, struct worker_start *start) {
    kill_worker(starter, start);
    remove_start(CONTAINER_OF(starter, struct supervisor_client, starter), start);
}

static struct worker_start *find(struct supervisor_client *client, uint64_t id) {
    struct worker_start *start;
    TAILQ_FOREACH(start, &client->starts, link) {
        if (start->id == id) {
            return start;
        }
    }
    return NULL;
}

static void on_worker_started(struct worker_start *start, const struct supervisor_event *event,
                              int fds[DESCRIPTORS_MAX]) {
    assert(start->pid == 0);
    start->pid = event->pid;
    start->process.fd = steal_fd(&fds[1]);
    snprintf(start->file_hash, sizeof start->file_hash, "%.*s", WORKER_FILE_HASH_MAX - 1,
             event->text);
    if (start->killed) {
        kill_worker(start->starter, start);
    }
    start->on_started(start, steal_fd(&fds[0]));
}

static void on_worker_failed(struct supervisor_client *client, struct worker_start *start,
                             const struct supervisor_event *event) {
    struct error why;
    error_set(&why, "%.*s", (int)sizeof event->text, event->text);
    if (event->flag) {
        error_mark_transient(&why);
    }
    remove_start(client, start);
    start->on_failed(start, &why);
}

static void on_event(struct supervisor_client *client, const struct supervisor_event *event,
                     int fds[DESCRIPTORS_MAX]) {
    if (event->kind == SUPERVISOR_GO) {
        client->go = true;
        return;
    }
    struct worker_start *start = find(client, event->worker);
    if (!start) {
        /* Its worker_process was freed. */
        return;
    }
    switch (event->kind) {
    case SUPERVISOR_WORKER_STARTED:
        on_worker_started(start, event, fds);
        break;
    case SUPERVISOR_WORKER_FAILED:
        on_worker_failed(client, start, event);
        break;
    case SUPERVISOR_WORKER_ENDED:
        remove_start(client, start);
        start->on_ended(start, event->code, event->status);
        break;
    default:
        break;
    }
}

static void on_control_ready(struct loop_source *source, uint32_t events) {
    (void)events;
    struct supervisor_client *client = CONTAINER_OF(source, struct supervisor_client, control);
    struct supervisor_event event;
    int fds[DESCRIPTORS_MAX];
    ssize_t got;
    while ((got = descriptors_receive(source->fd, &event, sizeof event, fds,
                                      MSG_DONTWAIT | MSG_TRUNC)) > 0) {
        assert(got == (ssize_t)sizeof event);
        on_event(client, &event, fds);
        descriptors_close(fds);
    }
    if (got == 0) {
        loop_remove(client->loop, source);
        client->on_lost(client->context);
    }
}

/* ---- life ---- */

int supervisor_client_init(struct supervisor_client *client, struct loop *loop,
                           void (*on_lost)(void *context), void *context, struct error *err) {
    *client = (struct supervisor_client){
        .starter = {.start = start_worker, .kill = kill_worker, .forget = forget_worker},
        .loop = loop,
        .control = {SUPERVISOR_FD_CONTROL, on_control_ready},
        .on_lost = on_lost,
        .context = context};
    TAILQ_INIT(&client->starts);
    if (loop_add(loop, &client->control, EPOLLIN) < 0) {
        return error_set(err, "cannot watch the supervisor: %s", strerror(errno));
    }
    return 0;
}

void supervisor_client_finish(struct supervisor_client *client) {
    if (client->loop) {
        assert(TAILQ_EMPTY(&client->starts));
        loop_remove(client->loop, &client->control);
    }
}
