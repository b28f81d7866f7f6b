/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The command line of `snekomatic-test run`, its TAP report, and the explanation of a failed step.
 */
#include "scenario/run.h"

#include "scenario/junit.h"
#include "scenario/record.h"
#include "scenario/request.h"
#include "scenario/step_runner.h"
#include "scenario/warnings.h"

#include "base/install_path.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define TIMEOUT_S 30
#define LOG_LINES_MAX 60
#define SHOWN_MAX 2000
#define DIFFERENCES_BYTES_MAX (1u << 20)

static const char help[] =
    "usage: snekomatic-test run [OPTION]... SCENARIO...\n"
    "\n"
    "Runs scenarios (TOML files), each with a host, a store and a fake GitHub of its own, and\n"
    "reports as TAP: a line for each step. The first step that differs ends its scenario, and\n"
    "the report shows the differences.\n"
    "\n"
    "  --plugins FOLDER     look for plugins without a / in their name here first, before the\n"
    "                       installed ones; may be given several times\n"
    "  --timeout SECONDS    for each step (default: timeout_s of the scenario, else 30)\n"
    "  --junit FILE         write the results to FILE too, in JUnit's XML\n"
    "  --record             write what comes in steps without expectations into the scenario's\n"
    "                       file, as their expectations\n"
    "  --valgrind           run the plugins' workers under valgrind; an error, and memory that is\n"
    "                       definitely lost, fail the scenario\n"
    "  --asan               for plugins built with -fsanitize=address: give the workers its "
    "runtime;\n"
    "                       a report fails the scenario (leaks are not looked for)\n"
    "  --keep               leave the folder of logs, configuration and store, and name it\n"
    "  --snekomatic FILE    the host's program (default: the one that is installed beside this)\n"
    "  --payloads FOLDER    the bundled payloads (default: the installed ones)\n"
    "  --help               this text\n"
    "\n"
    "Exit status: 0 all is as expected; 1 something differs; 64 wrong usage; 69 a part is\n"
    "missing; 73 a file cannot be written.\n";

struct session {
    struct environment_options options;
    char *self, *snekomatic, *payloads;
    char root[PATH_MAX];
    bool keep, failed;
    /* Borrowed; NULL: no file. */
    const char *junit_file;
    struct junit junit;
    struct warnings warnings;
    /* 0: the option is not given. */
    int64_t timeout_ms;
    unsigned count, environments;
    /* The options come before the scenarios; the command that repeats one has them too. */
    int n_options;
    char **argv;
};

static int usage(const char *problem, const char *detail) {
    fprintf(stderr, "snekomatic-test run: %s%s; see --help\n", problem, detail);
    return EX_USAGE;
}

static const struct option known_options[] = {{"plugins", required_argument, NULL, 'p'},
                                              {"timeout", required_argument, NULL, 't'},
                                              {"junit", required_argument, NULL, 'j'},
                                              {"record", no_argument, NULL, 'r'},
                                              {"valgrind", no_argument, NULL, 'v'},
                                              {"asan", no_argument, NULL, 'a'},
                                              {"keep", no_argument, NULL, 'k'},
                                              {"snekomatic", required_argument, NULL, 's'},
                                              {"payloads", required_argument, NULL, 'l'},
                                              {"help", no_argument, NULL, 'h'},
                                              {0}};

/* 0, or the exit status. */
static int choose_memory_check(struct session *session, enum memory_check check) {
    enum memory_check *chosen = &session->options.memory_check;
    if (*chosen != MEMORY_CHECK_NONE && *chosen != check) {
        return usage("--valgrind and --asan exclude each other", "");
    }
    *chosen = check;
    return 0;
}

/* -1, or the exit status. */
static int parse(int argc, char *argv[], struct session *session) {
    struct environment_options *options = &session->options;
    for (int option; (option = getopt_long(argc, argv, "", known_options, NULL)) != -1;) {
        switch (option) {
        case 'p':
            if (options->n_plugin_folders == ENVIRONMENT_FOLDERS_MAX) {
                return usage("too many --plugins", "");
            }
            options->plugin_folders[options->n_plugin_folders++] = optarg;
            break;
        case 't':
            session->timeout_ms = (int64_t)strtoul(optarg, NULL, 10) * 1000;
            if (session->timeout_ms <= 0) {
                return usage("--timeout wants a number of seconds, not ", optarg);
            }
            break;
        case 'j':
            session->junit_file = optarg;
            break;
        case 'r':
            options->record = true;
            break;
        case 'v':
        case 'a':
            if (choose_memory_check(session, option == 'v' ? MEMORY_CHECK_VALGRIND
                                                           : MEMORY_CHECK_ASAN) != 0) {
                return EX_USAGE;
            }
            break;
        case 'k':
            session->keep = true;
            break;
        case 's':
            session->snekomatic = strdup(optarg);
            break;
        case 'l':
            session->payloads = strdup(optarg);
            break;
        case 'h':
            fputs(help, stdout);
            return EX_OK;
        default:
            /* Getopt has printed the error. */
            return EX_USAGE;
        }
    }
    session->n_options = optind;
    session->argv = argv;
    return optind < argc ? -1 : usage("no SCENARIO is given", "");
}

