/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Runs that go on from memory: ingest marks them as leased by this host while their plugin has free
 * slots, hands them over with their body once they are committed, and they are held here until they
 * are due, instead of being read back.
 *
 *   route: a slot is promised --PUT--> stored: mail --> held until due --> begun
 *                                          |               '-- its plugin cannot: requeued
 *                                          '-- not stored: the promise is taken back
 *
 * What was promised or is held is bounded: by the plugin's free slots, and in bytes. */
#include "dispatch/private.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- on ingest's thread ---- */

/* With a longer delay the lease would have to be renewed for what nobody works on. */
static bool soon(const struct dispatch *dispatch, const struct inbox_put *put) {
    int64_t wait_ms = put->due_ms - put->received_ms;
    return wait_ms <= dispatch->options.config->dispatch.lease_ms / 2;
}

void fresh_promise(struct dispatch *dispatch, struct inbox_put *put, struct inbox_put_run *run,
                   struct plugin *plugin) {
    (void)pthread_mutex_lock(&dispatch->lock);
    if (plugin->fresh_promised < plugin->fresh_room && soon(dispatch, put) &&
        put->body_bytes <= FRESH_BYTES_MAX - dispatch->fresh_bytes) {
        run->leased = true;
        plugin->fresh_promised++;
        dispatch->fresh_bytes += put->body_bytes;
    }
    (void)pthread_mutex_unlock(&dispatch->lock);
}

static void break_promise(struct plugin *plugin, size_t bytes) {
    struct dispatch *dispatch = plugin->dispatch;
    (void)pthread_mutex_lock(&dispatch->lock);
    plugin->fresh_promised--;
    dispatch->fresh_bytes -= bytes;
    (void)pthread_mutex_unlock(&dispatch->lock);
}

static int fill(struct inbox_run *data, const struct inbox_put *put, struct payload *payload) {
    data->attempt = 1;
    data->lease = put->lease;
    data->received_ms = put->received_ms;
    (void)snprintf(data->guid, sizeof data->guid, "%s", put->guid);
    (void)snprintf(data->event, sizeof data->event, "%s", put->event);
    (void)snprintf(data->action, sizeof data->action, "%s", put->action);
    (void)snprintf(data->installation, sizeof data->installation, "%s", put->installation);
    data->sender = strdup(put->sender);
    data->repository = strdup(put->repository);
    data->payload = payload_ref(payload);
    data->payload_bytes = payload->bytes;
    return data->sender && data->repository ? 0 : -1;
}

static void open_fresh(struct mail *mail);

static void hand_over(struct plugin *plugin, const struct inbox_put *put, int64_t id,
                      struct payload *payload) {
    struct run *run = payload ? calloc(1, sizeof *run) : NULL;
    if (!run || fill(&run->data, put, payload) < 0) {
        if (run) {
            run_free(run); /* stays leased, until that lapses or the host starts again */
        }
        break_promise(plugin, put->body_bytes);
        return;
    }
    run->data.id = id;
    run->plugin = plugin;
    run->payload_bytes = put->body_bytes;
    run->due_ms = put->due_ms;
    lease_trust(run, put->routed_ms);
    run->mail.open = open_fresh;
    mailbox_post(&plugin->dispatch->mailbox, &run->mail);
}

/* Names come from dispatch_route(), so that the pointers tell. */
static struct plugin *find(struct dispatch *dispatch, const char *name) {
    size_t i = 0;
    while (i < dispatch->n_plugins && plugin_name(&dispatch->plugins[i]) != name) {
        i++;
    }
    return &dispatch->plugins[i];
}

bool fresh_stored(struct dispatch *dispatch, const struct inbox_put *put, struct buffer *body) {
    bool any = false, all = true;
    for (size_t i = 0; i < put->n_runs; i++) {
        any = any || (put->runs[i].leased && put->runs[i].id);
        all = all && put->runs[i].leased && put->runs[i].id;
    }
    struct payload *payload = any ? payload_take(body, put->body, put->body_bytes) : NULL;
    for (size_t i = 0; i < put->n_runs; i++) {
        const struct inbox_put_run *run = &put->runs[i];
        if (run->leased && run->id) {
            hand_over(find(dispatch, run->plugin), put, run->id, payload);
        } else if (run->leased) {
            break_promise(find(dispatch, run->plugin), put->body_bytes);
        }
    }
    (void)payload_unref(payload);
    return all;
}

/* ---- on the loop's ---- */

static void open_fresh(struct mail *mail) {
    struct run *run = CONTAINER_OF(mail, struct run, mail);
    struct plugin *plugin = run->plugin;
    int64_t wait_ms = run->due_ms - clock_wall_ms();
    run->start_at_ms = clock_monotonic_ms() + (wait_ms > 0 ? wait_ms : 0);
    *plugin->held_last = run;
    plugin->held_last = &run->next;
    plugin->n_held++;
    (void)pthread_mutex_lock(&plugin->dispatch->lock);
    plugin->fresh_promised--;
    (void)pthread_mutex_unlock(&plugin->dispatch->lock);
}

static struct run *take_held(struct plugin *plugin) {
    struct run *run = plugin->held;
    plugin->held = run->next;
    if (!plugin->held) {
        plugin->held_last = &plugin->held;
    }
    plugin->n_held--;
    (void)pthread_mutex_lock(&plugin->dispatch->lock);
    plugin->dispatch->fresh_bytes -= run->payload_bytes;
    (void)pthread_mutex_unlock(&plugin->dispatch->lock);
    return run;
}

/* Nothing new while a suspect is due or tried alone: see plugin.c. */
static bool takes_fresh(const struct plugin *plugin) {
    return plugin->state == PLUGIN_RUNNING && !plugin->hold && !plugin->solitary &&
           !plugin->dispatch->draining;
}

static bool has_room(const struct plugin *plugin) {
    if (plugin->n_runs == 0) {
        return !plugin->dispatch->claiming; /* which may bring a suspect, to be alone */
    }
    return plugin->n_runs < plugin->config->concurrency &&
           plugin->held->payload_bytes + plugin->payload_bytes <= plugin_payload_max(plugin);
}

void fresh_tick(struct plugin *plugin, int64_t now_ms) {
    bool takes = takes_fresh(plugin);
    while (plugin->held && (!takes || (plugin->held->start_at_ms <= now_ms && has_room(plugin)))) {
        struct run *run = take_held(plugin);
        run_enter(run);
        if (takes) {
            run_begin(run);
        } else {
            run_requeue(run, false, "");
        }
    }
    uint32_t busy = plugin->n_runs + plugin->n_held;
    (void)pthread_mutex_lock(&plugin->dispatch->lock);
    plugin->fresh_room =
        takes && busy < plugin->config->concurrency ? plugin->config->concurrency - busy : 0;
    (void)pthread_mutex_unlock(&plugin->dispatch->lock);
}

int64_t fresh_next_ms(const struct plugin *plugin) {
    return plugin->held && has_room(plugin) ? plugin->held->start_at_ms : INT64_MAX;
}

bool fresh_idle(struct plugin *plugin) {
    (void)pthread_mutex_lock(&plugin->dispatch->lock);
    bool promised = plugin->fresh_promised > 0;
    (void)pthread_mutex_unlock(&plugin->dispatch->lock);
    return !plugin->held && !promised;
}
