/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A thin layer over epoll. */
#include "base/loop.h"

#include <assert.h>
#include <sched.h>
#include <unistd.h>

int loop_init(struct loop *loop) {
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll_fd < 0 ? -1 : 0;
}

void loop_finish(struct loop *loop) {
    close(loop->epoll_fd);
}

int loop_add(struct loop *loop, struct loop_source *source, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = source};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event);
}

int loop_modify(struct loop *loop, struct loop_source *source, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = source};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
}

void loop_remove(struct loop *loop, struct loop_source *source) {
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

void loop_step(struct loop *loop, int timeout_ms) {
    /* One event a step: with several, a handler could free a source whose event is still to come.
     */
    struct epoll_event event;
    /* Threads and workers that are about to have results get the processor first, so that more of
     * them wake this thread once. On a processor that is not busy, this does nothing. */
    sched_yield();
    if (epoll_wait(loop->epoll_fd, &event, 1, timeout_ms) == 1) {
        struct loop_source *source = event.data.ptr;
        assert(source && source->ready);
        source->ready(source, event.events);
    }
}
