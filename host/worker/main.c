/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* snekomatic-worker: loads one plugin and handles its runs, as the host requests on descriptor 3.
 * Standard input, output and error may be closed; the protocol does not use them. */
#include "base/text.h"
#include "worker/calls.h"
#include "worker/crash.h"
#include "worker/dependencies.h"
#include "worker/descriptor.h"
#include "worker/explain.h"
#include "worker/failing_allocation.h"
#include "worker/host_vtable.h"
#include "worker/loader.h"
#include "worker/memory_limit.h"
#include "worker/plugin_config.h"
#include "worker/run_pool.h"
#include "worker/sandbox.h"
#include "worker/sandbox_landlock.h"
#include "worker/thread_gate.h"
#include "worker/wire.h"
#include "worker/worker.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>

#define HOST_FD 3
#define CRASH_FD 4
#define WORKER_NICE 10
#define CONCURRENCY_MAX 4096
#define MEMORY_MIB_MAX (1u << 20)

/* The most time that plugin code may take on the main thread. While it runs, the worker does not
 * notice that the host is gone, so a plugin that hangs would outlive its host. The host itself
 * waits for less. */
#define MAIN_THREAD_SECONDS 300

/* A test's own worker has less, as on an older kernel. */
#ifndef LANDLOCK_ABI_MAX
#define LANDLOCK_ABI_MAX SANDBOX_LANDLOCK_ABI_MAX
#endif

struct load {
    char path[PATH_MAX];
    /* The host gave pipes for output, so it takes the descriptors of WATCH. */
    bool is_watched;
    uint64_t concurrency, sandbox, memory_mib, log_level, failing_allocation;
};

static void prepare_process(void) {
    sandbox_prepare();
    /* Platforms and terminals send these to every process at once, but at a stop the host lets the
     * runs finish first. SIGPIPE: a plugin may print to an output that is closed. */
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        signal(ignored[i], SIG_IGN);
    }
    /* A fixed threshold. Otherwise glibc raises it and keeps freed 25 MiB payloads on its heap,
     * where they count against plugin.memory_mib until the process ends. */
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    /* The host and GitHub's webhooks come first. A worker that is nicer already stays so. */
    if (getpriority(PRIO_PROCESS, 0) < WORKER_NICE) {
        setpriority(PRIO_PROCESS, 0, WORKER_NICE);
    }
    fcntl(HOST_FD, F_SETFD, FD_CLOEXEC);
}

/* The host logs each line that the plugin prints. */
static void use_descriptors(const int fds[FRAME_LOAD_FDS]) {
    int moved[FRAME_LOAD_FDS];
    if (fds[0] < 0) {
        return;
    }
    for (size_t i = 0; i < FRAME_LOAD_FDS; i++) {
        /* They may have the numbers 0 to 2, which were free. */
        moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, CRASH_FD + 1);
        close(fds[i]);
    }
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing > 0) {
        dup2(nothing, STDIN_FILENO);
        close(nothing);
    }
    dup2(moved[FRAME_LOAD_STDOUT], STDOUT_FILENO);
    dup2(moved[FRAME_LOAD_STDERR], STDERR_FILENO);
    int crash_fd = dup3(moved[FRAME_LOAD_CRASH], CRASH_FD, O_CLOEXEC);
    for (size_t i = 0; i < FRAME_LOAD_FDS; i++) {
        close(moved[i]);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    crash_init(crash_fd);
}

/* Reports to the host why the plugin does not run, and ends the process. */
static _Noreturn void reject(struct worker *worker, const char *why) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct frame_writer writer;
    char sentence[FRAME_REASON_MAX + 1];
    text_repair(sentence, sizeof sentence, why, strlen(why));
    frame_begin(&writer, &buffer, FRAME_REJECTED, 0, 0);
    frame_put_text(&writer, sentence);
    if (frame_end(&writer) == 0) {
        /* The process ends either way. */
        (void)wire_send(worker_wire(worker), &buffer, NULL, 0);
    }
    _exit(0);
}

