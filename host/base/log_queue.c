/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Queues lines for the one thread that writes them. Standard output stays as it was inherited,
 * because O_NONBLOCK would be set for every process that shares it. A write may therefore block for
 * ever, and only this thread may wait for it. */
#include "base/log_queue.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"

#include <assert.h>
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

/* A line that comes this soon after a write waits for further lines, so that the thread of a busy
 * host wakes up once for many lines and not once for each. A line of a quiet host is written at
 * once. */
#define BUSY_MS 50
#define GATHER_US 5000

/* A pipe takes a write of this size whole, so that lines of other processes do not mix with it. */
#define TOGETHER_MAX PIPE_BUF

static struct {
    pthread_mutex_t lock; /* of all but `busy` */
    pthread_cond_t work, end;
    /* A ring of whole lines. */
    char bytes[LOG_QUEUE_BYTES];
    size_t first, used;
    /* The lines dropped since the log last reported a gap. */
    uint64_t missing;
    /* The number of bytes of the ring that come before the gap. */
    size_t gap_after;
    /* The last write failed. The gap is reported once a write succeeds. */
    bool failing;
    bool stopping, ended;
    /* Lines are waiting, and writing may succeed. A crash handler reads it without the lock. */
    _Atomic bool busy;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

static bool started;
static pthread_t thread;
static log_queue_gap *write_gap;
static _Atomic uint64_t dropped;
/* The thread's: the last write failed in the middle of a line. */
static bool torn;
/* The thread's: the time of the last write. Monotonic clock. */
static int64_t wrote_ms;

/* The number of bytes written; fewer than `bytes` when writing fails. */
static size_t write_out(const char *text, size_t bytes) {
    size_t done = 0;
    while (done < bytes) {
        ssize_t wrote = write(STDOUT_FILENO, text + done, bytes - done);
        if (wrote > 0) {
            done += (size_t)wrote;
        } else if (wrote < 0 && errno == EAGAIN) {
            /* Another process has made it non-blocking. */
            poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
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
    if (queue.missing == 0) {
        queue.gap_after = queue.used;
    }
    queue.missing += lines;
    atomic_fetch_add_explicit(&dropped, lines, memory_order_relaxed);
}

/* True: the thread must be woken. */
static bool enqueue(const char *line, size_t bytes, bool urgent) {
    SCOPED_LOCK(&queue.lock);
    size_t room = LOG_QUEUE_BYTES - (urgent ? 0 : LOG_QUEUE_RESERVE);
    if (queue.used + bytes > room) {
        drop(1);
    } else {
        size_t at = (queue.first + queue.used) % LOG_QUEUE_BYTES;
        size_t before_end = bytes < LOG_QUEUE_BYTES - at ? bytes : LOG_QUEUE_BYTES - at;
        memcpy(queue.bytes + at, line, before_end);
        memcpy(queue.bytes, line + before_end, bytes - before_end);
        queue.used += bytes;
    }
    return !atomic_exchange_explicit(&queue.busy, true, memory_order_relaxed);
}

void log_queue_put(const char *line, size_t bytes, bool urgent) {
    assert(bytes > 0 && bytes <= LOG_LINE_MAX && line[bytes - 1] == '\n');
    if (!started) {
        /* A failure could be reported nowhere. */
        write_out(line, bytes);
        return;
    }
    if (enqueue(line, bytes, urgent)) {
        pthread_cond_signal(&queue.work);
    }
}

uint64_t log_queue_dropped(void) {
    return atomic_load_explicit(&dropped, memory_order_relaxed);
}

/* The thread. */

struct batch {
    char text[LOG_LINE_MAX];
    size_t bytes;
    /* The gap that this line reports; 0: it holds lines of the ring. */
    uint64_t gap;
};

/* Takes whole lines: as many as fit into one write, or a longer one alone. Under the lock. */
static void take_lines(struct batch *batch) {
    size_t most = queue.used < sizeof batch->text ? queue.used : sizeof batch->text;
    if (queue.gap_after > 0 && queue.gap_after < most) {
        most = queue.gap_after;
    }
    size_t before_end = LOG_QUEUE_BYTES - queue.first;
    if (most < before_end) {
        before_end = most;
    }
    memcpy(batch->text, queue.bytes + queue.first, before_end);
    memcpy(batch->text + before_end, queue.bytes, most - before_end);
    const char *end = memrchr(batch->text, '\n', most < TOGETHER_MAX ? most : TOGETHER_MAX);
    if (!end) {
        end = memchr(batch->text, '\n', most);
    }
    /* The ring holds whole lines, each at most as long as a batch. */
    assert(end);
    batch->bytes = (size_t)(end - batch->text) + 1;
    assert(batch->bytes <= queue.used);
    queue.used -= batch->bytes;
    queue.gap_after -= queue.gap_after > 0 ? batch->bytes : 0;
    /* An empty ring starts from its beginning, so that a quiet log touches few pages. */
    queue.first = queue.used > 0 ? (queue.first + batch->bytes) % LOG_QUEUE_BYTES : 0;
}

static bool gap_is_due(void) {
    return queue.missing > 0 && queue.gap_after == 0 && !queue.failing;
}

/* Under the lock, which it releases meanwhile. */
static void gather(void) {
    if (!queue.stopping && clock_monotonic_ms() - wrote_ms < BUSY_MS) {
        pthread_mutex_unlock(&queue.lock);
        nanosleep(&(struct timespec){.tv_nsec = GATHER_US * 1000}, NULL);
        pthread_mutex_lock(&queue.lock);
    }
}

/* Waits for lines. False at the end. Under the lock. */
static bool take(struct batch *batch) {
    while (queue.used == 0 && !gap_is_due() && !queue.stopping) {
        atomic_store_explicit(&queue.busy, false, memory_order_relaxed);
        pthread_cond_wait(&queue.work, &queue.lock);
        gather();
    }
    batch->gap = 0;
    if (gap_is_due()) {
        AUTO_BUFFER struct buffer line = BUFFER_INIT(sizeof batch->text);
        write_gap(&line, queue.missing);
        memcpy(batch->text, line.data ? line.data : "", line.bytes);
        batch->bytes = line.bytes;
        batch->gap = queue.missing;
        queue.missing = 0;
    } else if (queue.used > 0) {
        take_lines(batch);
    } else {
        return false;
    }
    return true;
}

/* The number of lines that were not written. */
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
    struct batch batch;
    pthread_mutex_lock(&queue.lock);
    while (take(&batch)) {
        pthread_mutex_unlock(&queue.lock);
        uint64_t lost = write_batch(&batch);
        wrote_ms = clock_monotonic_ms();
        pthread_mutex_lock(&queue.lock);
        queue.failing = lost > 0;
        if (lost > 0) {
            if (batch.gap > 0) {
                queue.missing += batch.gap;
            } else {
                drop(lost);
            }
            queue.gap_after = 0;
        }
    }
    queue.ended = true;
    pthread_cond_signal(&queue.end);
    pthread_mutex_unlock(&queue.lock);
    return NULL;
}

/* Life. */

/* The crashed thread waits here while the log's thread goes on. */
static void on_crash(int number) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int ms = 0; ms < CRASH_FLUSH_MS && atomic_load(&queue.busy); ms++) {
        nanosleep(&pause, NULL);
    }
    /* SA_RESETHAND has removed this handler. */
    raise(number);
}

static void watch_crashes(void) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    const struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction before;
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL) {
            sigaction(signals[i], &action, NULL); /* a sanitizer's own stays */
        }
    }
}

static void on_fork(void) {
    started = false;
}

int log_queue_start(log_queue_gap *gap, struct error *err) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&queue.end, &monotonic);
    pthread_condattr_destroy(&monotonic);
    write_gap = gap;
    /* The main thread alone takes signals. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&thread, NULL, write_lines, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0) {
        code = pthread_atfork(NULL, NULL, on_fork);
    }
    if (code != 0) {
        return error_set(err, "the log's thread cannot be started (%s): " ERROR_FIX_THREADS,
                         strerror(code));
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
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOG_FLUSH_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&queue.lock);
    queue.stopping = true;
    pthread_cond_signal(&queue.work);
    while (!queue.ended && pthread_cond_timedwait(&queue.end, &queue.lock, &until) == 0) {}
    bool ended = queue.ended;
    pthread_mutex_unlock(&queue.lock);
    if (ended) {
        pthread_join(thread, NULL);
        started = false;
    } else {
        /* The reader hangs; the thread ends with the process. */
        pthread_detach(thread);
    }
}
