/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A request that passed the gate, on its way to the console's thread and back. The thread that
 * holds it owns it. */
#ifndef SNEK_CONSOLE_TASK_H
#define SNEK_CONSOLE_TASK_H

#include "base/mailbox.h"
#include "console/console.h"
#include "console/session.h"
#include "ingest/form.h"
#include "ingest/origin.h"

#include <stdatomic.h>

#define CONSOLE_PATH "/console"
#define CONSOLE_PATH_MAX 400
#define CONSOLE_FIELDS_MAX 24
/* Bytes of one page. */
#define CONSOLE_PAGE_MAX ((size_t)8 << 20)
#define CONSOLE_FORM_BYTES_MAX 16384

struct console_task {
    struct mail mail;
    struct console *console;
    struct http_request *request;

    enum console_role role;
    char who[CONSOLE_WHO_MAX + 1];
    /* The token of forms; "" without a session. */
    char form[HTTP_TOKEN_MAX];
    /* The start of the console's URLs for the browser. */
    char origin[HTTP_ORIGIN_MAX];
    /* Below /console, without ".json": "", "/deliveries" ... */
    char path[CONSOLE_PATH_MAX];
    bool is_post, wants_json;
    /* The parameters of the URL, or of a POST those of the form. */
    struct http_field fields[CONSOLE_FIELDS_MAX];
    size_t n_fields;

    /* For console_waiting. */
    uint64_t turn;
    /* Monotonic: when the console's thread took it from its mailbox. */
    int64_t arrived_us;
    /* How long it waited because webhooks kept the store busy; 0: not at all. */
    int64_t waited_ms;
    /* The client sends nothing more; it may have closed the connection. Set by ingest's thread. */
    atomic_bool left;
    /* No page was made, because of that. */
    bool dropped;

    /* Wall clock: when the page began to be made. */
    int64_t now_ms;
    /* The response. */
    unsigned status;
    struct buffer page;
    /* The part of console.large_bytes that its response holds. */
    size_t large_bytes;
    /* "" without a redirect. */
    char location[2 * CONSOLE_PATH_MAX];
    /* The page is JSON for a file, which a browser stores and does not show. */
    bool is_file;
};

/* The value of a field; "" if it was not given. */
const char *task_field(const struct console_task *task, const char *name);

/* On the console's thread: makes the response. */
void console_pages_handle(struct console_task *task);

#endif