/* 0, or -1 when the frame is malformed. Another protocol is rejected, with a sentence. */
static int parse_start(struct worker *worker, const struct wire_frame *frame, struct load *load) {
    struct frame_reader reader;
    if (frame->head.kind != FRAME_START || !frame->body) {
        return -1;
    }
    frame_read_begin(&reader, frame->body, frame->head.body_bytes);
    uint64_t protocol = frame_get_number(&reader);
    if (!reader.failed && protocol != FRAME_PROTOCOL) {
        reject(worker, "snekomatic-worker and snekomatic are of different versions: install both "
                       "of one build");
    }
    struct frame_text path = frame_get_text(&reader, sizeof load->path - 1);
    load->sandbox = frame_get_number(&reader);
    load->memory_mib = frame_get_number(&reader);
    if (frame_read_end(&reader) < 0 || load->sandbox > FRAME_SANDBOX_OFF || load->memory_mib == 0 ||
        load->memory_mib > MEMORY_MIB_MAX) {
        return -1;
    }
    memory_limit_set(load->memory_mib);
    memcpy(load->path, path.data, path.bytes);
    load->path[path.bytes] = '\0';
    return 0;
}

/* 0, or -1 when the frame is malformed. */
static int parse_load(struct worker *worker, const struct wire_frame *frame, struct load *load) {
    struct frame_reader reader;
    bool malformed = true;
    if (frame->head.kind != FRAME_LOAD || !frame->body) {
        return -1;
    }
    frame_read_begin(&reader, frame->body, frame->head.body_bytes);
    struct frame_text json = frame_get_text(&reader, FRAME_TO_WORKER_MAX);
    load->concurrency = frame_get_number(&reader);
    load->log_level = frame_get_number(&reader);
    load->failing_allocation = frame_get_number(&reader);
    if (frame_read_end(&reader) < 0 || load->concurrency == 0 ||
        load->concurrency > CONCURRENCY_MAX || load->log_level > SNEK_LEVEL_ERROR) {
        return -1;
    }
    struct plugin_config *config = plugin_config_new(json.data, json.bytes, &malformed);
    if (!config) {
        return -1;
    }
    worker_configure(worker, config, (enum log_level)load->log_level);
    return 0;
}

/* The first two frames: what to load. Ends the process when they do not come. */
static void read_load(struct worker *worker, struct load *load) {
    struct wire_frame frame;
    int fds[FRAME_LOAD_FDS];
    int result = wire_read(worker_wire(worker), &frame);
    if (result < 0 && fcntl(HOST_FD, F_GETFD) < 0) {
        fprintf(stderr, "snekomatic-worker is started by snekomatic, not by hand\n");
        _exit(EX_USAGE);
    }
    if (result != 0 || parse_start(worker, &frame, load) < 0) {
        _exit(result > 0 ? 0 : EX_PROTOCOL);
    }
    free(frame.body);
    result = wire_read_first(worker_wire(worker), &frame, fds);
    if (result != 0 || parse_load(worker, &frame, load) < 0) {
        _exit(result > 0 ? 0 : EX_PROTOCOL);
    }
    free(frame.body);
    load->is_watched = fds[0] >= 0;
    use_descriptors(fds);
}

/* `top` and `ps -L` show 15 bytes. */
static void set_thread_name(const char *plugin) {
    char name[16];
    snprintf(name, sizeof name, "snek:%s", plugin);
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

static void create(struct worker *worker) {
    const struct snek_plugin *plugin = worker_plugin(worker);
    if (!plugin->create) {
        if (!plugin_config_is_empty(worker_config(worker))) {
            reject(worker, "it takes no configuration: remove its [plugin.config]");
        }
        return;
    }
    int32_t result = plugin->create(worker_host(worker), worker_state(worker));
    if (result != 0) {
        const char *reason = worker_rejection(worker);
        char sentence[100];
        snprintf(sentence, sizeof sentence, "its create() returned %d without a reason",
                 (int)result);
        reject(worker, *reason ? reason : sentence);
    }
}

static void send_ready(struct worker *worker) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_READY, 0, 0);
    if (frame_end(&writer) < 0) {
        reject(worker, memory_limit_sentence());
    }
    /* When the host is gone, the next read notices it. */
    (void)wire_send(worker_wire(worker), &buffer, NULL, 0);
}

/* Passes to the host what it needs to watch this process, while the process can still pass
 * descriptors. */
static void send_watch(struct worker *worker, const struct load *load) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    AUTO_CLOSE int status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    AUTO_CLOSE int threads_fd = -1;
#ifndef SNEK_SANITIZED
    if (status_fd >= 0 && load->sandbox != FRAME_SANDBOX_OFF) {
        threads_fd = thread_gate_close();
    }
#endif
    const int fds[FRAME_WATCH_FDS] = {status_fd, threads_fd};
    size_t count = 0;
    while (count < FRAME_WATCH_FDS && fds[count] >= 0) {
        count++;
    }
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_WATCH, 0, 0);
    frame_put_number(&writer, count);
    if (frame_end(&writer) < 0 || wire_send_first(worker_wire(worker), &buffer, fds, count) < 0) {
        _exit(EX_OSERR);
    }
}

