/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Plays the host for one worker, without a store and without GitHub. */
#include "cli/plugin_trial.h"

#include "base/buffer.h"
#include "base/clock.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A handler and destroy() get so long; serve has its own limits. */
#define RUN_DEADLINE_MS 10000

struct trial {
    struct loop *loop;
    struct worker_starter *starter;
    const struct worker_process_spec *spec;
    /* NULL: none runs. */
    struct worker_process *worker_process;
    struct description *description;
    uint64_t run;
    enum trial_github github;
    bool ready, handled, gone;
    /* trial_end() has closed the worker's socket. */
    bool ending;
    bool late;
    /* The function whose allocation failed in the last delivery; "": none did. */
    char failed_allocation[100];
    /* "": nothing went wrong. */
    char why[2048];
};

/* The first reason counts. */
static void fail(struct trial *trial, const char *why) {
    if (!trial->why[0]) {
        snprintf(trial->why, sizeof trial->why, "%s", why);
    }
}

/* ---- the worker's frames ---- */

static void on_described(void *context, struct description *description, struct frame_text body) {
    struct trial *trial = context;
    if (trial->description) {
        description_free(description);
    } else {
        trial->description = description;
    }
}

static void on_ready(void *context) {
    ((struct trial *)context)->ready = true;
}

static void on_rejected(void *context, const char *why) {
    fail(context, why);
}

struct answer {
    int32_t outcome, status;
    const char *body, *sentence;
};

/* Any role check finds an administrator, so that commands run. */
static struct answer answer_to(const struct trial *trial, const struct http_call *request) {
    static const char administrator[] =
        "{\"permission\":\"admin\",\"role_name\":\"admin\",\"user\":{\"permissions\":{\"triage\":"
        "true,\"push\":true,\"maintain\":true,\"admin\":true}}}";
    static const struct answer answers[TRIAL_GITHUB_KINDS] = {
        [TRIAL_GITHUB_OBJECT] = {0, 200, "{\"id\":1,\"total_count\":0,\"items\":[]}", ""},
        [TRIAL_GITHUB_LIST] = {0, 200, "[]", ""},
        [TRIAL_GITHUB_NULL] = {0, 200, "null", ""},
        [TRIAL_GITHUB_TORN] = {0, 200, "{\"id\":", ""},
        [TRIAL_GITHUB_MISSING] = {SNEK_E_NOT_FOUND, 404, "{\"message\":\"Not Found\"}",
                                  "GitHub responded with 404: Not Found"},
        [TRIAL_GITHUB_FAILS] = {SNEK_E_SERVER, 500, "", "GitHub responded with 500"},
        [TRIAL_GITHUB_LOST] = {SNEK_E_NETWORK, 0, "", "GitHub did not respond"},
    };
    struct answer answer = answers[trial->github];
    if (memmem(request->url.data, request->url.bytes, "/collaborators/", 15)) {
        return (struct answer){0, 200, administrator, ""};
    }
    bool is_post = request->method.bytes == 4 && memcmp(request->method.data, "POST", 4) == 0;
    if (answer.status == 200 && is_post) {
        answer.status = 201;
    }
    return answer;
}

static void respond(struct trial *trial, uint64_t run, uint64_t request,
                    const struct answer *answer) {
    static const char json_type[] = "content-type: application/json; charset=utf-8\n";
    const struct buffer headers = {.data = (char *)json_type, .bytes = sizeof json_type - 1};
    const struct buffer body = {.data = (char *)answer->body, .bytes = strlen(answer->body)};
    worker_process_send_http_response(trial->worker_process, run, request, answer->outcome,
                                      answer->status, answer->sentence, &headers, &body);
}

static bool is_expected(struct trial *trial, uint64_t run) {
    if (run == trial->run && !trial->handled) {
        return true;
    }
    worker_process_kill(trial->worker_process, "was ended: it acted outside of a run");
    return false;
}

static bool on_http_call(void *context, const struct http_call *request) {
    struct trial *trial = context;
    if (is_expected(trial, request->run)) {
        struct answer answer = answer_to(trial, request);
        respond(trial, request->run, request->request, &answer);
    }
    return true;
}

static bool on_app_call(void *context, const struct app_call *request) {
    struct trial *trial = context;
    if (is_expected(trial, request->run)) {
        bool is_slug = request->question == FRAME_APP_SLUG;
        const char *permissions = trial->description->permissions_json;
        const struct answer answer = {0, 200, is_slug ? "trial" : permissions, ""};
        respond(trial, request->run, request->request, &answer);
    }
    return true;
}

/* The store is empty, and takes everything. */
static bool on_store_call(void *context, const struct store_call *request) {
    struct trial *trial = context;
    if (is_expected(trial, request->run)) {
        bool writes = request->operation == FRAME_SET_ADD || request->operation == FRAME_KEY_PUT;
        worker_process_send_store_result(trial->worker_process, request->run, request->request,
                                         writes, "", 0);
    }
    return true;
}

static bool on_timer(void *context, uint64_t run, int64_t delay_ms, struct frame_text key,
                     struct frame_text payload) {
    return is_expected(context, run);
}

static bool on_log(void *context, uint64_t run, enum log_level level, struct frame_text text) {
    static const char opening[] = FRAME_ALLOCATION_FAILED;
    const size_t bytes = sizeof opening - 1;
    struct trial *trial = context;
    if (trial->spec->failing_allocation > 0 && text.bytes > bytes &&
        memcmp(text.data, opening, bytes) == 0) {
        snprintf(trial->failed_allocation, sizeof trial->failed_allocation, "%.*s",
                 (int)(text.bytes - bytes), text.data + bytes);
    }
    return true;
}

