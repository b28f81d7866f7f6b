/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The packets between the host and its supervisor, in the machine's byte order. There are two
 * SOCK_SEQPACKET sockets, because two threads of the host use them: the broker's asks for JWTs, and
 * the main one does the rest. The supervisor does not trust the host: it drops a malformed packet.
 *
 *   JWT       host: struct supervisor_message    supervisor: struct supervisor_reply, in order
 *   control   host: struct supervisor_control    supervisor: struct supervisor_event
 *
 *   host                        supervisor
 *   HELLO                  -->
 *                          <--  SETTINGS + 2 memfds
 *   START_WORKER id, N     -->
 *                          <--  WORKER_STARTED id + socket, pidfd     or WORKER_FAILED id
 *   STOP_WORKER id         -->
 *                          <--  WORKER_ENDED id, how                          once, after STARTED
 *   LOADED                 -->
 *                          <--  GO                       (no other host is left)
 *   READY                  -->                           or FAILED why, at any time before
 *   REJECTED why           -->                           instead of all after SETTINGS
 *
 * During a reload there are two hosts. The new one has no GO yet: it has loaded its plugins and
 * keeps away from the store and the listening socket, which the old one uses.
 *
 * The supervisor starts workers from the configuration that it parsed: the host gives an index, and
 * no path, argument or environment. It kills and reaps the workers of a host that has ended before
 * it starts the next host. */
#ifndef SNEK_SUPERVISOR_MESSAGES_H
#define SNEK_SUPERVISOR_MESSAGES_H

#include <stdint.h>

/* The descriptors that are open when the host starts. Its environment is empty, except for
 * variables that the dynamic loader or malloc() read before main(). */
#define SUPERVISOR_FD_MESSAGES 3 /* for JWTs */
#define SUPERVISOR_FD_LISTEN 4   /* TCP, listening */
#define SUPERVISOR_FD_CONTROL 5

#define SUPERVISOR_SKEW_MAX_S 3600
#define SUPERVISOR_JWT_MAX 4096
#define SUPERVISOR_KEYS_MAX 2
#define SUPERVISOR_REASON_MAX 512
/* The problems of all URLs that a configuration may have. */
#define SUPERVISOR_PROBLEMS_MAX 16384

/* ---- JWTs ---- */

enum supervisor_message_kind {
    /* A request for a JWT. */
    SUPERVISOR_JWT = 2,
};

struct supervisor_message {
    uint32_t kind;
    /* GitHub's clock minus ours; within +-SUPERVISOR_SKEW_MAX_S. */
    int32_t skew_s;
    /* 0 is the app's key; 1 is the next one, during a rotation. */
    uint32_t key;
};

struct supervisor_reply {
    /* 1: `text` is the JWT. 0: `text` is the reason why there is none. */
    uint32_t ok;
    char text[SUPERVISOR_JWT_MAX];
};

/* ---- control ---- */

enum supervisor_control_kind {
    /* First: the host is not dumpable now, so the supervisor may send the settings. Before that,
     * another process of the user could read the host's memory. */
    SUPERVISOR_HELLO = 16,
    /* Every plugin has loaded; sent once. The host waits for GO now. */
    SUPERVISOR_LOADED,
    /* The host is ready; sent once. */
    SUPERVISOR_READY,
    /* The host cannot start, and ends: struct supervisor_failure. */
    SUPERVISOR_FAILED,
    /* The configuration is wrong, and the host ends: struct supervisor_rejection. The supervisor
     * has judged all but the URLs, which libcurl judges, in the host. */
    SUPERVISOR_REJECTED,
    /* The host's main loop is running. Sent twice in each WATCHDOG_USEC. The supervisor passes it
     * on to the service manager, whose watchdog ends a host that hangs. */
    SUPERVISOR_ALIVE,
    /* Starts a worker of plugin N as `worker`, an id that this host has not used before. */
    SUPERVISOR_START_WORKER,
    /* Kills `worker` and its process group. Does nothing if that worker has ended. */
    SUPERVISOR_STOP_WORKER,
};

struct supervisor_control {
    uint32_t kind;
    /* The index of the plugin in the configuration. */
    uint32_t plugin;
    uint64_t worker;
};

struct supervisor_failure {
    uint32_t kind;
    /* For the log and for people; not terminated if it is cut. */
    char text[SUPERVISOR_REASON_MAX];
};

struct supervisor_rejection {
    uint32_t kind;
    /* Of struct config_problems; not terminated if it is cut. */
    char text[SUPERVISOR_PROBLEMS_MAX];
};

enum supervisor_event_kind {
    /* Two descriptors. A memfd with the message of settings_write(); and one in which hosts with
     * the same configuration and the same copies of the plugins' files keep the plugins'
     * descriptions. The supervisor never reads that one. */
    SUPERVISOR_SETTINGS = 32,
    /* The host may open the store and serve. */
    SUPERVISOR_GO,
    /* Two descriptors: the worker's socket and a pidfd. `text` is the SHA-256 of the plugin's file,
     * in hexadecimal. */
    SUPERVISOR_WORKER_STARTED,
    /* No process was started; `text` has the reason. */
    SUPERVISOR_WORKER_FAILED,
    /* The worker was reaped, and its process group was killed. */
    SUPERVISOR_WORKER_ENDED,
};

struct supervisor_event {
    uint32_t kind;
    /* WORKER_FAILED: the cause may pass. */
    uint32_t flag;
    uint64_t worker;
    int32_t pid;
    /* WORKER_ENDED: the si_code and the si_status of waitid(2). */
    int32_t code, status;
    char text[SUPERVISOR_REASON_MAX];
};

#endif
