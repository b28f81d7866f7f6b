/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* base: the list, the growing array, the bounded LRU map and the scoped lock. */
#include "unit.h"

#include "base/array.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/lru_map.h"

#include <errno.h>
#include <stdio.h>

struct numbered {
    int number;
    TAILQ_ENTRY(numbered) link;
};

TAILQ_HEAD(numbered_list, numbered);

static void a_list_is_emptied_while_it_is_walked(void **state) {
    struct numbered_list list = TAILQ_HEAD_INITIALIZER(list);
    struct numbered *item, *following;
    for (int i = 0; i < 4; i++) {
        struct numbered *added = calloc(1, sizeof *added);
        assert_non_null(added);
        added->number = i;
        TAILQ_INSERT_TAIL(&list, added, link);
    }
    int seen = 0;
    TAILQ_FOREACH_SAFE(item, &list, link, following) {
        assert_int_equal(item->number, seen++);
        TAILQ_REMOVE(&list, item, link);
        free(item);
    }
    assert_int_equal(seen, 4);
    assert_true(TAILQ_EMPTY(&list));
}

static void an_array_grows_and_zeroes_what_it_adds(void **state) {
    struct pair {
        int number;
        const char *text;
    } *pairs = NULL;
    size_t n_pairs = 0;
    for (int i = 0; i < 1000; i++) {
        struct pair *pair = ARRAY_ADD(pairs, n_pairs);
        assert_non_null(pair);
        assert_int_equal(pair->number, 0);
        assert_null(pair->text);
        *pair = (struct pair){.number = i, .text = "text"};
    }
    assert_int_equal(n_pairs, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(pairs[i].number, i);
    }
    free(pairs);
}

static void an_array_that_shrank_grows_again(void **state) {
    int *numbers = NULL;
    unsigned n_numbers = 0;
    for (int i = 0; i < 9; i++) {
        *ARRAY_ADD(numbers, n_numbers) = i;
    }
    n_numbers = 3;
    for (int i = 3; i < 40; i++) {
        *ARRAY_ADD(numbers, n_numbers) = i;
    }
    for (int i = 0; i < 40; i++) {
        assert_int_equal(numbers[i], i);
    }
    free(numbers);
}

static void an_array_rejects_a_size_that_overflows(void **state) {
    int *numbers = NULL;
    size_t n_numbers = (SIZE_MAX / 2) + 1; /* a power of two */
    assert_null(ARRAY_ADD(numbers, n_numbers));
    assert_null(numbers);
    assert_true(n_numbers == (SIZE_MAX / 2) + 1);
}

struct item {
    char name[16];
    bool in_use;
    struct lru_entry entry;
};

static int n_evicted;

static void free_item(struct lru_entry *entry, void *context) {
    assert_ptr_equal(context, &n_evicted);
    n_evicted++;
    free(CONTAINER_OF(entry, struct item, entry));
}

static bool item_is_in_use(const struct lru_entry *entry, void *context) {
    return CONTAINER_OF(entry, struct item, entry)->in_use;
}

static void start(struct lru_map *map, size_t entries_max, size_t bytes_max) {
    const struct lru_map_options options = {.entries_max = entries_max,
                                            .bytes_max = bytes_max,
                                            .is_in_use = item_is_in_use,
                                            .on_evict = free_item,
                                            .context = &n_evicted};
    n_evicted = 0;
    lru_map_init(map, &options);
}

static struct item *put(struct lru_map *map, const char *name, size_t bytes) {
    struct item *item = calloc(1, sizeof *item);
    assert_non_null(item);
    snprintf(item->name, sizeof item->name, "%s", name);
    if (lru_map_put(map, &item->entry, name, strlen(name), bytes) < 0) {
        free(item);
        return NULL;
    }
    return item;
}

static bool has(const struct lru_map *map, const char *name) {
    return lru_map_peek(map, name, strlen(name)) != NULL;
}

static void a_map_evicts_the_least_recently_used_entry(void **state) {
    struct lru_map map;
    start(&map, 3, 0);
    assert_non_null(put(&map, "a", 0));
    assert_non_null(put(&map, "b", 0));
    assert_non_null(put(&map, "c", 0));
    assert_non_null(lru_map_find(&map, "a", 1)); /* a use */
    assert_non_null(lru_map_peek(&map, "b", 1)); /* no use */
    assert_non_null(put(&map, "d", 0));
    assert_true(has(&map, "a") && has(&map, "c") && has(&map, "d"));
    assert_false(has(&map, "b"));
    assert_int_equal(n_evicted, 1);
    lru_map_finish(&map);
    assert_int_equal(n_evicted, 4);
}

