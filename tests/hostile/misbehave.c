/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A plugin that misbehaves as the action of its payload says, or, with plugin.config.crash_in, in
 * create() or destroy(). With CRASH_IN_CONSTRUCTOR it crashes before the host can describe it. */
#include <snekomatic/snekomatic.h>

#include "protocol/frames.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The worker's socket to the host, as any plugin can find it. */
#define HOST_SOCKET 3

/* Never false, which the compiler cannot know. */
static volatile int forever = 1;

/* ---- signals ---- */

static int *volatile nowhere = (int *)8;

static int32_t segfault(struct snek_run *run) {
    (void)run;
    *nowhere = 1;
    return SNEK_DONE;
}

static int32_t abort_here(struct snek_run *run) {
    (void)run;
    abort();
}

static unsigned recurse(unsigned depth);
/* The compiler cannot turn a call through it into a loop. */
static unsigned (*volatile again)(unsigned depth) = recurse;

static unsigned recurse(unsigned depth) {
    char room[1000];
    memset(room, (int)depth, sizeof room);
    return again(depth + 1) + (unsigned char)room[depth % sizeof room];
}

static int32_t overflow(struct snek_run *run) {
    (void)run;
    return (int32_t)recurse(0);
}

/* No crash by itself: valgrind and ASan see it. */
static int32_t use_after_free(struct snek_run *run) {
    char *volatile freed = malloc(10);
    (void)run;
    free(freed);
    return freed[3] == 'x' ? SNEK_SKIPPED : SNEK_DONE;
}

static int32_t divide(struct snek_run *run) {
    volatile int many = 100, zero = 0;
    (void)run;
    return many / zero;
}

/* ---- ends ---- */

static int32_t exit_0(struct snek_run *run) {
    (void)run;
    exit(0);
}

static int32_t exit_at_once(struct snek_run *run) {
    (void)run;
    _exit(0);
}

static int32_t exit_thread(struct snek_run *run) {
    (void)run;
    pthread_exit(NULL);
}

static void crash_at_exit(void) {
    *nowhere = 1;
}

static int32_t crash_in_atexit(struct snek_run *run) {
    (void)run;
    (void)atexit(crash_at_exit);
    exit(0);
}

static int32_t close_all(struct snek_run *run) {
    (void)run;
    for (int fd = 0; fd < 256; fd++) {
        (void)close(fd);
    }
    return SNEK_DONE;
}

static int32_t leave_child(struct snek_run *run) {
    (void)run;
    if (fork() == 0) {
        (void)setsid();
        for (int i = 0; i < 10; i++) {
            (void)sleep(1);
        }
        _exit(0);
    }
    _exit(1);
}

/* ---- hangs ---- */

static int32_t spin(struct snek_run *run) {
    (void)run;
    while (forever) {}
    return SNEK_DONE;
}

/* Uses about 700 ms of processor time, and ends well. */
static int32_t burn(struct snek_run *run) {
    struct timespec used;
    (void)run;
    do {
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    } while (used.tv_sec == 0 && used.tv_nsec < 700000000);
    return SNEK_DONE;
}

static void *spin_in_thread(void *context) {
    (void)spin(context);
    return NULL;
}

static int32_t spin_on_all_processors(struct snek_run *run) {
    pthread_t thread;
    for (int i = 0; i < 7; i++) {
        (void)pthread_create(&thread, NULL, spin_in_thread, run);
    }
    return spin(run);
}

static int32_t deadlock(struct snek_run *run) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    (void)run;
    (void)pthread_mutex_lock(&lock);
    (void)pthread_mutex_lock(&lock);
    return SNEK_DONE;
}

static int32_t ignore_sigterm(struct snek_run *run) {
    (void)run;
    (void)signal(SIGTERM, SIG_IGN);
    while (forever) {
        (void)pause();
    }
    return SNEK_DONE;
}

/* ---- resources ---- */

static int32_t leak_memory(struct snek_run *run) {
    (void)run;
    while (forever) {
        char *leaked = malloc(1 << 20);
        /* Without a check, as such plugins do. */
        memset(leaked, 1, 1 << 20);
    }
    return SNEK_DONE;
}

static void *sleep_in_thread(void *context) {
    while (forever) {
        (void)sleep(60);
    }
    return context;
}

static int32_t start_threads(struct snek_run *run) {
    pthread_attr_t small;
    pthread_t thread;
    (void)run;
    (void)pthread_attr_init(&small);
    (void)pthread_attr_setstacksize(&small, 16384);
    while (forever) {
        if (pthread_create(&thread, &small, sleep_in_thread, NULL) != 0) {
            (void)usleep(1000);
        }
    }
    return SNEK_DONE;
}

static int32_t leak_descriptors(struct snek_run *run) {
    int fd = 0, highest = 0;
    while (fd >= 0 && highest < 100000) {
        fd = dup(HOST_SOCKET);
        highest = fd > highest ? fd : highest;
    }
    return snek_fail(run, "no descriptor is left");
}

