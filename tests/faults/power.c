/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Replays power cuts from a record of writes and syncs.
 *
 *   power JOURNAL DIRECTORY CUTS SEED
 *
 * At each of CUTS random points of the journal it makes, in DIRECTORY, what a disk could hold: all
 * that was synced, and of every write since, at random by file, all, nothing, those up to some
 * one, or each by itself kept, dropped or torn at 512-byte sectors; likewise names that were made
 * or removed since the directory was synced. Then it opens the inbox, which must succeed, and
 * looks: the file must be sound, and have every GUID that was acknowledged before the cut. Prints a
 * line for each that is not so, and a summary; exit status 0: nothing was lost, 1: something was.
 */
#include "journal.h"

#include "base/clock.h"
#include "inbox/inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 64
#define SECTOR 512

struct image {
    char *data;
    size_t bytes, room;
};

struct entry {
    struct journal_head head;
    const char *data;
};

struct file {
    char name[64];
    /* For good: the directory was synced since. */
    bool created, unlinked;
    /* At this point, were nothing lost. */
    bool exists;
    bool is_acknowledged;
    struct image durable;
    /* Entries since its last sync. */
    size_t *pending, n_pending, room;
};

struct replay {
    struct entry *entries;
    size_t n_entries;
    struct file files[FILES_MAX];
    size_t n_files, n_acknowledged;
    /* Lines of the journal, with their newline. */
    const char **acknowledged;
    const char *directory;
    unsigned lost, corrupt;
};

static _Noreturn void fail(const char *what, const char *why) {
    (void)fprintf(stderr, "power: %s: %s\n", what, why);
    _exit(2);
}

static void *grown(void *memory, size_t count, size_t size) {
    void *more = reallocarray(memory, count, size);
    if (!more) {
        fail("replaying", "out of memory");
    }
    return more;
}

/* ---- chance: the same for the same seed ---- */

static uint64_t state;
static uint64_t chance(uint64_t below) {
    state += 0x9E3779B97F4A7C15; /* splitmix64 */
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return (z ^ (z >> 31)) % below;
}

/* ---- a file's bytes ---- */

static void resize(struct image *image, size_t bytes) {
    if (bytes > image->room) {
        image->room = bytes * 2;
        image->data = grown(image->data, image->room, 1);
    }
    if (bytes > image->bytes) {
        memset(image->data + image->bytes, 0, bytes - image->bytes);
    }
    image->bytes = bytes;
}

static void put(struct image *image, uint64_t offset, const char *data, size_t bytes) {
    if (offset + bytes > image->bytes) {
        resize(image, offset + bytes);
    }
    memcpy(image->data + offset, data, bytes);
}

static void apply(struct image *image, const struct entry *entry, bool torn) {
    if (entry->head.kind == JOURNAL_TRUNCATE) {
        resize(image, entry->head.offset);
        return;
    }
    size_t step = torn ? SECTOR : entry->head.bytes;
    for (size_t at = 0; at < entry->head.bytes; at += step) {
        size_t left = entry->head.bytes - at;
        if (!torn || chance(2)) {
            put(image, entry->head.offset + at, entry->data + at, left < step ? left : step);
        }
    }
}

/* ---- going on through the journal ---- */

static void sync_file(struct replay *replay, struct file *file) {
    for (size_t i = 0; i < file->n_pending; i++) {
        apply(&file->durable, &replay->entries[file->pending[i]], false);
    }
    file->n_pending = 0;
}

static void acknowledge(struct replay *replay, const struct entry *entry) {
    replay->acknowledged = grown(replay->acknowledged, replay->n_acknowledged + 1, sizeof(char *));
    replay->acknowledged[replay->n_acknowledged++] = entry->data;
}

static void step(struct replay *replay, size_t index) {
    const struct entry *entry = &replay->entries[index];
    struct file *file = &replay->files[entry->head.file];
    switch (entry->head.kind) {
    case JOURNAL_CREATE:
        if (entry->head.file != replay->n_files || replay->n_files == FILES_MAX) {
            fail("the journal", "files are out of order");
        }
        replay->n_files++;
        file->exists = true;
        (void)snprintf(file->name, sizeof file->name, "%.*s", (int)entry->head.bytes, entry->data);
        file->is_acknowledged = strcmp(file->name, JOURNAL_ACKNOWLEDGED) == 0;
        break;
    case JOURNAL_WRITE:
    case JOURNAL_TRUNCATE:
        if (file->is_acknowledged) {
            acknowledge(replay, entry);
            break;
        }
        if (file->n_pending == file->room) {
            file->room = file->room ? file->room * 2 : 64;
            file->pending = grown(file->pending, file->room, sizeof *file->pending);
        }
        file->pending[file->n_pending++] = index;
        break;
    case JOURNAL_SYNC:
        sync_file(replay, file);
        break;
    case JOURNAL_UNLINK:
        file->exists = false;
        break;
    case JOURNAL_SYNC_DIRECTORY:
        for (size_t i = 0; i < replay->n_files; i++) {
            replay->files[i].created = replay->files[i].exists;
            replay->files[i].unlinked = !replay->files[i].exists;
        }
        break;
    default:
        fail("the journal", "an entry of no kind");
    }
}

/* ---- a cut ---- */

/* The part of a file that the disk kept. */
static void survive(const struct replay *replay, const struct file *file, struct image *image) {
    enum { ALL, NOTHING, PREFIX, EACH } how = (int)chance(4);
    size_t prefix = how == PREFIX ? chance(file->n_pending + 1) : 0;
    resize(image, 0);
    put(image, 0, file->durable.data ? file->durable.data : "", file->durable.bytes);
    for (size_t i = 0; i < file->n_pending; i++) {
        const struct entry *entry = &replay->entries[file->pending[i]];
        uint64_t fate = how == ALL || (how == PREFIX && i < prefix) ? 0 : 1;
        fate = how == EACH ? chance(3) : fate;
        if (fate != 1) {
            apply(image, entry, fate == 2);
        }
        if (how == PREFIX && i == prefix) {
            /* The cut came in the middle of it. */
            apply(image, entry, true);
        }
    }
}

