/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* supervisor: through real processes. This program plays three roles: the test; the supervisor
 * (exec'd, so that the key comes in an environment that the kernel placed); and the host, which
 * says on standard output what it finds. All wait for lines, none sleeps. */
#include "supervisor_host.h"
#include "unit.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/io.h"
#include "config/settings.h"
#include "protocol/frames.h"
#include "supervisor/messages.h"
#include "supervisor/supervisor.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <netinet/in.h>
#include <nettle/base64.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>

#define LINE_DEADLINE_MS 20000

static char self[PATH_MAX], pem[8192];
static char runtime_variable[] = "RUNTIME_DIRECTORY=/tmp/snek-supervisor-XXXXXX";
static char *const runtime = runtime_variable + sizeof "RUNTIME_DIRECTORY=" - 1;

/* The config room's half, as supervisor_run() wants it. */
int config_private_key(const struct config *config, struct secret *key, struct error *err) {
    const char *text = getenv("GITHUB_PRIVATE_KEY");
    if (!text || secret_copy(key, text, strlen(text)) < 0) {
        return error_set(err, "no key");
    }
    secret_scrub_environment("GITHUB_PRIVATE_KEY");
    return 0;
}

int config_private_key_next(const struct config *config, struct secret *key, struct error *err) {
    return 1; /* none */
}

int config_check_webhook_secret(const struct config *config, struct error *err) {
    return 0;
}
int config_check_console_tokens(const struct config *config, struct error *err) {
    return 0;
}

/* GMP aborts while this file exists. */
static const char *no_memory_sign = "/nonexistent";

static void *allocate(size_t bytes) {
    if (access(no_memory_sign, F_OK) == 0) {
        abort();
    }
    return malloc(bytes);
}

static void watch_gmp(const char *sign) {
    void (*set)(void *(*)(size_t), void *(*)(void *, size_t, size_t), void (*)(void *, size_t));
    *(void **)&set = dlsym(RTLD_DEFAULT, "__gmp_set_memory_functions");
    if (set) {
        no_memory_sign = sign;
        set(allocate, NULL, NULL);
    }
    say("gmp=%d", set != NULL);
}

/* The supervisor: PORT, then the host's program and arguments. */
static int play_supervisor(char *const argv[]) {
    if (argv[1] && argv[2] && argv[3] && strcmp(argv[3], "starve") == 0) {
        watch_gmp(argv[4]);
    }
    struct config config = {0};
    config.server.host = (char *)"127.0.0.1";
    config.server.port = (uint16_t)atoi(argv[0]);
    config.github.app_id = (char *)"12345";
    struct config_plugin plugins[] = {{.path = argv[1], .enabled = true, .memory_mib = 32},
                                      {.path = argv[1], .memory_mib = 32},
                                      {.path = argv[1], .enabled = true, .memory_mib = 64}};
    config.plugins = plugins;
    config.n_plugins = 3;
    struct error err;
    if (settings_read(NULL, &config.settings, &err) < 0) {
        return EX_OSERR;
    }
    int status = supervisor_run(&config, argv + 1, argv[1], NULL);
    settings_free(config.settings);
    return status;
}

/* The test. */

struct run {
    pid_t pid;
    int output, input; /* our ends */
    char text[65536];  /* everything that was said */
    size_t bytes, read_to;
};

static void run_begin_with(struct run *run, const char *port, const char *program,
                           char *const host_args[], const char *key) {
    *run = (struct run){0};
    char *argv[16] = {self, (char *)"supervise", (char *)port, (char *)program};
    for (size_t i = 4; *host_args; i++) {
        argv[i] = *host_args++;
    }
    AUTO_FREE char *variable = NULL;
    assert_true(asprintf(&variable, "GITHUB_PRIVATE_KEY=%s", key) > 0);
    char *environment[] = {variable,
                           (char *)"GITHUB_PRIVATE_KEY_NEXT=next-one",
                           (char *)"GITHUB_WEBHOOK_SECRET=hunter2-hunter2-hunter2",
                           (char *)"TZ=Asia/Kathmandu",
                           runtime_variable,
                           getenv("ASAN_OPTIONS") ? (char *)"ASAN_OPTIONS=detect_leaks=0" : NULL,
                           NULL};
    int out[2], in[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    run->pid = fork();
    assert_true(run->pid >= 0);
    if (run->pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        dup2(in[0], STDIN_FILENO);
        /* Descriptors and signals that the host must not be handed. */
        (void)dup(STDIN_FILENO);
        dup2(STDIN_FILENO, 30);
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        /* A failed test would leave it with our standard error, and Meson waits for the end of
         * that. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGUSR2, SIG_IGN);
        signal(SIGCHLD, SIG_IGN);
        (void)execve(self, argv, environment);
        _exit(99);
    }
    close(out[1]);
    close(in[0]);
    run->output = out[0];
    run->input = in[1];
}

static void run_begin(struct run *run, char *const host_args[]) {
    run_begin_with(run, "0", self, host_args, pem);
}

#define HOST(...)                                                                                  \
    (char *[]) {                                                                                   \
        (char *)"host", __VA_ARGS__, NULL                                                          \
    }

static bool read_more(struct run *run, int64_t deadline_ms) {
    int64_t left_ms = deadline_ms - clock_monotonic_ms();
    struct pollfd poll_fd = {.fd = run->output, .events = POLLIN};
    if (left_ms <= 0 || poll(&poll_fd, 1, (int)left_ms) != 1) {
        return false;
    }
    ssize_t got = read(run->output, run->text + run->bytes, sizeof run->text - run->bytes - 1);
    run->bytes += got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* The rest of the next line behind `words`; lines before it are passed over. */
static const char *expect(struct run *run, const char *words) {
    int64_t deadline_ms = clock_monotonic_ms() + LINE_DEADLINE_MS;
    for (;;) {
        char *hit = strstr(run->text + run->read_to, words);
        char *end = hit ? strchr(hit, '\n') : NULL;
        if (end) {
            *end = '\0';
            run->read_to = (size_t)(end - run->text) + 1;
            return hit + strlen(words);
        }
        if (!read_more(run, deadline_ms)) {
            kill(run->pid, SIGKILL);
            fail_msg("no line with \"%s\" in: %s", words, run->text + run->read_to);
        }
    }
}

/* The exit status, after everything that was said is in run->text. */
static int run_end(struct run *run) {
    int64_t deadline_ms = clock_monotonic_ms() + LINE_DEADLINE_MS;
    while (read_more(run, deadline_ms)) {}
    if (clock_monotonic_ms() >= deadline_ms) {
        kill(run->pid, SIGKILL);
        fail_msg("it does not end: %s", run->text);
    }
    int status;
    assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
    close(run->output);
    close(run->input);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

struct served {
    pid_t pid;
    uint16_t port;
};

static struct served expect_serving(struct run *run) {
    const char *line = expect(run, "serving pid=");
    int pid = 0, port = 0;
    assert_int_equal(sscanf(line, "%d port=%d", &pid, &port), 2);
    return (struct served){.pid = pid, .port = (uint16_t)port};
}

/* 0, or errno. */
static int try_connect(uint16_t port) {
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
}

static void mirror(const char *text, size_t bytes, char *out) {
    for (size_t i = 0; i < bytes; i++) {
        out[i] = text[bytes - 1 - i];
    }
    out[bytes] = '\0';
}

/* The iat of the JWT in an answer's line. */
static int64_t issued_at(const char *line) {
    const char *claims = strchr(line, '.');
    assert_non_null(claims);
    char text[512];
    size_t length = strcspn(claims + 1, "."), bytes = sizeof text;
    struct base64_decode_ctx context;
    base64url_decode_init(&context);
    assert_true(length < sizeof text);
    assert_int_equal(base64_decode_update(&context, &bytes, (uint8_t *)text, length, claims + 1),
                     1);
    json_t *parsed = json_loadb(text, bytes, 0, NULL);
    assert_non_null(parsed);
    assert_string_equal(json_string_value(json_object_get(parsed, "iss")), "12345");
    int64_t iat = json_integer_value(json_object_get(parsed, "iat"));
    json_decref(parsed);
    return iat;
}

static void the_host_finds_what_it_needs_and_nothing_else(void **state) {
    static struct run run;
    char marker[64], planted[64];
    mirror(pem + 300, 40, marker);
    mirror("hunter2-hunter2-hunter2", 23, planted);
    run_begin(&run, HOST((char *)"explore", marker, planted));
    assert_string_equal(expect(&run, "descriptors"),
                        " 0 1 2 3 4 5 seqpacket=1 listening=1 pdeathsig=15");
    assert_string_equal(expect(&run, "SigBlk:\t"), "0000000000000000");
    assert_string_equal(expect(&run, "SigIgn:\t"), "0000000000000000");
    assert_string_equal(expect(&run, "environment "), "variables=0");
    assert_string_equal(expect(&run, "memory "), "key=0 planted=1");
    assert_string_equal(expect(&run, "settings "),
                        "key=none next=none secret=hunter2-hunter2-hunter2 zone=Asia/Kathmandu");

    int64_t now_s = clock_wall_ms() / 1000;
    char head[32];
    snprintf(head, sizeof head, "answer bytes=%zu ", sizeof(struct supervisor_reply));
    const char *line = expect(&run, head);
    assert_memory_equal(line, "ok=1", 4);
    assert_in_range(issued_at(line), now_s - 60 - 20, now_s - 60 + 20);
    assert_in_range(issued_at(expect(&run, head)), now_s - 1860 - 20, now_s - 1860 + 20);
    assert_non_null(strstr(expect(&run, head), "ok=0 text=the clock differs"));
    assert_non_null(strstr(expect(&run, head), "ok=0 text=the clock differs"));
    assert_non_null(strstr(expect(&run, head), "ok=0 text=there is no next private key"));
    for (int i = 0; i < 6; i++) {
        (void)expect(&run, "msg=message_malformed");
    }
    assert_memory_equal(expect(&run, head), "ok=1", 4);
    assert_int_equal(run_end(&run), 0);
}

static void secrets_are_gone_from_the_supervisors_own_environment(void **state) {
    static struct run run;
    run_begin(&run, HOST((char *)"serve"));
    (void)expect_serving(&run);
    char path[64];
    AUTO_BUFFER struct buffer text = BUFFER_INIT(1 << 20);
    snprintf(path, sizeof path, "/proc/%d/environ", (int)run.pid);
    if (io_read_file(path, &text, NULL) == 0) {
        /* Root; for others it is closed altogether. */
        assert_non_null(memmem(text.data, text.bytes, "GITHUB_PRIVATE_KEY=", 19));
        assert_null(memmem(text.data, text.bytes, pem + 300, 40));
        assert_null(memmem(text.data, text.bytes, "next-one", 8));
        assert_null(memmem(text.data, text.bytes, "hunter2", 7));
    }
    kill(run.pid, SIGTERM);
    assert_int_equal(run_end(&run), 0);
}

static void a_host_that_is_killed_serves_again_soon_at_the_same_port(void **state) {
    static const char *const delays[] = {"in_ms=0", "in_ms=100", "in_ms=200", "in_ms=400"};
    static struct run run;
    run_begin(&run, HOST((char *)"serve"));
    struct served now = expect_serving(&run);
    for (int round = 0; round < 4; round++) {
        struct served before = now;
        if (round == 0) {
            /* A signal waits until the READY of the host was taken. */
            kill(run.pid, SIGUSR1);
            (void)expect(&run, "got USR1");
        } else {
            (void)expect(&run, "msg=host_restarted");
        }
        int64_t from_ms = clock_monotonic_ms();
        assert_int_equal(kill(before.pid, SIGKILL), 0);
        while (!strstr(run.text + run.read_to, "serving pid=")) {
            int failed = try_connect(before.port);
            if (failed) {
                fail_msg("a connection failed: %s", strerror(failed));
            }
            (void)read_more(&run, clock_monotonic_ms() + 5);
            assert_true(clock_monotonic_ms() - from_ms < LINE_DEADLINE_MS);
        }
        assert_non_null(strstr(expect(&run, "msg=host_died"), "signal=KILL while=serving"));
        assert_string_equal(expect(&run, "msg=host_restarts "), delays[round]);
        now = expect_serving(&run);
        assert_int_equal(now.port, before.port);
        assert_int_not_equal(now.pid, before.pid);
    }
    kill(run.pid, SIGTERM);
    assert_int_equal(run_end(&run), 0);
}

static void a_host_that_ends_by_itself_while_serving_is_started_again(void **state) {
    static struct run run;
    run_begin(&run, HOST((char *)"brief"));
    (void)expect_serving(&run);
    assert_non_null(strstr(expect(&run, "msg=host_died"), "status=3 while=serving"));
    (void)expect_serving(&run);
    kill(run.pid, SIGTERM);
    /* 0, or 3 when the signal met the host on its way out. */
    (void)run_end(&run);
}

static void a_jwt_for_which_memory_is_short_costs_neither_supervisor_nor_host(void **state) {
    static struct run run;
    char sign[] = "/tmp/snek-no-memory-XXXXXX";
    close(mkstemp(sign));
    unlink(sign);
    run_begin(&run, HOST((char *)"starve", sign));
    bool gmp = atoi(expect(&run, "gmp=")) == 1;
    expect(&run, "ok=1");
    expect(&run, gmp ? "ok=0 text=the supervisor cannot sign a JWT now" : "ok=1");
    expect(&run, "ok=1");
    assert_int_equal(run_end(&run), 0);
    assert_true(gmp);
}

static void once_a_host_was_ready_each_failed_start_is_repeated(void **state) {
    static struct run run;
    run_begin(&run, HOST((char *)"brief-once"));
    expect_serving(&run);
    for (int i = 0; i < 4; i++) {
        assert_non_null(strstr(expect(&run, "msg=host_died"),
                               i == 0 ? "status=3 while=serving" : "status=78 while=starting"));
    }
    kill(run.pid, SIGTERM);
    /* 0, or 78 when the signal met a host. */
    run_end(&run);
}

static void a_host_that_ends_before_it_was_ready_ends_it_all(void **state) {
    static struct run run;
    run_begin(&run, HOST((char *)"exit", (char *)"78"));
    assert_int_equal(run_end(&run), 78);
    assert_non_null(strstr(run.text, "status=78 while=starting"));
    run_begin(&run, HOST((char *)"exit", (char *)"0"));
    assert_int_equal(run_end(&run), 0);
    run_begin(&run, HOST((char *)"wait"));
    int pid = atoi(expect(&run, "waiting pid="));
    kill(pid, SIGKILL);
    assert_int_equal(run_end(&run), EX_TEMPFAIL);
    run_begin(&run, HOST((char *)"exit", (char *)"75"));
    assert_int_equal(run_end(&run), EX_TEMPFAIL);
    run_begin_with(&run, "0", "/nonexistent/host", HOST((char *)"serve"), pem);
    assert_int_equal(run_end(&run), EX_TEMPFAIL);
    assert_non_null(strstr(run.text, "No such file"));
}

static void termination_is_passed_on_and_ends_with_0(void **state) {
    static const int numbers[] = {SIGTERM, SIGINT};
    static struct run run;
    for (size_t i = 0; i < 2; i++) {
        run_begin(&run, HOST((char *)"serve"));
        (void)expect_serving(&run);
        kill(run.pid, numbers[i]);
        (void)expect(&run, "got TERM");
        assert_int_equal(run_end(&run), 0);
        assert_null(strstr(run.text + run.read_to, "host_died"));
    }
    /* Before the host can handle it. */
    run_begin(&run, HOST((char *)"wait"));
    (void)expect(&run, "waiting pid=");
    kill(run.pid, SIGTERM);
    assert_int_equal(run_end(&run), 0);
}

static void a_second_termination_is_passed_on_and_the_status_too(void **state) {
    static struct run run;
    run_begin(&run, HOST((char *)"linger"));
    struct served served = expect_serving(&run);
    /* The supervisor's copy is open. */
    assert_int_equal(try_connect(served.port), 0);
    kill(run.pid, SIGTERM);
    (void)expect(&run, "lingering");
    assert_int_equal(try_connect(served.port), ECONNREFUSED);
    kill(run.pid, SIGTERM);
    assert_int_equal(run_end(&run), 7);
    assert_non_null(strstr(run.text + run.read_to, "status=7"));
}

static void termination_of_every_process_at_once_does_no_harm(void **state) {
    static struct run run;
    for (int round = 0; round < 20; round++) {
        run_begin(&run, HOST((char *)"serve"));
        struct served served = expect_serving(&run);
        for (int again = 0; again < 3; again++) {
            kill(round % 2 ? served.pid : run.pid, SIGTERM);
            kill(round % 2 ? run.pid : served.pid, SIGTERM);
        }
        assert_int_equal(run_end(&run), 0);
    }
}

static void other_signals_are_passed_on_once_the_host_can_take_them(void **state) {
    static struct run run;
    run_begin(&run, HOST((char *)"late"));
    (void)expect(&run, "starting");
    kill(run.pid, SIGUSR1);
    assert_int_equal(write(run.input, "x", 1), 1);
    (void)expect_serving(&run);
    (void)expect(&run, "got USR1");
    kill(run.pid, SIGUSR1);
    (void)expect(&run, "got USR1");
    kill(run.pid, SIGTERM);
    assert_int_equal(run_end(&run), 0);
}

static void a_host_whose_supervisor_is_gone_learns_it_in_two_ways(void **state) {
    static const char *const ways[][2] = {{"only-signal", "got TERM"},
                                          {"only-socket", "supervisor is gone"}};
    static struct run run;
    for (size_t i = 0; i < 2; i++) {
        run_begin(&run, HOST((char *)ways[i][0]));
        (void)expect_serving(&run);
        kill(run.pid, SIGKILL);
        (void)expect(&run, ways[i][1]);
        /* The output ends when both are gone. */
        assert_int_equal(run_end(&run), 1000 + SIGKILL);
    }
}

static void what_keeps_it_from_starting_is_said(void **state) {
    static struct run first, second;
    run_begin(&first, HOST((char *)"serve"));
    char port[8], reason[96];
    uint16_t taken = expect_serving(&first).port;
    snprintf(port, sizeof port, "%u", (unsigned)taken);
    snprintf(reason, sizeof reason, "cannot listen on 127.0.0.1:%s: Address already in use", port);
    run_begin_with(&second, port, self, HOST((char *)"serve"), pem);
    assert_int_equal(run_end(&second), 69);
    assert_non_null(strstr(second.text, reason));
    kill(first.pid, SIGTERM);
    assert_int_equal(run_end(&first), 0);

    run_begin_with(&second, "0", self, HOST((char *)"serve"), "/etc/key.pem");
    assert_int_equal(run_end(&second), 78);
    assert_non_null(strstr(second.text, "GITHUB_PRIVATE_KEY: this is the path of a file"));
}

static void a_worker_is_started_by_the_supervisors_own_configuration(void **state) {
    static struct run run;
    run_begin(&run, HOST((char *)"workers"));
    assert_string_equal(expect(&run, "worker start="),
                        "1 copy=1 sandbox=0 memory=64 variables=0 group=1");
    assert_string_equal(expect(&run, "failed "), "flag=1 this plugin has two workers already");
    assert_non_null(strstr(expect(&run, "failed "), "flag=0 the host has used this worker's"));
    assert_string_equal(expect(&run, "failed "), "flag=0 there is no enabled plugin 1");
    assert_string_equal(expect(&run, "failed "), "flag=0 there is no enabled plugin 3");
    assert_string_equal(expect(&run, "failed "), "flag=0 there is no enabled plugin 4294967295");
    assert_string_equal(expect(&run, "ended "), "worker=8 signal=9");
    assert_string_equal(expect(&run, "ended "), "worker=7 status=23 pidfd=1");
    assert_int_equal(run_end(&run), 0);
}

static void a_host_that_starts_workers_without_end_is_slowed(void **state) {
    static struct run run;
    run_begin(&run, HOST((char *)"flood"));
    assert_string_equal(expect(&run, "flood "),
                        "of=many flag=1 too many workers were started in the last seconds");
    assert_int_equal(run_end(&run), 0);
}

static void the_workers_of_a_dead_host_are_gone_before_the_next_host_starts(void **state) {
    static struct run run;
    char note[] = "/tmp/snek-worker-XXXXXX";
    close(mkstemp(note));
    run_begin(&run, HOST((char *)"leave-worker", note));
    expect(&run, "first host pid=");
    assert_string_equal(expect(&run, "second host worker="), "gone");
    kill(run.pid, SIGTERM);
    assert_int_equal(run_end(&run), 0);
    unlink(note);
}

static int prepare(void **state) {
    gnutls_x509_privkey_t key;
    size_t bytes = sizeof pem;
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    return mkdtemp(runtime) && length > 0 && gnutls_x509_privkey_init(&key) == 0 &&
                   gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, 2048, 0) == 0 &&
                   gnutls_x509_privkey_export_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
                                                    GNUTLS_PKCS_PLAIN, pem, &bytes) == 0
               ? (gnutls_x509_privkey_deinit(key), 0)
               : -1;
}

static int clean_up(void **state) {
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", runtime);
    return system(command) == 0 ? 0 : -1;
}

int main(int argc, char *argv[]) {
    if (strncmp(argv[0], "snekomatic-worker", 17) == 0) {
        return play_worker();
    }
    if (argc > 3 && strcmp(argv[1], "supervise") == 0) {
        return play_supervisor(argv + 2);
    }
    if (argc > 2 && strcmp(argv[1], "host") == 0) {
        return play_host(argv + 2);
    }
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_finds_what_it_needs_and_nothing_else),
        cmocka_unit_test(secrets_are_gone_from_the_supervisors_own_environment),
        cmocka_unit_test(a_host_that_is_killed_serves_again_soon_at_the_same_port),
        cmocka_unit_test(a_host_that_ends_by_itself_while_serving_is_started_again),
        cmocka_unit_test(a_jwt_for_which_memory_is_short_costs_neither_supervisor_nor_host),
        cmocka_unit_test(once_a_host_was_ready_each_failed_start_is_repeated),
        cmocka_unit_test(a_host_that_ends_before_it_was_ready_ends_it_all),
        cmocka_unit_test(termination_is_passed_on_and_ends_with_0),
        cmocka_unit_test(a_second_termination_is_passed_on_and_the_status_too),
        cmocka_unit_test(termination_of_every_process_at_once_does_no_harm),
        cmocka_unit_test(other_signals_are_passed_on_once_the_host_can_take_them),
        cmocka_unit_test(a_host_whose_supervisor_is_gone_learns_it_in_two_ways),
        cmocka_unit_test(what_keeps_it_from_starting_is_said),
        cmocka_unit_test(a_worker_is_started_by_the_supervisors_own_configuration),
        cmocka_unit_test(a_host_that_starts_workers_without_end_is_slowed),
        cmocka_unit_test(the_workers_of_a_dead_host_are_gone_before_the_next_host_starts),
    };
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
