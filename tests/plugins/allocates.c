/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Each event allocates memory in another way. All handlers but those of `checked` and `nothing`
 * trust the result: for `snekomatic check --plugin`. */
#include <snekomatic/snekomatic.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int32_t use(char *memory) {
    /* The compiler must not remove the allocation. */
    *(volatile char *)memory = 'a';
    free(memory);
    return SNEK_DONE;
}

static int32_t use_malloc(struct snek_run *run) {
    return use((char *)malloc(10));
}

/* The loader writes the address into a table that is no GOT. */
static int32_t use_pointer(struct snek_run *run) {
    static void *(*volatile const allocate)(size_t) = malloc;
    return use((char *)allocate(10));
}

static int32_t use_calloc(struct snek_run *run) {
    return use((char *)calloc(2, 10));
}

static int32_t use_realloc(struct snek_run *run) {
    /* The compiler would call malloc() for NULL. */
    static char *volatile old;
    return use((char *)realloc(old, 10));
}

static int32_t use_reallocarray(struct snek_run *run) {
    return use((char *)reallocarray(NULL, 2, 10));
}

static int32_t use_aligned_alloc(struct snek_run *run) {
    return use((char *)aligned_alloc(64, 64));
}

static int32_t use_posix_memalign(struct snek_run *run) {
    void *memory = NULL;
    return use(posix_memalign(&memory, 64, 64) == 0 ? (char *)memory : NULL);
}

static int32_t use_strdup(struct snek_run *run) {
    static const char *volatile text = "text";
    return use(strdup(text));
}

static int32_t use_strndup(struct snek_run *run) {
    static const char *volatile text = "text";
    return use(strndup(text, 3));
}

static int32_t use_asprintf(struct snek_run *run) {
    char *text = NULL;
    return use(asprintf(&text, "%p", (void *)run) < 0 ? NULL : text);
}

static int32_t use_sdk(struct snek_run *run) {
    *(volatile char *)snek_allocate(run, 10) = 'a';
    return SNEK_DONE;
}

/* The first two are checked. */
static int32_t use_third(struct snek_run *run) {
    char *first = (char *)malloc(10);
    char *second = first ? (char *)snek_allocate(run, 10) : NULL;
    if (!second) {
        free(first);
        return snek_fail(run, "no memory");
    }
    use(first);
    return use((char *)malloc(10));
}

static int32_t check(struct snek_run *run) {
    char *text = (char *)malloc(10);
    return text ? use(text) : snek_fail(run, "no memory");
}

static int32_t take_none(struct snek_run *run) {
    return SNEK_DONE;
}

static const struct snek_subscription subscriptions[] = {
    {.event = "malloc", .handler = use_malloc},
    {.event = "pointer", .handler = use_pointer},
    {.event = "calloc", .handler = use_calloc},
    {.event = "realloc", .handler = use_realloc},
    {.event = "reallocarray", .handler = use_reallocarray},
    {.event = "aligned_alloc", .handler = use_aligned_alloc},
    {.event = "posix_memalign", .handler = use_posix_memalign},
    {.event = "strdup", .handler = use_strdup},
    {.event = "strndup", .handler = use_strndup},
    {.event = "asprintf", .handler = use_asprintf},
    {.event = "sdk", .handler = use_sdk},
    {.event = "third", .handler = use_third},
    {.event = "checked", .handler = check},
    {.event = "nothing", .handler = take_none},
};

SNEK_PLUGIN(.name = "allocates", .version = "1.0", .summary = "Allocates memory.",
            SNEK_TABLE(subscriptions))