/* Installed, or where it was built. */
static char *find_part(const char *given, const char *installed, const char *built) {
    char *path = given ? realpath(given, NULL) : install_path_beside(installed);
    return path || given ? path : install_path_beside(built);
}

static int find_parts(struct session *session) {
    char *snekomatic = session->snekomatic, *payloads = session->payloads;
    session->self = install_path_self();
    session->snekomatic = find_part(snekomatic, "snekomatic", "../../host/snekomatic");
    session->payloads = find_part(payloads, "../share/snekomatic/payloads", "../payloads");
    free(snekomatic);
    free(payloads);
    if (!session->self || !session->snekomatic || !session->payloads) {
        fprintf(stderr, "snekomatic-test run: %s is not there\n",
                session->snekomatic ? "the folder of payloads (--payloads)"
                                    : "the program snekomatic (--snekomatic)");
        return EX_UNAVAILABLE;
    }
    session->options.self = session->self;
    session->options.snekomatic = session->snekomatic;
    session->options.payloads = session->payloads;
    session->options.warnings = &session->warnings;
    struct error err;
    if (memory_check_is_possible(session->options.memory_check, &err) < 0 ||
        warnings_init(&session->warnings, session->payloads, &err) < 0) {
        fprintf(stderr, "snekomatic-test run: %s\n", err.text);
        return EX_UNAVAILABLE;
    }
    return -1;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status, (void)kind, (void)where;
    return remove(path);
}

static int make_root(struct session *session) {
    const char *folder = getenv("TMPDIR");
    struct error err;
    snprintf(session->root, sizeof session->root, "%s/snekomatic-test.XXXXXX",
             folder && *folder ? folder : "/tmp");
    if (!mkdtemp(session->root)) {
        fprintf(stderr, "snekomatic-test run: cannot make %s: %s\n", session->root,
                strerror(errno));
        return EX_CANTCREAT;
    }
    session->options.root = session->root;
    if (environment_make_key(session->root, &err) < 0) {
        fprintf(stderr, "snekomatic-test run: %s\n", err.text);
        return EX_CANTCREAT;
    }
    return -1;
}

/* -- the report -- */

/* `meson test --print-errorlogs` shows standard error only, so the reason of a failure goes there
 * too, unless both outputs are the same. */
static bool outputs_are_one(void) {
    struct stat out, err;
    return fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
           out.st_dev == err.st_dev && out.st_ino == err.st_ino;
}

/* Prints each line of `text` as TAP's comment. */
static void comment(const char *text, size_t bytes) {
    while (bytes > 0) {
        const char *end = memchr(text, '\n', bytes);
        size_t line = end ? (size_t)(end - text) : bytes;
        printf("#   %.*s\n", (int)line, text);
        text += line + (end ? 1 : 0);
        bytes -= line + (end ? 1 : 0);
    }
}

/* The scenario failed before its first step: prints why, on both outputs. */
static void show_problem(struct session *session, const char *file, const char *text) {
    junit_explain(&session->junit, text, strlen(text));
    comment(text, strlen(text));
    if (!outputs_are_one()) {
        fprintf(stderr, "%s:\n%s\n", file, text);
    }
}

static void report(struct session *session, bool good, const char *file, const char *step) {
    char name[512];
    snprintf(name, sizeof name, "%s: %s", file, step);
    for (char *at = name; *at; at++) {
        *at = *at == '#' || *at == '\n' ? ' ' : *at; /* TAP's own signs */
    }
    printf("%sok %u - %s\n", good ? "" : "not ", ++session->count, name);
    fflush(stdout);
    session->failed |= !good;
    junit_add(&session->junit, file, step, good);
}

static bool is_relevant(const struct step_runner *runner, const char *line, size_t bytes) {
    char value[FIELD_MAX];
    if (line_field(line, bytes, "delivery", value)) {
        for (size_t i = 0; i < runner->n_guids; i++) {
            if (strcmp(runner->guids[i], value) == 0) {
                return true;
            }
        }
    }
    if (!line_field(line, bytes, "level", value)) {
        /* A line of another program, for example a sanitizer's report. */
        return true;
    }
    return strcmp(value, "warning") == 0 || strcmp(value, "error") == 0;
}

