/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic host`, which the supervisor starts. */
#include "cli/cli.h"

#include "base/log.h"
#include "host.h"
#include "supervisor/messages.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sysexits.h>

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
