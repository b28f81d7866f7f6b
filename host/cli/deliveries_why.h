/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic deliveries show --why`: why each plugin has a run of a delivery, or has none. */
#ifndef SNEK_CLI_DELIVERIES_WHY_H
#define SNEK_CLI_DELIVERIES_WHY_H

#include "cli/store_client.h"

#include <stdbool.h>

/* Loads the configured plugins in workers, and has each explain the stored payload. Prints the
 * reasons by today's configuration. Returns the exit status. */
int deliveries_why(struct store_client *store_client, const struct config *config, const char *guid,
                   bool json);

#endif
