/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The program `snekomatic`: the verb `serve`, which becomes the supervisor. It execs
 * snekomatic-host, which has the table of all verbs, for every other one. So the process that holds
 * the App's key has neither the code of a host nor its libraries. */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/install_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static char **arguments;
static char serve[] = "serve";

/* Becomes snekomatic-host with the same arguments. Returns an exit status if that fails. */
static int exec_host(void) {
    struct error err;
    AUTO_FREE char *path = install_path_program("snekomatic-host", &err);
    if (!path) {
        fprintf(stderr, "snekomatic: %s\n", err.text);
        return EX_CONFIG;
    }
    execv(path, arguments);
    fprintf(stderr, "snekomatic: cannot start %s: %s\n", path, strerror(errno));
    return EX_OSERR;
}

/* snekomatic-host also finds the problems of URLs, which this program does not judge. Its verb
 * `serve` lists all together. */
static void list_all_problems(void) {
    /* cli_run() has replaced it. */
    arguments[1] = serve;
    exec_host();
}

int main(int argc, char **argv) {
    static const struct cli_verb verbs[] = {{serve, "", cli_serve}, {0}};
    arguments = argv;
    if (argc < 2 || strcmp(argv[1], serve) != 0) {
        return exec_host();
    }
    cli_before_problems(list_all_problems);
    return cli_run(verbs, argc, argv);
}
