/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A table of the workers that run. A slot is free again once the host knows of the worker's end. */
#include "supervisor/workers.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "worker_process/spawn.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

/* A well-behaved host needs fewer: it starts each plugin once, and pauses before a restart. */
#define STARTS_PER_SECOND CONFIG_PLUGINS_MAX

static_assert((int)CONFIG_SANDBOX_BEST == (int)FRAME_SANDBOX_BEST &&
                  (int)CONFIG_SANDBOX_STRICT == (int)FRAME_SANDBOX_STRICT &&
                  (int)CONFIG_SANDBOX_OFF == (int)FRAME_SANDBOX_OFF,
              "the configuration's levels are the protocol's");

void workers_init(struct workers *workers, struct deployment *deployment,
                  struct plugin_files *files, const char *worker_path) {
    *workers =
        (struct workers){.deployment = deployment, .files = files, .worker_path = worker_path};
}

static struct worker_slot *find(struct workers *workers, uint64_t id) {
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        if (workers->slots[i].pid != 0 && workers->slots[i].id == id) {
            return &workers->slots[i];
        }
    }
    return NULL;
}

static struct worker_slot *find_free(struct workers *workers) {
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        if (workers->slots[i].pid == 0) {
            return &workers->slots[i];
        }
    }
    return NULL;
}

static unsigned count(const struct workers *workers, uint32_t plugin) {
    unsigned running = 0;
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        running += workers->slots[i].pid != 0 && workers->slots[i].plugin == plugin;
    }
    return running;
}

/* 0, or -1: the host must not start this worker now. */
static int check(struct workers *workers, const struct supervisor_control *packet,
                 struct error *err) {
    const struct config *config = workers->deployment->config;
    if (packet->plugin >= config->n_plugins || !config->plugins[packet->plugin].enabled) {
        return error_set(err, "there is no enabled plugin %u", packet->plugin);
    }
    if (find(workers, packet->worker)) {
        return error_set(err, "the host has used this worker's number before");
    }
    if (count(workers, packet->plugin) >= 2 || !find_free(workers)) {
        error_set(err, "this plugin has two workers already");
        return error_mark_transient(err);
    }
    if (!throttle_pass(&workers->starts, clock_monotonic_ms(), STARTS_PER_SECOND)) {
        error_set(err, "too many workers were started in the last seconds");
        return error_mark_transient(err);
    }
    return 0;
}

static void report_failure(const struct supervisor_control *packet, int control_fd,
                           const struct error *err) {
    struct supervisor_event event = {
        .kind = SUPERVISOR_WORKER_FAILED, .flag = err->transient, .worker = packet->worker};
    snprintf(event.text, sizeof event.text, "%.*s", (int)sizeof event.text - 1, err->text);
    if (descriptors_send(control_fd, &event, sizeof event, NULL, 0) < 0) {
        log_event(SNEK_LEVEL_WARNING, "reply_lost", LOG_TEXT("reason", strerror(errno)));
    }
}

static void kill_worker(const struct worker_slot *slot) {
    /* It is not reaped yet, so the number is still its own. */
    kill(-slot->pid, SIGKILL);
    kill(slot->pid, SIGKILL);
}

/* A worker that the host did not get is killed; the host then hears of its end. */
static void hand_over(struct worker_slot *slot, const struct worker_child *child,
                      const char *file_hash, int control_fd) {
    AUTO_CLOSE int process_fd = pidfd_open(child->pid, 0);
    AUTO_CLOSE int socket_fd = child->socket_fd;
    struct supervisor_event event = {
        .kind = SUPERVISOR_WORKER_STARTED, .worker = slot->id, .pid = child->pid};
    snprintf(event.text, sizeof event.text, "%s", file_hash);
    const int fds[] = {socket_fd, process_fd};
    if (process_fd < 0 || descriptors_send(control_fd, &event, sizeof event, fds, 2) < 0) {
        log_event(SNEK_LEVEL_WARNING, "reply_lost", LOG_TEXT("reason", strerror(errno)));
        kill_worker(slot);
    }
}

