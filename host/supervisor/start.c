/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Prepares and execs the host: environment, sockets, descriptors, signals. */
#include "supervisor/start.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/listen_socket.h"
#include "base/log.h"
#include "supervisor/messages.h"
#include "supervisor/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>

static_assert(SUPERVISOR_FD_LISTEN == SUPERVISOR_FD_MESSAGES + 1 &&
                  SUPERVISOR_FD_CONTROL == SUPERVISOR_FD_MESSAGES + 2,
              "place_fds() places them in a row");

/* Variables that must be in the environment at exec. Sanitizers and the libraries that tests
 * preload have names of their own. The host waits longer for workers that have a wrapper. */
static const char *const loader_patterns[] = {
    "LD_*", "GLIBC_TUNABLES", "MALLOC_*", "SNEK_*", "SNEKOMATIC_WORKER_WRAPPER", "*SAN_OPTIONS"};

int start_open_standard_fds(struct error *err) {
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0) {
        return error_set(err, "cannot open /dev/null: %s", strerror(errno));
    }
    close(fd);
    return 0;
}

static bool is_for_loader(const char *entry) {
    char name[64];
    size_t bytes = strcspn(entry, "=");
    if (bytes >= sizeof name) {
        return false;
    }
    memcpy(name, entry, bytes);
    name[bytes] = '\0';
    for (size_t i = 0; i < ARRAY_LENGTH(loader_patterns); i++) {
        if (fnmatch(loader_patterns[i], name, 0) == 0) {
            return true;
        }
    }
    return false;
}

char **start_host_environment(void) {
    size_t count = 0, kept = 0;
    while (environ && environ[count]) {
        count++;
    }
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        if (is_for_loader(environ[i])) {
            copy[kept] = strdup(environ[i]);
            if (!copy[kept++]) {
                start_free_environment(copy);
                return NULL;
            }
        }
    }
    return copy;
}

void start_free_environment(char **environment) {
    for (char **entry = environment; entry && *entry; entry++) {
        free(*entry);
    }
    free(environment);
}

int start_listen(const char *host, uint16_t port, int *fd, struct error *err) {
    const struct listen_place place = {.host = host,
                                       .port = port,
                                       .shown_port = port,
                                       .key = "server.listen",
                                       .port_key = "server.listen or the variable PORT"};
    return listen_socket_open(&place, fd, err);
}

/* Restores the signal state, which exec passes on: changes of ours, and changes that we inherited.
 */
static void restore_signals(void) {
    for (int number = 1; number < NSIG; number++) {
        /* Fails for SIGKILL, SIGSTOP and libc's own signals, which is harmless. */
        signal(number, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Moves the sockets to their numbers and closes all descriptors above. */
static int place_fds(const struct start_sockets *sockets) {
    const int above = SUPERVISOR_FD_CONTROL + 1;
    const int from[] = {sockets->messages_fd, sockets->listen_fd, sockets->control_fd};
    int copies[ARRAY_LENGTH(from)];
    for (size_t i = 0; i < ARRAY_LENGTH(from); i++) {
        copies[i] = fcntl(from[i], F_DUPFD_CLOEXEC, above);
        if (copies[i] < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(from); i++) {
        if (dup2(copies[i], SUPERVISOR_FD_MESSAGES + (int)i) < 0) {
            return -1;
        }
    }
    closefrom(above);
    return 0;
}

static void become_host(char *const argv[], char *const environment[],
                        const struct start_sockets *sockets, pid_t supervisor) {
    /* The end of input on the sockets also ends the host; this covers a host that hangs. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != supervisor) {
        /* The supervisor died before prctl(). */
        _exit(EX_OSERR);
    }
    if (place_fds(sockets) == 0) {
        restore_signals();
        execve(argv[0], argv, environment);
    }
    log_event(SNEK_LEVEL_ERROR, "cannot_start", LOG_TEXT("program", argv[0]),
              LOG_TEXT("reason", strerror(errno)));
    _exit(EX_OSERR);
}

pid_t start_host(char *const argv[], char *const environment[], const struct start_sockets *sockets,
                 struct error *err) {
    pid_t supervisor = getpid();
    pid_t child = fork();
    if (child == 0) {
        become_host(argv, environment, sockets, supervisor);
    }
    return child > 0 ? child : error_set(err, "cannot fork: %s", strerror(errno));
}
