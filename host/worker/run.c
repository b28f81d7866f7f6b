/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* struct run: made of a RUN frame, freed after its last handler. Its payload stays in the frame, so
 * that 25 MiB are not copied. */
#include "worker/run.h"

#include "base/lock.h"
#include "base/text.h"
#include "worker/found_values.h"
#include "worker/read_paths.h"
#include "worker/roles.h"
#include "worker/worker.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The most bytes of texts that the handlers of one run get. */
#define RUN_TEXTS_MAX (64u << 20)
/* Equal to the inbox's limit: bytes. */
#define RUN_GUID_MAX 128

TAILQ_HEAD(run_resources, run_resource);

struct run {
    struct snek_run shown;
    struct worker *worker;
    uint64_t handle;
    atomic_bool cancelled;

    /* The body of the RUN frame; ours. The payload points into it. */
    char *frame;
    struct snek_text payload;
    /* In the arena. Constant, as are the two behind them. */
    const char *event, *action, *delivery, *installation;
    int64_t attempt, received_ms;
    /* 0: the sender is not the app's bot user. */
    uint64_t bot_user;
    const char *app;

    struct arena arena;
    /* Of the payload. */
    struct found_values found;
    struct read_paths read_paths;

    /* Guards the members below. */
    pthread_mutex_t lock;
    struct reason reason;
    /* The code of the latest text that could not be built, 0 when none; and its sentence. */
    int32_t text_code;
    char text_sentence[FRAME_REASON_MAX + 1];
    unsigned comments_removed;
    uint32_t timers;
    uint64_t timer_bytes;
    struct run_resources resources;

    /* It has a lock of its own. */
    struct role_facts role_facts;

    /* Written between handlers, so without the lock. */
    const char *const *words;
    uint32_t words_count;
};

/* ---- its life ---- */

static const char *read_name(struct run *run, struct frame_reader *reader, size_t max_bytes) {
    struct frame_text text = frame_get_text(reader, max_bytes);
    const char *copy = arena_text(&run->arena, text.data, text.bytes);
    if (!copy) {
        reader->failed = true;
    }
    return copy;
}

/* 0, or -1 when the frame is malformed, or memory is short even for a few names. */
static int parse(struct run *run, size_t body_bytes) {
    struct frame_reader reader;
    frame_read_begin(&reader, run->frame, body_bytes);
    run->event = read_name(run, &reader, FRAME_NAME_MAX);
    run->action = read_name(run, &reader, FRAME_NAME_MAX);
    run->delivery = read_name(run, &reader, RUN_GUID_MAX);
    run->installation = read_name(run, &reader, FRAME_NAME_MAX);
    run->attempt = (int64_t)frame_get_number(&reader);
    run->received_ms = (int64_t)frame_get_number(&reader);
    run->bot_user = frame_get_number(&reader);
    run->app = read_name(run, &reader, FRAME_NAME_MAX);
    struct frame_text payload = frame_get_text(&reader, FRAME_TO_WORKER_MAX);
    run->payload = (struct snek_text){.data = payload.data, .bytes = payload.bytes};
    return frame_read_end(&reader) == 0 ? 0 : -1;
}

int run_new(struct worker *worker, uint64_t handle, char *body, size_t body_bytes,
            struct run **run) {
    struct run *made = calloc(1, sizeof *made);
    if (!made) {
        free(body);
        return 1;
    }
    made->shown = (struct snek_run){.host = worker_host(worker), .state = *worker_state(worker)};
    made->worker = worker;
    made->handle = handle;
    made->frame = body;
    arena_init(&made->arena, RUN_TEXTS_MAX);
    found_values_init(&made->found, RUN_TEXTS_MAX);
    read_paths_init(&made->read_paths, worker_logs(worker, SNEK_LEVEL_DEBUG));
    pthread_mutex_init(&made->lock, NULL);
    TAILQ_INIT(&made->resources);
    role_facts_init(&made->role_facts);
    if (parse(made, body_bytes) < 0) {
        run_free(made);
        return -1;
    }
    *run = made;
    return 0;
}

void run_free(struct run *run) {
    struct run_resource *resource;
    while ((resource = TAILQ_FIRST(&run->resources))) {
        resource->on_run_end(resource);
        assert(TAILQ_FIRST(&run->resources) != resource);
    }
    arena_finish(&run->arena);
    found_values_finish(&run->found);
    read_paths_finish(&run->read_paths);
    role_facts_finish(&run->role_facts);
    pthread_mutex_destroy(&run->lock);
    free(run->frame);
    free(run);
}

/* ---- what it is ---- */

struct run *run_of(struct snek_run *shown) {
    return CONTAINER_OF(shown, struct run, shown);
}

struct snek_run *run_shown(struct run *run) {
    return &run->shown;
}

struct worker *run_worker(const struct run *run) {
    return run->worker;
}

uint64_t run_handle(const struct run *run) {
    return run->handle;
}

const char *run_event(const struct run *run) {
    return run->event;
}

const char *run_action(const struct run *run) {
    return run->action;
}

const char *run_delivery(const struct run *run) {
    return run->delivery;
}

const char *run_installation(const struct run *run) {
    return run->installation;
}

int64_t run_attempt(const struct run *run) {
    return run->attempt;
}

uint64_t run_bot_user(const struct run *run) {
    return run->bot_user;
}

const char *run_app(const struct run *run) {
    return run->app;
}

