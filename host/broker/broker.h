/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The broker: sends the plugins' requests to GitHub, each with a token of the installation that
 * GitHub narrowed to the plugin's declared permissions. Only the broker holds tokens. A request
 * leaves only for the configured origin.
 *
 * Threads: one of its own. It drives one curl multi handle, this room's mailbox and the socket to
 * the supervisor. Any thread submits; results go to the client's mailbox.
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

/* The broker corrects a clock that differs from GitHub's by at most this. */
#define BROKER_SKEW_MAX_MS 3600000

struct broker;
struct inbox;

struct broker_options {
    /* Without a slash at its end. */
    const char *api_url;
    /* GET /app must return this id (or client id). NULL: any. */
    const char *app_id;
    const char *user_agent;
    /* NULL: the system's certificates. */
    const char *ca_file;
    /* For https. NULL: no proxy. */
    const struct proxy *proxy;
    /* SOCK_SEQPACKET; stays the caller's. */
    int supervisor_fd;
    /* Called once, on the broker's thread. */
    void (*on_supervisor_lost)(void *context);
    void *context;
    /* 0: 30000. */
    int64_t request_timeout_ms;
    /* Before the first retry. 0: 250. */
    int64_t retry_first_ms;
    /* The least time between two writes of one installation, and between two that notify people. */
    int64_t write_interval_ms, notify_interval_ms;
    /* Stores the waits for rate limits. NULL: they are not stored. */
    struct inbox *inbox;
};

enum broker_kind {
    /* A plugin's request, with a token of its installation. */
    BROKER_REQUEST,
    /* The app's slug, from GET /app, cached for an hour unless `fresh`; `response` is the slug. */
    BROKER_SLUG,
    /* The host's own request as the app: `method`, `url`, `body`. */
    BROKER_APP,
    /* The installation's token itself, for an operator: `response`, which the caller wipes.
     * Permissions "" ask for all that are granted. */
    BROKER_TOKEN,
    /* The permissions of the plugin's token: `response` is a JSON object, {"issues":"write"}. */
    BROKER_PERMISSIONS,
};

/* The time that does not count towards a run's deadline: waits for rate limits and for the pace. */
struct broker_waited {
    _Atomic int64_t total_ms;
    /* Monotonic: the current wait began then. 0: it does not wait. */
    _Atomic int64_t since_ms;
};

struct broker_request {
    enum broker_kind kind;
    struct mailbox *reply_to;
    /* On the mailbox's thread. */
    void (*on_done)(struct broker_request *request);

    /* The request; its texts are borrowed until on_done(). `plugin`, `delivery` and `attempt` are
     * for the log; `plugin` also takes its turn among other plugins. */
    const char *plugin, *delivery;
    int64_t attempt;
    const char *installation;
    /* Canonical JSON with sorted names: {"members":"write"}. */
    const char *permissions;
    /* More of them, which the token has if the installation grants them. NULL or "": none. */
    const char *optional;
    /* "owner/name": the token reaches this repository alone. NULL or "": all of them. */
    const char *repository;
    /* For BROKER_SLUG: asks GitHub, because the app may have been renamed. */
    bool fresh;
    /* Requests below /app are allowed, as the app. */
    bool app_requests;
    /* GET, HEAD, PUT, POST, PATCH, DELETE. */
    const char *method;
    /* "/path" below the API's root, or absolute at its origin. */
    const char *url;
    /* Media types. NULL or "": GitHub's JSON, and JSON. */
    const char *accept, *content_type;
    /* "name: value\n" lines. NULL or "": none. */
    const char *more_headers;
    /* NULL or "": none. */
    const char *body;
    size_t body_bytes;
    /* For BROKER_APP: the most bytes of the response. 0: 1 MiB. */
    size_t response_max;
    /* The plugin declares that repeating the request is harmless. */
    bool repeatable;
    /* The webhook itself named this URL: a 404 may mean that GitHub's views lag behind. */
    bool announced;
    /* A redirect is the response itself, and is not followed. */
    bool no_follow;

    /* The lease this request runs under. A write is sent only while the lease is held: the broker
     * checks it with the inbox once more when the write had to wait. run 0: no lease. */
    struct {
        int64_t run, token, lease_ms;
        /* Monotonic: until then nobody else can have taken the run. */
        int64_t trusted_until_ms;
    } holder;

    /* Any thread may read it while the request is in progress. */
    struct broker_waited waited;

    /* The result. outcome: 0 for a 2xx, else enum snek_error (types.h), negative. SNEK_E_REQUEUE:
     * the request was not made, because it would have to wait for long or the host drains; the run
     * is due again at `not_before_ms` (wall). */
    int32_t outcome;
    int64_t not_before_ms;
    /* HTTP's; 0 when no response came. */
    int32_t status;
    /* A part of the request may have reached GitHub. */
    bool sent;
    /* The app is not installed there any more: a retry fails too. */
    bool installation_gone;
    /* A sentence: METHOD URL answered 403: GitHub's message */
    struct error error;
    /* "name: value\n", names in lower case, of the last response. */
    struct buffer headers;
    /* The body; at most FRAME_REPLY_BODY_MAX. */
    struct buffer response;

    /* The broker's. */
    struct mail mail;
    void *broker_private;
};

/* Does a GraphQL request with this body only read? False in doubt. Any thread. */
bool broker_graphql_reads(const char *body, size_t body_bytes);

/* For a GraphQL response with errors: did GitHub carry out a part of the document all the same?
 * True when anything in `data` is not null. Any thread. */
bool broker_graphql_did(const char *body, size_t body_bytes);

/* The first header of that name (lower case) in a response's "name: value\n" lines: its value,
 * borrowed, not terminated, and its length; NULL when absent. Any thread. */
const char *broker_header(const struct buffer *headers, const char *name, size_t *bytes);

/* Frees the response's buffers. */
void broker_request_finish(struct broker_request *request);

/* 0 and `*broker`, or -1. Copies the options' texts. */
int broker_new(const struct broker_options *options, struct broker **broker, struct error *err);
/* Any thread. */
void broker_submit(struct broker *broker, struct broker_request *request);

/* From now on a request that would have to wait ends with SNEK_E_REQUEUE. Any thread; once. */
void broker_drain(struct broker *broker);

/* Ends the thread. Requests in progress end with SNEK_E_CANCELLED, in their mailboxes. Takes NULL.
 * No thread may submit any more. */
void broker_free(struct broker *broker);

#endif
