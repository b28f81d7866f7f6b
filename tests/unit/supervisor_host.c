/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host and the worker that unit_supervisor plays. Both report on standard output what they
 * find. */
#include "supervisor_host.h"

#include "unit.h"

#include "base/buffer.h"
#include "base/descriptors.h"
#include "base/io.h"
#include "config/settings.h"
#include "protocol/frames.h"
#include "supervisor/messages.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>

static volatile sig_atomic_t got_hup, got_usr1, got_term;

static void note_signal(int number) {
    switch (number) {
    case SIGHUP:
        got_hup++;
        break;
    case SIGUSR1:
        got_usr1++;
        break;
    default:
        got_term++;
        break;
    }
}

void say(const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static void host_ask(int32_t skew_s, uint32_t key) {
    const struct supervisor_message question = {
        .kind = SUPERVISOR_JWT, .skew_s = skew_s, .key = key};
    (void)send(SUPERVISOR_FD_MESSAGES, &question, sizeof question, MSG_NOSIGNAL);
    struct supervisor_reply answer;
    ssize_t got = recv(SUPERVISOR_FD_MESSAGES, &answer, sizeof answer, 0);
    say("answer bytes=%zd ok=%u text=%s", got, answer.ok, answer.text);
}

static void host_send(uint32_t kind, uint32_t plugin, uint64_t worker) {
    const struct supervisor_control packet = {.kind = kind, .plugin = plugin, .worker = worker};
    (void)send(SUPERVISOR_FD_CONTROL, &packet, sizeof packet, MSG_NOSIGNAL);
}

static struct supervisor_event host_receive(int fds[DESCRIPTORS_MAX]) {
    struct supervisor_event event = {.kind = 0};
    ssize_t got = descriptors_receive(SUPERVISOR_FD_CONTROL, &event, sizeof event, fds, MSG_TRUNC);
    assert_int_equal(got, sizeof event);
    return event;
}

/* Asks for the settings. The caller frees them. `*restarted`: an earlier host has left a byte in
 * the file for descriptions. */
static struct settings *host_hello(bool *restarted) {
    int fds[DESCRIPTORS_MAX];
    struct error err;
    struct settings *settings = NULL;
    AUTO_BUFFER struct buffer text = BUFFER_INIT(SETTINGS_BYTES_MAX);
    host_send(SUPERVISOR_HELLO, 0, 0);
    struct supervisor_event event = host_receive(fds);
    assert_int_equal(event.kind, SUPERVISOR_SETTINGS);
    assert_int_equal(lseek(fds[0], 0, SEEK_SET), 0);
    assert_int_equal(io_read_rest(fds[0], "settings", &text, &err), 0);
    assert_int_equal(settings_parse(text.data, text.bytes, &settings), 0);
    if (restarted) {
        char byte;
        *restarted = pread(fds[1], &byte, 1, 0) == 1;
        assert_int_equal(pwrite(fds[1], "d", 1, 0), 1);
    }
    descriptors_close(fds);
    return settings;
}

static const char *has(const struct settings *settings, const char *name) {
    const struct secret *value = settings_variable(settings, name);
    return value ? value->data : "none";
}

static void host_say_settings(void) {
    struct settings *settings = host_hello(NULL);
    say("settings key=%s next=%s secret=%s zone=%s", has(settings, "GITHUB_PRIVATE_KEY"),
        has(settings, "GITHUB_PRIVATE_KEY_NEXT"), has(settings, "GITHUB_WEBHOOK_SECRET"),
        has(settings, "TZ"));
    settings_free(settings);
}

static void host_say_descriptors(void) {
    DIR *directory = opendir("/proc/self/fd");
    char seen[64] = "";
    for (int fd = 0; fd < 64; fd++) {
        if (fd != dirfd(directory) && fcntl(fd, F_GETFD) >= 0) {
            snprintf(seen + strlen(seen), sizeof seen - strlen(seen), " %d", fd);
        }
    }
    (void)closedir(directory);
    int type = 0, listening = 0, parent_signal = 0;
    socklen_t bytes = sizeof type;
    (void)getsockopt(SUPERVISOR_FD_MESSAGES, SOL_SOCKET, SO_TYPE, &type, &bytes);
    (void)getsockopt(SUPERVISOR_FD_LISTEN, SOL_SOCKET, SO_ACCEPTCONN, &listening, &bytes);
    prctl(PR_GET_PDEATHSIG, &parent_signal);
    say("descriptors%s seqpacket=%d listening=%d pdeathsig=%d", seen, type == SOCK_SEQPACKET,
        listening, parent_signal);
}

static void host_say_signals(void) {
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status)) {
        if (strncmp(line, "SigBlk:", 7) == 0 || strncmp(line, "SigIgn:", 7) == 0) {
            fputs(line, stdout);
        }
    }
    fclose(status);
}

