/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Runs inbox operations one at a time, and waits for each. */
#include "cli/store_client.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/cli.h"
#include "inbox/console.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

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

int store_client_run(const char *verb, const char *config_path, enum config_need need, bool write,
                     store_client_act *act, const void *context) {
    struct store_client store_client;
    struct config *config = NULL;
    int status = cli_load_config(config_path, need, &config);
    if (status != EX_OK) {
        return status;
    }
    status = store_client_open(&store_client, verb, config, write);
    if (status == EX_OK) {
        status = act(&store_client, config, context);
    }
    store_client_close(&store_client);
    config_free(config);
    return status;
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

/* "cli root (sudo alice)". The number stands for a user without a name. */
static void describe_user(char *out, size_t room) {
    const struct passwd *user = getpwuid(getuid());
    const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL;
    char number[24];
    snprintf(number, sizeof number, "%lu", (unsigned long)getuid());
    snprintf(out, room, "cli %s%s%s%s", user ? user->pw_name : number, sudo ? " (sudo " : "",
             sudo ? sudo : "", sudo ? ")" : "");
}

void store_client_record(struct store_client *store_client, const char *verb, const char *what,
                         const char *target, const char *format, ...) {
    struct inbox_action_put put = {.operation = {.kind = INBOX_ACTION_PUT},
                                   .action = {.at_ms = clock_wall_ms()}};
    char text[INBOX_ACTION_WHO_MAX + 1], result[INBOX_ACTION_TEXT_MAX + 1];
    va_list args;
    va_start(args, format);
    vsnprintf(result, sizeof result, format, args);
    va_end(args);
    describe_user(text, sizeof text);
    text_clean(put.action.who, sizeof put.action.who, text, strlen(text));
    text_clean(put.action.what, sizeof put.action.what, what, strlen(what));
    text_clean(put.action.target, sizeof put.action.target, target, strlen(target));
    text_clean(put.action.result, sizeof put.action.result, result, strlen(result));
    if (store_client_do(store_client, verb, &put.operation) < 0) {
        fprintf(stderr, "snekomatic %s: the list of actions lacks this one\n", verb);
    }
}
