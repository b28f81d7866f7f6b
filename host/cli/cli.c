/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds the verb, and what verbs share. */
#include "cli/cli.h"

#include "base/suggest.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define VERB_MAX 64

static void print_usage(const struct cli_verb *verbs) {
    (void)puts("Usage: snekomatic VERB [OPTION...]\n"
               "\n"
               "A host for GitHub bots: receives webhooks and gives them to plugins.\n");
    for (const struct cli_verb *verb = verbs; verb->name; verb++) {
        if (verb->summary) {
            (void)printf("  %-12s %s\n", verb->name, verb->summary);
        }
    }
    (void)puts("\n"
               "  -h, --help     this text; `snekomatic VERB --help` tells about a verb\n"
               "  -V, --version  as the verb version\n"
               "\n"
               "Exit status: 0; 64 wrong usage; 78 something in the configuration is wrong;\n"
               "each verb's help tells its own.");
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
    (void)fprintf(stderr, "snekomatic: there is no verb '%s'%s%s%s\n", name,
                  nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    (void)fputs("`snekomatic --help` lists the verbs.\n", stderr);
    return EX_USAGE;
}

static int run_verb(const struct cli_verb *verb, int argc, char **argv) {
    static char name[VERB_MAX]; /* getopt_long() puts it before its messages */
    (void)snprintf(name, sizeof name, "snekomatic %s", verb->name);
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
        (void)fputs("snekomatic: a verb is missing; `snekomatic --help` lists them.\n", stderr);
        return EX_USAGE;
    }
    if (*name == '-') {
        (void)fprintf(stderr, "snekomatic: there is no option '%s' before the verb\n", name);
        return EX_USAGE;
    }
    return unknown_verb(verbs, name);
}

int cli_run(const struct cli_verb *verbs, int argc, char **argv) {
    int status = dispatch(verbs, argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == EX_OK) {
        (void)fprintf(stderr, "snekomatic: cannot write the output: %s\n", strerror(errno));
        return EX_IOERR; /* a script must not take half an answer for all of it */
    }
    return status;
}

int cli_load_config(const char *path, enum config_need need, struct config **config) {
    AUTO_PROBLEMS struct config_problems problems = {0};
    if (config_load(path, need, config, &problems) < 0) {
        (void)fputs(problems.text ? problems.text : "out of memory\n", stderr);
        return EX_CONFIG;
    }
    return EX_OK;
}

int cli_usage_error(const char *verb, const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "snekomatic %s: ", verb);
    (void)vfprintf(stderr, format, args);
    (void)fprintf(stderr, "\n`snekomatic %s --help` tells how to use it.\n", verb);
    va_end(args);
    return EX_USAGE;
}

int cli_config_option(int argc, char **argv, const char *usage, const char **config_path) {
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *verb = strchr(argv[0], ' ') ? strchr(argv[0], ' ') + 1 : argv[0];
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return EX_OK;
        }
        if (option != 'c') {
            return EX_USAGE;
        }
        *config_path = optarg;
    }
    return optind < argc ? cli_usage_error(verb, "'%s' is one argument too many", argv[optind])
                         : -1;
}
