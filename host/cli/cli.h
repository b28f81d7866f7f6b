/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The command line: `snekomatic VERB`, one file a verb. Verbs parse their own options with
 * getopt_long() (argv[0] is "snekomatic VERB", for its messages), answer --help on standard output,
 * and return the exit status, which is one of sysexits.h. */
#ifndef SNEK_CLI_CLI_H
#define SNEK_CLI_CLI_H

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

struct cli_verb {
    const char *name;
    const char *summary; /* for --help; NULL: not for people */
    int (*run)(int argc, char **argv);
};

int cli_serve(int argc, char **argv);
int cli_host(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_plugins(int argc, char **argv);
int cli_send(int argc, char **argv);
int cli_deliveries(int argc, char **argv);
int cli_recover(int argc, char **argv);
int cli_new_plugin(int argc, char **argv);
int cli_token(int argc, char **argv);
int cli_version(int argc, char **argv);

/* Runs the verb that argv names; the exit status. `verbs` ends with a NULL name. */
int cli_run(const struct cli_verb *verbs, int argc, char **argv);

/* config_load() for a verb: 0 and `*config`, or EX_CONFIG after it has said on stderr what is
 * wrong. */
int cli_load_config(const char *path, enum config_need need, struct config **config);

/* Parses the options of a verb that has only -c FILE and --help. -1: go on, with `*config_path`
 * (NULL when not given); else the exit status, all having been said. */
int cli_config_option(int argc, char **argv, const char *usage, const char **config_path);

/* Is it one of GitHub's permissions, as far as this version knows? Else `*nearest` is what may have
 * been meant, or NULL. */
bool cli_permission_is_known(const char *name, const char **nearest);

/* Says "snekomatic VERB: ..." and where help is; EX_USAGE. */
int cli_usage_error(const char *verb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
