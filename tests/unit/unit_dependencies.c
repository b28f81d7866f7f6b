/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The libraries that a plugin brings along, read from small ELF files that the tests make. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "worker/dependencies.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <sys/stat.h>

static char root[64];

static int setup(void **state) {
    (void)state;
    snprintf(root, sizeof root, "/tmp/snek-libraries-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int finish(void **state) {
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static const char *path_of(const char *name) {
    static char paths[4][200];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static void make_directory(const char *name, mode_t mode) {
    assert_int_equal(mkdir(path_of(name), 0700), 0);
    assert_int_equal(chmod(path_of(name), mode), 0);
}

static void write_bytes(const char *name, const void *data, size_t bytes) {
    AUTO_CLOSE int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(io_write_full(fd, data, bytes), 0);
}

struct image {
    ElfW(Ehdr) head;
    ElfW(Phdr) segments[2];
    ElfW(Dyn) dynamic[6];
    char strings[512];
};

/* A shared object that needs one library, which it looks for in `runpath`. */
static void make_image(struct image *image, const char *needed, const char *runpath) {
    memset(image, 0, sizeof *image);
    memcpy(image->head.e_ident, ELFMAG, SELFMAG);
    image->head.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    image->head.e_ident[EI_DATA] = __BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;
    image->head.e_type = ET_DYN;
    image->head.e_phoff = offsetof(struct image, segments);
    image->head.e_phentsize = sizeof *image->segments;
    image->head.e_phnum = 2;
    image->segments[0] = (ElfW(Phdr)){
        .p_type = PT_LOAD, .p_vaddr = 0x1000, .p_filesz = sizeof *image, .p_memsz = sizeof *image};
    image->segments[1] = (ElfW(Phdr)){.p_type = PT_DYNAMIC,
                                      .p_vaddr = 0x1000 + offsetof(struct image, dynamic),
                                      .p_filesz = sizeof image->dynamic};
    size_t at = 1 + (size_t)snprintf(image->strings + 1, 255, "%s", needed) + 1;
    snprintf(image->strings + at, 255, "%s", runpath ? runpath : "");
    image->dynamic[0] = (ElfW(Dyn)){DT_STRTAB, {0x1000 + offsetof(struct image, strings)}};
    image->dynamic[1] = (ElfW(Dyn)){DT_STRSZ, {sizeof image->strings}};
    image->dynamic[2] = (ElfW(Dyn)){DT_NEEDED, {1}};
    image->dynamic[3] = (ElfW(Dyn)){runpath ? DT_RUNPATH : DT_NULL, {at}};
}

static void make_object(const char *name, const char *needed, const char *runpath) {
    struct image image;
    make_image(&image, needed, runpath);
    write_bytes(name, &image, sizeof image);
}

static void expect_rejection(const char *sentence) {
    struct dependencies found;
    struct error err;
    assert_int_equal(dependencies_find(path_of("plugin.so"), &found, &err), -1);
    if (!strstr(err.text, sentence)) {
        assert_string_equal(err.text, sentence);
    }
}

static void expect_files(size_t count, const char *const *names) {
    struct dependencies found;
    struct error err = {.text = ""};
    if (dependencies_find(path_of("plugin.so"), &found, &err) < 0) {
        assert_string_equal(err.text, "");
    }
    assert_int_equal(found.n_files, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(found.files[i], path_of(names[i]));
    }
    dependencies_finish(&found);
}

static void a_plugin_that_needs_the_system_only_brings_nothing(void **state) {
    (void)state;
    make_object("plugin.so", "libc.so.6", NULL);
    expect_files(1, (const char *const[]){"plugin.so"});
}

static void libraries_are_followed_from_one_to_the_next(void **state) {
    (void)state;
    make_directory("lib", 0755);
    make_directory("lib/deep", 0755);
    make_object("plugin.so", "libone.so", path_of("lib"));
    make_object("lib/libone.so", "libtwo.so", "$ORIGIN/deep:/nowhere");
    make_object("lib/deep/libtwo.so", "libc.so.6", NULL);
    expect_files(3, (const char *const[]){"plugin.so", "lib/libone.so", "lib/deep/libtwo.so"});
    make_object("plugin.so", path_of("lib/deep/libtwo.so"), NULL);
    expect_files(2, (const char *const[]){"plugin.so", "lib/deep/libtwo.so"});
}

static void a_variant_for_the_processor_is_checked_too(void **state) {
    (void)state;
    make_directory("lib", 0755);
    make_directory("lib/glibc-hwcaps", 0755);
    make_directory("lib/glibc-hwcaps/x86-64-v3", 0777);
    make_object("plugin.so", "libone.so", path_of("lib"));
    make_object("lib/glibc-hwcaps/x86-64-v3/libone.so", "libc.so.6", NULL);
    expect_rejection("x86-64-v3 is writable by everybody: chmod go-w ");
}

static void a_place_where_others_can_write_is_rejected(void **state) {
    (void)state;
    make_directory("lib", 0777);
    make_object("plugin.so", "libone.so", path_of("lib"));
    expect_rejection("lib is writable by everybody: chmod go-w ");
    expect_rejection("plugin.so looks for libraries in ");
    assert_int_equal(chmod(path_of("lib"), 0775), 0);
    expect_rejection("lib is writable by its group: chmod go-w ");
    assert_int_equal(chmod(path_of("lib"), 0755), 0);
    make_object("lib/libone.so", "libc.so.6", NULL);
    assert_int_equal(chmod(path_of("lib/libone.so"), 0666), 0);
    expect_rejection("libone.so is writable by everybody: chmod go-w ");
    assert_int_equal(chmod(path_of("lib/libone.so"), 0644), 0);
    expect_files(2, (const char *const[]){"plugin.so", "lib/libone.so"});
}

static void a_library_of_a_library_is_checked_too(void **state) {
    (void)state;
    make_directory("lib", 0755);
    make_directory("evil", 0777);
    make_object("plugin.so", "libone.so", path_of("lib"));
    make_object("lib/libone.so", "libtwo.so", path_of("evil"));
    expect_rejection("evil is writable by everybody: chmod go-w ");
}

static void a_path_that_depends_on_the_working_directory_is_rejected(void **state) {
    (void)state;
    static const char *const paths[] = {"",          "lib",    "./lib",
                                        ":/usr/lib", "$LIB/x", "/usr/$PLATFORM"};
    for (size_t i = 1; i < sizeof paths / sizeof *paths; i++) {
        make_object("plugin.so", "libone.so", paths[i]);
        expect_rejection("build it with an absolute path, or with one that begins with $ORIGIN");
    }
    make_object("plugin.so", "lib/libone.so", NULL);
    expect_rejection("build it with an absolute path");
}

static void a_damaged_file_is_rejected_and_harms_nothing(void **state) {
    (void)state;
    struct image image;
    struct dependencies found;
    struct error err;
    make_image(&image, "libone.so", "/nowhere");
    /* Cut at every length before the end of the texts' table. */
    for (size_t bytes = 0; bytes < sizeof image; bytes += 7) {
        write_bytes("plugin.so", &image, bytes);
        assert_int_equal(dependencies_find(path_of("plugin.so"), &found, &err), -1);
        assert_non_null(strstr(err.text, "cannot load it: "));
    }
    /* Every byte of the headers wrong, one at a time. */
    for (size_t at = 0; at < offsetof(struct image, strings); at++) {
        struct image damaged = image;
        ((unsigned char *)&damaged)[at] ^= 0xff;
        write_bytes("plugin.so", &damaged, sizeof damaged);
        if (dependencies_find(path_of("plugin.so"), &found, &err) == 0) {
            dependencies_finish(&found);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_plugin_that_needs_the_system_only_brings_nothing),
        TEST(libraries_are_followed_from_one_to_the_next),
        TEST(a_variant_for_the_processor_is_checked_too),
        TEST(a_place_where_others_can_write_is_rejected),
        TEST(a_library_of_a_library_is_checked_too),
        TEST(a_path_that_depends_on_the_working_directory_is_rejected),
        TEST(a_damaged_file_is_rejected_and_harms_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
