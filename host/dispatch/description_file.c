/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads and appends records of a memfd. Hosts write it one after the other, never two at once. */
#include "dispatch/description_file.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct record_head {
    uint32_t plugin, bytes;
};

static int read_at(int fd, void *data, size_t bytes, off_t at) {
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(fd, (char *)data + done, bytes - done, at + (off_t)done);
        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            return -1;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

/* Returns the record's length, 0 when it is bad, or -1 when memory is short. */
static off_t read_record(int fd, off_t at, off_t end, struct description **descriptions,
                         size_t count) {
    struct record_head head;
    struct error err;
    if (end - at < (off_t)sizeof head || read_at(fd, &head, sizeof head, at) < 0 ||
        head.plugin >= count || head.bytes > FRAME_TO_HOST_MAX ||
        end - at - (off_t)sizeof head < (off_t)head.bytes) {
        return 0;
    }
    AUTO_FREE char *body = malloc(head.bytes + 1);
    struct description *description;
    if (!body) {
        return -1;
    }
    if (read_at(fd, body, head.bytes, at + (off_t)sizeof head) < 0 ||
        description_parse(body, head.bytes, &description, &err) < 0) {
        return 0;
    }
    description_free(descriptions[head.plugin]);
    descriptions[head.plugin] = description;
    return (off_t)sizeof head + (off_t)head.bytes;
}

int description_file_read(int fd, struct description **descriptions, size_t count,
                          struct error *err) {
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return error_set(err, "cannot read the plugins' descriptions: %s", strerror(errno));
    }
    off_t at = 0;
    while (at < status.st_size) {
        off_t bytes = read_record(fd, at, status.st_size, descriptions, count);
        if (bytes < 0) {
            return error_set(err, "out of memory");
        }
        if (bytes == 0) {
            break;
        }
        at += bytes;
    }
    if (at < status.st_size) {
        log_event(SNEK_LEVEL_WARNING, "descriptions_cut",
                  LOG_NUMBER("bytes", (int64_t)(status.st_size - at)),
                  LOG_TEXT("reason", "the last host was killed while it wrote them"));
    }
    if (ftruncate(fd, at) < 0) {
        return error_set(err, "cannot cut the plugins' descriptions: %s", strerror(errno));
    }
    return 0;
}

bool description_file_has(int fd, uint32_t plugin, struct frame_text body) {
    struct record_head head;
    AUTO_FREE char *kept = malloc(body.bytes + 1);
    bool same = false;
    for (off_t at = 0; kept && read_at(fd, &head, sizeof head, at) == 0;
         at += (off_t)sizeof head + (off_t)head.bytes) {
        if (head.plugin == plugin) {
            same = head.bytes == body.bytes &&
                   read_at(fd, kept, body.bytes, at + (off_t)sizeof head) == 0 &&
                   memcmp(kept, body.data, body.bytes) == 0;
        }
    }
    return same;
}

int description_file_discard(int fd, struct error *err) {
    if (ftruncate(fd, 0) < 0) {
        return error_set(err, "cannot cut the plugins' descriptions: %s", strerror(errno));
    }
    return 0;
}

int description_file_append(int fd, uint32_t plugin, struct frame_text body, struct error *err) {
    const struct record_head head = {.plugin = plugin, .bytes = (uint32_t)body.bytes};
    const struct iovec parts[] = {{(void *)&head, sizeof head}, {(void *)body.data, body.bytes}};
    assert(body.bytes <= FRAME_TO_HOST_MAX);
    off_t end = lseek(fd, 0, SEEK_END);
    ssize_t written = end < 0 ? -1 : pwritev(fd, parts, 2, end);
    if (written == (ssize_t)(sizeof head + body.bytes)) {
        return 0;
    }
    error_set(err, "cannot keep the plugin's description for the next host: %s",
              written < 0 ? strerror(errno) : "there is too little memory");
    /* Nothing can be appended behind a cut record. */
    if (end >= 0 && ftruncate(fd, end) < 0) {
        error_set(err, "cannot cut the plugins' descriptions: %s", strerror(errno));
    }
    return error_mark_transient(err);
}
