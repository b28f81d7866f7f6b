/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds and runs the verb; the helpers that verbs share. */
#include "cli/cli.h"

#include "base/buffer.h"
#include "base/process.h"
#include "base/suggest.h"
#include "base/text.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define VERB_MAX 64
#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define ID_DIGITS_MAX 19

static void print_usage(const struct cli_verb *verbs) {
    puts("Usage: snekomatic VERB [OPTION...]\n"
         "\n"
         "A host for GitHub bots: it receives webhooks and passes them to plugins.\n");
    for (const struct cli_verb *verb = verbs; verb->name; verb++) {
        if (verb->summary) {
            printf("  %-13s  %s\n", verb->name, verb->summary);
        }
    }
    puts("\n"
         "  -h, --help     this text; `snekomatic VERB --help` describes a verb\n"
         "  -V, --version  the same as the verb version\n"
         "\n"
         "Exit status: 0 success; 64 wrong usage; 78 the configuration is wrong. The help of each\n"
         "verb lists its other statuses.");
}

static const struct cli_verb *find(const struct cli_verb *verbs, const char *name) {
    for (const struct cli_verb *verb = verbs; verb->name; verb++) {
        if (strcmp(verb->name, name) == 0) {
            return verb;
        }
    }
    return NULL;
}

static int unknown_verb(const struct cli_verb *verbs, const char *name) {
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (const struct cli_verb *verb = verbs; verb->name; verb++) {
        size_t distance = suggest_distance(name, verb->name);
        if (verb->summary && distance < least && suggest_is_near(name, distance)) {
            nearest = verb->name;
            least = distance;
        }
    }
    char suggestion[CLI_SUGGESTION_MAX];
    fprintf(stderr, "snekomatic: the verb '%s' does not exist%s\n", name,
            cli_suggestion(nearest, suggestion));
    fputs("`snekomatic --help` lists the verbs.\n", stderr);
    return EX_USAGE;
}

static int run_verb(const struct cli_verb *verb, int argc, char **argv) {
    /* getopt_long() begins its messages with it. */
    static char name[VERB_MAX];
    snprintf(name, sizeof name, "snekomatic %s", verb->name);
    argv[0] = name;
    return verb->run(argc, argv);
}

static int help(const struct cli_verb *verbs, int argc, char **argv) {
    const struct cli_verb *verb = argc > 2 ? find(verbs, argv[2]) : NULL;
    if (verb) {
        char option[] = "--help", *verb_argv[] = {NULL, option, NULL};
        return run_verb(verb, 2, verb_argv);
    }
    if (argc > 2) {
        return unknown_verb(verbs, argv[2]);
    }
    print_usage(verbs);
    return EX_OK;
}

static int dispatch(const struct cli_verb *verbs, int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return help(verbs, argc, argv);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        name = "version";
    }
    const struct cli_verb *verb = find(verbs, name);
    if (verb) {
        return run_verb(verb, argc - 1, argv + 1);
    }
    if (*name == '\0') {
        fputs("snekomatic: a verb is missing; `snekomatic --help` lists them.\n", stderr);
        return EX_USAGE;
    }
    if (*name == '-') {
        fprintf(stderr, "snekomatic: the option '%s' does not exist before the verb\n", name);
        return EX_USAGE;
    }
    return unknown_verb(verbs, name);
}

int cli_run(const struct cli_verb *verbs, int argc, char **argv) {
    process_harden();
    int status = dispatch(verbs, argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == EX_OK) {
        fprintf(stderr, "snekomatic: cannot write the output: %s\n", strerror(errno));
        /* A script must not mistake truncated output for success. */
        return EX_IOERR;
    }
    return status;
}

/* The FILE of -c; NULL: none was given. */
static const char *config_path_given;

void cli_keep_config_path(const char *path) {
    config_path_given = path;
}

/* A shell takes these characters as they are. */
static bool is_plain(const char *text) {
    return *text && text[strspn(text, ALPHANUMERIC "/._-+,:@%")] == '\0';
}

/* Appends `text` in single quotes. */
static void append_quoted(struct buffer *out, const char *text) {
    buffer_append_text(out, "'");
    for (; *text; text++) {
        if (*text == '\'') {
            buffer_append_text(out, "'\\''");
        } else {
            buffer_append(out, text, 1);
        }
    }
    buffer_append_text(out, "'");
}

struct cli_command cli_command(const char *words) {
    struct cli_command command;
    AUTO_BUFFER struct buffer text = BUFFER_INIT(sizeof command.text - 1);
    buffer_printf(&text, "snekomatic %s", words);
    if (config_path_given) {
        buffer_append_text(&text, " -c ");
    }
    if (config_path_given && is_plain(config_path_given)) {
        buffer_append_text(&text, config_path_given);
    } else if (config_path_given) {
        append_quoted(&text, config_path_given);
    }
    text_clean(command.text, sizeof command.text, text.data ? text.data : words,
               text.data ? text.bytes : strlen(words));
    return command;
}

bool cli_is_id(const char *text) {
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= ID_DIGITS_MAX && *text != '0' && text[digits] == '\0';
}

size_t cli_repository_bytes(const char *text) {
    size_t owner = strspn(text, ALPHANUMERIC "-_.");
    size_t name = text[owner] == '/' ? strspn(text + owner + 1, ALPHANUMERIC "-_.") : 0;
    return owner > 0 && name > 0 ? owner + 1 + name : 0;
}

bool cli_is_repository(const char *text) {
    size_t bytes = cli_repository_bytes(text);
    return bytes > 0 && text[bytes] == '\0';
}

static void (*before_problems)(void);

void cli_before_problems(void (*call)(void)) {
    before_problems = call;
}

int cli_report_problems(const struct config_problems *problems) {
    if (before_problems) {
        before_problems();
    }
    fputs(problems->text ? problems->text : "out of memory\n", stderr);
    return EX_CONFIG;
}

int cli_load_config(const char *path, enum config_need need, struct config **config) {
    cli_keep_config_path(path);
    AUTO_PROBLEMS struct config_problems problems = {0};
    return config_load(path, need, config, &problems) < 0 ? cli_report_problems(&problems) : EX_OK;
}

const char *cli_suggestion(const char *nearest, char text[CLI_SUGGESTION_MAX]) {
    text[0] = '\0';
    if (nearest) {
        snprintf(text, CLI_SUGGESTION_MAX, "; did you mean %s?", nearest);
    }
    return text;
}

int cli_usage_error(const char *verb, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "snekomatic %s: ", verb);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n`snekomatic %s --help` shows the usage.\n", verb);
    va_end(args);
    return EX_USAGE;
}

int cli_config_switch(int argc, char **argv, const char *usage, const char **config_path,
                      const char *name, bool *on) {
    enum { SWITCH = 256 };
    const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                     {"help", no_argument, NULL, 'h'},
                                     {name, no_argument, NULL, SWITCH},
                                     {NULL, 0, NULL, 0}};
    const char *verb = strchr(argv[0], ' ') ? strchr(argv[0], ' ') + 1 : argv[0];
    int option;
    *config_path = NULL;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case SWITCH:
            *on = true;
            break;
        case 'c':
            *config_path = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return EX_OK;
        default:
            /* getopt has reported the error */
            return EX_USAGE;
        }
    }
    if (optind < argc) {
        return cli_usage_error(verb, "'%s' is one argument too many", argv[optind]);
    }
    return -1;
}

int cli_config_option(int argc, char **argv, const char *usage, const char **config_path) {
    return cli_config_switch(argc, argv, usage, config_path, NULL, NULL);
}
