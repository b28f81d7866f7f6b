/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts a broker with the configured options, and turns its callbacks into calls that wait. */
#include "cli/broker_client.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

int broker_client_open(struct broker_client *client, const struct config *config, int messages_fd,
                       struct error *err) {
    struct broker_options options = {.api_url = config->github.api_url,
                                     .app_id = config->github.app_id,
                                     .user_agent = config->github.user_agent,
                                     .ca_file = config->github.ca_file,
                                     .proxy = &config->proxy,
                                     .supervisor_fd = messages_fd};
    assert(messages_fd >= 0);
    *client = (struct broker_client){.broker = NULL};
    if (mailbox_init(&client->mailbox) < 0) {
        return error_set(err, "cannot make a mailbox (%s): " ERROR_FIX_FILES, strerror(errno));
    }
    if (broker_new(&options, &client->broker, err) < 0) {
        mailbox_finish(&client->mailbox);
        client->broker = NULL;
        return -1;
    }
    return 0;
}

void broker_client_close(struct broker_client *client) {
    if (client->broker) {
        broker_free(client->broker);
        mailbox_finish(&client->mailbox);
        client->broker = NULL;
    }
}

static void on_response(struct broker_request *request) {
    CONTAINER_OF(request->reply_to, struct broker_client, mailbox)->responded = true;
}

void broker_client_call(struct broker_client *client, struct broker_request *request) {
    assert(client->broker);
    request->reply_to = &client->mailbox;
    request->on_done = on_response;
    client->responded = false;
    broker_submit(client->broker, request);
    while (!client->responded) {
        struct pollfd fd = {.fd = client->mailbox.event_fd, .events = POLLIN};
        poll(&fd, 1, -1);
        mailbox_drain(&client->mailbox);
    }
}

json_t *broker_client_json(struct broker_client *client, const char *method, const char *url,
                           const char *body, struct broker_request *request) {
    json_error_t problem;
    *request = (struct broker_request){.kind = BROKER_APP,
                                       .method = method,
                                       .url = url,
                                       .body = body,
                                       .body_bytes = body ? strlen(body) : 0};
    broker_client_call(client, request);
    if (request->outcome != 0) {
        return NULL;
    }
    json_t *json = json_loadb(request->response.data, request->response.bytes, 0, &problem);
    if (!json) {
        error_set(&request->error, "%s %s answered %d without JSON: check github.api_url", method,
                  url, (int)request->status);
    }
    return json;
}

const char *broker_client_fix(const struct broker_request *request) {
    if (request->status == 0) {
        return "; check this machine's network, github.api_url and HTTPS_PROXY, and "
               "https://www.githubstatus.com";
    }
    if (request->status >= 500) {
        return "; GitHub or a proxy fails: retry later, and see https://www.githubstatus.com";
    }
    return "";
}
