/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic serve`: becomes the supervisor, which starts the host (this program again, with the
 * verb `host`). */
#include "cli/cli.h"

#include "base/install_path.h"
#include "base/log.h"
#include "config/config.h"
#include "host.h"
#include "supervisor/messages.h"
#include "supervisor/supervisor.h"
#include "worker_process/spawn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage[] =
    "Usage: snekomatic serve [-c FILE]\n"
    "\n"
    "Receives webhooks, passes them to the plugins, and sends their requests to GitHub. It stops "
    "on\n"
    "SIGTERM or Ctrl-C, after it has given runs server.drain_ms to finish. SIGHUP and\n"
    "`snekomatic reload` make it read the configuration and the plugins' files again. If "
    "something\n"
    "is wrong, the old ones stay in force.\n"
    "\n"
    "  -c, --config FILE  the configuration (default: ./snekomatic.toml, then\n"
    "                     /etc/snekomatic/snekomatic.toml, then the environment alone)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 after SIGTERM; 64 wrong usage; 69 the address is not available; 71 the system\n"
    "lacks resources; 75 the first start failed for a cause that may pass, such as a store that "
    "is\n"
    "away; 78 the configuration, a credential or a plugin is wrong. Once a host was ready, it is\n"
    "always restarted.\n";

int cli_serve(int argc, char **argv) {
    const char *path = NULL;
    int status = cli_config_option(argc, argv, usage, &path);
    if (status >= 0) {
        return status;
    }
    struct config *config = NULL;
    status = cli_load_config(path, CONFIG_NEED_EVERYTHING, &config);
    if (status != 0) {
        return status;
    }
    log_setup(config->log.level, config->log.format);
    AUTO_FREE char *self = install_path_self();
    if (!self) {
        fprintf(stderr, "snekomatic: cannot find its own program file: %s\n", strerror(errno));
        config_free(config);
        return EX_OSERR;
    }
    char verb[] = "host";
    char *host_argv[] = {self, verb, NULL};
    struct error err;
    AUTO_FREE char *worker_path = worker_spawn_find_binary(&err);
    if (!worker_path) {
        fprintf(stderr, "snekomatic: %s\n", err.text);
        status = EX_CONFIG;
    } else if (log_start(&err) < 0) {
        fprintf(stderr, "snekomatic: %s\n", err.text);
        status = EX_OSERR;
    } else {
        status = supervisor_run(config, host_argv, worker_path);
    }
    log_finish();
    config_free(config);
    return status;
}

int cli_host(int argc, char **argv) {
    (void)argc;
    (void)argv;
    struct supervisor_event probe;
    if (recv(SUPERVISOR_FD_CONTROL, &probe, 0, MSG_DONTWAIT | MSG_PEEK) < 0 && errno != EAGAIN) {
        fputs("`snekomatic serve` starts `snekomatic host`; do not start it by hand\n", stderr);
        return EX_USAGE;
    }
    int status = host_run();
    log_finish();
    return status;
}
