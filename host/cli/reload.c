/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic reload`: asks the running supervisor to reload, waits, and prints the result. It does
 * not read the configuration: the supervisor does, and rejects a wrong one. */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/runtime_directory.h"
#include "config/settings.h"
#include "supervisor/reload_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

/* The runtime directory of the systemd unit, which a shell has no variable for. */
#define SERVICE_DIRECTORY "/run/snekomatic"

/* Longer than the new host may take to load and the old one to drain. */
#define TIMEOUT_S 120
#define TIMEOUT_MAX_S 86400

static const char usage[] =
    "Usage: snekomatic reload [-c FILE] [--timeout SECONDS]\n"
    "\n"
    "Makes the running host read its configuration and its plugins' files again, as SIGHUP does.\n"
    "It waits until the reload has ended, and prints which plugins changed and which keys need a\n"
    "restart. If something is wrong, the old configuration and plugins stay in force. Run it as\n"
    "the host's user or as root.\n"
    "\n"
    "  -c, --config FILE      the host's configuration (default as for serve)\n"
    "      --timeout SECONDS  how long to wait (default 120); the reload then goes on\n"
    "  -h, --help             this text\n"
    "\n"
    "Exit status: 0 reloaded; 64 wrong usage; 69 no host runs with this configuration, or it\n"
    "stopped; 75 too many reloads wait, or it takes too long; 78 the configuration or a plugin is "
    "wrong, and the old "
    "ones\n"
    "stay in force.\n";

/* Connects to the socket in a directory. With `must_be_ours`, another user's directory does not
 * count. -1: no host of the directory's owner is there. */
static int connect_below(const char *directory, const char *name, bool must_be_ours) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer;
    struct stat status;
    socklen_t bytes = sizeof peer;
    AUTO_CLOSE int directory_fd = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory_fd < 0 || fstat(directory_fd, &status) < 0 ||
        (must_be_ours && status.st_uid != geteuid())) {
        return -1;
    }
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory_fd, name);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0 || peer.uid != status.st_uid) {
        return -1;
    }
    return steal_fd(&fd);
}

/* A host may have been started with other variables, so each place may have its socket. */
static int find_host(const char *name) {
    char *places[RUNTIME_DIRECTORY_PLACES];
    size_t count = runtime_directory_places(places);
    int fd = -1;
    for (size_t i = 0; i < count; i++) {
        if (fd < 0) {
            fd = connect_below(places[i], name, true);
        }
        free(places[i]);
    }
    return fd < 0 ? connect_below(SERVICE_DIRECTORY, name, false) : fd;
}

/* Sends the request and waits. The length of the reply; 0: the host is gone; -1: it takes too long.
 */
static ssize_t ask(int fd, int timeout_s, char reply[RELOAD_REPLY_MAX]) {
    int64_t until_ms = clock_monotonic_ms() + (int64_t)timeout_s * 1000;
    struct pollfd input = {.fd = fd, .events = POLLIN};
    int ready;
    if (send(fd, RELOAD_REQUEST, sizeof RELOAD_REQUEST - 1, MSG_NOSIGNAL) < 0) {
        return 0;
    }
    do {
        int64_t left_ms = until_ms - clock_monotonic_ms();
        ready = poll(&input, 1, left_ms > 0 ? (int)left_ms : 0);
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) {
        return -1;
    }
    ssize_t got = recv(fd, reply, RELOAD_REPLY_MAX - 1, 0);
    return got > 0 ? got : 0;
}

/* Terminates the reply, and makes it safe to print. */
static void clean(char *reply, size_t got) {
    reply[got] = '\0';
    for (char *at = reply; *at; at++) {
        if (*at != '\n' && ((unsigned char)*at < ' ' || *at == 0x7f)) {
            *at = '?';
        }
    }
}

static int print(char *reply) {
    static const struct {
        int status;
        const char *sentence;
    } results[RELOAD_RESULTS] = {
        [RELOAD_DONE] = {EX_OK, "reloaded"},
        [RELOAD_REJECTED] = {EX_CONFIG, "rejected; the present configuration stays in force:"},
        [RELOAD_FAILED] = {EX_CONFIG, "failed; the old configuration and plugins stay in force:"},
        [RELOAD_BUSY] = {EX_TEMPFAIL, "too many reloads wait already; try again later"},
        [RELOAD_STOPPING] = {EX_UNAVAILABLE, "the host stopped before the reload ended"},
    };
    static const char *const words[RELOAD_RESULTS] = RELOAD_WORDS;
    char *text = strchr(reply, '\n');
    for (size_t i = 0; text && i < RELOAD_RESULTS; i++) {
        if (strncmp(reply, words[i], (size_t)(text - reply)) != 0 ||
            words[i][text - reply] != '\0') {
            continue;
        }
        bool good = results[i].status == EX_OK;
        size_t length = strlen(text + 1);
        const char *end = length > 0 && text[length] != '\n' ? "\n" : "";
        fprintf(good ? stdout : stderr, "%s%s\n%s%s",
                good ? "" : "snekomatic reload: ", results[i].sentence, text + 1, end);
        return results[i].status;
    }
    fputs("snekomatic reload: the host's reply is unknown; is it another version?\n", stderr);
    return EX_SOFTWARE;
}

static int reload(const struct settings *settings, int timeout_s) {
    char name[RELOAD_SOCKET_NAME_MAX];
    char reply[RELOAD_REPLY_MAX];
    struct error err;
    if (reload_socket_name(settings, name, &err) < 0) {
        fprintf(stderr, "snekomatic reload: %s\n", err.text);
        return EX_CONFIG;
    }
    AUTO_CLOSE int fd = find_host(name);
    if (fd < 0) {
        fprintf(stderr,
                "snekomatic reload: no host runs with the configuration %s: start it with "
                "`snekomatic serve`.\nIf one runs, use the same -c FILE, user and "
                "RUNTIME_DIRECTORY, or send SIGHUP to it.\n",
                settings->file ? settings->file : "of the environment in this directory");
        return EX_UNAVAILABLE;
    }
    ssize_t got = ask(fd, timeout_s, reply);
    if (got < 0) {
        fprintf(
            stderr,
            "snekomatic reload: the reload has not ended after %d s; it goes on, and the host's "
            "log will have its result\n",
            timeout_s);
        return EX_TEMPFAIL;
    }
    if (got == 0) {
        fputs("snekomatic reload: the host closed the connection; its log may have the reason\n",
              stderr);
        return EX_UNAVAILABLE;
    }
    clean(reply, (size_t)got);
    return print(reply);
}

/* EX_OK or EX_USAGE. */
static int read_timeout(const char *text, int *timeout_s) {
    char *end;
    long number = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || number < 1 || number > TIMEOUT_MAX_S) {
        return cli_usage_error("reload", "--timeout: '%s' is not a number from 1 to %d", text,
                               TIMEOUT_MAX_S);
    }
    *timeout_s = (int)number;
    return EX_OK;
}

/* -1, or an exit status. */
static int read_options(int argc, char **argv, const char **path, int *timeout_s) {
    enum { TIMEOUT = 256 };
    static const struct option known[] = {{"config", required_argument, NULL, 'c'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"timeout", required_argument, NULL, TIMEOUT},
                                          {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EX_OK;
        }
        if (option == 'c') {
            *path = optarg;
        } else if (option != TIMEOUT || read_timeout(optarg, timeout_s) != EX_OK) {
            return EX_USAGE;
        }
    }
    if (optind < argc) {
        return cli_usage_error("reload", "'%s' is one argument too many", argv[optind]);
    }
    return -1;
}

int cli_reload(int argc, char **argv) {
    const char *path = NULL;
    int timeout_s = TIMEOUT_S;
    struct settings *settings = NULL;
    struct error err;
    int status = read_options(argc, argv, &path, &timeout_s);
    if (status >= 0) {
        return status;
    }
    if (settings_read(path, &settings, &err) < 0) {
        fprintf(stderr, "snekomatic reload: %s\n", err.text);
        return EX_CONFIG;
    }
    status = reload(settings, timeout_s);
    settings_free(settings);
    return status;
}
