/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which files of plugins are rejected, and that a worker loads a copy of exactly what was checked.
 */
#include "unit.h"

#include "base/io.h"
#include "base/runtime_directory.h"
#include "plugin_file/libraries.h"
#include "plugin_file/plugin_file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static char home[] = "/tmp/snek-files-XXXXXX";
static struct plugin_files *files;
/* sha256sum of "one". */
static const char hash_of_one[] =
    "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";

/* ---- what happens between two system calls ---- */

/* Called before each wrapped call, if set. */
static void (*on_call)(void);

int __real_openat64(int directory, const char *path, int flags, mode_t mode);
int __wrap_openat64(int directory, const char *path, int flags, mode_t mode);
int __wrap_openat64(int directory, const char *path, int flags, mode_t mode) {
    if (on_call) {
        on_call();
    }
    return __real_openat64(directory, path, flags, mode);
}

int __real_fstat64(int fd, struct stat *status);
int __wrap_fstat64(int fd, struct stat *status);
int __wrap_fstat64(int fd, struct stat *status) {
    if (on_call) {
        on_call();
    }
    return __real_fstat64(fd, status);
}

/* The directory that is mounted noexec. */
static const char *noexec;

int __real_statvfs64(const char *path, struct statvfs *status);
int __wrap_statvfs64(const char *path, struct statvfs *status);
int __wrap_statvfs64(const char *path, struct statvfs *status) {
    int result = __real_statvfs64(path, status);
    if (noexec && strcmp(path, noexec) == 0) {
        status->f_flag |= ST_NOEXEC;
    }
    return result;
}

/* ---- files ---- */

/* A path in the home; valid until the fourth call after it. */
static const char *at(const char *name) {
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", home, name);
    return path;
}

