/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console: pages for people who operate the bot, at /console. The files:
 *
 *   browser --> gate, on ingest's thread: hosts, sessions, rights, forms, assets
 *                 | task
 *               pages, on the console's thread: HTML and JSON
 *                 | task with its response
 *   browser <-- gate, on ingest's thread
 *
 * Threads: the console has a thread of its own, which asks the store and makes the pages, one after
 * the other. So no page delays a webhook. The gate and its sessions belong to ingest's thread. */
#ifndef SNEK_CONSOLE_CONSOLE_H
#define SNEK_CONSOLE_CONSOLE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"
#include "config/config.h"
#include "inbox/inbox.h"
#include "ingest/routes.h"
#include "protocol/description.h"

#include <stdbool.h>

/* Connections with the console at a time; they never take those of webhooks. */
#define CONSOLE_CONNECTIONS_MAX 32

/* Bytes of large responses (CONSOLE_LARGE_BYTES and more) on their way to slow clients; beyond it
 * such a request gets 503. */
#define CONSOLE_LARGE_SUM_MAX ((size_t)96 << 20)
#define CONSOLE_LARGE_BYTES ((size_t)256 << 10)

struct console;
struct explain;
struct broker_request;

struct console_options {
    /* Borrowed until console_free(), like all below. */
    const struct config *config;
    /* For changes. The console reads through an inbox of its own. */
    struct inbox *inbox;
    /* The names of all configured plugins, each between newlines. */
    const char *configured;
    /* console_new() takes only their hashes. */
    const struct secret *admin_token, *read_token;
    /* Appends the members of /readyz's JSON object. Any thread. Returns readiness. */
    bool (*append_status)(void *context, struct buffer *json);
    /* The description of the plugin with this index; NULL: it is not known. Any thread. */
    const struct description *(*describe)(void *context, size_t index, bool *more);
    /* Passes a question to dispatch. Any thread. */
    void (*explain)(void *context, struct explain *question);
    /* Passes a request to the broker. Any thread. */
    void (*request)(void *context, struct broker_request *request);
    /* Holds have changed, or runs are due. Any thread. */
    void (*on_changed)(void *context);
    void *context;
};

/* 0 and `*console`, or -1. */
int console_new(const struct console_options *options, struct console **console, struct error *err);

/* The row for ingest's table; lives as long as the console. */
const struct http_route *console_route(const struct console *console);

/* The host stops: from now on no page waits for webhooks. May be called again. Takes NULL. */
void console_quiesce(struct console *console);
/* Ends the thread. Call it after ingest_free(). Takes NULL. */
void console_stop(struct console *console);
/* Call it after console_stop() and broker_free(), and before inbox_free(). Takes NULL. */
void console_free(struct console *console);

#endif
