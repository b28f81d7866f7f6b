/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Looks at each schedule and target every two seconds, and fires one slot after the other. */
#include "maintenance/schedules.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/uuid.h"
#include "protocol/schedule.h"

#include <snekomatic/plugin.h>

#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_INTERVAL_MS 2000
/* After a failure. */
#define RETRY_MS 30000
#define TARGETS_INTERVAL_MS 3600000
/* A host that is not elected leaves the others so much time. */
#define LEFT_OVER_MS 60000
#define SPREAD_MAX_MS 600000
/* Firings are spread over this part of the period. */
#define SPREAD_PART 10
#define BODY_MAX 16384

void schedules_init(struct schedules *schedules, struct inbox *inbox, struct broker *broker,
                    struct mailbox *mailbox, const struct delivery_router *router,
                    const struct plugin_directory *plugins) {
    *schedules = (struct schedules){.inbox = inbox,
                                    .mailbox = mailbox,
                                    .router = *router,
                                    .plugins = *plugins,
                                    .targets = {.broker = broker, .mailbox = mailbox}};
}

/* The n-th schedule of this host's plugins and its plugin; NULL: there are fewer. */
static const struct described_schedule *find_schedule(const struct schedules *schedules, size_t n,
                                                      const struct description **plugin) {
    bool more = true;
    for (size_t i = 0; more; i++) {
        *plugin = schedules->plugins.describe(schedules->plugins.context, i, &more);
        if (*plugin && n < (*plugin)->n_schedules) {
            return &(*plugin)->schedules[n];
        }
        n -= *plugin ? (*plugin)->n_schedules : 0;
    }
    return NULL;
}

/* How many schedules there are; `*of_repositories`: one is for each repository. */
static size_t count_schedules(const struct schedules *schedules, bool *of_repositories) {
    const struct description *plugin;
    const struct described_schedule *schedule;
    size_t n = 0;
    *of_repositories = false;
    while ((schedule = find_schedule(schedules, n, &plugin))) {
        *of_repositories = *of_repositories || schedule->target == SNEK_EACH_REPOSITORY;
        n++;
    }
    return n;
}

static void end_pass(struct schedules *schedules, int64_t next_ms) {
    schedules->under_way = false;
    schedules->next_ms = next_ms;
}

/* ---- slots ---- */

/* A digest of the pair, and of the slot when it is not SCHEDULE_NEVER. */
static void digest(const struct description *plugin, const struct described_schedule *schedule,
                   const struct target *target, int64_t slot_ms,
                   uint8_t result[SHA256_DIGEST_SIZE]) {
    const char *const texts[] = {plugin->name, schedule->name, target->installation,
                                 target->repository};
    struct sha256_ctx hash;
    sha256_init(&hash);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        /* With the NUL between them. */
        sha256_update(&hash, strlen(texts[i]) + 1, (const uint8_t *)texts[i]);
    }
    sha256_update(&hash, sizeof slot_ms, (const uint8_t *)&slot_ms);
    sha256_digest(&hash, SHA256_DIGEST_SIZE, result);
}

/* The time after the slot at which this target's turn is. */
static int64_t offset_ms(const struct description *plugin,
                         const struct described_schedule *schedule, const struct target *target,
                         int64_t period_ms) {
    uint8_t bytes[SHA256_DIGEST_SIZE];
    uint32_t number;
    int64_t spread_ms = period_ms / SPREAD_PART;
    digest(plugin, schedule, target, SCHEDULE_NEVER, bytes);
    memcpy(&number, bytes, sizeof number);
    spread_ms = spread_ms < SPREAD_MAX_MS ? spread_ms : SPREAD_MAX_MS;
    return number % (spread_ms + 1);
}

/* The last slot of the schedule whose turn for this target has come; SCHEDULE_NEVER: none. */
static int64_t last_slot(const struct description *plugin,
                         const struct described_schedule *schedule, const struct target *target,
                         int64_t time_ms) {
    int64_t slot_ms = schedule_last(&schedule->times, time_ms);
    int64_t next_ms = schedule_next(&schedule->times, time_ms);
    if (slot_ms == SCHEDULE_NEVER || next_ms == SCHEDULE_NEVER) {
        return slot_ms;
    }
    bool is_due = time_ms >= slot_ms + offset_ms(plugin, schedule, target, next_ms - slot_ms);
    return is_due ? slot_ms : schedule_last(&schedule->times, slot_ms - 1);
}

/* ---- firing ---- */