/* Does the text whose mirror image is `mirrored` stand anywhere in our memory? The mirror image
 * keeps the search from finding what it searches for. */
static bool memory_has(const char *mirrored) {
    size_t length = strlen(mirrored);
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    int memory = open("/proc/self/mem", O_RDONLY);
    char line[512];
    unsigned char *piece = malloc(1 << 16);
    while (fgets(line, sizeof line, maps)) {
        uint64_t from, to;
        char readable;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %c", &from, &to, &readable) != 3 ||
            readable != 'r' || to - from > (1U << 28)) { /* larger: a sanitizer's shadow */
            continue;
        }
        for (uint64_t at = from; at < to && !found;) {
            ssize_t got = pread(memory, piece, 1 << 16, (off_t)at);
            for (ssize_t i = 0; !found && i + (ssize_t)length <= got; i++) {
                size_t same = 0;
                while (same < length &&
                       piece[(size_t)i + same] == (unsigned char)mirrored[length - 1 - same]) {
                    same++;
                }
                found = same == length;
            }
            if (got <= (ssize_t)length) {
                break;
            }
            at += (uint64_t)got < to - at ? (uint64_t)got - length : (uint64_t)got;
        }
    }
    free(piece);
    close(memory);
    fclose(maps);
    return found;
}

/* Serves until SIGTERM or until the supervisor is gone. */
static int host_serve(bool watch_supervisor) {
    sigset_t none;
    sigemptyset(&none);
    int hup = 0, usr1 = 0;
    for (;;) {
        struct pollfd fds[] = {{.fd = SUPERVISOR_FD_LISTEN, .events = POLLIN},
                               {.fd = watch_supervisor ? SUPERVISOR_FD_MESSAGES : -1}};
        (void)ppoll(fds, 2, NULL, &none);
        if (fds[0].revents & POLLIN) {
            int connection = accept(SUPERVISOR_FD_LISTEN, NULL, NULL);
            if (connection >= 0) {
                close(connection);
            }
        }
        if (hup != got_hup) {
            hup = got_hup;
            say("got HUP");
        }
        if (usr1 != got_usr1) {
            usr1 = got_usr1;
            say("got USR1");
        }
        if (got_term > 0) {
            say("got TERM");
            return 0;
        }
        if (fds[1].revents & (POLLHUP | POLLRDHUP)) {
            say("supervisor is gone");
            return 0;
        }
    }
}

