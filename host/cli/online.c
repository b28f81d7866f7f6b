/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic check --online`: asks GitHub who the app is, by the way that requests will go. */
#include "cli/online.h"

#include "base/log.h"
#include "base/mailbox.h"
#include "broker/broker.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct question {
    struct broker_request request;
    bool answered;
};

static void note_answer(struct broker_request *request) {
    CONTAINER_OF(request, struct question, request)->answered = true;
}

/* What serve would warn of: that GitHub took the next key only. On the broker's thread. */
static void note_warning(void *context, enum log_level level, const char *message,
                         const struct log_field *fields) {
    (void)level, (void)fields;
    if (strcmp(message, "private_key_next") == 0) {
        atomic_store((atomic_bool *)context, true);
    }
}

static unsigned ask(struct broker *broker, const struct config *config, struct mailbox *mailbox) {
    struct question question = {
        .request = {.kind = BROKER_SLUG, .reply_to = mailbox, .done = note_answer}};
    broker_submit(broker, &question.request);
    while (!question.answered) {
        struct pollfd fd = {.fd = mailbox->event_fd, .events = POLLIN};
        (void)poll(&fd, 1, -1);
        (void)mailbox_drain(mailbox);
    }
    unsigned problems = question.request.outcome == 0 ? 0 : 1;
    if (problems == 0) {
        const struct proxy *proxy = &config->proxy;
        (void)printf("GitHub          ok: the app is %.*s%s%s\n",
                     (int)question.request.answer.bytes, question.request.answer.data,
                     proxy->url ? "; HTTPS_PROXY is " : "", proxy->url ? proxy->shown : "");
    } else {
        (void)fprintf(stderr, "GitHub: %s\n", question.request.error.text);
    }
    broker_request_finish(&question.request);
    return problems;
}

unsigned online_look(const struct config *config, int messages_fd) {
    struct error err;
    struct broker *broker = NULL;
    struct mailbox mailbox;
    struct broker_options options = {.api_url = config->github.api_url,
                                     .user_agent = config->github.user_agent,
                                     .ca_file = config->github.ca_file,
                                     .proxy = &config->proxy,
                                     .supervisor_fd = messages_fd};
    if (mailbox_init(&mailbox) < 0) {
        (void)fprintf(stderr, "GitHub: it cannot be asked: %s\n", strerror(errno));
        return 1;
    }
    unsigned problems = 1;
    atomic_bool took_next = false;
    log_setup(SNEK_LEVEL_ERROR, config->log.format); /* standard output is for what was found */
    log_watch(note_warning, &took_next);
    if (broker_new(&options, &broker, &err) < 0) {
        (void)fprintf(stderr, "GitHub: it cannot be asked: %s\n", err.text);
    } else {
        problems = ask(broker, config, &mailbox);
    }
    broker_free(broker);
    log_watch(NULL, NULL);
    if (atomic_load(&took_next)) {
        (void)fflush(stdout);
        (void)fprintf(stderr,
                      "warning: GitHub rejects the private key and takes the next one: make "
                      "it github.private_key_file\n");
    }
    mailbox_finish(&mailbox);
    return problems;
}
