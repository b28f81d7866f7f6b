/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Owns the mailbox of this room and calls the tasks in turn: election, report, prune, digest,
 * recovery, pull. */
#include "maintenance/maintenance.h"

#include "base/clock.h"
#include "maintenance/advance.h"
#include "maintenance/clock_check.h"
#include "maintenance/digest.h"
#include "maintenance/election.h"
#include "maintenance/host_report.h"
#include "maintenance/prune.h"
#include "maintenance/pull.h"
#include "maintenance/redelivery_schedule.h"
#include "maintenance/schedules.h"
#include "maintenance/timers.h"

#include <errno.h>
#include <string.h>

#define WAIT_MAX_MS 60000
#define MS_PER_MINUTE 60000
#define MS_PER_S 1000

struct maintenance {
    struct loop *loop; /* borrowed */
    struct mailbox mailbox;
    struct loop_source mail_source;
    struct election election;
    struct host_report report;
    struct clock_check clock;
    struct prune prune;
    struct digest digest;
    struct redelivery_schedule recovery;
    struct pull pull;
    struct timers timers;
    struct schedules schedules;
    struct advance advance;
};

static void on_mail(struct loop_source *source, uint32_t events) {
    (void)events;
    mailbox_drain(&CONTAINER_OF(source, struct maintenance, mail_source)->mailbox);
}

/* In pull mode the list of deliveries is read by pull alone, so recovery is off. */
static void init_receiving(struct maintenance *new, const struct maintenance_options *options) {
    const struct config *config = options->config;
    bool pulls = config->github.receive == CONFIG_RECEIVE_PULL;
    int64_t recover_ms = (int64_t)config->github.recover_interval_minutes * MS_PER_MINUTE;
    int64_t pull_ms = (int64_t)config->github.pull_interval_seconds * MS_PER_S;
    struct redelivery_schedule_options recovery = {
        .inbox = options->inbox,
        .broker = options->broker,
        .mailbox = &new->mailbox,
        .router = options->router,
        .interval_ms = pulls ? 0 : recover_ms,
        .retention_ms = redelivery_retention_ms(config->github.api_url),
    };
    struct pull_options pull = {
        .inbox = options->inbox,
        .broker = options->broker,
        .mailbox = &new->mailbox,
        .router = options->router,
        .interval_ms = pulls ? pull_ms : 0,
        .delay_ms = config->dispatch.delay_ms,
        .retention_ms = recovery.retention_ms,
        .requests_per_minute = pull_requests_per_minute(config->github.api_url),
        .reads_all = recover_ms > 0,
    };
    redelivery_schedule_init(&new->recovery, &recovery);
    pull_init(&new->pull, &pull);
}

int maintenance_new(const struct maintenance_options *options, struct maintenance **maintenance,
                    struct error *err) {
    const struct config *config = options->config;
    struct maintenance *new = calloc(1, sizeof *new);
    if (!new || mailbox_init(&new->mailbox) < 0) {
        free(new);
        return error_set(err, "cannot start maintenance: " ERROR_FIX_FILES_OR_MEMORY);
    }
    new->loop = options->loop;
    new->mail_source = (struct loop_source){new->mailbox.event_fd, on_mail};
    if (loop_add(new->loop, &new->mail_source, EPOLLIN) < 0) {
        mailbox_finish(&new->mailbox);
        free(new);
        return error_set(err, "maintenance: cannot watch a mailbox: %s", strerror(errno));
    }
    election_init(&new->election, options->inbox, &new->mailbox, config->dispatch.lease_ms,
                  options->configured);
    host_report_init(&new->report, options->inbox, &new->mailbox, options->webhook_secrets,
                     options->n_webhook_secrets, options->last_secret_until_ms);
    clock_check_init(&new->clock, options->broker, options->inbox, &new->mailbox,
                     options->on_runs_due, options->context);
    prune_init(&new->prune, options->inbox, &new->mailbox, config->store.retention_days,
               config->store.audit_days, options->configured);
    digest_init(&new->digest, options->inbox, &new->mailbox, config->store.audit_days);
    init_receiving(new, options);
    advance_init(&new->advance);
    timers_init(&new->timers, options->inbox, &new->mailbox, &options->router, &options->plugins);
    schedules_init(&new->schedules, options->inbox, options->broker, &new->mailbox,
                   &options->router, &options->plugins);
    *maintenance = new;
    return 0;
}

