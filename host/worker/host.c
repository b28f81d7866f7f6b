/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* struct snek_host: the small core that every plugin is given. What is cheap to get wrong (a NULL)
 * gets an answer, not a crash. */
#include "base/text.h"
#include "worker/services.h"
#include "worker/worker.h"

#include "base/clock.h"

#include <stdarg.h>
#include <string.h>

/* ---- reasons ---- */

static void set_reason(pthread_mutex_t *lock, struct reason *reason, const char *text, size_t bytes,
                       bool of_call, int64_t delay_ms) {
    (void)pthread_mutex_lock(lock);
    text_repair(reason->text, sizeof reason->text, text, bytes);
    reason->of_call = of_call;
    reason->delay_ms = delay_ms > 0 ? delay_ms : 0;
    (void)pthread_mutex_unlock(lock);
}

void run_leave_reason(struct run *run, const char *text, size_t bytes) {
    set_reason(&run->lock, &run->reason, text, bytes, true, 0);
}

int32_t run_fail(struct run *run, int32_t code, const char *format, ...) {
    char text[FRAME_REASON_MAX + 1];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    run_leave_reason(run, text, strlen(text));
    return code;
}

/* ---- the slots ---- */

static const void *host_service(const struct snek_host *host, const char *name, uint32_t revision) {
    (void)host;
    static const struct {
        const char *name;
        uint32_t revision;
        const void *service;
    } services[] = {
        {SNEK_EVENT_SERVICE, SNEK_EVENT_REVISION, &service_event},
        {SNEK_GITHUB_SERVICE, SNEK_GITHUB_REVISION, &service_github},
        {SNEK_COMMANDS_SERVICE, SNEK_COMMANDS_REVISION, &service_commands},
        {SNEK_STORE_SERVICE, SNEK_STORE_REVISION, &service_store},
        {SNEK_CONFIG_SERVICE, SNEK_CONFIG_REVISION, &service_config},
    };
    for (size_t i = 0; name && i < sizeof services / sizeof *services; i++) {
        if (services[i].revision == revision && strcmp(services[i].name, name) == 0) {
            return services[i].service;
        }
    }
    return NULL;
}

void worker_log(struct worker *worker, const struct run *run, enum log_level level,
                const char *text) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct frame_writer writer;
    char line[FRAME_REASON_MAX + 1];
    if (level < worker->least_level) {
        return;
    }
    text_repair(line, sizeof line, text, strnlen(text, sizeof line));
    frame_begin(&writer, &buffer, FRAME_LOG, run ? run->handle : 0, 0);
    frame_put_number(&writer, level);
    frame_put_text(&writer, line);
    if (frame_end(&writer) == 0) {
        (void)wire_send(&worker->wire, &buffer, NULL, 0);
    }
}

static void host_log(const struct snek_host *host, struct snek_run *shown, uint32_t level,
                     const char *text) {
    if (host && text) {
        worker_log(worker_of(host), shown ? run_of(shown) : NULL,
                   level < SNEK_LOG_ERROR ? (enum log_level)level : SNEK_LEVEL_ERROR, text);
    }
}

static void host_explain(const struct snek_host *host, struct snek_run *shown, const char *reason,
                         int64_t delay_ms) {
    const char *text = reason ? reason : "";
    size_t bytes = strnlen(text, FRAME_REASON_MAX + 1);
    if (shown) {
        struct run *run = run_of(shown);
        set_reason(&run->lock, &run->reason, text, bytes, false, delay_ms);
    } else if (host) {
        struct worker *worker = worker_of(host);
        set_reason(&worker->lock, &worker->rejection, text, bytes, false, 0);
    }
}

static int32_t host_cancelled(struct snek_run *shown) {
    return shown && atomic_load(&run_of(shown)->cancelled);
}

static int64_t host_now_ms(const struct snek_host *host) {
    (void)host;
    return clock_wall_ms();
}

const struct snek_host worker_host = {
    .magic = SNEK_ABI_MAGIC,
    .major = SNEK_ABI_MAJOR,
    .minor = SNEK_ABI_MINOR,
    .bytes = sizeof(struct snek_host),
    .service = host_service,
    .log = host_log,
    .explain = host_explain,
    .cancelled = host_cancelled,
    .now_ms = host_now_ms,
};
