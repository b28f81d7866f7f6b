/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The descriptor stays as it was inherited: O_NONBLOCK would be set for every process that shares
 * it. So a write may block for ever, and one thread is there for that. */
#include "base/log_queue.h"

#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CRASH_FLUSH_MS 200

/* Fits into one write that a pipe takes whole, so that no line of another process gets between. */
#define TOGETHER_MAX PIPE_BUF

static struct {
    pthread_mutex_t lock; /* of all but `busy` */
    pthread_cond_t work, end;
    char bytes[LOG_QUEUE_BYTES]; /* a ring of whole lines */
    size_t first, used;
    uint64_t missing; /* lines that were dropped since the log last said so */
    size_t gap_after; /* so many bytes of the ring come before them */
    bool failing;     /* the last write did; what is missing can wait until one succeeds */
    bool stopping, ended;
    _Atomic bool busy; /* something is still to be written, and can be as far as we know */
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

static bool started;
static pthread_t thread;
static log_queue_gap *write_gap;
static _Atomic uint64_t dropped;
static bool torn; /* the thread's: the last write failed in the middle of a line */

/* How many were written: fewer when there is no way to. */
static size_t write_out(const char *text, size_t bytes) {
    size_t done = 0;
    while (done < bytes) {
        ssize_t wrote = write(STDOUT_FILENO, text + done, bytes - done);
        if (wrote > 0) {
            done += (size_t)wrote;
        } else if (wrote < 0 && errno == EAGAIN) { /* somebody else has made it non-blocking */
            (void)poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
        } else if (wrote == 0 || errno != EINTR) {
            break;
        }
    }
    return done;
}

static uint64_t count_lines(const char *text, size_t bytes) {
    uint64_t count = 0;
    for (const char *end = text + bytes; (text = memchr(text, '\n', (size_t)(end - text)));
         text++) {
        count++;
    }
    return count;
}

/* Under the lock. */
static void drop(uint64_t lines) {
    queue.gap_after = queue.missing == 0 ? queue.used : queue.gap_after;
    queue.missing += lines;
    (void)atomic_fetch_add_explicit(&dropped, lines, memory_order_relaxed);
}

void log_queue_put(const char *line, size_t bytes, bool urgent) {
    if (!started) {
        (void)write_out(line, bytes); /* nowhere left to say so */
        return;
    }
    (void)pthread_mutex_lock(&queue.lock);
    if (queue.used + bytes > LOG_QUEUE_BYTES - (urgent ? 0 : LOG_QUEUE_RESERVE)) {
        drop(1);
    } else {
        size_t at = (queue.first + queue.used) % LOG_QUEUE_BYTES;
        size_t before_end = bytes < LOG_QUEUE_BYTES - at ? bytes : LOG_QUEUE_BYTES - at;
        memcpy(queue.bytes + at, line, before_end);
        memcpy(queue.bytes, line + before_end, bytes - before_end);
        queue.used += bytes;
    }
    bool wake = !atomic_exchange_explicit(&queue.busy, true, memory_order_relaxed);
    (void)pthread_mutex_unlock(&queue.lock);
    if (wake) {
        (void)pthread_cond_signal(&queue.work);
    }
}

uint64_t log_queue_dropped(void) {
    return atomic_load_explicit(&dropped, memory_order_relaxed);
}

/* ---- the thread ---- */

struct batch {
    char text[LOG_LINE_MAX];
    size_t bytes;
    uint64_t told; /* it is the line that says so many are missing */
};

/* Whole lines, as many as go together, or one that is longer. Under the lock. */
static void take_lines(struct batch *batch) {
    size_t most = queue.used < sizeof batch->text ? queue.used : sizeof batch->text;
    if (queue.gap_after > 0 && queue.gap_after < most) {
        most = queue.gap_after;
    }
    size_t before_end = LOG_QUEUE_BYTES - queue.first;
    before_end = most < before_end ? most : before_end;
    memcpy(batch->text, queue.bytes + queue.first, before_end);
    memcpy(batch->text + before_end, queue.bytes, most - before_end);
    const char *end = memrchr(batch->text, '\n', most < TOGETHER_MAX ? most : TOGETHER_MAX);
    end = end ? end : memchr(batch->text, '\n', most);
    batch->bytes = (size_t)(end - batch->text) + 1;
    queue.used -= batch->bytes;
    queue.gap_after -= queue.gap_after > 0 ? batch->bytes : 0;
    /* From the start again, so that a quiet log touches few of its pages. */
    queue.first = queue.used > 0 ? (queue.first + batch->bytes) % LOG_QUEUE_BYTES : 0;
}

static bool gap_is_due(void) {
    return queue.missing > 0 && queue.gap_after == 0 && !queue.failing;
}

/* False at the end. Under the lock. */
static bool take(struct batch *batch) {
    while (queue.used == 0 && !gap_is_due() && !queue.stopping) {
        atomic_store_explicit(&queue.busy, false, memory_order_relaxed);
        (void)pthread_cond_wait(&queue.work, &queue.lock);
    }
    batch->told = 0;
    if (gap_is_due()) {
        AUTO_BUFFER struct buffer line = BUFFER_INIT(sizeof batch->text);
        write_gap(&line, queue.missing);
        memcpy(batch->text, line.data ? line.data : "", line.bytes);
        batch->bytes = line.bytes;
        batch->told = queue.missing;
        queue.missing = 0;
    } else if (queue.used > 0) {
        take_lines(batch);
    } else {
        return false;
    }
    return true;
}

/* How many lines were not written. */
static uint64_t write_batch(const struct batch *batch) {
    size_t done = 0;
    torn = torn && write_out("\n", 1) == 0;
    if (!torn) {
        done = write_out(batch->text, batch->bytes);
        torn = done > 0 && batch->text[done - 1] != '\n';
    }
    return count_lines(batch->text + done, batch->bytes - done);
}

static void *write_lines(void *context) {
    (void)context;
    struct batch batch;
    (void)pthread_mutex_lock(&queue.lock);
    while (take(&batch)) {
        (void)pthread_mutex_unlock(&queue.lock);
        uint64_t lost = write_batch(&batch);
        (void)pthread_mutex_lock(&queue.lock);
        queue.failing = lost > 0;
        if (lost > 0) {
            if (batch.told > 0) {
                queue.missing += batch.told;
            } else {
                drop(lost);
            }
            queue.gap_after = 0;
        }
    }
    queue.ended = true;
    (void)pthread_cond_signal(&queue.end);
    (void)pthread_mutex_unlock(&queue.lock);
    return NULL;
}

/* ---- life ---- */

/* The thread goes on while the one that crashed waits here. */
static void on_crash(int number) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int ms = 0; ms < CRASH_FLUSH_MS && atomic_load(&queue.busy); ms++) {
        (void)nanosleep(&pause, NULL);
    }
    (void)raise(number); /* once more, without this handler */
}

