/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Takes committed runs over from ingest and begins them when they are due. */
#include "dispatch/handoff.h"

#include "base/clock.h"
#include "base/lock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The most bytes of bodies that wait in memory until their runs are due. */
#define HANDOFF_BYTES_MAX (UINT64_C(32) << 20)
/* A smaller run waits for room. */
#define LARGE_BYTES (UINT64_C(1) << 20)

struct handed_run {
    TAILQ_ENTRY(handed_run) link;
    struct mail mail;
    struct handoff_queue *queue;
    /* Moves into `run` on the loop's thread. */
    struct inbox_run data;
    struct run *run;
    /* Its reservation. */
    size_t bytes;
    int64_t routed_ms, start_at_ms; /* monotonic */
};

int handoff_init(struct handoff *handoff, struct run_table *table, struct plugin *plugins,
                 size_t n_plugins) {
    struct handoff_queue *queues = calloc(n_plugins + 1, sizeof *queues);
    if (!queues) {
        return -1;
    }
    *handoff = (struct handoff){.table = table, .queues = queues, .n_queues = n_plugins};
    TAILQ_INIT(&handoff->handed);
    pthread_mutex_init(&handoff->lock, NULL);
    for (size_t i = 0; i < n_plugins; i++) {
        queues[i] = (struct handoff_queue){.handoff = handoff, .plugin = &plugins[i]};
        TAILQ_INIT(&queues[i].waiting);
    }
    return 0;
}

static void free_handed(struct handed_run *handed) {
    inbox_run_finish(&handed->data);
    free(handed);
}

void handoff_finish(struct handoff *handoff) {
    for (size_t i = 0; i < handoff->n_queues; i++) {
        struct handed_run *handed;
        while ((handed = TAILQ_FIRST(&handoff->queues[i].waiting))) {
            TAILQ_REMOVE(&handoff->queues[i].waiting, handed, link);
            run_free(handed->run);
            free_handed(handed);
        }
    }
    if (handoff->queues) {
        pthread_mutex_destroy(&handoff->lock);
        free(handoff->queues);
    }
}

/* ---- on ingest's thread ---- */

/* With a longer delay the host would have to renew the lease of a run that only waits. */
static bool is_soon(const struct handoff *handoff, const struct inbox_put *put) {
    return put->due_ms - put->received_ms <= handoff->table->options.lease_ms / 2;
}

void handoff_reserve(struct handoff *handoff, size_t plugin, const struct inbox_put *put,
                     struct inbox_put_run *run) {
    assert(plugin < handoff->n_queues && !run->leased);
    struct handoff_queue *queue = &handoff->queues[plugin];
    SCOPED_LOCK(&handoff->lock);
    /* A run that may be replaced until it is due is not leased before. */
    if (!run->replaceable && queue->reserved < queue->room && is_soon(handoff, put) &&
        put->body_bytes <= HANDOFF_BYTES_MAX - handoff->bytes) {
        run->leased = true;
        queue->reserved++;
        handoff->bytes += put->body_bytes;
    }
}

static void end_reservation(struct handoff_queue *queue, size_t bytes) {
    struct handoff *handoff = queue->handoff;
    SCOPED_LOCK(&handoff->lock);
    assert(queue->reserved > 0 && handoff->bytes >= bytes);
    queue->reserved--;
    handoff->bytes -= bytes;
}

static int fill(struct inbox_run *data, const struct inbox_put *put,
                const struct inbox_put_run *stored, struct payload *payload) {
    data->attempt = 1;
    data->received_ms = put->received_ms;
    data->due_ms = put->due_ms;
    snprintf(data->guid, sizeof data->guid, "%s", put->guid);
    snprintf(data->event, sizeof data->event, "%s", put->event);
    snprintf(data->action, sizeof data->action, "%s", put->action);
    snprintf(data->installation, sizeof data->installation, "%s", put->installation);
    snprintf(data->item, sizeof data->item, "%s", put->item);
    inbox_order_key(put, stored->order, data->order_key);
    data->sender = strdup(put->sender);
    data->repository = strdup(put->repository);
    data->payload = payload_ref(payload);
    data->payload_bytes = payload->bytes;
    return data->sender && data->repository ? 0 : -1;
}

