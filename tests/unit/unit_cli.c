/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* cli: which verb runs, and what send puts on the wire. */
#include "unit.h"

#include "base/buffer.h"
#include "base/io.h"
#include "cli/cli.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static char home[] = "/tmp/snek-cli-XXXXXX";

static int enter_home(void **state) {
    (void)state;
    static const char *const variables[] = {"PORT",           "GITHUB_WEBHOOK_SECRET",
                                            "DATABASE_URL",   "GITHUB_API_URL",
                                            "SNEKOMATIC_LOG", "http_proxy"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        unsetenv(variables[i]);
    }
    return mkdtemp(home) && chdir(home) == 0 ? 0 : -1;
}

static int leave_home(void **state) {
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", home);
    return chdir("/") < 0 || system(command) != 0 ? -1 : 0;
}

static int say_verb(int argc, char **argv) {
    printf("%s with %d", argv[0], argc - 1);
    return argc > 1 && strcmp(argv[1], "--help") == 0 ? EX_OK : 3;
}

static int say_dumpable(int argc, char **argv) {
    printf("%d", prctl(PR_GET_DUMPABLE));
    return 0;
}

static const struct cli_verb verbs[] = {{"first", "does the first thing", say_verb},
                                        {"hidden", NULL, say_verb},
                                        {"dumpable", NULL, say_dumpable},
                                        {"version", "as it says", say_verb},
                                        {0}};
static const struct cli_verb real_verbs[] = {
    {"send", "send", cli_send}, {"version", "version", cli_version}, {0}};

struct outcome {
    int status;
    char out[8192], err[8192];
};

static void read_text(const char *path, char *text, size_t room) {
    struct buffer content = BUFFER_INIT(room - 1);
    struct error err;
    assert_int_equal(io_read_file(path, &content, &err), 0);
    snprintf(text, room, "%s", content.data ? content.data : "");
    buffer_finish(&content);
}

/* Runs `words` (split at spaces) in a child of its own, as the program would be run. */
static struct outcome run(const struct cli_verb *table, const char *words) {
    struct outcome outcome = {0};
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        char line[1000], *argv[20] = {(char[]){"snekomatic"}}, *rest = line;
        int argc = 1;
        snprintf(line, sizeof line, "%s", words);
        for (char *word; (word = strtok_r(rest, " ", &rest));) {
            argv[argc++] = word;
        }
        if (!freopen("out", "w", stdout) || !freopen("err", "w", stderr)) {
            _exit(99);
        }
        optind = 1;
        int status = cli_run(table, argc, argv);
        fflush(NULL);
        _exit(status);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    outcome.status = WEXITSTATUS(status);
    read_text("out", outcome.out, sizeof outcome.out);
    read_text("err", outcome.err, sizeof outcome.err);
    return outcome;
}

static void the_named_verb_runs_with_its_arguments(void **state) {
    (void)state;
    static const struct {
        const char *words;
        int status;
        const char *out;
    } cases[] = {{"first", 3, "snekomatic first with 0"},
                 {"first a b", 3, "snekomatic first with 2"},
                 {"hidden", 3, "snekomatic hidden with 0"},
                 {"help first", 0, "snekomatic first with 1"},
                 {"--version", 3, "snekomatic version with 0"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome outcome = run(verbs, cases[i].words);
        assert_int_equal(outcome.status, cases[i].status);
        assert_string_equal(outcome.out, cases[i].out);
        assert_string_equal(outcome.err, "");
    }
}

static void no_other_process_may_read_a_verbs_memory(void **state) {
    assert_string_equal(run(verbs, "dumpable").out, "0");
}

static void help_lists_the_public_verbs(void **state) {
    (void)state;
    static const char *const ways[] = {"--help", "-h", "help"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct outcome outcome = run(verbs, ways[i]);
        assert_int_equal(outcome.status, EX_OK);
        assert_non_null(strstr(outcome.out, "  first          does the first thing\n"));
        assert_null(strstr(outcome.out, "hidden"));
    }
}

static void an_unknown_verb_is_rejected_with_a_suggestion(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"frist", "snekomatic: the verb 'frist' does not exist; did you mean first?\n"},
        {"help frist", "snekomatic: the verb 'frist' does not exist; did you mean first?\n"},
        {"hiddem", "snekomatic: the verb 'hiddem' does not exist\n"},
        {"--frist", "snekomatic: the option '--frist' does not exist before the verb\n"},
        {"", "snekomatic: a verb is missing; `snekomatic --help` lists them.\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome outcome = run(verbs, cases[i][0]);
        assert_int_equal(outcome.status, EX_USAGE);
        assert_string_equal(outcome.out, "");
        assert_memory_equal(outcome.err, cases[i][1], strlen(cases[i][1]));
    }
}

