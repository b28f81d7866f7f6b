/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Runs inbox operations one at a time, and waits for each. */
#include "cli/store_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

int store_client_open(struct store_client *store_client, const char *verb,
                      const struct config *config, bool write) {
    struct error err = {.text = ""};
    *store_client = (struct store_client){.inbox = NULL};
    if (mailbox_init(&store_client->mailbox) < 0) {
        fprintf(stderr, "snekomatic %s: %s\n", verb, strerror(errno));
        return EX_NOINPUT;
    }
    if (inbox_open_tool(config->store.url, write, &store_client->inbox, &err) < 0) {
        fprintf(stderr, "snekomatic %s: %s\n", verb, err.text);
        mailbox_finish(&store_client->mailbox);
        return EX_NOINPUT;
    }
    return EX_OK;
}

void store_client_close(struct store_client *store_client) {
    if (store_client->inbox) {
        inbox_free(store_client->inbox);
        mailbox_finish(&store_client->mailbox);
        store_client->inbox = NULL;
    }
}

static void on_result(struct inbox_operation *operation) {
    CONTAINER_OF(operation->reply_to, struct store_client, mailbox)->finished = true;
}

int store_client_do(struct store_client *store_client, const char *verb,
                    struct inbox_operation *operation) {
    operation->reply_to = &store_client->mailbox;
    operation->on_result = on_result;
    store_client->finished = false;
    inbox_submit(store_client->inbox, operation);
    while (!store_client->finished) {
        struct pollfd wanted = {.fd = store_client->mailbox.event_fd, .events = POLLIN};
        poll(&wanted, 1, -1);
        mailbox_drain(&store_client->mailbox);
    }
    if (operation->result < 0) {
        fprintf(stderr, "snekomatic %s: the store: %s\n", verb, operation->error.text);
    }
    return operation->result;
}