/* Prints the lines of the step's deliveries, and all warnings and errors; with `on_stderr` on
 * standard error too. */
static void show_log(const struct step_runner *runner, bool on_stderr) {
    size_t at = runner->log_start, bytes, shown = 0;
    const char *line;
    puts("# the log of it:");
    while ((line = lines_next(&runner->environment->host_lines, &at, &bytes)) != NULL &&
           shown < LOG_LINES_MAX) {
        if (is_relevant(runner, line, bytes)) {
            printf("#   %.*s\n", (int)bytes, line);
            if (on_stderr) {
                fprintf(stderr, "%.*s\n", (int)bytes, line);
            }
            shown++;
        }
    }
}

static void show_requests(const struct step_runner *runner) {
    size_t i;
    json_t *request;
    printf("# the requests of it:%s\n", json_array_size(runner->requests) == 0 ? " none" : "");
    json_array_foreach(runner->requests, i, request) {
        char shown[SHOWN_MAX];
        request_show(request, shown, sizeof shown);
        printf("#   %s\n", shown);
    }
}

static void show_repeat(const struct session *session, const char *file) {
    printf("# to repeat it: %s run", session->self);
    for (int i = 1; i < session->n_options; i++) {
        bool plain = !session->argv[i][strcspn(session->argv[i], " '\"\\$&;()*?<>|")];
        printf(plain ? " %s" : " '%s'", session->argv[i]);
    }
    printf("%s %s\n", session->keep ? "" : " --keep", file);
}

static void show_failure(struct session *session, const struct step_runner *runner,
                         const struct differences *differences) {
    const char *text = differences->text.data ? differences->text.data : "";
    comment(text, differences->text.bytes);
    junit_explain(&session->junit, text, differences->text.bytes);
    if (!outputs_are_one()) {
        fprintf(stderr, "%s:\n%.*s", runner->environment->scenario->file,
                (int)differences->text.bytes, text);
    }
    show_requests(runner);
    show_log(runner, false);
    show_repeat(session, runner->environment->scenario->file);
}

/* -- a scenario -- */

static const char *short_name(const char *file) {
    const char *slash = strrchr(file, '/');
    return slash ? slash + 1 : file;
}

static void name_step(const json_t *step, size_t number, char *out, size_t bytes) {
    static const char *const actions[] = {"deliver", "comment", "redeliver", "advance",
                                          "restart", "github",  "kill"};
    const char *name = json_string_value(json_object_get(step, "name"));
    if (name) {
        snprintf(out, bytes, "%s", name);
        return;
    }
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        const json_t *value = json_object_get(step, actions[i]);
        if (value) {
            const char *what = json_string_value(value);
            snprintf(out, bytes, "step %zu: %s %s", number, actions[i], what ? what : "");
            return;
        }
    }
}

/* Writes the recorded expectations into the file, if there are any. */
static void write_record(struct session *session, const struct step_runner *runner) {
    const char *file = runner->environment->scenario->file;
    struct error err;
    size_t i, count = 0;
    json_t *lines;
    json_array_foreach(runner->recorded, i, lines) {
        count += json_is_string(lines);
    }
    if (count > 0 && record_write(file, runner->recorded, &err) < 0) {
        report(session, false, short_name(file), "the expectations are recorded");
        show_problem(session, file, err.text);
    } else if (count > 0) {
        printf("# recorded the expectations of %zu step%s in %s\n", count, count == 1 ? "" : "s",
               file);
    }
}

/* Adds the reports of valgrind or AddressSanitizer; false: there are some. */
static bool verify_memory(const struct environment *environment, bool ended,
                          struct differences *differences) {
    size_t bytes_before = differences->text.bytes;
    memory_check_verify(environment->options->memory_check, environment->folder, ended,
                        differences);
    return differences->text.bytes == bytes_before;
}

static void play(struct session *session, struct environment *environment) {
    const char *file = short_name(environment->scenario->file);
    struct differences differences = {BUFFER_INIT(DIFFERENCES_BYTES_MAX)};
    struct step_runner runner;
    size_t i;
    json_t *step;
    bool good = true;
    const char *title = json_string_value(json_object_get(environment->scenario->root, "title"));
    if (title) {
        printf("# %s\n", title);
    }
    step_runner_init(&runner, environment);
    json_array_foreach(json_object_get(environment->scenario->root, "step"), i, step) {
        char name[256] = "";
        name_step(step, i + 1, name, sizeof name);
        good = step_runner_perform(&runner, step, &differences);
        good = verify_memory(environment, false, &differences) && good;
        report(session, good, file, name);
        warnings_check_log(&session->warnings, &environment->host_lines, runner.log_start);
        if (!good) {
            show_failure(session, &runner, &differences);
            break;
        }
    }
    if (good) {
        good = step_runner_end(&runner, &differences);
        good = verify_memory(environment, true, &differences) && good;
        report(session, good, file, "and nothing else");
        if (!good) {
            show_failure(session, &runner, &differences);
        }
    }
    if (session->options.record) {
        write_record(session, &runner);
    }
    buffer_finish(&differences.text);
    step_runner_finish(&runner);
}

