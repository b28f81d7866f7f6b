/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The one intrusive list of the tree: TAILQ of <sys/queue.h>, with the safe iteration that glibc
 * lacks. The entry is a member of the caller's own struct, so adding allocates nothing. */
#ifndef SNEK_BASE_LIST_H
#define SNEK_BASE_LIST_H

#include <stddef.h>
#include <sys/queue.h>

/* Like TAILQ_FOREACH. The body may remove and free `item`, but not `following`, the item after it.
 */
#ifndef TAILQ_FOREACH_SAFE
#define TAILQ_FOREACH_SAFE(item, head, link, following)                                            \
    for ((item) = TAILQ_FIRST(head); (item) && ((following) = TAILQ_NEXT((item), link), 1);        \
         (item) = (following))
#endif

/* The struct that encloses a member: from a list's entry to its owner. */
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
