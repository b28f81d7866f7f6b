/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Bounds how many tokens of one repository a plugin requests in one installation within an hour.
 * The app's own limit is 5000 requests an hour or more, and every installation needs it.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_TOKEN_BUDGET_H
#define SNEK_BROKER_TOKEN_BUDGET_H

#include "base/lru_map.h"

#include <stdint.h>

#define TOKEN_BUDGET_MAX 500
#define TOKEN_BUDGET_FOR_MS 3600000

struct token_budgets {
    struct lru_map map;
};

void token_budgets_init(struct token_budgets *budgets);
void token_budgets_finish(struct token_budgets *budgets);

/* Counts one token. 0, or how long the plugin must wait until its next one. */
int64_t token_budgets_spend(struct token_budgets *budgets, const char *plugin,
                            const char *installation);

#endif
