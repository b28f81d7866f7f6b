/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Repeats short reads and writes until all bytes are through. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int io_read_full(int fd, void *data, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        ssize_t got = read(fd, (char *)data + done, bytes - done);
        if (got == 0) {
            errno = EPIPE;
            return done == 0 ? 1 : -1;
        }
        if (got < 0 && errno != EINTR) {
            return -1;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

int io_write_full(int fd, const void *data, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        ssize_t put = send(fd, (const char *)data + done, bytes - done, MSG_NOSIGNAL);
        if (put < 0 && errno == ENOTSOCK) {
            put = write(fd, (const char *)data + done, bytes - done);
        }
        if (put < 0 && errno != EINTR) {
            return -1;
        }
        done += put > 0 ? (size_t)put : 0;
    }
    return 0;
}

int io_read_rest(int fd, const char *name, struct buffer *out, struct error *err) {
    char chunk[16384];
    int result = 0;
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            result = error_set(err, "cannot read %s: %s", name, strerror(errno));
        } else if (got > 0 && buffer_append(out, chunk, (size_t)got) < 0) {
            result = error_set(err, "%s is larger than %zu bytes", name, out->max);
        } else if (got > 0) {
            continue;
        }
        break;
    }
    explicit_bzero(chunk, sizeof chunk); /* may hold a key */
    return result;
}

int io_read_file(const char *path, struct buffer *out, struct error *err) {
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return error_set(err, "cannot open %s: %s", path, strerror(errno));
    }
    return io_read_rest(fd, path, out, err);
}