static void write_file(const char *path, const char *text, mode_t mode) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(io_write_full(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void expect_content(const char *path, const char *text) {
    AUTO_BUFFER struct buffer content = BUFFER_INIT(1000);
    assert_int_equal(io_read_file(path, &content, NULL), 0);
    assert_int_equal(content.bytes, strlen(text));
    assert_memory_equal(content.data, text, content.bytes);
}

static void expect_rejected(const char *path, const char *sentence) {
    struct error err;
    struct plugin_copy copy = {0};
    assert_int_equal(plugin_files_copy(files, path, NULL, &copy, &err), -1);
    assert_null(copy.path);
    if (!strstr(err.text, sentence)) {
        assert_string_equal(err.text, sentence);
    }
}

static void expect_copied(const char *path, const char *text) {
    struct error err = {.text = ""};
    struct plugin_copy copy = {0};
    if (plugin_files_copy(files, path, NULL, &copy, &err) < 0) {
        fail_msg("rejected: %s", err.text);
    }
    expect_content(copy.path, text);
    plugin_copy_finish(&copy);
}

static void start_again(void) {
    plugin_files_close(files);
    assert_int_equal(plugin_files_open(&files, NULL), 0);
}

/* ---- the tests ---- */

static void copies_a_safe_file_under_its_hash(void **state) {
    struct error err;
    struct stat status;
    struct plugin_copy copy = {0};
    char want[PATH_MAX];
    write_file(at("one.so"), "one", 0644);
    assert_int_equal(plugin_files_copy(files, at("one.so"), hash_of_one, &copy, &err), 0);
    snprintf(want, sizeof want, "%s/run/plugins/%s.so", home, hash_of_one);
    assert_string_equal(copy.path, want);
    assert_string_equal(copy.sha256, hash_of_one);
    assert_int_equal(stat(copy.path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0444);
    assert_int_equal(stat(at("run/plugins"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    plugin_copy_finish(&copy);
}

static void another_hash_is_rejected_with_both(void **state) {
    struct error err;
    struct plugin_copy copy = {0};
    static const char wanted[] = "0692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
    write_file(at("one.so"), "one", 0644);
    assert_int_equal(plugin_files_copy(files, at("one.so"), wanted, &copy, &err), -1);
    assert_non_null(strstr(err.text, wanted));
    assert_non_null(strstr(err.text, hash_of_one));
    start_again();
    assert_int_equal(access(at("run/plugins/unfinished"), F_OK), -1);
}

static void a_file_that_others_can_write_is_rejected(void **state) {
    char sentence[PATH_MAX + 100];
    write_file(at("one.so"), "one", 0664);
    snprintf(sentence, sizeof sentence, "%s is writable by its group: chmod go-w %s", at("one.so"),
             at("one.so"));
    expect_rejected(at("one.so"), sentence);
    assert_int_equal(chmod(at("one.so"), 0646), 0);
    expect_rejected(at("one.so"), "one.so is writable by everybody: chmod go-w ");
    assert_int_equal(chmod(at("one.so"), 0644), 0);
    expect_copied(at("one.so"), "one");
}

static void a_file_below_a_directory_that_others_can_write_is_rejected(void **state) {
    char sentence[PATH_MAX + 100];
    mkdir(at("open"), 0700);
    mkdir(at("open/inner"), 0700);
    write_file(at("open/inner/one.so"), "one", 0644);
    assert_int_equal(chmod(at("open"), 0770), 0);
    snprintf(sentence, sizeof sentence, "%s is writable by its group: chmod go-w %s", at("open"),
             at("open"));
    expect_rejected(at("open/inner/one.so"), sentence);
    assert_int_equal(chmod(at("open"), 0702), 0);
    expect_rejected(at("open/inner/one.so"), "/open is writable by everybody");
    expect_rejected(at("open/inner/../../open/inner/one.so"), "/open is writable by everybody");
    /* In a sticky directory nobody else can replace the file. */
    assert_int_equal(chmod(at("open"), 01777), 0);
    expect_copied(at("open/inner/one.so"), "one");
    assert_int_equal(chmod(at("open"), 0700), 0);
}

static void a_file_or_directory_of_another_user_is_rejected(void **state) {
    if (geteuid() != 0) {
        LEAVE_OUT("only root can give a file away");
    }
    mkdir(at("theirs"), 0755);
    write_file(at("theirs/one.so"), "one", 0644);
    assert_int_equal(chown(at("theirs/one.so"), 12345, 12345), 0);
    expect_rejected(at("theirs/one.so"),
                    "/theirs/one.so belongs to user 12345, who could change the plugin: make it "
                    "belong to root or to user 0, who runs snekomatic");
    assert_int_equal(chown(at("theirs/one.so"), 0, 0), 0);
    assert_int_equal(chown(at("theirs"), 12345, 12345), 0);
    expect_rejected(at("theirs/one.so"), "/theirs belongs to user 12345");
    assert_int_equal(chown(at("theirs"), 0, 0), 0);
    assert_int_equal(symlink(at("theirs/one.so"), at("theirs/link.so")), 0);
    assert_int_equal(lchown(at("theirs/link.so"), 12345, 12345), 0);
    expect_rejected(at("theirs/link.so"), "/theirs/link.so belongs to user 12345");
}

static void links_are_checked_on_their_way_and_at_their_target(void **state) {
    mkdir(at("links"), 0700);
    mkdir(at("target"), 0700);
    write_file(at("target/one.so"), "one", 0644);
    assert_int_equal(symlink("../target", at("links/directory")), 0);
    assert_int_equal(symlink(at("links/directory/one.so"), at("links/file.so")), 0);
    expect_copied(at("links/file.so"), "one");
    assert_int_equal(chmod(at("links"), 0777), 0);
    expect_rejected(at("links/file.so"), "/links is writable by everybody");
    assert_int_equal(chmod(at("links"), 0700), 0);
    assert_int_equal(chmod(at("target/one.so"), 0666), 0);
    expect_rejected(at("links/file.so"), "/target/one.so is writable by everybody");
    assert_int_equal(symlink("loop", at("links/loop")), 0);
    expect_rejected(at("links/loop"), "Too many levels of symbolic links");
}

static void what_is_no_file_is_rejected(void **state) {
    write_file(at("one.so"), "one", 0644);
    write_file(at("empty.so"), "", 0644);
    assert_int_equal(mkfifo(at("fifo.so"), 0600), 0);
    expect_rejected("one.so", "one.so is not an absolute path");
    expect_rejected(at("absent.so"), "/absent.so: No such file or directory");
    expect_rejected(at("one.so/two.so"), "/one.so: Not a directory");
    expect_rejected(home, "is not a regular file");
    expect_rejected("/", "/ is not a regular file");
    expect_rejected(at("fifo.so"), "/fifo.so is not a regular file");
    expect_rejected(at("empty.so"), "the file is empty");
}

static void a_replaced_or_overwritten_file_does_not_change_the_copy(void **state) {
    struct plugin_copy copy = {0};
    write_file(at("one.so"), "one", 0644);
    assert_int_equal(plugin_files_copy(files, at("one.so"), NULL, &copy, NULL), 0);
    write_file(at("one.so"), "two", 0644);
    expect_content(copy.path, "one");
    write_file(at("new.so"), "three", 0644);
    assert_int_equal(rename(at("new.so"), at("one.so")), 0);
    start_again();
    expect_content(copy.path, "one");
    plugin_copy_finish(&copy);
}

/* ---- races ---- */

/* The call before which the files are exchanged, and the number of calls. */
static unsigned exchange_at, calls;

static void exchange(void) {
    if (calls++ == exchange_at) {
        assert_int_equal(syscall(SYS_renameat2, AT_FDCWD, at("race"), AT_FDCWD, at("trap"), 2), 0);
    }
}

static void nothing_unsafe_is_copied_whenever_somebody_exchanges_the_path(void **state) {
    /* The directory, then the file itself. */
    static const char *const names[] = {"race/one.so", "race"};
    for (size_t i = 0; i < 2; i++) {
        unsigned copied = 0, rejected = 0;
        for (exchange_at = 0;; exchange_at++) {
            struct plugin_copy copy = {0};
            char command[PATH_MAX];
            snprintf(command, sizeof command, "rm -rf %s/race %s/trap", home, home);
            assert_int_equal(system(command), 0);
            if (i == 0) {
                mkdir(at("race"), 0700);
                mkdir(at("trap"), 0700);
                write_file(at("race/one.so"), "safe", 0644);
                write_file(at("trap/one.so"), "trap", 0666);
            } else {
                write_file(at("race"), "safe", 0644);
                write_file(at("trap"), "trap", 0666);
            }
            calls = 0;
            on_call = exchange;
            int result = plugin_files_copy(files, at(names[i]), NULL, &copy, NULL);
            on_call = NULL;
            if (result == 0) {
                copied++;
                expect_content(copy.path, "safe");
                plugin_copy_finish(&copy);
            }
            rejected += result < 0;
            if (calls <= exchange_at) {
                break;
            }
        }
        /* Both kinds of moments were met. */
        assert_true(copied > 2);
        assert_true(rejected > 2);
    }
}

static unsigned changes_left;

/* Somebody writes the file after each part of the copying. */
static void overwrite(void) {
    if (changes_left > 0) {
        changes_left--;
        int fd = open(at("busy.so"), O_WRONLY | O_CLOEXEC);
        assert_int_equal(io_write_full(fd, changes_left % 2 ? "a" : "b", 1), 0);
        close(fd);
    }
}

static void a_file_that_changes_while_it_is_copied_is_copied_again(void **state) {
    struct error err;
    struct plugin_copy copy = {0};
    write_file(at("busy.so"), "-usy", 0644);
    on_call = overwrite;
    changes_left = UINT_MAX;
    assert_int_equal(plugin_files_copy(files, at("busy.so"), NULL, &copy, &err), -1);
    assert_non_null(strstr(err.text, "the file changes while it is copied"));
    assert_true(err.transient);
    /* The last change is the second copying's. */
    unsigned used = UINT_MAX - changes_left;
    changes_left = used * 2 / 3;
    int result = plugin_files_copy(files, at("busy.so"), NULL, &copy, &err);
    on_call = NULL;
    assert_int_equal(result, 0);
    expect_content(copy.path, "busy");
    plugin_copy_finish(&copy);
}

/* ---- the directory ---- */

static void copies_that_no_program_uses_are_deleted_at_the_next_start(void **state) {
    struct plugin_copy used = {0}, unused = {0};
    char gone[PATH_MAX];
    write_file(at("one.so"), "used", 0644);
    write_file(at("two.so"), "unused", 0644);
    assert_int_equal(plugin_files_copy(files, at("one.so"), NULL, &used, NULL), 0);
    assert_int_equal(plugin_files_copy(files, at("two.so"), NULL, &unused, NULL), 0);
    snprintf(gone, sizeof gone, "%s", unused.path);
    plugin_copy_finish(&unused);
    write_file(at("run/plugins/other"), "not ours", 0600);
    /* This is also how a second program of the user opens the directory. */
    start_again();
    expect_content(used.path, "used");
    assert_int_equal(access(gone, F_OK), -1);
    expect_content(at("run/plugins/other"), "not ours");
    plugin_copy_finish(&used);
}

static void two_programs_share_a_copy(void **state) {
    struct plugin_files *second;
    struct plugin_copy a = {0}, b = {0};
    write_file(at("one.so"), "shared", 0644);
    assert_int_equal(plugin_files_open(&second, NULL), 0);
    assert_int_equal(plugin_files_copy(files, at("one.so"), NULL, &a, NULL), 0);
    assert_int_equal(plugin_files_copy(second, at("one.so"), NULL, &b, NULL), 0);
    assert_string_equal(a.path, b.path);
    plugin_copy_finish(&a);
    start_again();
    expect_content(b.path, "shared");
    plugin_copy_finish(&b);
    plugin_files_close(second);
}

static void a_damaged_copy_is_replaced(void **state) {
    struct plugin_copy copy = {0};
    write_file(at("one.so"), "one", 0644);
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/run/plugins/%s.so", home, hash_of_one);
    write_file(path, "on", 0444);
    assert_int_equal(plugin_files_copy(files, at("one.so"), NULL, &copy, NULL), 0);
    assert_string_equal(copy.path, path);
    expect_content(path, "one");
    plugin_copy_finish(&copy);
}

static void the_runtime_directory_is_private_or_rejected(void **state) {
    struct error err;
    AUTO_FREE char *given = runtime_directory(true, &err);
    assert_string_equal(given, at("run"));
    assert_int_equal(chmod(at("run"), 0770), 0);
    assert_null(runtime_directory(true, &err));
    assert_non_null(strstr(err.text, "/run is writable by others: chmod 700 "));
    assert_int_equal(chmod(at("run"), 0700), 0);
    unsetenv("RUNTIME_DIRECTORY");
    setenv("XDG_RUNTIME_DIR", home, 1);
    AUTO_FREE char *of_session = runtime_directory(true, &err);
    assert_string_equal(of_session, at("snekomatic"));
    setenv("XDG_RUNTIME_DIR", at("absent"), 1);
    AUTO_FREE char *below_tmp = runtime_directory(true, &err);
    assert_memory_equal(below_tmp, "/tmp/snekomatic-", strlen("/tmp/snekomatic-"));
    setenv("RUNTIME_DIRECTORY", at("run"), 1);
    unsetenv("XDG_RUNTIME_DIR");
}

static bool is_found(const char *path) {
    char *places[RUNTIME_DIRECTORY_PLACES];
    size_t count = runtime_directory_places(places);
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        found |= strcmp(places[i], path) == 0;
        free(places[i]);
    }
    return found;
}

static void another_user_who_takes_the_name_in_tmp_keeps_no_bot_from_starting(void **state) {
    /* A user of no other test, so that its name in /tmp is free. */
    const uid_t user = 100000 + (uid_t)getpid();
    char taken[32], prefix[64];
    struct error err;
    snprintf(taken, sizeof taken, "/tmp/snekomatic-%u", (unsigned)user);
    snprintf(prefix, sizeof prefix, "%s-", taken);
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(mkdir(taken, 0755), 0);
    unsetenv("RUNTIME_DIRECTORY");
    assert_int_equal(seteuid(user), 0);
    AUTO_FREE char *path = runtime_directory(true, &err);
    AUTO_FREE char *again = runtime_directory(false, &err);
    /* `snekomatic reload` must find it. */
    bool found = path && is_found(path);
    assert_int_equal(seteuid(0), 0);
    setenv("RUNTIME_DIRECTORY", at("run"), 1);
    assert_non_null(path);
    assert_memory_equal(path, prefix, strlen(prefix));
    assert_non_null(again);
    assert_string_equal(again, path);
    assert_true(found);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_uid, user);
    assert_int_equal(status.st_mode & 0777, 0700);
    /* Nobody else's directory with such a name is taken. */
    assert_int_equal(chown(path, 0, 0), 0);
    assert_int_equal(seteuid(user), 0);
    bool trusted = is_found(path);
    assert_int_equal(seteuid(0), 0);
    assert_false(trusted);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(taken), 0);
}

static void a_directory_without_execution_is_passed_over_for_copies_only(void **state) {
    struct error err;
    setenv("XDG_RUNTIME_DIR", home, 1);
    noexec = at("run");
    AUTO_FREE char *any = runtime_directory(false, &err);
    AUTO_FREE char *executable = runtime_directory(true, &err);
    noexec = NULL;
    unsetenv("XDG_RUNTIME_DIR");
    assert_string_equal(any, at("run"));
    assert_string_equal(executable, at("snekomatic"));
}

/* ---- libraries ---- */

static void libraries_relative_to_the_file_are_rejected(void **state) {
    static const struct {
        const char *file, *sentence;
    } table[] = {
        {PLUGINS "/rpath-origin.so", "its RUNPATH \"$ORIGIN/lib\" has $ORIGIN"},
        {PLUGINS "/rpath-braces.so", "its RUNPATH \"/opt/lib:${ORIGIN}\" has $ORIGIN"},
        {PLUGINS "/rpath-relative.so", "its RUNPATH \"/opt/lib:lib\" has a relative path"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        AUTO_BUFFER struct buffer content = BUFFER_INIT(1 << 20);
        assert_int_equal(io_read_file(table[i].file, &content, NULL), 0);
        struct error err = {.text = ""};
        assert_int_equal(libraries_check(content.data, content.bytes, &err), -1);
        assert_memory_equal(err.text, table[i].sentence, strlen(table[i].sentence));
    }
}

static void absolute_paths_and_other_files_pass(void **state) {
    AUTO_BUFFER struct buffer content = BUFFER_INIT(1 << 20);
    struct error err = {.text = ""};
    assert_int_equal(io_read_file(PLUGINS "/rpath-absolute.so", &content, NULL), 0);
    assert_int_equal(libraries_check(content.data, content.bytes, &err), 0);
    assert_int_equal(libraries_check("no ELF", 6, &err), 0);
    assert_int_equal(libraries_check("", 0, &err), 0);
}

static void a_damaged_file_is_never_read_past_its_end(void **state) {
    AUTO_BUFFER struct buffer content = BUFFER_INIT(1 << 20);
    assert_int_equal(io_read_file(PLUGINS "/rpath-origin.so", &content, NULL), 0);
    for (size_t bytes = 0; bytes <= content.bytes; bytes += bytes < 4096 ? 1 : 61) {
        /* Its own block, so that a sanitizer sees a read behind it. */
        AUTO_FREE char *part = malloc(bytes + 1);
        memcpy(part, content.data, bytes);
        libraries_check(part, bytes, NULL);
    }
    for (size_t i = 0; i < 2048 && i < content.bytes; i++) {
        char was = content.data[i];
        content.data[i] = (char)0xff;
        libraries_check(content.data, content.bytes, NULL);
        content.data[i] = was;
    }
}

static int enter_home(void **state) {
    return mkdtemp(home) && mkdir(at("run"), 0700) == 0 &&
                   setenv("RUNTIME_DIRECTORY", at("run"), 1) == 0 &&
                   plugin_files_open(&files, NULL) == 0
               ? 0
               : -1;
}

static int leave_home(void **state) {
    char command[100];
    plugin_files_close(files);
    snprintf(command, sizeof command, "rm -r %s", home);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_a_safe_file_under_its_hash),
        cmocka_unit_test(another_hash_is_rejected_with_both),
        cmocka_unit_test(a_file_that_others_can_write_is_rejected),
        cmocka_unit_test(a_file_below_a_directory_that_others_can_write_is_rejected),
        cmocka_unit_test(a_file_or_directory_of_another_user_is_rejected),
        cmocka_unit_test(links_are_checked_on_their_way_and_at_their_target),
        cmocka_unit_test(what_is_no_file_is_rejected),
        cmocka_unit_test(a_replaced_or_overwritten_file_does_not_change_the_copy),
        cmocka_unit_test(nothing_unsafe_is_copied_whenever_somebody_exchanges_the_path),
        cmocka_unit_test(a_file_that_changes_while_it_is_copied_is_copied_again),
        cmocka_unit_test(copies_that_no_program_uses_are_deleted_at_the_next_start),
        cmocka_unit_test(two_programs_share_a_copy),
        cmocka_unit_test(a_damaged_copy_is_replaced),
        cmocka_unit_test(the_runtime_directory_is_private_or_rejected),
        cmocka_unit_test(another_user_who_takes_the_name_in_tmp_keeps_no_bot_from_starting),
        cmocka_unit_test(a_directory_without_execution_is_passed_over_for_copies_only),
        cmocka_unit_test(libraries_relative_to_the_file_are_rejected),
        cmocka_unit_test(absolute_paths_and_other_files_pass),
        cmocka_unit_test(a_damaged_file_is_never_read_past_its_end),
    };
    return cmocka_run_group_tests(tests, enter_home, leave_home);
}