static void on_handed(struct mail *mail);

static void hand_over(struct handoff_queue *queue, const struct inbox_put *put,
                      const struct inbox_put_run *stored, struct payload *payload) {
    struct handed_run *handed = payload ? calloc(1, sizeof *handed) : NULL;
    if (!handed || fill(&handed->data, put, stored, payload) < 0) {
        /* The run stays leased until the lease expires or the host starts again. */
        if (handed) {
            free_handed(handed);
        }
        end_reservation(queue, put->body_bytes);
        return;
    }
    handed->data.id = stored->id;
    handed->data.token = stored->token;
    handed->queue = queue;
    handed->bytes = put->body_bytes;
    handed->routed_ms = put->routed_ms;
    handed->mail.open = on_handed;
    SCOPED_LOCK(&queue->handoff->lock);
    TAILQ_INSERT_TAIL(&queue->handoff->handed, &handed->mail, link);
}

/* dispatch_route() put the plugin's own name into the run, so the pointers are equal. */
static struct handoff_queue *find_queue(struct handoff *handoff, const char *name) {
    size_t i = 0;
    while (i < handoff->n_queues && plugin_name(handoff->queues[i].plugin) != name) {
        i++;
    }
    assert(i < handoff->n_queues);
    return &handoff->queues[i];
}

bool handoff_stored(struct handoff *handoff, const struct inbox_put *put, struct buffer *body) {
    bool any = false, all = true;
    for (size_t i = 0; i < put->n_runs; i++) {
        any = any || (put->runs[i].leased && put->runs[i].id);
        all = all && put->runs[i].leased && put->runs[i].id;
    }
    struct payload *payload = any ? payload_take(body, put->body, put->body_bytes) : NULL;
    for (size_t i = 0; i < put->n_runs; i++) {
        const struct inbox_put_run *run = &put->runs[i];
        if (run->leased && run->id) {
            hand_over(find_queue(handoff, run->plugin), put, run, payload);
        } else if (run->leased) {
            end_reservation(find_queue(handoff, run->plugin), put->body_bytes);
        }
    }
    payload_unref(payload);
    return all;
}

void handoff_pass(struct handoff *handoff) {
    struct mail_list handed;
    TAILQ_INIT(&handed);
    {
        SCOPED_LOCK(&handoff->lock);
        TAILQ_CONCAT(&handed, &handoff->handed, link);
    }
    if (!TAILQ_EMPTY(&handed)) {
        mailbox_post_all(handoff->table->options.mailbox, &handed);
    }
}

/* ---- on the loop's ---- */

static void on_handed(struct mail *mail) {
    struct handed_run *handed = CONTAINER_OF(mail, struct handed_run, mail);
    struct handoff_queue *queue = handed->queue;
    int64_t wait_ms = handed->data.due_ms - clock_wall_ms();
    handed->start_at_ms = clock_monotonic_ms() + (wait_ms > 0 ? wait_ms : 0);
    handed->run = run_new(&queue->plugin->runs, &handed->data);
    handed->data = (struct inbox_run){0};
    if (handed->run && run_is_handled(handed->run)) {
        /* The inbox was silent for longer than the lease, and a claim has taken the run since. */
        run_free(STEAL(handed->run));
    }
    if (!handed->run) {
        end_reservation(queue, handed->bytes);
        free_handed(handed);
        return;
    }
    run_trust(handed->run, handed->routed_ms, queue->handoff->table->options.lease_ms);
    TAILQ_INSERT_TAIL(&queue->waiting, handed, link);
    queue->n_waiting++;
    SCOPED_LOCK(&queue->handoff->lock);
    queue->reserved--;
}

