/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Misuses memory as the payload's action says, without a crash: only valgrind and AddressSanitizer
 * see it. */
#include <snekomatic/snekomatic.h>

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 10

/* The compiler can neither see through these nor remove what they do. */
static volatile size_t past_the_end = BLOCK_BYTES;
static char *volatile block;

__attribute__((noinline)) static void overflow_the_heap(void) {
    block = calloc(1, BLOCK_BYTES);
    if (block && block[past_the_end] == 'x') {
        block[0] = 'y';
    }
    free(block);
}

__attribute__((noinline)) static void read_uninitialised(void) {
    block = malloc(BLOCK_BYTES);
    if (block && block[0] == 'x') {
        block[1] = 'y';
    }
    free(block);
}

__attribute__((noinline)) static void leak_a_block(void) {
    block = malloc(BLOCK_BYTES);
    block = NULL;
}

static int32_t on_event(struct snek_run *run) {
    const char *action = snek_text(run, "action");
    if (strcmp(action, "overflow") == 0) {
        overflow_the_heap();
    } else if (strcmp(action, "uninitialised") == 0) {
        read_uninitialised();
    } else if (strcmp(action, "leak") == 0) {
        leak_a_block();
    } else if (strcmp(action, "crash") == 0) {
        abort();
    }
    return SNEK_DONE;
}

static const struct snek_subscription subscriptions[] = {{.event = "memory", .handler = on_event}};

SNEK_PLUGIN(.name = "memory", .version = "1", .summary = "misuses memory",
            SNEK_TABLE(subscriptions))