static void a_map_is_bounded_in_bytes_with_its_keys(void **state) {
    struct lru_map map;
    start(&map, 0, 100);
    assert_non_null(put(&map, "a", 39));
    assert_non_null(put(&map, "b", 39));
    assert_int_equal(map.bytes, 80);
    assert_non_null(put(&map, "c", 59));
    assert_false(has(&map, "a"));
    assert_int_equal(map.bytes, 100);
    assert_null(put(&map, "d", 100));
    assert_true(has(&map, "b") && has(&map, "c"));
    lru_map_finish(&map);
}

static void a_map_keeps_entries_in_use_beyond_its_bound(void **state) {
    struct lru_map map;
    start(&map, 2, 0);
    put(&map, "a", 0)->in_use = true;
    put(&map, "b", 0)->in_use = true;
    assert_non_null(put(&map, "c", 0));
    assert_int_equal(map.count, 3);
    assert_non_null(put(&map, "d", 0));
    assert_true(has(&map, "a") && has(&map, "b") && has(&map, "d"));
    assert_false(has(&map, "c"));
    lru_map_finish(&map);
    assert_int_equal(n_evicted, 4);
}

static void a_removed_entry_goes_back_to_its_owner(void **state) {
    struct lru_map map;
    start(&map, 0, 0);
    struct item *item = put(&map, "a", 5);
    assert_non_null(put(&map, "b", 7));
    lru_map_remove(&map, &item->entry);
    assert_false(has(&map, "a"));
    assert_int_equal(map.bytes, 8);
    assert_int_equal(n_evicted, 0);
    assert_int_equal(lru_map_put(&map, &item->entry, "again", 5, 0), 0);
    assert_true(has(&map, "again"));
    lru_map_finish(&map);
}

static void a_map_is_walked_from_the_most_recently_used_entry(void **state) {
    struct lru_map map;
    start(&map, 0, 0);
    assert_non_null(put(&map, "a", 0));
    assert_non_null(put(&map, "b", 0));
    assert_non_null(put(&map, "c", 0));
    assert_non_null(lru_map_find(&map, "a", 1));
    char order[4] = "";
    size_t seen = 0;
    for (struct lru_entry *e = lru_map_first(&map), *next; e; e = next) {
        next = lru_map_next(e);
        order[seen++] = CONTAINER_OF(e, struct item, entry)->name[0];
        lru_map_remove(&map, e);
        free_item(e, &n_evicted);
    }
    assert_string_equal(order, "acb");
    lru_map_finish(&map);
}

static void parts_of_a_key_do_not_run_together(void **state) {
    AUTO_BUFFER struct buffer one = BUFFER_INIT(100), other = BUFFER_INIT(100);
    assert_int_equal(lru_map_key_part(&one, "ab") | lru_map_key_part(&one, "c"), 0);
    assert_int_equal(lru_map_key_part(&other, "a") | lru_map_key_part(&other, "bc"), 0);
    assert_int_equal(one.bytes, other.bytes);
    assert_memory_not_equal(one.data, other.data, one.bytes);
}

static int locked_sum(pthread_mutex_t *mutex, int a, int b) {
    SCOPED_LOCK(mutex);
    assert_int_equal(pthread_mutex_trylock(mutex), EBUSY);
    if (a > b) {
        return -1;
    }
    return a + b;
}

static void a_lock_ends_with_its_scope(void **state) {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    assert_int_equal(locked_sum(&mutex, 1, 2), 3);
    assert_int_equal(locked_sum(&mutex, 2, 1), -1);
    assert_int_equal(pthread_mutex_trylock(&mutex), 0);
    assert_int_equal(pthread_mutex_unlock(&mutex), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_emptied_while_it_is_walked),
        cmocka_unit_test(an_array_grows_and_zeroes_what_it_adds),
        cmocka_unit_test(an_array_that_shrank_grows_again),
        cmocka_unit_test(an_array_rejects_a_size_that_overflows),
        cmocka_unit_test(a_map_evicts_the_least_recently_used_entry),
        cmocka_unit_test(a_map_is_bounded_in_bytes_with_its_keys),
        cmocka_unit_test(a_map_keeps_entries_in_use_beyond_its_bound),
        cmocka_unit_test(a_removed_entry_goes_back_to_its_owner),
        cmocka_unit_test(a_map_is_walked_from_the_most_recently_used_entry),
        cmocka_unit_test(parts_of_a_key_do_not_run_together),
        cmocka_unit_test(a_lock_ends_with_its_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