static int build_body(struct buffer *body, const struct described_schedule *schedule,
                      const struct target *target, int64_t slot_ms) {
    char slot[32];
    time_t seconds = (time_t)(slot_ms / 1000);
    struct tm utc;
    strftime(slot, sizeof slot, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
    json_t *json = json_pack("{s:s, s:{s:s, s:s}, s:O, s:O*}", "action", schedule->name, "schedule",
                             "name", schedule->name, "slot", slot, "installation",
                             target->about_installation, "repository", target->about_repository);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    *body = (struct buffer)BUFFER_INIT(BODY_MAX);
    int result = text ? buffer_append_text(body, text) : -1;
    free(text);
    json_decref(json);
    return result;
}

static void on_fired(struct inbox_operation *operation);

/* True: the inbox has it. */
static bool fire(struct schedules *schedules, const struct description *plugin,
                 const struct described_schedule *schedule, const struct target *target,
                 int64_t slot_ms) {
    struct firing *firing = &schedules->firing;
    uint8_t bytes[SHA256_DIGEST_SIZE];
    *firing = (struct firing){.router = &schedules->router,
                              .taken = {.plugin = firing->plugin,
                                        .schedule = schedule->name,
                                        .repository = target->repository,
                                        .slot_ms = slot_ms}};
    snprintf(firing->plugin, sizeof firing->plugin, "%s", plugin->name);
    memcpy(firing->installation, target->installation, sizeof firing->installation);
    digest(plugin, schedule, target, slot_ms, bytes);
    uuid_format(bytes, UUID_CUSTOM, firing->guid);
    if (build_body(&firing->body, schedule, target, slot_ms) < 0) {
        buffer_finish(&firing->body);
        return false;
    }
    return firing_submit(firing, INBOX_SCHEDULE_EVENT, schedules->inbox, schedules->mailbox,
                         on_fired);
}

/* True when the pair's slot was submitted. */
static bool look_at(struct schedules *schedules, size_t index) {
    const struct description *plugin;
    const struct target *target = &schedules->targets.targets[index / schedules->n_schedules];
    const struct described_schedule *schedule =
        find_schedule(schedules, index % schedules->n_schedules, &plugin);
    bool of_repository = *target->repository;
    if (!schedule || of_repository != (schedule->target == SNEK_EACH_REPOSITORY)) {
        return false;
    }
    struct schedule_pair *pair = &schedules->pairs[index];
    int64_t slot_ms = last_slot(plugin, schedule, target, schedules->time_ms);
    if (slot_ms == SCHEDULE_NEVER || slot_ms <= pair->slot_ms) {
        return false;
    }
    pair->slot_ms = slot_ms;
    return fire(schedules, plugin, schedule, target, slot_ms);
}

static void go_on(struct schedules *schedules) {
    size_t n = schedules->targets.n_targets * schedules->n_schedules;
    while (schedules->next < n && !schedules->closed) {
        if (look_at(schedules, schedules->next++)) {
            return;
        }
    }
    schedules->looked = !schedules->wanted;
    end_pass(schedules, clock_monotonic_ms() + LOOK_INTERVAL_MS);
}

static void on_fired(struct inbox_operation *operation) {
    struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    struct firing *firing = CONTAINER_OF(put, struct firing, put);
    struct schedules *schedules = CONTAINER_OF(firing, struct schedules, firing);
    bool failed = operation->result < 0;
    schedules->fired += firing_finish(firing, !schedules->closed);
    if (failed) {
        /* It is submitted again. */
        schedules->pairs[schedules->next - 1].slot_ms = SCHEDULE_NEVER;
        end_pass(schedules, clock_monotonic_ms() + RETRY_MS);
        return;
    }
    go_on(schedules);
}

/* ---- targets ---- */

static void on_targets(struct target_list *list, bool complete) {
    struct schedules *schedules = CONTAINER_OF(list, struct schedules, targets);
    if (!complete) {
        end_pass(schedules, clock_monotonic_ms() + RETRY_MS);
        return;
    }
    size_t n = list->n_targets * schedules->n_schedules;
    free(schedules->pairs);
    schedules->pairs = calloc(n + 1, sizeof *schedules->pairs);
    if (!schedules->pairs) {
        list->n_targets = 0;
    }
    for (size_t i = 0; i < n && schedules->pairs; i++) {
        schedules->pairs[i].slot_ms = SCHEDULE_NEVER;
    }
    schedules->listed = true;
    schedules->listed_ms = schedules->time_ms;
    schedules->next = 0;
    go_on(schedules);
}

static bool needs_targets(struct schedules *schedules, size_t n_schedules) {
    bool changed = atomic_exchange(&schedules->targets_changed, false);
    int64_t age_ms = schedules->time_ms - schedules->listed_ms;
    return changed || !schedules->listed || n_schedules != schedules->n_schedules ||
           age_ms > TARGETS_INTERVAL_MS || age_ms < 0;
}

/* ---- the tick ---- */

int64_t schedules_tick(struct schedules *schedules, bool allowed, bool elected, int64_t time_ms,
                       int64_t now_ms) {
    bool of_repositories;
    if (schedules->under_way || schedules->closed || !schedules->router.route) {
        return INT64_MAX;
    }
    if (schedules->next_ms > now_ms && !schedules->wanted) {
        return schedules->next_ms;
    }
    size_t n_schedules = allowed ? count_schedules(schedules, &of_repositories) : 0;
    if (n_schedules == 0) {
        schedules->looked = allowed;
        schedules->wanted = schedules->wanted && !allowed;
        schedules->next_ms = now_ms + LOOK_INTERVAL_MS;
        return schedules->next_ms;
    }
    schedules->under_way = true;
    schedules->wanted = false;
    schedules->time_ms = time_ms - (elected ? 0 : LEFT_OVER_MS);
    if (needs_targets(schedules, n_schedules)) {
        schedules->n_schedules = n_schedules;
        schedules->targets.on_done = on_targets;
        target_list_read(&schedules->targets, of_repositories);
    } else {
        schedules->next = 0;
        go_on(schedules);
    }
    return INT64_MAX;
}

void schedules_want(struct schedules *schedules) {
    schedules->wanted = true;
    schedules->looked = false;
}

bool schedules_settled(const struct schedules *schedules) {
    return schedules->looked || !schedules->router.route;
}

void schedules_note_event(struct schedules *schedules, const char *event) {
    if (strcmp(event, "installation") == 0 || strcmp(event, "installation_repositories") == 0 ||
        strcmp(event, "repository") == 0) {
        atomic_store(&schedules->targets_changed, true);
    }
}

void schedules_close(struct schedules *schedules) {
    schedules->closed = true;
    target_list_close(&schedules->targets);
}

void schedules_finish(struct schedules *schedules) {
    target_list_finish(&schedules->targets);
    free(schedules->pairs);
    schedules->pairs = NULL;
}