static void version_names_the_program_and_the_abi(void **state) {
    (void)state;
    struct outcome outcome = run(real_verbs, "version");
    assert_int_equal(outcome.status, EX_OK);
    assert_memory_equal(outcome.out, "snekomatic     ", 15);
    assert_non_null(strstr(outcome.out, "plugin ABI     1.0\n"));
    assert_non_null(strstr(outcome.out, "toml++         3."));
    assert_int_equal(run(real_verbs, "version x").status, EX_USAGE);
}

static void write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(io_write_full(fd, text, strlen(text)), 0);
    close(fd);
}

/* A child that takes one connection, answers it with `answer` once the request's `body` is there,
 * and leaves the request in the file "request". */
static pid_t serve_once(uint16_t *port, const char *body, const char *answer) {
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    fflush(NULL);
    pid_t child = fork();
    if (child != 0) {
        return child;
    }
    alarm(20);
    int peer = accept(fd, NULL, NULL);
    char request[8192] = "";
    size_t bytes = 0;
    const char *end;
    while (!(end = strstr(request, "\r\n\r\n")) || !strstr(end, body)) {
        ssize_t got = read(peer, request + bytes, sizeof request - 1 - bytes);
        if (got <= 0) {
            _exit(1);
        }
        bytes += (size_t)got;
    }
    write_text("request", request);
    _exit(io_write_full(peer, answer, strlen(answer)) < 0);
}