static int provide_copy(struct workers *workers, const struct config_plugin *plugin,
                        struct plugin_copy *copy, struct error *err) {
    if (!copy->path) {
        return plugin_files_copy(workers->files, plugin->path, plugin->sha256, copy, err);
    }
    int result = plugin_copy_restore(workers->files, copy, err);
    if (result > 0) {
        log_event(SNEK_LEVEL_WARNING, "plugin_copy_restored", LOG_TEXT("path", copy->path),
                  LOG_TEXT("reason", "somebody deleted or replaced the copy of the plugin's file"));
    }
    return result;
}

void workers_start(struct workers *workers, const struct supervisor_control *packet,
                   int control_fd) {
    struct error err = {.text = ""};
    struct worker_child child;
    if (check(workers, packet, &err) < 0) {
        report_failure(packet, control_fd, &err);
        return;
    }
    const struct config_plugin *plugin = &workers->deployment->config->plugins[packet->plugin];
    struct plugin_copy *copy = &workers->deployment->copies[packet->plugin];
    if (provide_copy(workers, plugin, copy, &err) < 0) {
        report_failure(packet, control_fd, &err);
        return;
    }
    const struct worker_spawn_options options = {.worker_path = workers->worker_path,
                                                 .plugin_path = copy->path,
                                                 .plugin_shown = plugin->path,
                                                 .memory_mib = plugin->memory_mib,
                                                 .sandbox = (enum frame_sandbox)plugin->sandbox};
    if (worker_spawn(&options, &child, &err) < 0) {
        report_failure(packet, control_fd, &err);
        return;
    }
    struct worker_slot *slot = find_free(workers);
    *slot = (struct worker_slot){.id = packet->worker, .pid = child.pid, .plugin = packet->plugin};
    hand_over(slot, &child, copy->sha256, control_fd);
}

void workers_stop(struct workers *workers, const struct supervisor_control *packet) {
    const struct worker_slot *slot = find(workers, packet->worker);
    if (slot && !slot->ended) {
        kill_worker(slot);
    }
}

bool workers_on_exit(struct workers *workers, const siginfo_t *info) {
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        struct worker_slot *slot = &workers->slots[i];
        if (slot->pid == info->si_pid && !slot->ended) {
            /* Its children, as far as they stayed in its group. */
            kill(-slot->pid, SIGKILL);
            slot->ended = true;
            slot->code = info->si_code;
            slot->status = info->si_status;
            return true;
        }
    }
    return false;
}

bool workers_report(struct workers *workers, int control_fd) {
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        struct worker_slot *slot = &workers->slots[i];
        if (slot->pid == 0 || !slot->ended) {
            continue;
        }
        const struct supervisor_event event = {.kind = SUPERVISOR_WORKER_ENDED,
                                               .worker = slot->id,
                                               .pid = slot->pid,
                                               .code = slot->code,
                                               .status = slot->status};
        if (control_fd >= 0 && descriptors_send(control_fd, &event, sizeof event, NULL, 0) < 0 &&
            (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return true;
        }
        /* Reported, or nobody is there who wants to know. */
        *slot = (struct worker_slot){0};
    }
    return false;
}

void workers_kill_all(struct workers *workers) {
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        struct worker_slot *slot = &workers->slots[i];
        if (slot->pid != 0 && slot->ended) {
            *slot = (struct worker_slot){0};
        } else if (slot->pid != 0) {
            kill_worker(slot);
        }
    }
}

void workers_forget_all(struct workers *workers) {
    memset(workers->slots, 0, sizeof workers->slots);
}

bool workers_any_alive(const struct workers *workers) {
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        if (workers->slots[i].pid != 0 && !workers->slots[i].ended) {
            return true;
        }
    }
    return false;
}
