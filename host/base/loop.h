/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One thread's epoll: calls the handler of each source that is ready. A handler may add and remove
 * any source, also its own. */
#ifndef SNEK_BASE_LOOP_H
#define SNEK_BASE_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

struct loop_source {
    /* The caller's. */
    int fd;
    /* EPOLLIN, EPOLLOUT, EPOLLHUP …. */
    void (*ready)(struct loop_source *source, uint32_t events);
};

struct loop {
    int epoll_fd;
};

/* Each 0, or -1 with errno. A source stays the caller's and must stay in place while it is added.
 */
int loop_init(struct loop *loop);
void loop_finish(struct loop *loop);
int loop_add(struct loop *loop, struct loop_source *source, uint32_t events);
int loop_modify(struct loop *loop, struct loop_source *source, uint32_t events);
void loop_remove(struct loop *loop, struct loop_source *source);

/* Waits at most `timeout_ms` (-1: for ever) and calls one handler. */
void loop_step(struct loop *loop, int timeout_ms);

#endif