/* Runs send against a host that responds with `answer`. `format` has the port's place. */
__attribute__((format(printf, 2, 0))) static struct outcome
send_to(const char *answer, const char *format, char request[8192]) {
    uint16_t port;
    char words[1000];
    pid_t host = serve_once(&port, "{\"a\": 1}\n", answer);
    snprintf(words, sizeof words, "%u", port);
    setenv("PORT", words, 1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(words, sizeof words, format, port);
#pragma GCC diagnostic pop
    struct outcome outcome = run(real_verbs, words);
    int status;
    assert_int_equal(waitpid(host, &status, 0), host);
    assert_int_equal(status, 0);
    read_text("request", request, 8192);
    unsetenv("PORT");
    return outcome;
}

static const char accepted[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 7\r\n\r\n{\"x\":1}";

static void send_signs_and_posts_the_bytes_unchanged(void **state) {
    (void)state;
    char request[8192];
    write_text("body", "{\"a\": 1}\n");
    write_text("secret", "It's a Secret to Everybody\n");
    struct outcome outcome =
        send_to(accepted,
                "send --url http://127.0.0.1:%u/hook --secret-file secret --delivery abc ping body",
                request);
    assert_int_equal(outcome.status, EX_OK);
    assert_string_equal(outcome.out, "202\n{\"x\":1}\n");
    assert_string_equal(outcome.err, "");
    assert_memory_equal(request, "POST /hook HTTP/1.1\r\n", 21);
    assert_non_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(request, "\r\nX-GitHub-Event: ping\r\n"));
    assert_non_null(strstr(request, "\r\nX-GitHub-Delivery: abc\r\n"));
    /* From openssl dgst -sha256 -hmac over the same bytes. */
    assert_non_null(strstr(request,
                           "\r\nX-Hub-Signature-256: sha256="
                           "c7e9c33fc17721b0fd001719ac10ae3d25e62ddc58602eece998c8029fcac076\r\n"));
    assert_null(strstr(request, "Expect"));
    assert_non_null(strstr(request, "\r\n\r\n{\"a\": 1}\n"));
}

static void send_finds_the_host_and_the_secret_in_the_configuration(void **state) {
    (void)state;
    char request[8192];
    write_text("body", "{\"a\": 1}\n");
    write_text("secret", "It's a Secret to Everybody\n");
    write_text("x.toml", "github = { app_id = 1, webhook_secret_file = \"secret\" }\n");
    /* must not be asked for our own host */
    (void)setenv("http_proxy", "http://127.0.0.1:1", 1);
    struct outcome outcome = send_to(accepted, "send -c x.toml ping body", request);
    unsetenv("http_proxy");
    assert_int_equal(outcome.status, EX_OK);
    assert_memory_equal(request, "POST /webhook/github HTTP/1.1\r\n", 31);
    assert_non_null(
        strstr(request, "c7e9c33fc17721b0fd001719ac10ae3d25e62ddc58602eece998c8029fcac076"));
    const char *guid = strstr(request, "\r\nX-GitHub-Delivery: ");
    assert_non_null(guid);
    guid += strlen("\r\nX-GitHub-Delivery: ");
    assert_int_equal(strcspn(guid, "\r"), 36);
    assert_int_equal(guid[14], '4');
    assert_non_null(strchr("89ab", guid[19]));
}

static void a_rejection_is_shown_with_its_own_status(void **state) {
    (void)state;
    char request[8192];
    write_text("body", "{\"a\": 1}\n");
    write_text("secret", "s");
    struct outcome outcome =
        send_to("HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\n\r\nno\x1b[2J",
                "send --url http://127.0.0.1:%u/ --secret-file secret ping body", request);
    assert_int_equal(outcome.status, EX_PROTOCOL);
    assert_string_equal(outcome.out, "401\nno?[2J\n");
}

static void each_failure_of_send_has_its_own_status(void **state) {
    (void)state;
    static const struct {
        const char *words;
        int status;
        const char *err;
    } cases[] = {
        {"send ping", EX_USAGE, "snekomatic send: EVENT and FILE are needed\n"},
        {"send --wrong ping body", EX_USAGE, "snekomatic send: unrecognized option '--wrong'\n"},
        {"send --url ftp://x --secret-file secret ping body", EX_USAGE,
         "snekomatic send: --url must start with http:// or https://\n"},
        {"send --url http://127.0.0.1:1 --secret-file secret p\r\nX body", EX_USAGE,
         "snekomatic send: EVENT must be a name such as pull_request, at most 100 characters\n"},
        {"send --url http://127.0.0.1:1 --secret-file secret ping none", EX_NOINPUT,
         "snekomatic send: cannot open none: No such file or directory\n"},
        {"send --url http://127.0.0.1:1 --secret-file none ping body", EX_CONFIG,
         "snekomatic send: webhook secret: cannot open none: No such file or directory\n"},
        {"send --url http://127.0.0.1:1 --secret-file secret ping body", EX_UNAVAILABLE,
         "snekomatic send: no response from http://127.0.0.1:1: "},
        {"send -c none.toml ping body", EX_CONFIG,
         "cannot open none.toml: No such file or directory\n"},
        {"send -c zero.toml ping body", EX_USAGE, "snekomatic send: the host chooses its port"}};
    write_text("body", "{}");
    write_text("secret", "s");
    write_text("zero.toml", "github = { app_id = 1, webhook_secret_file = \"secret\" }\n"
                            "server.listen = \"127.0.0.1:0\"\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome outcome = run(real_verbs, cases[i].words);
        if (outcome.status != cases[i].status ||
            strncmp(outcome.err, cases[i].err, strlen(cases[i].err)) != 0) {
            fail_msg("%s: %d, %s", cases[i].words, outcome.status, outcome.err);
        }
        assert_string_equal(outcome.out, "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_named_verb_runs_with_its_arguments),
        cmocka_unit_test(no_other_process_may_read_a_verbs_memory),
        cmocka_unit_test(help_lists_the_public_verbs),
        cmocka_unit_test(an_unknown_verb_is_rejected_with_a_suggestion),
        cmocka_unit_test(version_names_the_program_and_the_abi),
        cmocka_unit_test(send_signs_and_posts_the_bytes_unchanged),
        cmocka_unit_test(send_finds_the_host_and_the_secret_in_the_configuration),
        cmocka_unit_test(a_rejection_is_shown_with_its_own_status),
        cmocka_unit_test(each_failure_of_send_has_its_own_status),
    };
    return cmocka_run_group_tests(tests, enter_home, leave_home);
}
