/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A pool of threads: a run waits in one list until a thread takes it, and is in the other until its
 * last handler has returned. Then its result goes to the host. */
#include "worker/run_pool.h"

#include "base/cleanup.h"
#include "base/lock.h"
#include "worker/calls.h"
#include "worker/crash.h"
#include "worker/invoke.h"
#include "worker/memory_limit.h"
#include "worker/run.h"
#include "worker/wire.h"
#include "worker/worker.h"

#include <assert.h>
#include <pthread.h>

#define RUN_STACK_BYTES (512u << 10)

struct task {
    TAILQ_ENTRY(task) entry;
    struct run *run;
};

TAILQ_HEAD(task_list, task);

struct run_pool {
    struct worker *worker;
    uint64_t concurrency;

    /* Guards the members below. */
    pthread_mutex_t lock;
    struct task_list waiting, running;
    uint64_t waiting_count;
    uint64_t threads, idle;
    /* Runs whose handlers have returned, and whose result is not sent yet. */
    uint64_t ending;
    /* A run waits. */
    pthread_cond_t on_waiting;
    /* A result was sent. */
    pthread_cond_t on_sent;
};

struct run_pool *run_pool_new(struct worker *worker, uint64_t concurrency) {
    struct run_pool *pool = calloc(1, sizeof *pool);
    if (pool) {
        pool->worker = worker;
        pool->concurrency = concurrency;
        pthread_mutex_init(&pool->lock, NULL);
        TAILQ_INIT(&pool->waiting);
        TAILQ_INIT(&pool->running);
        pthread_cond_init(&pool->on_waiting, NULL);
        pthread_cond_init(&pool->on_sent, NULL);
    }
    return pool;
}

static void send_result(struct worker *worker, uint64_t handle, int32_t result, int64_t delay_ms,
                        const char *reason, const char *paths) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_RESULT, handle, 0);
    frame_put_number(&writer, (uint64_t)(int64_t)result);
    frame_put_number(&writer, (uint64_t)delay_ms);
    frame_put_text(&writer, reason);
    frame_put_text(&writer, paths ? paths : "");
    if (frame_end(&writer) < 0) {
        /* Without its result the host would wait for the run until its deadline. When the worker
         * ends, the host retries the run. */
        _exit(1);
    }
    /* When the host is gone, the main thread ends the process. */
    (void)wire_send(worker_wire(worker), &buffer, NULL, 0);
}

/* ---- the threads ---- */

static struct task *next_task(struct run_pool *pool) {
    SCOPED_LOCK(&pool->lock);
    pool->idle++;
    while (TAILQ_EMPTY(&pool->waiting)) {
        pthread_cond_wait(&pool->on_waiting, &pool->lock);
    }
    assert(pool->idle > 0 && pool->waiting_count > 0);
    pool->idle--;
    pool->waiting_count--;
    struct task *task = TAILQ_FIRST(&pool->waiting);
    TAILQ_REMOVE(&pool->waiting, task, entry);
    TAILQ_INSERT_HEAD(&pool->running, task, entry);
    return task;
}

/* The run leaves the list before its result is sent: then the host may use the handle again. */
static void begin_ending(struct run_pool *pool, struct task *task) {
    SCOPED_LOCK(&pool->lock);
    TAILQ_REMOVE(&pool->running, task, entry);
    pool->ending++;
}

static void finish_ending(struct run_pool *pool) {
    SCOPED_LOCK(&pool->lock);
    assert(pool->ending > 0);
    pool->ending--;
    pthread_cond_signal(&pool->on_sent);
}

static void *thread_main(void *context) {
    struct run_pool *pool = context;
    crash_watch_thread();
    for (;;) {
        struct task *task = next_task(pool);
        struct run *run = task->run;
        int32_t result = run_is_cancelled(run)
                             ? run_fail(run, SNEK_E_CANCELLED, "cancelled before it had begun")
                             : invoke_handlers(run);
        begin_ending(pool, task);
        free(task);
        struct reason reason = *run_reason(run);
        uint64_t handle = run_handle(run);
        AUTO_FREE char *paths = run_steal_read_paths(run);
        run_free(run);
        send_result(pool->worker, handle, result, reason.delay_ms, reason.text, paths);
        finish_ending(pool);
    }
    return NULL;
}

static int add_thread(struct run_pool *pool) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, RUN_STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int problem = pthread_create(&thread, &attributes, thread_main, pool);
    pthread_attr_destroy(&attributes);
    return problem == 0 ? 0 : -1;
}

/* ---- starting ---- */

static struct task *find(struct run_pool *pool, uint64_t handle) {
    struct task_list *const lists[] = {&pool->waiting, &pool->running};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct task *task;
        TAILQ_FOREACH(task, lists[i], entry) {
            if (run_handle(task->run) == handle) {
                return task;
            }
        }
    }
    return NULL;
}

/* Queues a run and ensures that a thread will take it. 0; 1 when there is no thread and none can be
 * started; -1 when the host may not send it. */
static int enqueue(struct run_pool *pool, struct task *task) {
    SCOPED_LOCK(&pool->lock);
    if (find(pool, run_handle(task->run)) || pool->waiting_count >= pool->concurrency) {
        return -1;
    }
    if (pool->waiting_count >= pool->idle && pool->threads < pool->concurrency) {
        if (add_thread(pool) == 0) {
            pool->threads++;
        } else if (pool->threads == 0) {
            return 1;
        }
    }
    TAILQ_INSERT_TAIL(&pool->waiting, task, entry);
    pool->waiting_count++;
    return 0;
}

static int no_memory(const struct run_pool *pool, uint64_t handle) {
    send_result(pool->worker, handle, SNEK_E_FAILED, 0, memory_limit_sentence(), NULL);
    return 0;
}

int run_pool_start(struct run_pool *pool, struct wire_frame *frame) {
    uint64_t handle = frame->head.run;
    struct run *run;
    if (handle == 0 || frame->head.request != 0) {
        return -1;
    }
    AUTO_FREE struct task *task = calloc(1, sizeof *task);
    if (!frame->body || !task) {
        return no_memory(pool, handle);
    }
    int result = run_new(pool->worker, handle, STEAL(frame->body), frame->head.body_bytes, &run);
    if (result != 0) {
        return result < 0 ? -1 : no_memory(pool, handle);
    }
    task->run = run;
    result = enqueue(pool, task);
    if (result == 0) {
        STEAL(task);
        /* Not under the lock: the thread would wake up only to wait for it. */
        pthread_cond_signal(&pool->on_waiting);
        return 0;
    }
    run_free(run);
    if (result > 0) {
        /* A thread needs memory for its stack. */
        return no_memory(pool, handle);
    }
    return -1;
}

int run_pool_cancel(struct run_pool *pool, const struct wire_frame *frame) {
    if (frame->head.body_bytes != 0 || frame->head.run == 0) {
        return -1;
    }
    SCOPED_LOCK(&pool->lock);
    const struct task *task = find(pool, frame->head.run);
    if (task) {
        run_cancel(task->run);
        calls_wake(worker_calls(pool->worker), task->run);
    }
    return 0;
}

bool run_pool_drained(struct run_pool *pool) {
    SCOPED_LOCK(&pool->lock);
    bool drained = TAILQ_EMPTY(&pool->waiting) && TAILQ_EMPTY(&pool->running);
    while (drained && pool->ending > 0) {
        pthread_cond_wait(&pool->on_sent, &pool->lock);
    }
    return drained;
}
