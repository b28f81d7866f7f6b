/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The queue of operations and the writer's thread. The thread carries out all waiting operations in
 * one transaction (a group commit) and posts the results. */
#include "inbox/common/writer.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/lock.h"
#include "inbox/common/load.h"
#include "inbox/common/operations.h"
#include "inbox/common/rest.h"

#include <assert.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A group is large enough that many operations share a commit. It is small enough that the first
 * operation does not wait long, and that the store holds little in memory. */
#define GROUP_OPERATIONS_MAX 256
/* A larger operation forms a group alone. */
#define GROUP_BYTES_MAX ((size_t)8 << 20)
/* In each try PostgreSQL may wait for its deadlock_timeout, 1 s, before it ends the transaction. */
#define GROUP_TRIES_MAX 4

struct inbox {
    /* NULL until the store is open. Then the writer runs. */
    struct store *store;
    pthread_t writer;
    atomic_bool healthy;
    /* The writer's. */
    struct rest rest;
    /* Protects the members below. */
    pthread_mutex_t lock;
    pthread_cond_t work;
    /* Operations that wait, linked by their mail. */
    struct mail_list waiting;
    bool stopping;
    /* Busy while a group with deliveries is under way. */
    struct load load;
};

static struct inbox_operation *of_mail(struct mail *mail) {
    return CONTAINER_OF(mail, struct inbox_operation, mail);
}

/* Posts the results of a group. Each mailbox gets its results at once, in their order, because a
 * thread that is woken for the first of them could run before the others are posted. */
static void post_group(struct inbox_operation **group, size_t n) {
    bool posted[GROUP_OPERATIONS_MAX] = {false};
    assert(n <= GROUP_OPERATIONS_MAX);
    for (size_t i = 0; i < n; i++) {
        assert(group[i]->result >= 0);
        operation_unprepare(group[i]);
    }
    for (size_t first = 0; first < n; first++) {
        if (posted[first]) {
            continue;
        }
        struct mailbox *mailbox = group[first]->reply_to;
        struct mail_list list;
        TAILQ_INIT(&list);
        /* An operation may be freed once its mail is posted, so this reads only the others. */
        for (size_t i = first; i < n; i++) {
            if (!posted[i] && group[i]->reply_to == mailbox) {
                group[i]->mail.open = operation_open_result;
                TAILQ_INSERT_TAIL(&list, &group[i]->mail, link);
                posted[i] = true;
            }
        }
        mailbox_post_all(mailbox, &list);
    }
}

/* Carries out operations[0..n). An operation that fails by its own fault does not make the others
 * fail: the operations before it are repeated without it, then it is tried alone, then the
 * operations after it follow. If the server ended the transaction because of another host's, the
 * same group is repeated. */
static void do_group(struct inbox *inbox, struct inbox_operation **operations, size_t n) {
    size_t at = 0, end = n;
    unsigned tries = 0;
    while (at < n) {
        struct store_failure failure = {.failed_index = STORE_NO_OPERATION, .broken = true};
        bool probe = !atomic_load(&inbox->healthy);
        struct inbox_operation **group = operations + at;
        size_t count = end - at;
        assert(count > 0);
        if (inbox->store->methods->transact(inbox->store, group, count, probe, &failure) == 0) {
            atomic_store(&inbox->healthy, true);
            post_group(group, count);
            at = end;
            end = n;
            tries = 0;
            continue;
        }
        assert(failure.failed_index == STORE_NO_OPERATION || failure.failed_index < count);
        for (size_t i = 0; i < count; i++) {
            operation_revoke(group[i]);
        }
        if (failure.again && ++tries < GROUP_TRIES_MAX) {
            continue;
        }
        if (failure.failed_index != STORE_NO_OPERATION && failure.failed_index > 0) {
            end = at + failure.failed_index;
            continue;
        }
        if (failure.broken) {
            atomic_store(&inbox->healthy, false);
        }
        size_t lost = failure.failed_index == STORE_NO_OPERATION ? count : 1;
        for (size_t i = 0; i < lost; i++) {
            operation_post_failure(group[i], &failure.error);
        }
        at += lost;
        end = n;
        tries = 0;
    }
}

static size_t count_deliveries(struct inbox_operation *const *operations, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        count += operations[i]->kind == INBOX_PUT;
    }
    return count;
}

/* Both under the lock. */
static void begin_load(struct inbox *inbox, struct inbox_operation **operations, size_t n) {
    if (count_deliveries(operations, n) > 0) {
        load_begin(&inbox->load, clock_monotonic_us());
    }
}

static void end_load(struct inbox *inbox) {
    if (inbox->load.busy) {
        load_end(&inbox->load, clock_monotonic_us());
    }
}

/* The last group has ended. Waits for work. Returns the number of operations taken; 0 when no more
 * will come. */
