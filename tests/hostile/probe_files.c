/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Probes of files: the host's secrets, other processes in /proc, and everything that changes. */
#include "probes.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static int opens(const char *path, int flags) {
    return outcome_of(open(path, flags, 0600));
}

static int reads(const char *path) {
    char byte;
    int fd = open(path, O_RDONLY);
    return fd < 0 ? errno : outcome_of(read(fd, &byte, 1));
}

static int reads_of_victim(const struct world *world, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", world->victim, name);
    return reads(path);
}

static int key(const struct world *world) {
    return reads(path_in(world, "key"));
}

static int configuration(const struct world *world) {
    return reads(path_in(world, "configuration"));
}

static int database(const struct world *world) {
    return reads(path_in(world, "database"));
}

static int listing(const struct world *world) {
    return opendir(world->directory) ? 0 : errno;
}

static int users(const struct world *world) {
    return reads("/etc/passwd");
}

static int parent_environment(const struct world *world) {
    return reads_of_victim(world, "environ");
}

static int arguments(const struct world *world) {
    return reads_of_victim(world, "cmdline");
}

static int mappings(const struct world *world) {
    return reads_of_victim(world, "maps");
}

static int open_file_of_victim(const struct world *world) {
    return reads_of_victim(world, "fd/0");
}

static int memory_of_victim(const struct world *world) {
    char path[64], secret[8];
    snprintf(path, sizeof path, "/proc/%d/mem", world->victim);
    int fd = open(path, O_RDONLY);
    return fd < 0 ? errno : outcome_of(pread(fd, secret, sizeof secret, (off_t)world->secret_at));
}

static int own_memory(const struct world *world) {
    return opens("/proc/self/mem", O_RDWR);
}

static int own_mappings(const struct world *world) {
    return reads("/proc/self/maps");
}

static int inherited(const struct world *world) {
    char byte;
    return outcome_of(pread(INHERITED_FD, &byte, 1, 0));
}

static int library(const struct world *world) {
    return dlopen(path_in(world, "library.so"), RTLD_NOW) ? 0 : EACCES;
}

static int creates(const struct world *world) {
    return opens(path_in(world, "new"), O_CREAT | O_WRONLY);
}

static int writes(const struct world *world) {
    return opens(path_in(world, "database"), O_WRONLY);
}

static int empties(const struct world *world) {
    return opens(path_in(world, "database"), O_RDONLY | O_TRUNC);
}

static int truncates(const struct world *world) {
    return outcome_of(truncate(path_in(world, "database"), 0));
}

static int temporary(const struct world *world) {
    return opens(world->directory, O_TMPFILE | O_RDWR);
}

static int shared_memory_file(const struct world *world) {
    int result = opens("/dev/shm/snek-probe", O_CREAT | O_RDWR);
    unlink("/dev/shm/snek-probe");
    return result;
}

static int path_only(const struct world *world) {
    return opens(path_in(world, "key"), O_PATH);
}

static int new_open(const struct world *world) {
#ifdef SYS_openat2
    struct {
        unsigned long long flags, mode, resolve;
    } how = {O_RDONLY, 0, 0};
    return outcome_of(syscall(SYS_openat2, AT_FDCWD, path_in(world, "key"), &how, sizeof how));
#else
    return ENOSYS;
#endif
}

static int modes(const struct world *world) {
    return outcome_of(chmod(path_in(world, "database"), 0600));
}

static int owners(const struct world *world) {
    return outcome_of(chown(path_in(world, "database"), geteuid(), getegid()));
}

static int times_of_file(const struct world *world) {
    return outcome_of(utimensat(AT_FDCWD, path_in(world, "database"), NULL, 0));
}

static int sets_attribute(const struct world *world) {
    return outcome_of(setxattr(path_in(world, "database"), "user.snek", "1", 1, 0));
}

static int lists_attributes(const struct world *world) {
    return outcome_of(listxattr(path_in(world, "database"), NULL, 0));
}

static int removes(const struct world *world) {
    return outcome_of(unlink(path_in(world, "spare")));
}

