/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The frames that the host and a worker exchange over their socketpair (a stream). Frames are
 * length-prefixed and in the machine's own byte order, because both ends are on one machine and of
 * one build.
 *
 *   head: u32 body bytes | u32 kind | u64 run | u64 request        (struct frame_head)
 *   body: the fields that the kind lists, in that order; a number is 8 bytes, a text is a u32
 *         length and its bytes, a list is a number (count) and then its items.
 *
 * The worker is not trusted. A frame that is too long, of an unknown kind, too short for its fields
 * or with bytes left over ends the worker, never the host. `run` is the host's handle of a run in
 * this worker (not the inbox's id); it is 0 where the frame concerns no run. `request` is the
 * worker's handle of a call; the response repeats it. */
#ifndef SNEK_PROTOCOL_FRAMES_H
#define SNEK_PROTOCOL_FRAMES_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* The first field of START and DESCRIBED. Both ends must have the same. */
#define FRAME_PROTOCOL 14

/* A payload of 25 MiB and its fields. */
#define FRAME_TO_WORKER_MAX (32u << 20)
/* The body of a request and its fields. */
#define FRAME_TO_HOST_MAX (4u << 20)

/* The most bytes of each thing in a frame. The sender checks them too. */
/* A plugin, event, action, command, set or permission. */
#define FRAME_NAME_MAX 100
/* The reason of a result or a rejection, or the text of a log line. */
#define FRAME_REASON_MAX 1000
/* The paths of a payload that a plugin read, in FRAME_RESULT. */
#define FRAME_PATHS_MAX 8000
/* The URL, and all headers together, of FRAME_HTTP_CALL. */
#define FRAME_URL_MAX 8192
#define FRAME_HEADERS_MAX 8192
/* A media type. */
#define FRAME_MEDIA_MAX 200
/* The body of GitHub's response. */
#define FRAME_REPLY_BODY_MAX (8u << 20)
/* The subscriptions, the commands and the permissions of one plugin, each. A number of items. */
#define FRAME_ITEMS_MAX 256

/* The line of FRAME_LOG that a worker sends before it lets an allocation fail (FRAME_LOAD) begins
 * so; the name of the function follows. */
#define FRAME_ALLOCATION_FAILED "check: an allocation fails: "

enum frame_kind {
    /* Host to worker. */

    /* Number protocol, text absolute path of the .so, number sandbox (enum frame_sandbox), number
     * memory_mib. Once, first. The process that starts the worker (the supervisor, for `serve`)
     * sends it before the host has the socket. */
    FRAME_START = 1,
    /* Text [plugin.config] as a JSON object, number concurrency, number log level (enum log_level),
     * number of the handlers' allocation that fails (from 1, for `check --plugin`; 0: none).
     * Once, second. Its first bytes carry descriptors (enum frame_load_fd). */
    FRAME_LOAD,
    /* Text event, text action ("" when the payload has none), text delivery GUID, text
     * installation, number attempt (from 1), number received (wall ms), number id of the app's
     * bot user (0: the sender is another), text id of the app, text payload (JSON, at most 25
     * MiB). */
    FRAME_RUN,
    /* The response to FRAME_HTTP_CALL: number outcome (enum snek_error, 0 or negative), number HTTP
     * status (0 when there was none), text error sentence, text headers ("name: value\n", names in
     * lower case), text body. */
    FRAME_HTTP_RESPONSE,
    /* The result of FRAME_STORE_CALL: number outcome (1 yes or changed, 0 no, negative enum
     * snek_error), text value (of GET) or error sentence. */
    FRAME_STORE_RESULT,
    /* The run's result is no longer wanted; snek_cancelled() turns true. */
    FRAME_CANCEL,
    /* The fields of FRAME_RUN. The worker explains which handlers the delivery would call, and
     * calls none. `run` is the host's number of the question. */
    FRAME_EXPLAIN,

    /* Worker to host. */

    /* Number of the descriptors that its first bytes carry (enum frame_watch_fd), and no other
     * field. Once, before SANDBOX, and only if LOAD came with descriptors. */
    FRAME_WATCH = 62,
    /* Number level reached (enum frame_sandbox_level), text why it is not full ("" when it is).
     * Once, before the plugin's first instruction runs: every frame after it may be the plugin's
     * own. Only REJECTED may come instead. */
    FRAME_SANDBOX = 63,
    /* Number protocol, text name, text version, text summary, number ABI major, number ABI minor,
     * number order (enum snek_order), list of permissions (text name, text access, number 1 when it
     * is optional), list of subscriptions (text event, text action ("" any), text filters for
     * people, such as `pull_request.merged = true`, number flags (enum snek_subscription_flag)),
     * list of commands (text name without "/", text usage, number roles (enum snek_role_flag),
     * number denied (enum snek_denied)), list of effects (text method, text URL template), list of
     * schedules (text name, number every minutes, text cron, number target), list of check
     * actions (number kind (enum snek_check_action_kind), text identifier, text name of the check
     * run, number roles), text name of the repository's configuration file if it has a schema, else
     * "". Once, before create() is called: the host routes deliveries by it, also
     * to a plugin whose create() fails after a restart of the host. */
    FRAME_DESCRIBED = 64,
    /* Text why, one sentence for people. Then the worker exits. */
    FRAME_REJECTED,
    /* Number flags (enum frame_http_flag), text method, text URL, text media type to accept, text
     * media type of the body, text headers ("name: value\n"), text repository, text name of the
     * effect that is made once (each "" when there is none), text body. Within a run. */
    FRAME_HTTP_CALL,
    /* Number operation (enum frame_store_operation), number per installation (0/1), text set or ""
     * (keys), text entry or key, text value (PUT only). Within a run. */
    FRAME_STORE_CALL,
    /* Number question (enum frame_app_question). FRAME_HTTP_RESPONSE responds to it, with the
     * answer as its body. Within a run. */
    FRAME_APP_CALL,
    /* Number level (enum log_level), text. The run may be 0. */
    FRAME_LOG,
    /* Number delay ms (FRAME_TIMER_CANCEL: cancel the timer), text key, text payload of the timer's
     * delivery (JSON). Within a run; there is no response. */
    FRAME_TIMER,
    /* Number result (enum snek_result or negative enum snek_error), number delay ms (of
     * SNEK_RETRY and SNEK_WAIT), text reason, text the paths of the payload that the plugin's
     * filters and handlers read, separated by spaces; that of a filter begins with "@" ("" unless
     * the log level is debug). Ends the run. */
    FRAME_RESULT,
    /* No field. Once, after DESCRIBED, when create() has succeeded: runs may come. */
    FRAME_READY,
    /* List of the plugin's subscriptions, schedules, commands and check actions (number kind, text
     * name, number verdict, text condition, text what the payload has): see protocol/explained.h.
     * Empty when memory is short. The response to FRAME_EXPLAIN, with its number. */
    FRAME_EXPLAINED,
};

/* The descriptors that come with FRAME_LOAD, by SCM_RIGHTS, in this order: the writing ends of
 * pipes for what the worker prints, and for its crash report (protocol/crash_report.h). A worker
 * without them prints nowhere. */
enum frame_load_fd { FRAME_LOAD_STDOUT, FRAME_LOAD_STDERR, FRAME_LOAD_CRASH, FRAME_LOAD_FDS };

/* The descriptors that come with FRAME_WATCH, by SCM_RIGHTS, in this order: the worker's own
 * /proc/self/status, and the listener of its thread gate (seccomp_unotify(2)). A kernel may lack
 * the second one, and a system without /proc has none. */
enum frame_watch_fd { FRAME_WATCH_STATUS, FRAME_WATCH_THREADS, FRAME_WATCH_FDS };

enum frame_http_flag {
    /* The plugin declared that repeating the request is harmless. */
    FRAME_HTTP_REPEATABLE = 1,
    /* The payload names this URL. */
    FRAME_HTTP_ANNOUNCED = 2,
    /* A redirect is the response itself: the host does not follow it. */
    FRAME_HTTP_NO_FOLLOW = 4,
    /* The plugin declared that each repetition adds something. */
    FRAME_HTTP_ADDS = 8,
};

enum frame_sandbox { FRAME_SANDBOX_BEST, FRAME_SANDBOX_STRICT, FRAME_SANDBOX_OFF };
enum frame_sandbox_level { FRAME_LEVEL_OFF, FRAME_LEVEL_PARTIAL, FRAME_LEVEL_FULL };

/* "off", "partial" or "full". */
const char *frame_level_name(enum frame_sandbox_level level);

enum frame_store_operation {
    FRAME_SET_HAS,
    FRAME_SET_ADD,
    FRAME_SET_REMOVE,
    FRAME_KEY_GET,
    FRAME_KEY_PUT,
    FRAME_KEY_DELETE,
    /* For the worker's own helpers: 1 when this run has reserved the name, 0 when another run of
     * the plugin has it that has not ended. */
    FRAME_RESERVE,
};

enum frame_app_question {
    /* The app's slug: its bot user is SLUG[bot]. */
    FRAME_APP_SLUG,
    /* The permissions of the plugin's token: {"issues":"write"}. */
    FRAME_APP_PERMISSIONS,
};

#define FRAME_TIMER_CANCEL UINT64_MAX
/* The most that a plugin may ask for. */
#define FRAME_TIMER_DELAY_MAX_MS (90 * INT64_C(86400000))
/* Bytes. A timer's key; its data, and its payload with the data. */
#define FRAME_TIMER_KEY_MAX 200
#define FRAME_TIMER_DATA_MAX (64u << 10)
#define FRAME_TIMER_PAYLOAD_MAX (FRAME_TIMER_DATA_MAX + 8192)
/* So many timers may be set or cancelled in a run, with so many bytes of payloads. */
#define FRAME_TIMERS_MAX 100
#define FRAME_TIMERS_BYTES_MAX (1u << 20)

/* The most bytes in a plugin's store; the worker rejects longer ones. A set's entry or a key. */
#define FRAME_STORE_ENTRY_MAX 512
#define FRAME_STORE_VALUE_MAX (64u << 10)

struct frame_head {
    uint32_t body_bytes;
    uint32_t kind;
    uint64_t run;
    uint64_t request;
};

/* Writing: frame_begin(), the fields, frame_end(). A failure lasts until frame_end(), which returns
 * -1 when memory was short or the maximum (`buffer->max`) was passed. Otherwise `buffer` has the
 * whole frame, ready to be sent. Frames may follow each other in one buffer. */
struct frame_writer {
    /* Borrowed. */
    struct buffer *buffer;
    size_t head_at;
    bool failed;
};

void frame_begin(struct frame_writer *writer, struct buffer *buffer, enum frame_kind kind,
                 uint64_t run, uint64_t request);
void frame_put_number(struct frame_writer *writer, uint64_t number);
void frame_put_text(struct frame_writer *writer, const char *text);
void frame_put_bytes(struct frame_writer *writer, const void *data, size_t bytes);
/* The last text of a frame, without a copy: the frame gets its length, and the caller sends its
 * bytes after the buffer. */
void frame_put_bytes_apart(struct frame_writer *writer, size_t bytes);
int frame_end(struct frame_writer *writer);

/* Reading a body. A failure lasts until frame_read_end(): 0, or -1 when a field was missing, too
 * long or left over. Texts point into the body (borrowed, not terminated). */
struct frame_text {
    const char *data;
    size_t bytes;
};

struct frame_reader {
    const char *at, *end;
    bool failed;
};

void frame_read_begin(struct frame_reader *reader, const void *body, size_t bytes);
uint64_t frame_get_number(struct frame_reader *reader);
struct frame_text frame_get_text(struct frame_reader *reader, size_t max_bytes);
int frame_read_end(const struct frame_reader *reader);

#endif
