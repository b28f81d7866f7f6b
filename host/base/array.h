/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The one growing array of the tree: a pointer to items and their count. The room doubles whenever
 * the count is a power of two, so that no third member is needed. */
#ifndef SNEK_BASE_ARRAY_H
#define SNEK_BASE_ARRAY_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The number of items of an array (not of a pointer). */
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof *(array))

/* `items` with room for one more, or NULL when memory is short; `items` is then unchanged. */
static inline void *array_make_room(void *items, size_t count, size_t item_bytes) {
    size_t room = count > 0 ? count * 2 : 1;
    if ((count & (count - 1)) != 0) {
        return items;
    }
    if (count > SIZE_MAX / 2) {
        return NULL;
    }
    return reallocarray(items, room, item_bytes);
}

/* Adds one zeroed item to `items` and counts it in `count`. The value is a pointer to the item, or
 * NULL when memory is short; nothing is changed then. Both arguments are evaluated several times.
 * The array starts as NULL and 0, grows only by this macro (`count` may be decreased), and ends
 * with free(items). Pointers to items are valid until the next ARRAY_ADD. */
#define ARRAY_ADD(items, count)                                                                    \
    __extension__({                                                                                \
        __typeof__(items) array_items_ =                                                           \
            array_make_room((items), (size_t)(count), sizeof *(items));                            \
        __typeof__(items) array_added_ = NULL;                                                     \
        if (array_items_) {                                                                        \
            (items) = array_items_;                                                                \
            array_added_ = &array_items_[(count)++];                                               \
            memset(array_added_, 0, sizeof *array_added_);                                         \
        }                                                                                          \
        array_added_;                                                                              \
    })

#endif
