/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Asks the running supervisor of a configuration to reload, and waits for the result. One thread.
 */
#ifndef SNEK_CLI_RELOAD_CLIENT_H
#define SNEK_CLI_RELOAD_CLIENT_H

#include "supervisor/reload_socket.h"

/* Longer than the new host may take to load and the old one to drain. */
#define RELOAD_CLIENT_TIMEOUT_S 120

enum reload_client_outcome {
    /* It has responded. */
    RELOAD_CLIENT_ASKED,
    /* No host of ours runs with this configuration. `err` is not set. */
    RELOAD_CLIENT_NO_HOST,
    /* The configuration has no name for a socket. */
    RELOAD_CLIENT_NO_NAME,
    /* It has not ended in time, and goes on. */
    RELOAD_CLIENT_SLOW,
    /* The connection closed without a response. */
    RELOAD_CLIENT_CLOSED,
    /* The response is that of another version. */
    RELOAD_CLIENT_UNKNOWN,
};

/* After RELOAD_CLIENT_ASKED, `*result` and its `text`: lines without control characters. Otherwise
 * `err` has the reason. */
enum reload_client_outcome reload_client_ask(const struct settings *settings, int timeout_s,
                                             enum reload_result *result,
                                             char text[RELOAD_REPLY_MAX], struct error *err);

#endif
