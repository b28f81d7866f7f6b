/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The command line: `snekomatic VERB`, one file a verb. Each verb parses its own options with
 * getopt_long() (argv[0] is "snekomatic VERB", for its messages), prints --help on standard output,
 * and returns an exit status of sysexits.h. */
#ifndef SNEK_CLI_CLI_H
#define SNEK_CLI_CLI_H

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

struct cli_verb {
    const char *name;
    /* For --help; NULL: an internal verb. */
    const char *summary;
    int (*run)(int argc, char **argv);
};

int cli_serve(int argc, char **argv);
int cli_host(int argc, char **argv);
int cli_setup(int argc, char **argv);
int cli_setup_page(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_plugins(int argc, char **argv);
int cli_send(int argc, char **argv);
int cli_deliveries(int argc, char **argv);
int cli_installations(int argc, char **argv);
int cli_recover(int argc, char **argv);
int cli_reload(int argc, char **argv);
int cli_hook(int argc, char **argv);
int cli_new_plugin(int argc, char **argv);
int cli_token(int argc, char **argv);
int cli_version(int argc, char **argv);

/* Runs the verb that argv names. Returns the exit status. `verbs` ends with a NULL name. */
int cli_run(const struct cli_verb *verbs, int argc, char **argv);

/* config_load() for a verb: 0 and `*config`, or EX_CONFIG after it has reported the problems on
 * stderr. */
int cli_load_config(const char *path, enum config_need need, struct config **config);
/* Reports the problems on stderr. Returns EX_CONFIG. */
int cli_report_problems(const struct config_problems *problems);
/* Has cli_report_problems() call `call` before it reports anything. */
void cli_before_problems(void (*call)(void));

/* Parses the options of a verb that has only -c FILE and --help. -1: continue, with `*config_path`
 * (NULL if not given); else the exit status, after it has reported the error. */
int cli_config_option(int argc, char **argv, const char *usage, const char **config_path);
/* Likewise for a verb that also has --NAME, which sets `*on`. */
int cli_config_switch(int argc, char **argv, const char *usage, const char **config_path,
                      const char *name, bool *on);

/* A command for a hint: "snekomatic " and `words`, with the -c FILE of this call if it had one, so
 * that a person can copy it. */
struct cli_command {
    char text[4608];
};
struct cli_command cli_command(const char *words);
/* Keeps the -c FILE (NULL: none) for cli_command(). cli_load_config() does so too. Borrowed. */
void cli_keep_config_path(const char *path);

/* Is `text` an id of GitHub: a number from 1, of at most 19 digits? */
bool cli_is_id(const char *text);
/* Is `text` OWNER/NAME, in the characters that GitHub allows? */
bool cli_is_repository(const char *text);
/* The length of OWNER/NAME at the start of `text`; 0: it does not start so. */
size_t cli_repository_bytes(const char *text);

/* "; did you mean NEAREST?", or "" if `nearest` is NULL. Returns `text`. */
#define CLI_SUGGESTION_MAX 128
const char *cli_suggestion(const char *nearest, char text[CLI_SUGGESTION_MAX]);

/* Prints "snekomatic VERB: ..." and a pointer to --help. Returns EX_USAGE. */
int cli_usage_error(const char *verb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
