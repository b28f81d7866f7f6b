/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Counts by plugin, and the quotas as GitHub's headers show them. */
#include "broker/plugin_share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Points that one GraphQL request may be charged for. */
#define COST_MAX 200

void plugin_shares_init(struct plugin_shares *shares) {
    *shares = (struct plugin_shares){0};
    TAILQ_INIT(&shares->list);
}

void plugin_shares_finish(struct plugin_shares *shares) {
    struct plugin_share *share;
    while ((share = TAILQ_FIRST(&shares->list))) {
        TAILQ_REMOVE(&shares->list, share, link);
        free(share);
    }
}

struct plugin_share *plugin_shares_find(struct plugin_shares *shares, const char *plugin) {
    struct plugin_share *share;
    if (!plugin) {
        return NULL;
    }
    TAILQ_FOREACH(share, &shares->list, link) {
        if (strcmp(share->plugin, plugin) == 0) {
            return share;
        }
    }
    share = calloc(1, sizeof *share);
    if (share) {
        snprintf(share->plugin, sizeof share->plugin, "%s", plugin);
        TAILQ_INSERT_TAIL(&shares->list, share, link);
    }
    return share;
}

bool plugin_share_has_slot(const struct plugin_share *share, unsigned in_flight) {
    if (in_flight >= LIMITS_IN_FLIGHT_MAX) {
        return false;
    }
    if (!share) {
        return true;
    }
    unsigned most = in_flight >= SHARE_CROWDED ? SHARE_IN_FLIGHT_CROWDED : SHARE_IN_FLIGHT_MAX;
    return share->in_flight < most;
}

int64_t plugin_share_reserve_ms(const struct plugin_shares *shares,
                                const struct plugin_share *share, enum resource resource,
                                bool always, int64_t now_ms) {
    const struct rate_quota *quota = &shares->quotas[resource];
    bool in_reserve = quota->limit > 0 &&
                      quota->remaining * 100 <= quota->limit * SHARE_RESERVE_PERCENT &&
                      quota->reset_ms > now_ms;
    bool heavy =
        always || (share && share->used[resource] * 100 >= quota->limit * SHARE_HEAVY_PERCENT);
    return in_reserve && heavy ? quota->reset_ms : 0;
}

static void forget_use(struct plugin_shares *shares, enum resource resource) {
    struct plugin_share *share;
    TAILQ_FOREACH(share, &shares->list, link) {
        share->used[resource] = 0;
    }
}

void plugin_shares_learn(struct plugin_shares *shares, struct plugin_share *share,
                         const struct rate_headers *rate, int64_t now_ms) {
    enum resource resource = rate->resource;
    if (resource >= RESOURCES || rate->limit <= 0 || rate->remaining < 0 || rate->reset_ms < 0) {
        return;
    }
    struct rate_quota *quota = &shares->quotas[resource];
    int64_t cost = 1, remaining = quota->remaining;
    if (rate_quota_learn(
            quota, &(struct rate_quota){rate->limit, rate->remaining, now_ms + rate->reset_ms})) {
        forget_use(shares, resource);
    } else if (resource == RESOURCE_GRAPHQL) {
        cost = remaining - rate->remaining;
        cost = cost < 1 ? 1 : cost;
        cost = cost > COST_MAX ? COST_MAX : cost;
    }
    if (share) {
        share->used[resource] += cost;
    }
}