int64_t run_received_ms(const struct run *run) {
    return run->received_ms;
}

struct snek_text run_payload(const struct run *run) {
    return run->payload;
}

uint32_t run_find(struct run *run, const char *path, struct snek_value *value) {
    return found_values_find(&run->found, run->payload.data, run->payload.bytes, path, value);
}

void run_note_read(struct run *run, bool is_filter, const char *path) {
    read_paths_add(&run->read_paths, is_filter, path);
}

char *run_steal_read_paths(struct run *run) {
    return read_paths_steal(&run->read_paths);
}

const char *run_find_text(struct run *run, const char *path) {
    struct snek_value value;
    bool found = run_find(run, path, &value) == SNEK_STRING;
    return found && strlen(value.text.data) == value.text.bytes ? value.text.data : NULL;
}

int64_t run_find_integer(struct run *run, const char *path) {
    struct snek_value value;
    bool found = run_find(run, path, &value) == SNEK_NUMBER && value.is_integer;
    return found ? value.integer : 0;
}

struct arena *run_arena(struct run *run) {
    return &run->arena;
}

/* ---- the command that is being handled ---- */

void run_set_words(struct run *run, const char *const *words, uint32_t count) {
    assert(words || count == 0);
    run->words = words;
    run->words_count = count;
}

const char *run_word(const struct run *run, uint32_t n) {
    return n < run->words_count ? run->words[n] : NULL;
}

bool run_count_timer(struct run *run, size_t bytes) {
    SCOPED_LOCK(&run->lock);
    if (run->timers >= FRAME_TIMERS_MAX || run->timer_bytes + bytes > FRAME_TIMERS_BYTES_MAX) {
        return false;
    }
    run->timers++;
    run->timer_bytes += bytes;
    return true;
}

void run_count_comment_removed(struct run *run) {
    SCOPED_LOCK(&run->lock);
    run->comments_removed++;
}

unsigned run_comments_removed(struct run *run) {
    SCOPED_LOCK(&run->lock);
    return run->comments_removed;
}

struct role_facts *run_role_facts(struct run *run) {
    return &run->role_facts;
}

/* ---- cancelling ---- */

void run_cancel(struct run *run) {
    atomic_store(&run->cancelled, true);
}

bool run_is_cancelled(const struct run *run) {
    return atomic_load(&run->cancelled);
}

/* ---- the reason ---- */

static void set_reason(struct run *run, const char *text, size_t bytes, bool of_call,
                       int64_t delay_ms) {
    SCOPED_LOCK(&run->lock);
    text_repair(run->reason.text, sizeof run->reason.text, text, bytes);
    run->reason.of_call = of_call;
    run->reason.permanent_code = 0;
    run->reason.delay_ms = delay_ms > 0 ? delay_ms : 0;
}

void run_leave_reason(struct run *run, const char *text, size_t bytes) {
    set_reason(run, text, bytes, true, 0);
}

int32_t run_fail(struct run *run, int32_t code, const char *format, ...) {
    char text[FRAME_REASON_MAX + 1];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    run_leave_reason(run, text, strlen(text));
    return code;
}

int32_t run_fail_busy(struct run *run, int64_t delay_ms, const char *format, ...) {
    char text[FRAME_REASON_MAX + 1];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    set_reason(run, text, strlen(text), true, delay_ms);
    return SNEK_E_BUSY;
}

void run_mark_permanent(struct run *run, int32_t code) {
    assert(code < 0);
    SCOPED_LOCK(&run->lock);
    run->reason.permanent_code = code;
}

void run_fail_text(struct run *run, int32_t code, const char *sentence) {
    assert(code < 0);
    {
        SCOPED_LOCK(&run->lock);
        if (run->text_code < 0) {
            return;
        }
        run->text_code = code;
        text_repair(run->text_sentence, sizeof run->text_sentence, sentence, strlen(sentence));
    }
    run_leave_reason(run, sentence, strlen(sentence));
}

int32_t run_take_text_failure(struct run *run) {
    char text[FRAME_REASON_MAX + 1];
    int32_t code;
    {
        SCOPED_LOCK(&run->lock);
        code = run->text_code;
        memcpy(text, run->text_sentence, sizeof text);
        run->text_code = 0;
    }
    return code < 0 ? run_fail(run, code, "%s", text) : 0;
}

int32_t run_fail_null(struct run *run, const char *sentence) {
    int32_t unbuilt = run_take_text_failure(run);
    return unbuilt < 0 ? unbuilt : run_fail(run, SNEK_E_INVALID, "%s", sentence);
}

void run_explain(struct run *run, const char *text, size_t bytes, int64_t delay_ms) {
    set_reason(run, text, bytes, false, delay_ms);
}

void run_copy_reason(struct run *run, char text[FRAME_REASON_MAX + 1]) {
    SCOPED_LOCK(&run->lock);
    memcpy(text, run->reason.text, sizeof run->reason.text);
}

struct reason *run_reason(struct run *run) {
    return &run->reason;
}

/* ---- resources ---- */

void run_attach(struct run *run, struct run_resource *resource) {
    assert(resource->on_run_end);
    SCOPED_LOCK(&run->lock);
    resource->run = run;
    TAILQ_INSERT_TAIL(&run->resources, resource, entry);
}

void run_detach(struct run_resource *resource) {
    SCOPED_LOCK(&resource->run->lock);
    TAILQ_REMOVE(&resource->run->resources, resource, entry);
}
