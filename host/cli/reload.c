/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic reload`: asks the running supervisor to reload, waits, and prints the result. It does
 * not read the configuration: the supervisor does, and rejects a wrong one. */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/runtime_directory.h"
#include "config/settings.h"
#include "supervisor/reload_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

/* The runtime directory of the systemd unit, which a shell has no variable for. */
#define SERVICE_DIRECTORY "/run/snekomatic"

static const char usage[] =
    "Usage: snekomatic reload [-c FILE]\n"
    "\n"
    "Makes the running host read its configuration and its plugins' files again, as SIGHUP does.\n"
    "It waits until the reload has ended, and prints which plugins changed and which keys need a\n"
    "restart. If something is wrong, the old configuration and plugins stay in force. Run it as\n"
    "the host's user or as root.\n"
    "\n"
    "  -c, --config FILE  the host's configuration (default as for serve)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 reloaded; 64 wrong usage; 69 no host runs with this configuration, or it\n"
    "stopped; 75 too many reloads wait; 78 the configuration or a plugin is wrong, and the old "
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

/* 0 and `reply`, terminated; or -1. */
static int ask(int fd, char reply[RELOAD_REPLY_MAX]) {
    ssize_t got = -1;
    if (send(fd, RELOAD_REQUEST, sizeof RELOAD_REQUEST - 1, MSG_NOSIGNAL) < 0) {
        return -1;
    }
    do {
        got = recv(fd, reply, RELOAD_REPLY_MAX - 1, 0);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        return -1;
    }
    reply[got] = '\0';
    for (char *at = reply; *at; at++) {
        if (*at != '\n' && ((unsigned char)*at < ' ' || *at == 0x7f)) {
            *at = '?';
        }
    }
    return 0;
}

static int print(char *reply) {
    static const struct {
        int status;
        const char *sentence;
    } results[RELOAD_RESULTS] = {
        [RELOAD_DONE] = {EX_OK, "reloaded"},
        [RELOAD_REJECTED] = {EX_CONFIG, "rejected; the present configuration stays in force:"},
        [RELOAD_FAILED] = {EX_CONFIG, "failed; the old configuration is in force again:"},
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

static int reload(const struct settings *settings) {
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
    if (ask(fd, reply) < 0) {
        fputs("snekomatic reload: the host closed the connection; its log may have the reason\n",
              stderr);
        return EX_UNAVAILABLE;
    }
    return print(reply);
}

int cli_reload(int argc, char **argv) {
    const char *path = NULL;
    struct settings *settings = NULL;
    struct error err;
    int status = cli_config_option(argc, argv, usage, &path);
    if (status >= 0) {
        return status;
    }
    if (settings_read(path, &settings, &err) < 0) {
        fprintf(stderr, "snekomatic reload: %s\n", err.text);
        return EX_CONFIG;
    }
    status = reload(settings);
    settings_free(settings);
    return status;
}
