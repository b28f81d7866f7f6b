/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Signs JWTs for the supervisor's loop, and in the child process of a tool without a supervisor. */
#include "supervisor/signer.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "supervisor/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int parse_key(const struct secret *text, const char *file, const char *variable,
                     struct app_key **key, struct error *err) {
    if (app_key_parse(text, key, err) < 0) {
        return error_wrap(err, "%s", file ? file : variable);
    }
    return 0;
}

int signer_read_keys(const struct config *config, struct app_key *keys[SUPERVISOR_KEYS_MAX],
                     struct error *err) {
    AUTO_SECRET struct secret text = {0};
    AUTO_SECRET struct secret next = {0};
    if (config_private_key(config, &text, err) < 0 ||
        parse_key(&text, config->github.private_key_file, "GITHUB_PRIVATE_KEY", &keys[0], err) <
            0) {
        return -1;
    }
    int result = config_private_key_next(config, &next, err);
    if (result != 0) {
        /* Usually there is no second key. */
        return result < 0 ? -1 : 0;
    }
    return parse_key(&next, config->github.private_key_next_file, "GITHUB_PRIVATE_KEY_NEXT",
                     &keys[1], err);
}

void signer_free_keys(struct app_key *keys[SUPERVISOR_KEYS_MAX]) {
    for (size_t i = 0; i < SUPERVISOR_KEYS_MAX; i++) {
        app_key_free(keys[i]);
        keys[i] = NULL;
    }
}

static int make_jwt(struct app_key *const keys[SUPERVISOR_KEYS_MAX], const char *app_id,
                    const struct supervisor_message *message, char **jwt, struct error *err) {
    if (message->key >= SUPERVISOR_KEYS_MAX || !keys[message->key]) {
        return error_set(err, "there is no next private key: set github.private_key_next_file");
    }
    if (message->skew_s < -SUPERVISOR_SKEW_MAX_S || message->skew_s > SUPERVISOR_SKEW_MAX_S) {
        return error_set(err, "the clock differs from GitHub's by %d s, more than %d s",
                         message->skew_s, SUPERVISOR_SKEW_MAX_S);
    }
    return app_key_sign_jwt(keys[message->key], app_id, clock_wall_ms() / 1000 + message->skew_s,
                            jwt, err);
}

static void reply(int fd, bool ok, const char *text) {
    struct supervisor_reply packet = {.ok = ok};
    strncat(packet.text, text, sizeof packet.text - 1);
    if (send(fd, &packet, sizeof packet, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        log_event(SNEK_LEVEL_WARNING, "reply_lost", LOG_TEXT("reason", strerror(errno)));
    }
    explicit_bzero(&packet, sizeof packet);
}

/* Runs in a child process, because GMP, which GnuTLS uses, aborts when memory is short. */
_Noreturn static void sign_and_exit(struct app_key *const keys[SUPERVISOR_KEYS_MAX],
                                    const char *app_id, const struct supervisor_message *message,
                                    int fd) {
    struct error err;
    char *jwt = NULL;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGABRT, SIG_DFL);
    int result = make_jwt(keys, app_id, message, &jwt, &err);
    reply(fd, result == 0, result == 0 ? jwt : err.text);
    if (jwt) {
        explicit_bzero(jwt, strlen(jwt));
    }
    _exit(0);
}

void signer_reply(struct app_key *const keys[SUPERVISOR_KEYS_MAX], const char *app_id,
                  const struct supervisor_message *message, int fd) {
    pid_t child = fork();
    if (child == 0) {
        sign_and_exit(keys, app_id, message, fd);
    }
    int status = 0;
    pid_t ended = child;
    if (child > 0) {
        while ((ended = waitpid(child, &status, 0)) < 0 && errno == EINTR) {}
    }
    if (ended < 0 || status != 0) {
        log_event(SNEK_LEVEL_ERROR, "signing_failed",
                  LOG_TEXT("reason", ended < 0 ? strerror(errno) : "the signing process crashed"));
        reply(fd, false, "the supervisor cannot sign a JWT now, probably because memory is short");
    }
}

/* For a tool. */

/* In the child. The first packet reports whether the key was read; then each message gets a reply.
 */
_Noreturn static void serve_tool(const struct config *config, int fd) {
    struct error err;
    struct app_key *keys[SUPERVISOR_KEYS_MAX] = {NULL};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    process_harden();
    if (signer_read_keys(config, keys, &err) < 0) {
        reply(fd, false, err.text);
        _exit(0);
    }
    reply(fd, true, "");
    for (struct supervisor_message message;;) {
        ssize_t got = recv(fd, &message, sizeof message, MSG_TRUNC);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            break;
        }
        if (got == (ssize_t)sizeof message && message.kind == SUPERVISOR_JWT) {
            signer_reply(keys, config->github.app_id, &message, fd);
        }
    }
    signer_free_keys(keys);
    _exit(0);
}

int supervisor_start_signer(const struct config *config, int *messages_fd, struct error *err) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return error_set(err, "cannot make a socket pair: %s", strerror(errno));
    }
    AUTO_CLOSE int ours = ends[0];
    AUTO_CLOSE int theirs = ends[1];
    pid_t child = fork();
    if (child < 0) {
        return error_set(err, "cannot fork: %s", strerror(errno));
    }
    if (child == 0) {
        close(ours);
        serve_tool(config, theirs);
    }
    cleanup_close(&theirs);
    theirs = -1;
    settings_forget(config->settings, "GITHUB_PRIVATE_KEY");
    settings_forget(config->settings, "GITHUB_PRIVATE_KEY_NEXT");
    struct supervisor_reply first = {0};
    if (recv(ours, &first, sizeof first, 0) != (ssize_t)sizeof first) {
        return error_set(err, "the process that holds the key has ended");
    }
    if (!first.ok) {
        return error_set(err, "private key: %.*s", (int)sizeof first.text, first.text);
    }
    *messages_fd = steal_fd(&ours);
    return 0;
}
