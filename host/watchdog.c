/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A timer of half of WATCHDOG_USEC, on the main loop, that reports to the supervisor. */
#include "watchdog.h"

#include "supervisor/messages.h"
#include "supervisor_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define US_PER_S 1000000

static void on_timer(struct loop_source *source, uint32_t events) {
    (void)events;
    uint64_t count;
    (void)!read(source->fd, &count, sizeof count);
    /* If the supervisor stands still, the service manager notices that. */
    (void)supervisor_client_report(SUPERVISOR_ALIVE, NULL);
}

int watchdog_start(struct watchdog *watchdog, struct loop *loop, struct error *err) {
    const char *text = getenv("WATCHDOG_USEC");
    char *end = NULL;
    errno = 0;
    unsigned long long us = text ? strtoull(text, &end, 10) : 0;
    *watchdog = (struct watchdog){loop, {-1, on_timer}};
    if (!text || !*text) {
        return 0;
    }
    if (errno != 0 || *end || us < 2 || *text == '-') {
        return error_set(err, "WATCHDOG_USEC must be a number of microseconds, not %s", text);
    }
    struct timespec half = {.tv_sec = (time_t)(us / 2 / US_PER_S),
                            .tv_nsec = (long)(us / 2 % US_PER_S * 1000)};
    struct itimerspec when = {.it_interval = half, .it_value = half};
    watchdog->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (watchdog->timer.fd < 0 || timerfd_settime(watchdog->timer.fd, 0, &when, NULL) < 0 ||
        loop_add(loop, &watchdog->timer, EPOLLIN) < 0) {
        return error_set(err, "the watchdog has no timer: %s", strerror(errno));
    }
    return 0;
}

void watchdog_stop(struct watchdog *watchdog) {
    if (watchdog->timer.fd >= 0) {
        loop_remove(watchdog->loop, &watchdog->timer);
        close(watchdog->timer.fd);
        watchdog->timer.fd = -1;
    }
}