/* Fires timers and schedules that are due. */
static int64_t fire_tick(struct maintenance *maintenance, bool elected, int64_t now_ms) {
    struct advance *advance = &maintenance->advance;
    struct timers *timers = &maintenance->timers;
    struct schedules *schedules = &maintenance->schedules;
    bool allowed = clock_check_is_right();
    if (advance->path && advance_read(advance)) {
        clock_check_on_advance(&maintenance->clock);
        timers_want(timers);
        schedules_want(schedules);
    }
    int64_t time_ms = clock_wall_ms() + advance->ms;
    int64_t next_ms = timers_tick(timers, allowed, elected, time_ms, now_ms);
    next_ms = clock_earliest(next_ms, schedules_tick(schedules, allowed, elected, time_ms, now_ms));
    if (!advance->path) {
        return next_ms;
    }
    if (allowed && timers_settled(timers) && schedules_settled(schedules)) {
        advance_report(advance, timers->fired + schedules->fired);
    }
    return clock_earliest(next_ms, now_ms + ADVANCE_INTERVAL_MS);
}

int maintenance_tick(struct maintenance *maintenance) {
    int64_t now_ms = clock_monotonic_ms();
    int64_t next_ms = election_tick(&maintenance->election, now_ms);
    next_ms = clock_earliest(next_ms, host_report_tick(&maintenance->report, now_ms));
    bool elected = election_is_won(&maintenance->election);
    next_ms = clock_earliest(next_ms, clock_check_tick(&maintenance->clock, elected, now_ms));
    bool may_forget = elected && clock_check_is_right();
    next_ms = clock_earliest(next_ms, prune_tick(&maintenance->prune, may_forget, now_ms));
    next_ms = clock_earliest(next_ms, digest_tick(&maintenance->digest, may_forget, now_ms));
    next_ms =
        clock_earliest(next_ms, redelivery_schedule_tick(&maintenance->recovery, elected, now_ms));
    next_ms = clock_earliest(next_ms, pull_tick(&maintenance->pull, elected, now_ms));
    next_ms = clock_earliest(next_ms, fire_tick(maintenance, elected, now_ms));
    int64_t wait_ms = next_ms - now_ms;
    return wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : (int)wait_ms;
}

void maintenance_quiesce(struct maintenance *maintenance) {
    election_release(&maintenance->election);
}

void maintenance_leave(struct maintenance *maintenance) {
    host_report_leave(&maintenance->report);
}

void maintenance_note_stored(struct maintenance *maintenance, const struct inbox_put *put) {
    if (maintenance) {
        schedules_note_event(&maintenance->schedules, put->event);
    }
}

bool maintenance_status(void *context, struct buffer *json) {
    struct maintenance *maintenance = context;
    return redelivery_schedule_status(&maintenance->recovery, json) == 0 &&
           buffer_append_text(json, ",") == 0 && pull_status(&maintenance->pull, json) == 0 &&
           buffer_append_text(json, ",") == 0 && clock_check_status(json) == 0;
}

void maintenance_free(struct maintenance *maintenance) {
    if (maintenance) {
        election_close(&maintenance->election);
        host_report_close(&maintenance->report);
        clock_check_close(&maintenance->clock);
        prune_close(&maintenance->prune);
        digest_close(&maintenance->digest);
        redelivery_schedule_close(&maintenance->recovery);
        pull_close(&maintenance->pull);
        timers_close(&maintenance->timers);
        schedules_close(&maintenance->schedules);
        mailbox_drain(&maintenance->mailbox);
        loop_remove(maintenance->loop, &maintenance->mail_source);
        mailbox_finish(&maintenance->mailbox);
        redelivery_schedule_finish(&maintenance->recovery);
        pull_finish(&maintenance->pull);
        timers_finish(&maintenance->timers);
        schedules_finish(&maintenance->schedules);
        free(maintenance);
    }
}