/* The host must know the level before the plugin's first instruction runs: every later frame may be
 * the plugin's own. */
static void report_sandbox(struct worker *worker, const struct sandbox_report *report) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_SANDBOX, 0, 0);
    frame_put_number(&writer, report->level);
    frame_put_text(&writer, report->why.text);
    if (frame_end(&writer) < 0 || wire_send(worker_wire(worker), &buffer, NULL, 0) < 0) {
        _exit(EX_OSERR);
    }
}

/* Checks the libraries that the plugin brings while the worker can still look everywhere, and
 * enters the sandbox, where it can read these files only. */
static void enter_sandbox(struct worker *worker, const struct load *load) {
    struct dependencies dependencies;
    struct sandbox_report report;
    struct error err;
    if (dependencies_find(load->path, &dependencies, &err) < 0) {
        reject(worker, err.text);
    }
    if (load->is_watched) {
        send_watch(worker, load);
    }
    const struct sandbox_options options = {
        .wanted = (enum frame_sandbox)load->sandbox,
        .memory_mib = load->memory_mib,
        .socket_fd = HOST_FD,
        .last_fd = CRASH_FD,
        .files = (const char *const *)dependencies.files,
        .n_files = dependencies.n_files,
        .landlock_abi_max = LANDLOCK_ABI_MAX,
    };
    if (sandbox_enter(&options, &report, &err) < 0) {
        reject(worker, err.text);
    }
    dependencies_finish(&dependencies);
    report_sandbox(worker, &report);
}

/* Up to the READY frame, or the end of the process. */
static void load_plugin(struct worker *worker, const struct load *load) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct error err;
    enter_sandbox(worker, load);
    alarm(MAIN_THREAD_SECONDS);
    if (loader_load(load->path, worker_plugin(worker), &err) < 0) {
        reject(worker, err.text);
    }
    if (load->failing_allocation > 0 &&
        failing_allocation_arm(worker, load->path, load->failing_allocation, &err) < 0) {
        reject(worker, err.text);
    }
    set_thread_name(worker_plugin(worker)->name);
    if (descriptor_frame(worker_plugin(worker), &buffer) < 0) {
        reject(worker, "its description does not fit into a frame: shorten its texts");
    }
    /* When the host is gone, the next read notices it. */
    (void)wire_send(worker_wire(worker), &buffer, NULL, 0);
    crash_note_modules();
    create(worker);
    crash_note_modules();
    alarm(0);
    send_ready(worker);
}

static int on_frame(struct worker *worker, struct run_pool *pool, struct wire_frame *frame) {
    switch (frame->head.kind) {
    case FRAME_RUN:
        return run_pool_start(pool, frame);
    case FRAME_EXPLAIN:
        return explain_delivery(worker, frame);
    case FRAME_CANCEL:
        return run_pool_cancel(pool, frame);
    case FRAME_HTTP_RESPONSE:
    case FRAME_STORE_RESULT:
        return calls_take_result(worker_calls(worker), frame);
    default:
        return -1;
    }
}

/* Reads frames until the host closes the socket: it is gone, or it wants the worker to end. */
static void serve(struct worker *worker, struct run_pool *pool) {
    struct wire_frame frame;
    int result;
    while ((result = wire_read(worker_wire(worker), &frame)) == 0) {
        result = on_frame(worker, pool, &frame);
        free(frame.body);
        if (result < 0) {
            _exit(EX_PROTOCOL);
        }
    }
    if (result < 0) {
        _exit(EX_PROTOCOL);
    }
}

static _Noreturn void end(struct worker *worker, struct run_pool *pool) {
    const struct snek_plugin *plugin = worker_plugin(worker);
    alarm(MAIN_THREAD_SECONDS);
    if (run_pool_drained(pool) && plugin->destroy) {
        plugin->destroy(*worker_state(worker));
    }
    /* Not exit(): the plugin's exit handlers and destructors do not run. */
    _exit(0);
}

int main(void) {
    prepare_process();
    struct load load;
    struct worker *worker = worker_new(&host_vtable, HOST_FD);
    if (!worker) {
        _exit(EX_OSERR);
    }
    read_load(worker, &load);
    /* Valgrind looks for leaks after the last use of the pool, which may have no thread. */
    static struct run_pool *volatile pool;
    pool = run_pool_new(worker, load.concurrency);
    if (!pool) {
        _exit(EX_OSERR);
    }
    load_plugin(worker, &load);
    serve(worker, pool);
    end(worker, pool);
}
