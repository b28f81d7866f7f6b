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
#include "base/proxy.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct broker;
struct inbox;

struct broker_options {
    const char *api_url; /* without a slash at the end */
    const char *user_agent;
    const char *ca_file;                    /* NULL: the system's */
    const struct proxy *proxy;              /* for https; NULL: none */
    int supervisor_fd;                      /* SOCK_SEQPACKET; stays the caller's */
    void (*supervisor_lost)(void *context); /* called once, on the broker's thread */
    void *context;
    int64_t request_timeout_ms; /* 0: 30000 */
    int64_t retry_first_ms;     /* before the first repetition; 0: 250 */
    /* Between two requests of an installation that change something, that notify people. */
    int64_t write_interval_ms, notify_interval_ms;
    struct inbox *inbox; /* where waits for rate limits are kept; NULL: nowhere */
};

enum broker_kind {
    BROKER_REQUEST, /* a plugin's request, with its installation's token */
    BROKER_SLUG,    /* the app's slug, from GET /app, kept; `answer` is the slug */
    BROKER_APP,     /* the host's own, as the app: `method`, `url`, `body` */
    BROKER_TOKEN,   /* the installation's token itself, for people: `answer`, to be wiped.
                       Permissions "" are all that are granted */
};

/* What does not count towards a run's deadline: the waits for rate limits and the pace. */
struct broker_waited {
    _Atomic int64_t total_ms;
    _Atomic int64_t since_ms; /* monotonic: it waits since; 0: it does not */
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
    const char *repository;  /* "owner/name": a token for this one alone; NULL or "": all */
    bool app_requests;       /* those below /app are allowed, as the app */
    const char *method;      /* GET, HEAD, PUT, POST, PATCH, DELETE */
    const char *url;         /* "/path" below the API's root, or absolute at its origin */
    const char *accept, *content_type; /* media types; NULL or "": GitHub's JSON, JSON */
    const char *more_headers;          /* "name: value\n" lines; NULL or "" none */
    const char *body;                  /* NULL or "" none */
    size_t body_bytes;
    bool repeatable; /* the plugin says: to do it twice is as good as once */
    bool announced;  /* the webhook itself named this URL: a 404 may be GitHub's views that lag */

    /* Whose it is. What changes something is sent only while the run is still held so: asked of the
     * inbox once more when it had to wait. run 0: nobody's in particular. */
    struct {
        int64_t run, attempt, lease, lease_ms;
    } holder;

    struct broker_waited waited; /* any thread may look while it is under way */

    /* The answer. outcome: 0 for a 2xx, else enum snek_error (types.h), negative. With
     * SNEK_E_REQUEUE the request was not made, for it would have to wait for long or the host
     * drains: the run is to come back at `not_before_ms` (wall). */
    int32_t outcome;
    int64_t not_before_ms;
    int32_t status;         /* HTTP's, 0 when no answer came */
    bool sent;              /* some of it may have reached GitHub */
    bool installation_gone; /* the app is not installed there any more: trying again is no use */
    struct error error;     /* a sentence: METHOD URL answered 403: GitHub's message */
    struct buffer headers;  /* "name: value\n", names in lower case, the last answer's */
    struct buffer answer;   /* the body; at most FRAME_REPLY_BODY_MAX */

    struct mail mail; /* the broker's */
    void *broker_private;
};

/* Is a request to GraphQL with this body one that only reads? Not when there is any doubt. Any
 * thread. */
bool broker_graphql_reads(const char *body, size_t body_bytes);

/* Of an answer of GraphQL's that has errors: was a part of the document carried out all the same?
 * So it was when anything in `data` is not null. Any thread. */
bool broker_graphql_did(const char *body, size_t body_bytes);

/* Frees the answer's buffers. */
void broker_request_finish(struct broker_request *request);

/* 0 and `*broker`, or -1. Copies the options' texts. */
int broker_new(const struct broker_options *options, struct broker **broker, struct error *err);
void broker_submit(struct broker *broker, struct broker_request *request); /* any thread */

/* From now on a request that would have to wait is answered SNEK_E_REQUEUE. Any thread; once. */
void broker_drain(struct broker *broker);

/* Ends the thread; requests that are under way are answered SNEK_E_CANCELLED into their mailboxes.
 * Takes NULL. Nobody submits any more. */
void broker_free(struct broker *broker);

#endif
