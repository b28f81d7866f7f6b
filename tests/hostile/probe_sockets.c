/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Probes of sockets: new ones of every family, and misuse of the one to the host. */
#include "probes.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FAMILIES 46

static int opens(int family, int type) {
    return outcome_of(socket(family, type, 0));
}

static int any_family(const struct world *world) {
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};
    int result = EPERM;
    for (int family = 0; family < FAMILIES; family++) {
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            int one = opens(family, types[i]);
            result = one == EPERM ? result : one;
            if (one == 0) {
                return 0;
            }
        }
    }
    return result;
}

static int tcp(const struct world *world) {
    return opens(AF_INET, SOCK_STREAM);
}

static int udp(const struct world *world) {
    return opens(AF_INET, SOCK_DGRAM);
}

static int tcp6(const struct world *world) {
    return opens(AF_INET6, SOCK_STREAM);
}

static int local(const struct world *world) {
    return opens(AF_UNIX, SOCK_STREAM);
}

static int netlink(const struct world *world) {
    return opens(AF_NETLINK, SOCK_RAW);
}

static int raw(const struct world *world) {
    return opens(AF_INET, SOCK_RAW);
}

static int packets(const struct world *world) {
    return opens(AF_PACKET, SOCK_RAW);
}

static int algorithms(const struct world *world) {
    return opens(AF_ALG, SOCK_SEQPACKET);
}

static int virtual_machine(const struct world *world) {
    return opens(AF_VSOCK, SOCK_STREAM);
}

static int pair(const struct world *world) {
    int fds[2];
    return outcome_of(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
}

static struct sockaddr_un elsewhere(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, "snek-nobody", 11);
    return address;
}

static int sends_elsewhere(const struct world *world) {
    struct sockaddr_un to = elsewhere();
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) < 0) {
        return errno;
    }
    return attempt_of(sendto(fds[0], "x", 1, 0, (struct sockaddr *)&to, sizeof to), ECONNREFUSED);
}

static int sends_elsewhere_by_host(const struct world *world) {
    struct sockaddr_un to = elsewhere();
    return attempt_of(sendto(HOST_FD, "", 0, 0, (struct sockaddr *)&to, sizeof to), EISCONN);
}

static int sends_message_elsewhere(const struct world *world) {
    struct sockaddr_un to = elsewhere();
    struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof to};
    return attempt_of(sendmsg(HOST_FD, &message, 0), EISCONN);
}

static int sends_descriptor(const struct world *world) {
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    int fd = HOST_FD;
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof control.room};
    return outcome_of(sendmsg(HOST_FD, &message, 0));
}

static int receives_descriptors(const struct world *world) {
    struct msghdr message = {0};
    return attempt_of(recvmsg(HOST_FD, &message, MSG_DONTWAIT), EAGAIN);
}

static int who_is_there(const struct world *world) {
    struct ucred peer;
    socklen_t bytes = sizeof peer;
    return outcome_of(getsockopt(HOST_FD, SOL_SOCKET, SO_PEERCRED, &peer, &bytes));
}

static int enlarges(const struct world *world) {
    int bytes = 1 << 20;
    return outcome_of(setsockopt(HOST_FD, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes));
}

static int binds(const struct world *world) {
    struct sockaddr_un address = elsewhere();
    return attempt_of(bind(HOST_FD, (struct sockaddr *)&address, sizeof address), EINVAL);
}

static int connects(const struct world *world) {
    struct sockaddr_un address = elsewhere();
    return attempt_of(connect(HOST_FD, (struct sockaddr *)&address, sizeof address), ECONNREFUSED);
}

#ifdef __x86_64__
static sigjmp_buf without_old_calls;

static void on_fault(int number) {
    siglongjmp(without_old_calls, number);
}

/* A kernel without calls of 32 bits (CONFIG_IA32_EMULATION, ia32_emulation=0) has no such gate: the
 * processor faults before any filter is asked. */
static int old_calls(const struct world *world) {
    struct sigaction on = {.sa_handler = on_fault}, before;
    long result;
    sigaction(SIGSEGV, &on, &before);
    if (sigsetjmp(without_old_calls, 1)) {
        sigaction(SIGSEGV, &before, NULL);
        return ABSENT;
    }
    /* socketcall(SYS_SOCKET, ...) of 32 bits; a bad address is as good as a socket. */
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(102L), "b"(1L), "c"(0L) : "memory");
    sigaction(SIGSEGV, &before, NULL);
    errno = (int)-result;
    return result < 0 && result != -EFAULT ? errno : 0;
}

static int x32_calls(const struct world *world) {
    return outcome_of(syscall(0x40000000 + 41, AF_INET, SOCK_STREAM, 0));
}
#endif

static const struct probe probes[] = {
    {"a socket of any family", any_family, EPERM, SUCCEEDS},
    {"a TCP socket", tcp, EPERM, SUCCEEDS},
    {"a UDP socket", udp, EPERM, SUCCEEDS},
    {"a TCP socket of IPv6", tcp6, EPERM, DEPENDS},
    {"a Unix socket", local, EPERM, SUCCEEDS},
    {"a netlink socket", netlink, EPERM, SUCCEEDS},
    {"a raw socket", raw, EPERM, DEPENDS},
    {"a packet socket", packets, EPERM, DEPENDS},
    {"a socket of the kernel's ciphers", algorithms, EPERM, DEPENDS},
    {"a socket to the virtual machine's host", virtual_machine, EPERM, DEPENDS},
    {"a pair of sockets", pair, EPERM, SUCCEEDS},
    {"send from a pair to another socket", sends_elsewhere, EPERM, SUCCEEDS},
    {"send from the host's socket to another", sends_elsewhere_by_host, EPERM, SUCCEEDS},
    {"send a message to another socket", sends_message_elsewhere, EPERM, SUCCEEDS},
    {"send the host a descriptor", sends_descriptor, EPERM, SUCCEEDS},
    {"receive descriptors", receives_descriptors, EPERM, SUCCEEDS},
    {"ask who the peer is", who_is_there, EPERM, SUCCEEDS},
    {"enlarge the socket's buffer", enlarges, EPERM, SUCCEEDS},
    {"bind the host's socket", binds, EPERM, SUCCEEDS},
    {"connect the host's socket", connects, EPERM, SUCCEEDS},
#ifdef __x86_64__
    {"a socket by int 0x80", old_calls, KILLED, DEPENDS},
    {"a socket by an x32 call", x32_calls, KILLED, DEPENDS},
#endif
};

const struct probe_table socket_probes = {probes, sizeof probes / sizeof *probes};