static size_t take_group(struct inbox *inbox, struct inbox_operation **operations) {
    size_t n = 0, bytes = 0;
    /* Threads that are about to submit get the processor first, so that more operations share a
     * commit when the processor is busy. On a processor that is not, this does nothing. */
    sched_yield();
    SCOPED_LOCK(&inbox->lock);
    end_load(inbox);
    while (TAILQ_EMPTY(&inbox->waiting) && !inbox->stopping) {
        pthread_cond_wait(&inbox->work, &inbox->lock);
    }
    struct mail *mail;
    while ((mail = TAILQ_FIRST(&inbox->waiting)) && n < GROUP_OPERATIONS_MAX) {
        struct inbox_operation *operation = of_mail(mail);
        size_t more = operation_bytes(operation);
        if (n > 0 && (more > GROUP_BYTES_MAX || bytes > GROUP_BYTES_MAX - more)) {
            break;
        }
        bytes = more > GROUP_BYTES_MAX ? GROUP_BYTES_MAX : bytes + more;
        operations[n++] = operation;
        TAILQ_REMOVE(&inbox->waiting, mail, link);
    }
    begin_load(inbox, operations, n);
    return n;
}

/* Returns how many of the operations are left for the writer. */
static size_t leave_to_store(struct inbox *inbox, struct inbox_operation **operations, size_t n) {
    const struct store_methods *methods = inbox->store->methods;
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        operation_clear(operations[i]);
        if (!methods->take_over || !methods->take_over(inbox->store, operations[i])) {
            operations[left++] = operations[i];
        }
    }
    return left;
}

/* After a burst: the cache of the store, and the free pages in the heaps of all threads. */
static void release_memory(struct inbox *inbox) {
    const struct store_methods *methods = inbox->store->methods;
    if (methods->release_memory) {
        methods->release_memory(inbox->store);
    }
    malloc_trim(0);
}

static void *write_groups(void *argument) {
    struct inbox *inbox = argument;
    struct inbox_operation *operations[GROUP_OPERATIONS_MAX];
    for (size_t n; (n = take_group(inbox, operations)) > 0;) {
        size_t n_deliveries = count_deliveries(operations, n);
        do_group(inbox, operations, leave_to_store(inbox, operations, n));
        if (rest_begins(&inbox->rest, n_deliveries, clock_monotonic_ms())) {
            release_memory(inbox);
        }
    }
    return NULL;
}

int inbox_new(struct inbox **inbox, struct error *err) {
    struct inbox *made = calloc(1, sizeof *made);
    if (!made) {
        return error_set(err, "starting the inbox: out of memory");
    }
    TAILQ_INIT(&made->waiting);
    atomic_init(&made->healthy, true);
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->work, NULL);
    *inbox = made;
    return 0;
}

int writer_start(struct inbox *inbox, struct store *store, struct error *err) {
    assert(!inbox->store);
    inbox->store = store;
    int failed = pthread_create(&inbox->writer, NULL, write_groups, inbox);
    if (failed) {
        inbox->store = NULL;
        store->methods->free(store);
        return error_set(err, "starting the inbox's writer: %s", strerror(failed));
    }
    return 0;
}

/* Fails the operations of a store that was never opened. */
static void fail_waiting(struct inbox *inbox) {
    struct error err;
    struct mail *mail;
    error_set(&err, "the store was not opened");
    while ((mail = TAILQ_FIRST(&inbox->waiting))) {
        TAILQ_REMOVE(&inbox->waiting, mail, link);
        operation_post_failure(of_mail(mail), &err);
    }
}

void inbox_free(struct inbox *inbox) {
    if (!inbox) {
        return;
    }
    {
        SCOPED_LOCK(&inbox->lock);
        inbox->stopping = true;
        pthread_cond_signal(&inbox->work);
    }
    if (inbox->store) {
        pthread_join(inbox->writer, NULL);
        inbox->store->methods->free(inbox->store);
    } else {
        fail_waiting(inbox);
    }
    assert(TAILQ_EMPTY(&inbox->waiting));
    pthread_cond_destroy(&inbox->work);
    pthread_mutex_destroy(&inbox->lock);
    free(inbox);
}

void inbox_listen(struct inbox *inbox, void (*on_queued)(void *context), void *context) {
    if (inbox->store->methods->listen) {
        inbox->store->methods->listen(inbox->store, on_queued, context);
    }
}

void inbox_submit(struct inbox *inbox, struct inbox_operation *operation) {
    assert(operation->reply_to && operation->on_result);
    operation_prepare(operation);
    {
        SCOPED_LOCK(&inbox->lock);
        assert(!inbox->stopping);
        TAILQ_INSERT_TAIL(&inbox->waiting, &operation->mail, link);
    }
    /* Not under the lock: the writer would wake up only to wait for it. */
    pthread_cond_signal(&inbox->work);
}

bool inbox_healthy(const struct inbox *inbox) {
    return atomic_load(&inbox->healthy);
}

unsigned inbox_ingest_percent(struct inbox *inbox) {
    SCOPED_LOCK(&inbox->lock);
    return load_percent(&inbox->load, clock_monotonic_us());
}
