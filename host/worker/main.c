/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* snekomatic-worker: loads one plugin and handles its runs, as the host says on descriptor 3.
 * Standard input, output and error may be closed; nothing of the protocol goes there. */
#include "base/text.h"
#include "worker/calls.h"
#include "worker/descriptor.h"
#include "worker/loader.h"
#include "worker/runs.h"
#include "worker/sandbox.h"

#include "base/json.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>

#define HOST_FD 3
#define CONCURRENCY_MAX 4096
#define MEMORY_MIB_MAX (1u << 20)

/* Plugin code that runs on the main thread, where nobody reads whether the host is still there: a
 * plugin that hangs in it would outlive a host that was killed. The host's own patience is less. */
#define ALONE_SECONDS 300

struct load {
    char path[PATH_MAX];
    uint64_t concurrency, sandbox, memory_mib, log_level;
};

static void prepare_process(void) {
    /* First of all: until it is so, others of this user could look into the process. */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    /* Platforms and terminals send these to every process at once, but the host still needs its
     * workers to finish what they do. SIGPIPE: a plugin may print to an output that is gone. */
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        (void)signal(ignored[i], SIG_IGN);
    }
    /* Payloads come and go: fixed, so that glibc does not learn to keep 25 MiB blocks on its heap,
     * where they would count against plugin.memory_mib for good. */
    (void)mallopt(M_MMAP_THRESHOLD, 256 << 10);
    (void)fcntl(HOST_FD, F_SETFD, FD_CLOEXEC);
}

/* Tells the host why the plugin does not run, and ends. */
static _Noreturn void reject(struct worker *worker, const char *why) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct frame_writer writer;
    char sentence[FRAME_REASON_MAX + 1];
    text_repair(sentence, sizeof sentence, why, strlen(why));
    frame_begin(&writer, &buffer, FRAME_REJECTED, 0, 0);
    frame_put_text(&writer, sentence);
    if (frame_end(&writer) == 0) {
        (void)wire_send(&worker->wire, &buffer, NULL, 0);
    }
    _exit(0);
}

static bool is_object(const char *json, size_t bytes) {
    const char *why;
    size_t at;
    struct json_value whole;
    return json_check(json, bytes, &why, &at) == 0 && json_find(json, bytes, "", &whole) &&
           whole.type == JSON_OBJECT_BEGIN;
}

/* 0, or -1 when the frame is malformed. Another protocol is rejected, with a sentence. */
static int parse_load(struct worker *worker, const struct wire_frame *frame, struct load *load) {
    struct frame_reader reader;
    if (frame->head.kind != FRAME_LOAD || !frame->body) {
        return -1;
    }
    frame_read_begin(&reader, frame->body, frame->head.body_bytes);
    uint64_t protocol = frame_get_number(&reader);
    if (!reader.failed && protocol != FRAME_PROTOCOL) {
        reject(worker, "snekomatic-worker and snekomatic are of different versions: install both "
                       "of one build");
    }
    struct frame_text path = frame_get_text(&reader, sizeof load->path - 1);
    struct frame_text config = frame_get_text(&reader, FRAME_TO_WORKER_MAX);
    load->concurrency = frame_get_number(&reader);
    load->sandbox = frame_get_number(&reader);
    load->memory_mib = frame_get_number(&reader);
    load->log_level = frame_get_number(&reader);
    if (frame_read_end(&reader) < 0 || load->concurrency == 0 ||
        load->concurrency > CONCURRENCY_MAX || load->sandbox > FRAME_SANDBOX_OFF ||
        load->memory_mib == 0 || load->memory_mib > MEMORY_MIB_MAX ||
        load->log_level > SNEK_LEVEL_ERROR || !is_object(config.data, config.bytes)) {
        return -1;
    }
    memcpy(load->path, path.data, path.bytes);
    load->path[path.bytes] = '\0';
    worker->config = strndup(config.data, config.bytes);
    worker->config_bytes = config.bytes;
    worker->least_level = (enum log_level)load->log_level;
    return worker->config ? 0 : -1;
}

static void create(struct worker *worker) {
    if (!worker->plugin.create) {
        if (strcmp(worker->config, "{}") != 0) {
            reject(worker, "it takes no configuration: remove its [plugin.config]");
        }
        return;
    }
    int32_t result = worker->plugin.create(&worker->host, &worker->state);
    if (result != 0) {
        char sentence[100];
        (void)snprintf(sentence, sizeof sentence, "its create() returned %d without a reason",
                       (int)result);
        reject(worker, worker->rejection.text[0] ? worker->rejection.text : sentence);
    }
}

/* Up to the DESCRIBED frame, or the end of the process. */
static void load_plugin(struct worker *worker, const struct load *load) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    enum frame_sandbox_level level;
    struct error err;
    if (sandbox_enter((enum frame_sandbox)load->sandbox, load->memory_mib, &level, &err) < 0) {
        reject(worker, err.text);
    }
    (void)alarm(ALONE_SECONDS);
    if (loader_load(load->path, &worker->plugin, &err) < 0) {
        reject(worker, err.text);
    }
    create(worker);
    (void)alarm(0);
    if (descriptor_frame(&worker->plugin, level, &buffer) < 0) {
        reject(worker, "its description does not fit into a frame");
    }
    (void)wire_send(&worker->wire, &buffer, NULL, 0);
}

static int take_frame(struct worker *worker, struct wire_frame *frame) {
    switch (frame->head.kind) {
    case FRAME_RUN:
        return runs_start(worker, frame);
    case FRAME_CANCEL:
        return runs_cancel(worker, frame);
    case FRAME_HTTP_RESPONSE:
    case FRAME_STORE_RESULT:
        return calls_answer(worker, frame);
    default:
        return -1;
    }
}

/* The host has closed: it is gone, or wants us to end. */
static _Noreturn void end(struct worker *worker) {
    (void)alarm(ALONE_SECONDS);
    if (runs_quiet(worker) && worker->plugin.destroy) {
        worker->plugin.destroy(worker->state);
    }
    _exit(0); /* the plugin's exit handlers and destructors owe nobody anything */
}

int main(void) {
    prepare_process();
    static struct worker worker; /* static: threads use it until the very end */
    struct wire_frame frame;
    struct load load;
    worker.host = worker_host;
    wire_init(&worker.wire, HOST_FD);
    (void)pthread_mutex_init(&worker.lock, NULL);
    arena_init(&worker.config_arena, FRAME_TO_WORKER_MAX);
    int result = wire_read(&worker.wire, &frame);
    if (result < 0 && fcntl(HOST_FD, F_GETFD) < 0) {
        (void)fprintf(stderr, "snekomatic-worker is started by snekomatic, not by hand\n");
        _exit(EX_USAGE);
    }
    if (result != 0 || parse_load(&worker, &frame, &load) < 0) {
        _exit(result > 0 ? 0 : EX_PROTOCOL);
    }
    free(frame.body);
    runs_init(&worker.runs, load.concurrency);
    load_plugin(&worker, &load);
    while ((result = wire_read(&worker.wire, &frame)) == 0) {
        result = take_frame(&worker, &frame);
        free(frame.body);
        if (result < 0) {
            _exit(EX_PROTOCOL);
        }
    }
    if (result < 0) {
        _exit(EX_PROTOCOL);
    }
    end(&worker);
}
