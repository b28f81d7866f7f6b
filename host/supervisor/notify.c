/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Connects to the service manager and sends it lines. */
#include "supervisor/notify.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A path, or with an @ a name in the abstract namespace, which starts with a zero byte. */
static int connect_to(const char *name, struct error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t bytes = strlen(name);
    if ((*name != '/' && *name != '@') || bytes >= sizeof address.sun_path) {
        error_set(err, "NOTIFY_SOCKET must be a path or an @name of at most %zu bytes",
                  sizeof address.sun_path - 1);
        return -2;
    }
    memcpy(address.sun_path, name, bytes);
    if (*name == '@') {
        address.sun_path[0] = '\0';
    }
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, length) < 0) {
        error_set(err, "cannot reach NOTIFY_SOCKET: %s", strerror(errno));
        return -2;
    }
    return steal_fd(&fd);
}

int notify_open(struct error *err) {
    const char *name = getenv("NOTIFY_SOCKET");
    int fd = name && *name ? connect_to(name, err) : -1;
    /* WATCHDOG_USEC sets how often the host sends SUPERVISOR_ALIVE, and it may be meant for another
     * process. */
    const char *pid = getenv("WATCHDOG_PID");
    if (fd < 0 || (pid && *pid && strtol(pid, NULL, 10) != getpid())) {
        unsetenv("WATCHDOG_USEC");
    }
    unsetenv("WATCHDOG_PID");
    unsetenv("NOTIFY_SOCKET");
    return fd;
}

void notify_send(int fd, const char *state) {
    if (fd >= 0) {
        /* The service goes on if the service manager is gone, so an error is ignored. */
        send(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}
