/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Lists of GitHub that are read page by page: the github service's slots for struct snek_pages. */
#ifndef SNEK_WORKER_PAGINATION_H
#define SNEK_WORKER_PAGINATION_H

#include <snekomatic/github.h>

/* NULL when memory is short. A wrong request gives a list whose next() fails with the reason. */
struct snek_pages *pagination_begin(struct snek_run *shown, const struct snek_request *request);
struct snek_pages *pagination_begin_graphql(struct snek_run *shown,
                                            const struct snek_graphql *query);
int32_t pagination_next(struct snek_pages *pages);
uint32_t pagination_item(struct snek_pages *pages, const char *path, struct snek_value *value);
struct snek_response *pagination_page(struct snek_pages *pages);
void pagination_free(struct snek_pages *pages);

#endif
