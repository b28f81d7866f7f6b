/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* SCM_RIGHTS, with every length checked. */
#include "base/descriptors.h"

#include "base/cleanup.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
};

ssize_t descriptors_send(int socket, const void *packet, size_t bytes, const int *fds,
                         size_t count) {
    union control control;
    struct iovec data = {.iov_base = (void *)packet, .iov_len = bytes};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    assert(count <= DESCRIPTORS_MAX);
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(head), fds, count * sizeof(int));
    }
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t descriptors_receive(int socket, void *packet, size_t bytes, int fds[DESCRIPTORS_MAX],
                            int flags) {
    union control control;
    struct iovec data = {.iov_base = packet, .iov_len = bytes};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    for (size_t i = 0; i < DESCRIPTORS_MAX; i++) {
        fds[i] = -1;
    }
    ssize_t got = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
    if (got < 0) {
        return -1;
    }
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
            size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            assert(count <= DESCRIPTORS_MAX);
            memcpy(fds, CMSG_DATA(head), count * sizeof(int));
        }
    }
    return got;
}

void descriptors_close(int fds[DESCRIPTORS_MAX]) {
    for (size_t i = 0; i < DESCRIPTORS_MAX; i++) {
        cleanup_close(&fds[i]);
        fds[i] = -1;
    }
}