static void report_failed_start(struct session *session, struct environment *environment,
                                const struct error *err) {
    report(session, false, short_name(environment->scenario->file), "the host starts");
    struct differences problem = {BUFFER_INIT(DIFFERENCES_BYTES_MAX)};
    differences_add(&problem, "%s", err->text);
    verify_memory(environment, false, &problem);
    show_problem(session, environment->scenario->file,
                 problem.text.data ? problem.text.data : err->text);
    buffer_finish(&problem.text);
    struct step_runner all = {.environment = environment};
    if (environment->host_lines.fd >= 0) {
        lines_read(&environment->host_lines);
        show_log(&all, !outputs_are_one());
    }
    show_repeat(session, environment->scenario->file);
}

/* The host must fail to start, with the expected error. */
static void verify_rejection(struct session *session, struct environment *environment, bool started,
                             const struct error *err) {
    const char *pattern =
        json_string_value(json_object_get(environment->scenario->root, "rejected"));
    const char *file = short_name(environment->scenario->file);
    struct step_runner all = {.environment = environment};
    if (environment->host_lines.fd >= 0) {
        lines_read(&environment->host_lines);
    }
    struct differences problem = {BUFFER_INIT(DIFFERENCES_BYTES_MAX)};
    if (started) {
        differences_add(&problem, "the host started");
    } else if (!verify_is_logged(&all, pattern)) {
        differences_add(&problem, "no line of its log matches \"%s\": %s", pattern, err->text);
    }
    verify_memory(environment, false, &problem);
    bool good = problem.text.bytes == 0;
    report(session, good, file, "the host does not start");
    if (!good) {
        show_problem(session, environment->scenario->file,
                     problem.text.data ? problem.text.data : "");
        show_log(&all, !outputs_are_one());
        show_repeat(session, environment->scenario->file);
    }
    buffer_finish(&problem.text);
}

static void run_one(struct session *session, const char *file) {
    junit_begin(&session->junit);
    struct scenario scenario = {0};
    struct environment environment;
    struct error err = {.text = ""};
    if (scenario_read(file, &scenario, &err) < 0) {
        report(session, false, short_name(file), "it is a scenario");
        show_problem(session, file, err.text);
        return;
    }
    json_t *timeout_s = json_object_get(scenario.root, "timeout_s");
    session->options.timeout_ms = session->timeout_ms;
    if (session->timeout_ms == 0) {
        json_int_t seconds = timeout_s ? json_integer_value(timeout_s) : TIMEOUT_S;
        session->options.timeout_ms = seconds * 1000;
    }
    if (session->options.memory_check != MEMORY_CHECK_NONE) {
        session->options.timeout_ms *= MEMORY_CHECK_FACTOR;
    }
    bool started = environment_start(&environment, &session->options, &scenario,
                                     ++session->environments, &err) == 0;
    if (json_object_get(scenario.root, "rejected")) {
        verify_rejection(session, &environment, started, &err);
    } else if (started) {
        play(session, &environment);
    } else {
        report_failed_start(session, &environment, &err);
    }
    if (session->keep) {
        printf("# kept: %s\n", environment.folder);
    }
    environment_finish(&environment);
    scenario_finish(&scenario);
}

/* The exit status. */
static int end_session(struct session *session) {
    struct error err;
    printf("1..%u\n", session->count);
    if (session->junit_file && junit_write(&session->junit, session->junit_file, &err) < 0) {
        fprintf(stderr, "snekomatic-test run: --junit: %s\n", err.text);
        return EX_CANTCREAT;
    }
    return session->failed ? 1 : EX_OK;
}

int scenario_run(int argc, char *argv[]) {
    struct session session = {0};
    junit_init(&session.junit);
    int status = parse(argc, argv, &session);
    status = status < 0 ? find_parts(&session) : status;
    status = status < 0 ? make_root(&session) : status;
    if (status < 0) {
        environment_catch_signals();
        for (int i = session.n_options; i < argc && !environment_interrupted(); i++) {
            run_one(&session, argv[i]);
        }
        status = end_session(&session);
    }
    if (*session.root && !session.keep) {
        nftw(session.root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    }
    junit_finish(&session.junit);
    warnings_finish(&session.warnings);
    free(session.self);
    free(session.snekomatic);
    free(session.payloads);
    return status;
}