static int renames(const struct world *world) {
    char to[4096];
    snprintf(to, sizeof to, "%s/renamed", world->directory);
    return outcome_of(rename(path_in(world, "spare"), to));
}

static int links(const struct world *world) {
    char to[4096];
    snprintf(to, sizeof to, "%s/linked", world->directory);
    return outcome_of(link(path_in(world, "database"), to));
}

static int links_symbolically(const struct world *world) {
    return outcome_of(symlink("/etc/passwd", path_in(world, "symbolic")));
}

static int makes_directory(const struct world *world) {
    return outcome_of(mkdir(path_in(world, "directory"), 0700));
}

static int makes_fifo(const struct world *world) {
    return outcome_of(mkfifo(path_in(world, "fifo"), 0600));
}

static int changes_directory(const struct world *world) {
    return outcome_of(chdir(world->directory));
}

static int watches(const struct world *world) {
    return outcome_of(inotify_init1(IN_CLOEXEC));
}

static int watches_everything(const struct world *world) {
    return outcome_of(fanotify_init(FAN_CLASS_NOTIF, O_RDONLY));
}

static int terminal(const struct world *world) {
    return opens("/dev/ptmx", O_RDWR);
}

static const struct probe probes[] = {
    {"read the private key's file", key, EACCES, SUCCEEDS},
    {"read the configuration's file", configuration, EACCES, SUCCEEDS},
    {"read the database's file", database, EACCES, SUCCEEDS},
    {"list the directory of secrets", listing, EACCES, SUCCEEDS},
    {"read /etc/passwd", users, EACCES, SUCCEEDS},
    {"read another process's environment", parent_environment, EACCES, SUCCEEDS},
    {"read another process's arguments", arguments, EACCES, SUCCEEDS},
    {"read another process's mappings", mappings, EACCES, SUCCEEDS},
    {"open another process's open file", open_file_of_victim, EACCES, SUCCEEDS},
    {"read another process's memory by /proc", memory_of_victim, EACCES, AS_ROOT},
    {"write its own memory by /proc", own_memory, EPERM, SUCCEEDS},
    {"read its own mappings", own_mappings, EACCES, SUCCEEDS},
    {"read an inherited descriptor", inherited, EBADF, SUCCEEDS},
    {"load a library of its own", library, EACCES, SUCCEEDS},
    {"create a file", creates, EPERM, SUCCEEDS},
    {"open a file for writing", writes, EPERM, SUCCEEDS},
    {"empty a file by opening it for reading", empties, EPERM, SUCCEEDS},
    {"truncate a file", truncates, EPERM, SUCCEEDS},
    {"make a temporary file without a name", temporary, EPERM, DEPENDS},
    {"make a file in /dev/shm", shared_memory_file, EPERM, SUCCEEDS},
    {"open a path without a right to it", path_only, EPERM, SUCCEEDS},
    {"open by openat2", new_open, ENOSYS, SUCCEEDS},
    {"change a file's mode", modes, EPERM, SUCCEEDS},
    {"change a file's owner", owners, EPERM, SUCCEEDS},
    {"change a file's times", times_of_file, EPERM, SUCCEEDS},
    {"set an attribute of a file", sets_attribute, EPERM, DEPENDS},
    {"list the attributes of a file", lists_attributes, EPERM, SUCCEEDS},
    {"remove a file", removes, EPERM, SUCCEEDS},
    {"rename a file", renames, EPERM, SUCCEEDS},
    {"link a file", links, EPERM, DEPENDS},
    {"make a symbolic link", links_symbolically, EPERM, SUCCEEDS},
    {"make a directory", makes_directory, EPERM, SUCCEEDS},
    {"make a FIFO", makes_fifo, EPERM, SUCCEEDS},
    {"change the working directory", changes_directory, EPERM, SUCCEEDS},
    {"watch files by inotify", watches, EPERM, SUCCEEDS},
    {"watch all files by fanotify", watches_everything, EPERM, DEPENDS},
    {"open a terminal", terminal, EPERM, DEPENDS},
};

const struct probe_table file_probes = {probes, sizeof probes / sizeof *probes};
