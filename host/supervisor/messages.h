/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The packets between the host and its supervisor, on a SOCK_SEQPACKET socket, in the machine's
 * byte order. The host sends messages; the supervisor replies to each SUPERVISOR_JWT, in order. */
#ifndef SNEK_SUPERVISOR_MESSAGES_H
#define SNEK_SUPERVISOR_MESSAGES_H

#include <stdint.h>

/* The descriptors that are open when the host starts. */
#define SUPERVISOR_FD_MESSAGES 3 /* to the supervisor */
#define SUPERVISOR_FD_LISTEN 4   /* TCP, listening */

/* In the environment of a host if another host of the same supervisor was ready before it. */
#define SUPERVISOR_RESTARTED "SNEKOMATIC_RESTARTED"

#define SUPERVISOR_SKEW_MAX_S 3600
#define SUPERVISOR_JWT_MAX 4096
#define SUPERVISOR_KEYS_MAX 2

enum supervisor_message_kind {
    /* The host is ready; sent once, no reply. */
    SUPERVISOR_READY = 1,
    /* A request for a JWT. */
    SUPERVISOR_JWT = 2,
    /* The host's main loop is running. Sent twice in each WATCHDOG_USEC of the environment, no
     * reply. The supervisor passes it on to the service manager, whose watchdog ends a host that
     * hangs. */
    SUPERVISOR_ALIVE = 3,
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

#endif
