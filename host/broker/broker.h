/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The way out: sends the plugins' requests to GitHub, each with a token of the installation that
 * GitHub itself narrowed to the plugin's declared permissions. Only here are tokens, and a request
 * leaves only for the configured origin.
 *
 * Threads: one of its own, which drives one curl multi handle, this room's mailbox and the socket
 * to the supervisor. Anyone submits; answers come to the asker's mailbox.
 * Ownership: as for the inbox's operations. */
#ifndef SNEK_BROKER_BROKER_H
#define SNEK_BROKER_BROKER_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/mailbox.h"

#include <stdbool.h>
#include <stdint.h>

struct broker;

struct broker_options {
    const char *api_url; /* without a slash at the end */
    const char *user_agent;
    const char *ca_file;                    /* NULL: the system's */
    int supervisor_fd;                      /* SOCK_SEQPACKET; stays the caller's */
    void (*supervisor_lost)(void *context); /* called once, on the broker's thread */
    void *context;
    int64_t request_timeout_ms; /* 0: 30000 */
};

enum broker_kind {
    BROKER_REQUEST, /* a plugin's request, with its installation's token */
    BROKER_SLUG,    /* the app's slug, from GET /app, kept; `body` is the slug */
};

struct broker_request {
    enum broker_kind kind;
    struct mailbox *reply_to;
    void (*done)(struct broker_request *request); /* on the mailbox's thread */

    /* The question; texts are borrowed until done. */
    const char *plugin, *delivery; /* for the log */
    int64_t attempt;
    const char *installation;
    const char *permissions; /* canonical JSON: {"members":"write"}, names sorted */
    const char *method;      /* GET, PUT, POST, PATCH, DELETE */
    const char *url;         /* "/path" below the API's root, or absolute at its origin */
    const char *body;        /* JSON; NULL or "" none */
    size_t body_bytes;

    /* The answer. outcome: 0 for a 2xx, else enum snek_error (types.h), negative. */
    int32_t outcome;
    int32_t status;         /* HTTP's, 0 when no answer came */
    bool installation_gone; /* the app is not installed there any more: trying again is no use */
    struct error error;     /* a sentence: METHOD URL answered 403: GitHub's message */
    struct buffer headers;  /* "name: value\n", names in lower case, the last answer's */
    struct buffer answer;   /* the body; at most FRAME_REPLY_BODY_MAX */

    struct mail mail; /* the broker's */
    void *broker_private;
};

/* Frees the answer's buffers. */
void broker_request_finish(struct broker_request *request);

/* 0 and `*broker`, or -1. Copies the options' texts. */
int broker_new(const struct broker_options *options, struct broker **broker, struct error *err);
void broker_submit(struct broker *broker, struct broker_request *request); /* any thread */

/* Ends the thread; requests that are under way are answered SNEK_E_CANCELLED into their mailboxes.
 * Takes NULL. Nobody submits any more. */
void broker_free(struct broker *broker);

#endif
