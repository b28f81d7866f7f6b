/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Divides what GitHub grants to one installation among the plugins: requests in progress, and the
 * hourly quotas. A plugin may use much of them while nobody else needs them; the last part is left
 * to the others.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_PLUGIN_SHARE_H
#define SNEK_BROKER_PLUGIN_SHARE_H

#include "broker/rate_headers.h"
#include "broker/rate_quota.h"
#include "inbox/limits.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* GitHub allows 100 requests at once, a token ("Rate limits for the REST API"). */
#define LIMITS_IN_FLIGHT_MAX 100
/* The most that one plugin may have in progress. */
#define SHARE_IN_FLIGHT_MAX 64
/* Above so many in all, a plugin may have only so few of its own. */
#define SHARE_CROWDED 80
#define SHARE_IN_FLIGHT_CROWDED 4
/* The last 20 % of a quota are the reserve: plugins that have used 40 % wait for its reset. */
#define SHARE_RESERVE_PERCENT 20
#define SHARE_HEAVY_PERCENT 40

/* One plugin's part of one installation. */
struct plugin_share {
    char plugin[INBOX_NAME_MAX + 1];
    unsigned in_flight;
    /* Since the last reset. */
    int64_t used[RESOURCES];
    TAILQ_ENTRY(plugin_share) link;
};

TAILQ_HEAD(plugin_share_list, plugin_share);

struct plugin_shares {
    struct plugin_share_list list;
    /* Resets are monotonic. */
    struct rate_quota quotas[RESOURCES];
};

void plugin_shares_init(struct plugin_shares *shares);
void plugin_shares_finish(struct plugin_shares *shares);

/* NULL for the host's own requests (`plugin` is NULL), and without memory: such requests have no
 * share and no bound of their own. */
struct plugin_share *plugin_shares_find(struct plugin_shares *shares, const char *plugin);

/* May one more request start, when the installation has `in_flight` in progress? `share` may be
 * NULL. */
bool plugin_share_has_slot(const struct plugin_share *share, unsigned in_flight);

/* Until when (monotonic) the reserve of the quota is not for this plugin; 0: it may go on. With
 * `always` it is for others in any case. `share` may be NULL. */
int64_t plugin_share_reserve_ms(const struct plugin_shares *shares,
                                const struct plugin_share *share, enum resource resource,
                                bool always, int64_t now_ms);

/* Counts a response of the plugin's. `share` may be NULL. */
void plugin_shares_learn(struct plugin_shares *shares, struct plugin_share *share,
                         const struct rate_headers *rate, int64_t now_ms);

#endif