static struct run *take_first(struct handoff_queue *queue) {
    struct handed_run *handed = TAILQ_FIRST(&queue->waiting);
    struct run *run = handed->run;
    assert(queue->n_waiting > 0);
    TAILQ_REMOVE(&queue->waiting, handed, link);
    queue->n_waiting--;
    SCOPED_LOCK(&queue->handoff->lock);
    queue->handoff->bytes -= handed->bytes;
    free_handed(handed);
    return run;
}

static bool takes_runs(const struct plugin *plugin) {
    return plugin_accepts(plugin) && !plugin_waits_for_idle(plugin);
}

static bool has_room(const struct handoff_queue *queue, bool claiming) {
    const struct plugin *plugin = queue->plugin;
    const struct run_group *group = &plugin->runs;
    if (group->n_runs == 0) {
        /* A claim may return a suspect run, which must run alone. */
        return !claiming;
    }
    return group->n_runs < plugin->config->concurrency &&
           TAILQ_FIRST(&queue->waiting)->run->payload_bytes <= plugin_room_bytes(plugin);
}

/* A large run that does not fit goes back to the inbox, so that it holds up no run behind it. The
 * claims make room for it. */
static bool is_too_large(const struct handoff_queue *queue) {
    uint64_t bytes = TAILQ_FIRST(&queue->waiting)->run->payload_bytes;
    return queue->plugin->runs.n_runs > 0 && bytes > LARGE_BYTES &&
           bytes > plugin_room_bytes(queue->plugin);
}

static void begin(struct handoff_queue *queue, struct run *run, bool takes) {
    if (run->lease_lost) {
        /* It never began here, and another handling has it. */
        run_free(run);
        return;
    }
    run_enter(run);
    /* The next claim sets it aside if a hold covers it. */
    if (takes && plugin_accepts_run(queue->plugin, &run->data)) {
        plugin_begin(queue->plugin, run);
    } else {
        run_requeue(run, false, takes ? "a hold covers it" : "");
    }
}

static void tick_queue(struct handoff_queue *queue, int64_t now_ms, bool claiming) {
    const struct plugin *plugin = queue->plugin;
    bool takes = takes_runs(plugin);
    const struct handed_run *first;
    while ((first = TAILQ_FIRST(&queue->waiting))) {
        bool large = is_too_large(queue);
        bool ready = first->start_at_ms <= now_ms && (large || has_room(queue, claiming));
        if (takes && !ready) {
            break;
        }
        begin(queue, take_first(queue), takes && !large);
    }
    uint32_t busy = plugin->runs.n_runs + queue->n_waiting;
    uint32_t room = 0;
    if (takes && busy < plugin->config->concurrency) {
        room = plugin->config->concurrency - busy;
    }
    SCOPED_LOCK(&queue->handoff->lock);
    queue->room = room;
}

void handoff_tick(struct handoff *handoff, int64_t now_ms, bool claiming) {
    for (size_t i = 0; i < handoff->n_queues; i++) {
        tick_queue(&handoff->queues[i], now_ms, claiming);
    }
}

int64_t handoff_next_ms(const struct handoff *handoff, bool claiming) {
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < handoff->n_queues; i++) {
        const struct handed_run *first = TAILQ_FIRST(&handoff->queues[i].waiting);
        bool leaves =
            first && (is_too_large(&handoff->queues[i]) || has_room(&handoff->queues[i], claiming));
        if (leaves && first->start_at_ms < next_ms) {
            next_ms = first->start_at_ms;
        }
    }
    return next_ms;
}

bool handoff_idle(struct handoff *handoff) {
    bool idle = true;
    SCOPED_LOCK(&handoff->lock);
    for (size_t i = 0; i < handoff->n_queues; i++) {
        idle = idle && TAILQ_EMPTY(&handoff->queues[i].waiting) && handoff->queues[i].reserved == 0;
    }
    return idle;
}
