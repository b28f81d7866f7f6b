/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The slots of struct snek_host. A NULL argument is an error, not a crash. */
#include "worker/host_vtable.h"

#include "base/clock.h"
#include "worker/run.h"
#include "worker/services.h"
#include "worker/worker.h"

#include <snekomatic/snekomatic.h>

#include <string.h>

static const void *host_service(const struct snek_host *host, const char *name, uint32_t revision) {
    /* All hosts of this process have the same services. */
    (void)host;
    static const struct {
        const char *name;
        uint32_t revision;
        const void *service;
    } services[] = {
        {SNEK_EVENT_SERVICE, SNEK_EVENT_REVISION, &service_event},
        {SNEK_GITHUB_SERVICE, SNEK_GITHUB_REVISION, &service_github},
        {SNEK_COMMANDS_SERVICE, SNEK_COMMANDS_REVISION, &service_commands},
        {SNEK_CHECK_SERVICE, SNEK_CHECK_REVISION, &service_check},
        {SNEK_COMMIT_SERVICE, SNEK_COMMIT_REVISION, &service_commit},
        {SNEK_STORE_SERVICE, SNEK_STORE_REVISION, &service_store},
        {SNEK_ROLE_SERVICE, SNEK_ROLE_REVISION, &service_role},
        {SNEK_ITEM_SERVICE, SNEK_ITEM_REVISION, &service_item},
        {SNEK_TIMER_SERVICE, SNEK_TIMER_REVISION, &service_timer},
        {SNEK_TEXT_SERVICE, SNEK_TEXT_REVISION, &service_text},
        {SNEK_CONFIG_SERVICE, SNEK_CONFIG_REVISION, &service_config},
        {SNEK_REPOSITORY_CONFIG_SERVICE, SNEK_REPOSITORY_CONFIG_REVISION,
         &service_repository_config},
    };
    for (size_t i = 0; name && i < sizeof services / sizeof *services; i++) {
        if (services[i].revision == revision && strcmp(services[i].name, name) == 0) {
            return services[i].service;
        }
    }
    return NULL;
}

static void host_log(const struct snek_host *host, struct snek_run *shown, uint32_t level,
                     const char *text) {
    if (host && text) {
        enum log_level known = SNEK_LEVEL_ERROR;
        if (level < SNEK_LOG_ERROR) {
            known = (enum log_level)level;
        }
        worker_log(worker_of(host), shown ? run_handle(run_of(shown)) : 0, known, text);
    }
}

static void host_explain(const struct snek_host *host, struct snek_run *shown, const char *reason,
                         int64_t delay_ms) {
    char unbuilt[FRAME_REASON_MAX + 1];
    const char *text = reason ? reason : "";
    if (shown && !reason) {
        /* The text could not be built: the reason for that is the next best one. */
        run_fail_null(run_of(shown), "");
        run_copy_reason(run_of(shown), unbuilt);
        text = unbuilt;
    }
    size_t bytes = strnlen(text, FRAME_REASON_MAX + 1);
    if (shown) {
        run_explain(run_of(shown), text, bytes, delay_ms);
    } else if (host) {
        worker_set_rejection(worker_of(host), text, bytes);
    }
}

static int32_t host_cancelled(struct snek_run *shown) {
    return shown && run_is_cancelled(run_of(shown));
}

static int64_t host_now_ms(const struct snek_host *host) {
    /* Every host has the same clock. */
    (void)host;
    return clock_wall_ms();
}

const struct snek_host host_vtable = {
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