static void on_result(void *context, uint64_t run, int64_t result, int64_t delay_ms,
                      struct frame_text reason, struct frame_text paths) {
    struct trial *trial = context;
    if (is_expected(trial, run)) {
        trial->handled = true;
    }
}

static void on_output(void *context, const char *stream, const char *text, size_t bytes) {}

static void on_output_dropped(void *context, uint64_t bytes) {}

static void on_exit_of_worker(void *context, const struct worker_death *death) {
    struct trial *trial = context;
    char why[sizeof trial->why];
    snprintf(why, sizeof why, "the worker %.250s%s%.1200s", death->how,
             *death->symbolize ? "; its lines: " : "", death->symbolize);
    trial->gone = true;
    if (!trial->ending || !death->clean) {
        fail(trial, why);
    }
}

static void on_start_failed(void *context, const struct error *why) {
    struct trial *trial = context;
    trial->gone = true;
    fail(trial, why->text);
}

static const struct worker_process_handlers handlers = {.on_described = on_described,
                                                        .on_ready = on_ready,
                                                        .on_rejected = on_rejected,
                                                        .on_http_call = on_http_call,
                                                        .on_store_call = on_store_call,
                                                        .on_app_call = on_app_call,
                                                        .on_timer = on_timer,
                                                        .on_log = on_log,
                                                        .on_result = on_result,
                                                        .on_output = on_output,
                                                        .on_output_dropped = on_output_dropped,
                                                        .on_exit = on_exit_of_worker,
                                                        .on_start_failed = on_start_failed};

/* ---- its life ---- */

struct trial *trial_new(struct loop *loop, struct worker_starter *starter,
                        const struct worker_process_spec *spec) {
    struct trial *trial = calloc(1, sizeof *trial);
    if (trial) {
        *trial = (struct trial){.loop = loop, .starter = starter, .spec = spec};
    }
    return trial;
}

const struct description *trial_description(const struct trial *trial) {
    return trial->description;
}

bool trial_was_late(const struct trial *trial) {
    return trial->late;
}

const char *trial_failed_allocation(const struct trial *trial) {
    return trial->failed_allocation;
}

static void forget_worker(struct trial *trial) {
    worker_process_free(trial->worker_process);
    trial->worker_process = NULL;
}

void trial_free(struct trial *trial) {
    if (trial) {
        forget_worker(trial);
        description_free(trial->description);
        free(trial);
    }
}

/* Until `*done`, the worker's end or the deadline. */
static int wait_for(struct trial *trial, const bool *done, int64_t within_ms, const char *late) {
    int64_t deadline_ms = clock_monotonic_ms() + within_ms;
    while (!*done && !trial->gone) {
        if (clock_monotonic_ms() >= deadline_ms) {
            trial->late = true;
            fail(trial, late);
            break;
        }
        worker_process_flush(trial->worker_process);
        loop_step(trial->loop, 100);
        worker_process_tick(trial->worker_process, clock_monotonic_ms());
    }
    if (trial->why[0] || trial->gone) {
        forget_worker(trial);
    }
    return trial->why[0] ? -1 : 0;
}

int trial_start(struct trial *trial, const char **why) {
    struct error err;
    *why = trial->why;
    if (trial->worker_process) {
        return 0;
    }
    trial->ready = trial->gone = trial->ending = trial->late = false;
    trial->handled = true;
    trial->why[0] = '\0';
    if (worker_process_start(trial->loop, trial->starter, trial->spec, &handlers, trial,
                             &trial->worker_process, &err) < 0) {
        fail(trial, err.text);
        return -1;
    }
    return wait_for(trial, &trial->ready, WORKER_SPAWN_LOAD_DEADLINE_MS,
                    "create() does not return within 20 s");
}

int trial_deliver(struct trial *trial, const struct trial_delivery *delivery, const char **why) {
    trial->failed_allocation[0] = '\0';
    if (trial_start(trial, why) < 0) {
        return -1;
    }
    struct payload *payload = payload_new(delivery->bytes);
    if (!payload) {
        fail(trial, "no memory for a payload");
        return -1;
    }
    memcpy(payload->data, delivery->json, delivery->bytes);
    struct worker_process_run run = {.run = ++trial->run,
                                     .event = delivery->event,
                                     .action = delivery->action,
                                     .guid = "00000000-0000-4000-8000-000000000000",
                                     .installation = "1",
                                     .attempt = 1,
                                     .received_ms = clock_wall_ms(),
                                     .app = TRIAL_APP,
                                     .payload = payload};
    trial->handled = false;
    trial->github = delivery->github;
    worker_process_send_run(trial->worker_process, &run);
    if (delivery->cancelled) {
        worker_process_send_cancel(trial->worker_process, trial->run);
    }
    return wait_for(trial, &trial->handled, RUN_DEADLINE_MS,
                    "its handler does not return within 10 s");
}

int trial_end(struct trial *trial, const char **why) {
    *why = trial->why;
    if (!trial->worker_process) {
        return 0;
    }
    trial->ending = true;
    worker_process_close(trial->worker_process);
    return wait_for(trial, &trial->gone, RUN_DEADLINE_MS, "destroy() does not return within 10 s");
}
