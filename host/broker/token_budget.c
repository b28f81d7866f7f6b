/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One counter for each plugin in each installation; those used least recently are forgotten. */
#include "broker/token_budget.h"

#include "base/clock.h"

#include <stdlib.h>

#define BUDGETS_MAX 1024
#define KEY_MAX 4096

struct token_budget {
    struct lru_entry entry;
    unsigned used;
    /* Monotonic: of the first token. */
    int64_t since_ms;
};

static void on_evict(struct lru_entry *entry, void *context) {
    (void)context;
    free(CONTAINER_OF(entry, struct token_budget, entry));
}

void token_budgets_init(struct token_budgets *budgets) {
    lru_map_init(&budgets->map,
                 &(struct lru_map_options){.entries_max = BUDGETS_MAX, .on_evict = on_evict});
}

void token_budgets_finish(struct token_budgets *budgets) {
    lru_map_finish(&budgets->map);
}

/* NULL: no memory. */
static struct token_budget *find(struct token_budgets *budgets, const char *plugin,
                                 const char *installation) {
    AUTO_BUFFER struct buffer key = BUFFER_INIT(KEY_MAX);
    if (lru_map_key_part(&key, plugin) < 0 || lru_map_key_part(&key, installation) < 0) {
        return NULL;
    }
    struct lru_entry *found = lru_map_find(&budgets->map, key.data, key.bytes);
    if (found) {
        return CONTAINER_OF(found, struct token_budget, entry);
    }
    struct token_budget *budget = calloc(1, sizeof *budget);
    if (budget && lru_map_put(&budgets->map, &budget->entry, key.data, key.bytes, 0) < 0) {
        free(STEAL(budget));
    }
    return budget;
}

int64_t token_budgets_spend(struct token_budgets *budgets, const char *plugin,
                            const char *installation) {
    struct token_budget *budget = find(budgets, plugin, installation);
    int64_t now_ms = clock_monotonic_ms();
    if (!budget) {
        return 0;
    }
    if (budget->used == 0 || now_ms - budget->since_ms >= TOKEN_BUDGET_FOR_MS) {
        budget->since_ms = now_ms;
        budget->used = 0;
    }
    if (budget->used < TOKEN_BUDGET_MAX) {
        budget->used++;
        return 0;
    }
    return budget->since_ms + TOKEN_BUDGET_FOR_MS - now_ms;
}