static void watch_crashes(void) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    const struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction before;
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL) {
            (void)sigaction(signals[i], &action, NULL); /* a sanitizer's own stays */
        }
    }
}

static void be_without_thread(void) {
    started = false;
}

int log_queue_start(log_queue_gap *gap, struct error *err) {
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&queue.end, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    write_gap = gap;
    sigset_t all, before; /* signals are the main thread's */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&thread, NULL, write_lines, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    code = code == 0 ? pthread_atfork(NULL, NULL, be_without_thread) : code;
    if (code != 0) {
        return error_set(err, "the log's thread cannot be started: %s", strerror(code));
    }
    watch_crashes();
    started = true;
    return 0;
}

void log_queue_finish(void) {
    struct timespec until;
    if (!started) {
        return;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOG_FLUSH_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_mutex_lock(&queue.lock);
    queue.stopping = true;
    (void)pthread_cond_signal(&queue.work);
    while (!queue.ended && pthread_cond_timedwait(&queue.end, &queue.lock, &until) == 0) {}
    bool ended = queue.ended;
    (void)pthread_mutex_unlock(&queue.lock);
    if (ended) {
        (void)pthread_join(thread, NULL);
        started = false;
    } else {
        (void)pthread_detach(thread); /* nobody reads; it ends with the process */
    }
}