static void write_file(const struct replay *replay, const char *name, const struct image *image) {
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/%s", replay->directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, image->data, image->bytes) != (ssize_t)image->bytes) {
        fail(path, strerror(errno));
    }
    (void)close(fd);
}

static void make_disk(const struct replay *replay) {
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    static struct image image;
    char path[4200];
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof path, "%s/snekomatic.db%s", replay->directory, ends[i]);
        (void)unlink(path);
    }
    /* A later file of the same name comes later. */
    for (size_t i = 0; i < replay->n_files; i++) {
        const struct file *file = &replay->files[i];
        bool may_be = file->exists || !file->unlinked;
        bool must_be = file->exists && file->created;
        if (!file->is_acknowledged && may_be && (must_be || chance(2))) {
            survive(replay, file, &image);
            write_file(replay, file->name, &image);
        }
    }
}

static bool is_sound(sqlite3 *db) {
    sqlite3_stmt *check = NULL;
    bool sound = sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &check, NULL) == SQLITE_OK &&
                 sqlite3_step(check) == SQLITE_ROW &&
                 strcmp((const char *)sqlite3_column_text(check, 0), "ok") == 0;
    (void)sqlite3_finalize(check);
    return sound;
}

static size_t count_lost(const struct replay *replay, sqlite3 *db) {
    sqlite3_stmt *find = NULL;
    size_t lost = 0;
    if (sqlite3_prepare_v2(db,
                           "SELECT 1 FROM deliveries d JOIN runs r ON r.delivery = d.id"
                           " WHERE guid = ?1 AND length(body) > 0",
                           -1, &find, NULL) != SQLITE_OK) {
        return replay->n_acknowledged;
    }
    for (size_t i = 0; i < replay->n_acknowledged; i++) {
        int bytes = (int)strcspn(replay->acknowledged[i], "\n");
        (void)sqlite3_bind_text(find, 1, replay->acknowledged[i], bytes, SQLITE_STATIC);
        lost += sqlite3_step(find) != SQLITE_ROW;
        (void)sqlite3_reset(find);
    }
    (void)sqlite3_finalize(find);
    return lost;
}

static void cut(struct replay *replay, size_t at) {
    char url[4200];
    const char *path = url + strlen("sqlite:");
    struct inbox *inbox = NULL;
    struct error err = {.text = ""};
    sqlite3 *db = NULL;
    make_disk(replay);
    (void)snprintf(url, sizeof url, "sqlite:%s/snekomatic.db", replay->directory);
    if (inbox_open(url, clock_wall_ms(), &inbox, &err) < 0) {
        (void)printf("cut at %zu: it does not open: %s\n", at, err.text);
        replay->corrupt++;
        return;
    }
    inbox_free(inbox);
    if (sqlite3_open(path, &db) != SQLITE_OK || !is_sound(db)) {
        (void)printf("cut at %zu: the file is corrupt\n", at);
        replay->corrupt++;
    }
    size_t lost = count_lost(replay, db);
    if (lost > 0) {
        (void)printf("cut at %zu: %zu of %zu acknowledged deliveries are lost\n", at, lost,
                     replay->n_acknowledged);
        replay->lost++;
    }
    (void)sqlite3_close(db);
}

/* ---- */

static void read_journal(struct replay *replay, const char *path) {
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0 || status.st_size == 0) {
        fail(path, fd < 0 ? strerror(errno) : "it is empty");
    }
    size_t bytes = (size_t)status.st_size, n = 0;
    char *all = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    if (all == MAP_FAILED) {
        fail(path, strerror(errno));
    }
    for (size_t at = 0; at < bytes; n++) {
        replay->entries = grown(replay->entries, n + 1, sizeof *replay->entries);
        struct entry *entry = &replay->entries[n];
        memcpy(&entry->head, all + at, sizeof entry->head);
        entry->data = all + at + sizeof entry->head;
        at += sizeof entry->head + entry->head.bytes;
        if (at > bytes || entry->head.file >= FILES_MAX) {
            fail(path, "it is cut short");
        }
    }
    replay->n_entries = n;
}

static int ascending(const void *a, const void *b) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    static struct replay replay;
    if (argc != 5) {
        fail("usage", "power JOURNAL DIRECTORY CUTS SEED");
    }
    size_t n = strtoul(argv[3], NULL, 10), at = 0;
    state = strtoull(argv[4], NULL, 10);
    replay.directory = argv[2];
    read_journal(&replay, argv[1]);
    size_t *cuts = grown(NULL, n + 1, sizeof *cuts);
    for (size_t i = 0; i < n; i++) {
        cuts[i] = (size_t)chance(replay.n_entries + 1);
    }
    qsort(cuts, n, sizeof *cuts, ascending);
    for (size_t i = 0; i < n; i++) {
        for (; at < cuts[i]; at++) {
            step(&replay, at);
        }
        cut(&replay, at);
    }
    (void)printf("%zu cuts of %zu entries, %zu acknowledged at the last: %u lost deliveries, %u "
                 "left a corrupt file\n",
                 n, replay.n_entries, replay.n_acknowledged, replay.lost, replay.corrupt);
    for (size_t i = 0; i < replay.n_files; i++) {
        free(replay.files[i].durable.data);
        free(replay.files[i].pending);
    }
    free(replay.acknowledged);
    free(replay.entries);
    free(cuts);
    return replay.lost > 0 || replay.corrupt > 0;
}