static int32_t flood_log(struct snek_run *run) {
    char line[900];
    memset(line, 'l', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    while (forever) {
        snek_log(run, SNEK_LOG_INFO, line);
    }
    return SNEK_DONE;
}

static int32_t flood_output(struct snek_run *run) {
    static char line[65536];
    (void)run;
    memset(line, 'o', sizeof line);
    for (size_t i = 99; i < sizeof line; i += 100) {
        line[i] = '\n';
    }
    while (forever) {
        (void)!write(STDOUT_FILENO, line, sizeof line);
    }
    return SNEK_DONE;
}

static int32_t print(struct snek_run *run) {
    const char *text = snek_string(run, "text");
    printf("out %s\n", text ? text : "");
    fprintf(stderr, "err \033[31m%s\n", text ? text : "");
    for (int i = 0; i < 3000; i++) {
        putchar('x');
    }
    printf("\nunfinished");
    (void)fflush(stdout);
    return SNEK_DONE;
}

/* ---- frames ---- */

static void send_head(uint32_t bytes, enum frame_kind kind, uint64_t run) {
    const struct frame_head head = {bytes, kind, run, 1};
    (void)!write(HOST_SOCKET, &head, sizeof head);
}

static int32_t send_huge_frame(struct snek_run *run) {
    send_head(1u << 30, FRAME_LOG, 0);
    return ignore_sigterm(run);
}

static int32_t send_truncated_frame(struct snek_run *run) {
    (void)run;
    send_head(1000, FRAME_LOG, 0);
    (void)!write(HOST_SOCKET, "only this", 9);
    _exit(0);
}

/* The result of a run that another plugin has, or nobody. */
static int32_t send_forged_frame(struct snek_run *run) {
    static const struct {
        struct frame_head head;
        uint64_t result, delay_ms;
        uint32_t reason_bytes, paths_bytes;
    } __attribute__((packed)) forged = {{24, FRAME_RESULT, 999999, 0}, 0, 0, 0, 0};
    (void)!write(HOST_SOCKET, &forged, sizeof forged);
    return ignore_sigterm(run);
}

/* A timer without a run. */
static void send_forged_timer(void) {
    static const struct {
        struct frame_head head;
        uint64_t delay_ms;
        uint32_t key_bytes;
        char key;
        uint32_t payload_bytes;
        char payload[2];
    } __attribute__((packed)) forged = {{19, FRAME_TIMER, 0, 0}, 1000, 1, 'k', 2, {'{', '}'}};
    (void)!write(HOST_SOCKET, &forged, sizeof forged);
}

/* ---- the plugin ---- */

static const struct {
    const char *action;
    int32_t (*act)(struct snek_run *run);
} acts[] = {
    {"segfault", segfault},
    {"abort", abort_here},
    {"overflow", overflow},
    {"divide", divide},
    {"use_after_free", use_after_free},
    {"exit", exit_0},
    {"_exit", exit_at_once},
    {"pthread_exit", exit_thread},
    {"atexit", crash_in_atexit},
    {"close_all", close_all},
    {"child", leave_child},
    {"burn", burn},
    {"spin", spin},
    {"spin_all", spin_on_all_processors},
    {"deadlock", deadlock},
    {"sigterm", ignore_sigterm},
    {"memory", leak_memory},
    {"threads", start_threads},
    {"descriptors", leak_descriptors},
    {"flood_log", flood_log},
    {"flood_output", flood_output},
    {"print", print},
    {"huge_frame", send_huge_frame},
    {"truncated_frame", send_truncated_frame},
    {"forged_frame", send_forged_frame},
};

static int32_t misbehave(struct snek_run *run) {
    const char *action = snek_event(run)->action(run);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (strcmp(acts[i].action, action) == 0) {
            return acts[i].act(run);
        }
    }
    return SNEK_DONE;
}

static int crash_in_destroy, timer_in_destroy;

static int32_t create(const struct snek_host *host, void **state) {
    static const char *const known[] = {"crash_in", "crash_if"};
    (void)state;
    if (snek_config_allow(host, known, 2) < 0) {
        return -1;
    }
    const char *where = snek_config_string(host, "crash_in", "");
    const char *file = snek_config_string(host, "crash_if", "");
    crash_in_destroy = strcmp(where, "destroy") == 0;
    timer_in_destroy = strcmp(where, "timer in destroy") == 0;
    if (strcmp(where, "create") == 0 || access(file, F_OK) == 0) {
        *nowhere = 1;
    }
    return 0;
}

static void destroy(void *state) {
    (void)state;
    if (timer_in_destroy) {
        send_forged_timer();
    }
    if (crash_in_destroy) {
        *nowhere = 1;
    }
}

#ifdef CRASH_IN_CONSTRUCTOR
__attribute__((constructor)) static void crash_in_constructor(void) {
    *nowhere = 1;
}
#endif

static const struct snek_subscription subscriptions[] = {{"misbehave", NULL, misbehave, {{0}}}};
SNEK_PLUGIN(.name = "misbehave", .version = "1", .summary = "misbehaves as its payload says",
            SNEK_TABLE(subscriptions), .create = create, .destroy = destroy)