static void host_take_signals(void) {
    static const int numbers[] = {SIGTERM, SIGHUP, SIGUSR1};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const struct sigaction action = {.sa_handler = note_signal};
        sigaction(numbers[i], &action, NULL);
        sigaddset(&set, numbers[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL); /* but in ppoll() */
}

static void host_send_malformed(void) {
    static const char zeros[64];
    (void)send(SUPERVISOR_FD_MESSAGES, zeros, 1, MSG_NOSIGNAL);
    (void)send(SUPERVISOR_FD_MESSAGES, zeros, sizeof(struct supervisor_message), MSG_NOSIGNAL);
    (void)send(SUPERVISOR_FD_MESSAGES, zeros, sizeof zeros, MSG_NOSIGNAL);
    (void)send(SUPERVISOR_FD_CONTROL, zeros, 1, MSG_NOSIGNAL);
    (void)send(SUPERVISOR_FD_CONTROL, zeros, sizeof(struct supervisor_control), MSG_NOSIGNAL);
    (void)send(SUPERVISOR_FD_CONTROL, zeros, sizeof zeros, MSG_NOSIGNAL);
    /* All of the control socket's were handled when the settings are there. */
    settings_free(host_hello(NULL));
}

/* Asks to end only by the second SIGTERM, with 7. */
static int host_linger(void) {
    sigset_t none;
    sigemptyset(&none);
    close(SUPERVISOR_FD_LISTEN);
    while (got_term < 2) {
        int before = got_term;
        (void)ppoll(NULL, 0, NULL, &none);
        if (before == 0 && got_term == 1) {
            say("lingering");
        }
    }
    return 7;
}

static int host_explore(char *const rest[]) {
    host_say_descriptors();
    host_say_signals();
    size_t variables = 0;
    while (environ && environ[variables] && strncmp(environ[variables], "ASAN_OPTIONS=", 13) != 0) {
        variables++;
    }
    say("environment variables=%zu", variables);
    say("memory key=%d planted=%d", memory_has(rest[0]), memory_has(rest[1]));
    host_say_settings();
    host_ask(0, 0);
    host_ask(-1800, 0);
    host_ask(SUPERVISOR_SKEW_MAX_S + 1, 0);
    host_ask(INT32_MIN, 0);
    host_ask(0, 1);
    host_send_malformed();
    host_ask(0, 0);
    return 0;
}

/* Asks for a JWT while GMP finds no memory, and again afterwards. */
static int host_starve(const char *sign) {
    host_ask(0, 0);
    close(open(sign, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    host_ask(0, 0);
    unlink(sign);
    host_ask(0, 0);
    return 0;
}

/* ---- workers ---- */

/* The worker: reports what it was started with, and exits with the number that it is sent. */
int play_worker(void) {
    struct {
        struct frame_head head;
        char body[4096];
    } frame = {.head = {0}};
    struct frame_reader reader;
    if (io_read_full(3, &frame.head, sizeof frame.head) != 0 ||
        io_read_full(3, frame.body, frame.head.body_bytes) != 0) {
        return 90;
    }
    frame_read_begin(&reader, frame.body, frame.head.body_bytes);
    bool right = frame.head.kind == FRAME_START && frame_get_number(&reader) == FRAME_PROTOCOL;
    struct frame_text path = frame_get_text(&reader, PATH_MAX);
    uint64_t sandbox = frame_get_number(&reader), memory_mib = frame_get_number(&reader);
    size_t variables = 0;
    while (environ && environ[variables]) {
        variables++;
    }
    char text[512] = "";
    snprintf(text, sizeof text, "start=%d copy=%d sandbox=%d memory=%d variables=%zu group=%d",
             right && frame_read_end(&reader) == 0,
             path.bytes > 80 && memcmp(path.data, "/tmp/snek-supervisor-", 21) == 0, (int)sandbox,
             (int)memory_mib, variables, getpgrp() == getpid());
    char status = 91;
    if (io_write_full(3, text, sizeof text) < 0 || io_read_full(3, &status, 1) != 0) {
        return 92;
    }
    return status;
}

static struct supervisor_event host_start_worker(uint32_t plugin, uint64_t worker,
                                                 int fds[DESCRIPTORS_MAX]) {
    host_send(SUPERVISOR_START_WORKER, plugin, worker);
    struct supervisor_event event = host_receive(fds);
    assert_int_equal(event.worker, worker);
    return event;
}

static void host_expect_failure(uint32_t plugin, uint64_t worker) {
    int fds[DESCRIPTORS_MAX];
    struct supervisor_event event = host_start_worker(plugin, worker, fds);
    assert_int_equal(event.kind, SUPERVISOR_WORKER_FAILED);
    assert_int_equal(fds[0], -1);
    say("failed flag=%u %s", event.flag, event.text);
}

static int host_use_workers(void) {
    int first[DESCRIPTORS_MAX], second[DESCRIPTORS_MAX], none[DESCRIPTORS_MAX];
    char text[512];
    struct supervisor_event event = host_start_worker(2, 7, first);
    assert_int_equal(event.kind, SUPERVISOR_WORKER_STARTED);
    assert_int_equal(io_read_full(first[0], text, sizeof text), 0);
    say("worker %s", text);
    event = host_start_worker(2, 8, second);
    assert_int_equal(event.kind, SUPERVISOR_WORKER_STARTED);
    host_expect_failure(2, 9);
    host_expect_failure(0, 7);
    host_expect_failure(1, 10);
    host_expect_failure(3, 11);
    host_expect_failure(UINT32_MAX, 12);
    host_send(SUPERVISOR_STOP_WORKER, 0, 99);
    host_send(SUPERVISOR_STOP_WORKER, 0, 8);
    event = host_receive(none);
    say("ended worker=%d signal=%d", (int)event.worker,
        event.code == CLD_KILLED && event.kind == SUPERVISOR_WORKER_ENDED ? event.status : 0);
    struct pollfd process = {.fd = first[1], .events = POLLIN};
    assert_int_equal(poll(&process, 1, 0), 0);
    assert_int_equal(io_write_full(first[0], "\x17", 1), 0);
    event = host_receive(none);
    say("ended worker=%d status=%d pidfd=%d", (int)event.worker,
        event.code == CLD_EXITED && event.kind == SUPERVISOR_WORKER_ENDED ? event.status : 0,
        poll(&process, 1, 0));
    return 0;
}

/* Starts workers as fast as it can, until the supervisor rejects one. */
static int host_flood(void) {
    int fds[DESCRIPTORS_MAX];
    for (uint64_t worker = 1; worker < 100000; worker++) {
        host_send(SUPERVISOR_START_WORKER, 0, worker);
        struct supervisor_event event = host_receive(fds);
        if (event.kind == SUPERVISOR_WORKER_FAILED) {
            say("flood of=%s flag=%u %s", worker > 20 ? "many" : "few", event.flag, event.text);
            return 0;
        }
        host_send(SUPERVISOR_STOP_WORKER, 0, worker);
        descriptors_close(fds);
        event = host_receive(fds);
        assert_int_equal(event.kind, SUPERVISOR_WORKER_ENDED);
    }
    return 1;
}

/* The first host starts a worker and dies; the second one looks for that worker. */
static int host_leave_worker(const char *note) {
    int fds[DESCRIPTORS_MAX], pid = 0;
    bool restarted;
    settings_free(host_hello(&restarted));
    if (restarted) {
        FILE *file = fopen(note, "r");
        assert_int_equal(fscanf(file, "%d", &pid), 1);
        fclose(file);
        say("second host worker=%s", kill(pid, 0) < 0 && errno == ESRCH ? "gone" : "there");
        host_send(SUPERVISOR_READY, 0, 0);
        return host_serve(true);
    }
    host_send(SUPERVISOR_READY, 0, 0);
    struct supervisor_event event = host_start_worker(0, 1, fds);
    FILE *file = fopen(note, "w");
    fprintf(file, "%d", event.pid);
    fclose(file);
    say("first host pid=%d", (int)getpid());
    kill(getpid(), SIGKILL);
    return 0;
}

int play_host(char *const argv[]) {
    const char *mode = argv[0];
    if (strcmp(mode, "starve") == 0) {
        return host_starve(argv[1]);
    }
    if (strcmp(mode, "explore") == 0) {
        /* And ends before it was ready. */
        return host_explore(argv + 1);
    }
    if (strcmp(mode, "workers") == 0) {
        return host_use_workers();
    }
    if (strcmp(mode, "flood") == 0) {
        return host_flood();
    }
    if (strcmp(mode, "exit") == 0) {
        return atoi(argv[1]);
    }
    if (strcmp(mode, "wait") == 0) {
        say("waiting pid=%d", (int)getpid());
        (void)pause();
    }
    if (strcmp(mode, "late") == 0) { /* to take signals */
        say("starting");
        char go;
        (void)read(STDIN_FILENO, &go, 1);
    }
    if (strcmp(mode, "brief-once") == 0) {
        bool restarted;
        settings_free(host_hello(&restarted));
        if (restarted) {
            return EX_CONFIG;
        }
    }
    host_take_signals();
    if (strcmp(mode, "leave-worker") == 0) {
        return host_leave_worker(argv[1]);
    }
    struct sockaddr_in address;
    socklen_t bytes = sizeof address;
    (void)getsockname(SUPERVISOR_FD_LISTEN, (struct sockaddr *)&address, &bytes);
    if (strcmp(mode, "only-socket") == 0) {
        prctl(PR_SET_PDEATHSIG, 0);
    }
    say("serving pid=%d port=%d", (int)getpid(), ntohs(address.sin_port));
    host_send(SUPERVISOR_READY, 0, 0);
    if (strncmp(mode, "brief", 5) == 0) {
        return 3;
    }
    return strcmp(mode, "linger") == 0 ? host_linger()
                                       : host_serve(strcmp(mode, "only-signal") != 0);
}
