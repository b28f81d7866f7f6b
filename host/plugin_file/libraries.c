/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads DT_NEEDED, DT_RPATH and DT_RUNPATH of an ELF file. All offsets are the file's own word, so
 * each read is checked. */
#include "plugin_file/libraries.h"

#include "base/cleanup.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

/* Longer paths are cut in messages. */
#define SHOWN_MAX 200

struct image {
    const char *data;
    size_t bytes;
    ElfW(Ehdr) head;
    /* The strings of the dynamic section. */
    const char *strings;
    size_t strings_bytes;
};

/* 0, or -1 when the file is too short. */
static int read_at(const struct image *image, uint64_t at, void *out, size_t bytes) {
    if (at > image->bytes || bytes > image->bytes - at) {
        return -1;
    }
    memcpy(out, image->data + at, bytes);
    return 0;
}

static int read_segment(const struct image *image, size_t index, ElfW(Phdr) * segment) {
    return read_at(image, image->head.e_phoff + index * sizeof *segment, segment, sizeof *segment);
}

/* The place in the file of an address in memory. 0, or -1. */
static int find_address(const struct image *image, uint64_t address, uint64_t *at) {
    ElfW(Phdr) segment;
    for (size_t i = 0; i < image->head.e_phnum; i++) {
        if (read_segment(image, i, &segment) == 0 && segment.p_type == PT_LOAD &&
            address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz) {
            *at = segment.p_offset + (address - segment.p_vaddr);
            return *at < image->bytes ? 0 : -1;
        }
    }
    return -1;
}

/* A string of the dynamic section; NULL when it does not end in the file. */
static const char *string_at(const struct image *image, uint64_t offset) {
    if (offset >= image->strings_bytes ||
        !memchr(image->strings + offset, '\0', image->strings_bytes - offset)) {
        return NULL;
    }
    return image->strings + offset;
}

static const char advice[] = "the host loads a copy of the plugin from another directory; link the "
                             "library statically, or give an absolute path";

static int check_search_path(const char *list, struct error *err) {
    if (strstr(list, "$ORIGIN") || strstr(list, "${ORIGIN}")) {
        return error_set(err, "its RUNPATH \"%.*s\" has $ORIGIN: %s", SHOWN_MAX, list, advice);
    }
    for (const char *item = list; *item;) {
        size_t bytes = strcspn(item, ":");
        if (item[0] != '/') {
            return error_set(err, "its RUNPATH \"%.*s\" has a relative path: %s", SHOWN_MAX, list,
                             advice);
        }
        item += bytes + (item[bytes] == ':');
    }
    return 0;
}

static int check_needed(const char *name, struct error *err) {
    if (strchr(name, '/') && name[0] != '/') {
        return error_set(err, "it needs the library \"%.*s\", a relative path: %s", SHOWN_MAX, name,
                         advice);
    }
    return 0;
}

static int check_entry(const struct image *image, const ElfW(Dyn) * entry, struct error *err) {
    bool search = entry->d_tag == DT_RPATH || entry->d_tag == DT_RUNPATH;
    if (!search && entry->d_tag != DT_NEEDED) {
        return 0;
    }
    const char *text = string_at(image, entry->d_un.d_val);
    if (!text) {
        return error_set(err, "its dynamic section is damaged: build it anew");
    }
    return search ? check_search_path(text, err) : check_needed(text, err);
}

static void find_strings(struct image *image, const ElfW(Phdr) * dynamic) {
    ElfW(Dyn) entry;
    uint64_t at;
    for (uint64_t i = 0; i < dynamic->p_filesz / sizeof entry; i++) {
        if (read_at(image, dynamic->p_offset + i * sizeof entry, &entry, sizeof entry) < 0 ||
            entry.d_tag == DT_NULL) {
            return;
        }
        if (entry.d_tag == DT_STRTAB && find_address(image, entry.d_un.d_ptr, &at) == 0) {
            image->strings = image->data + at;
            image->strings_bytes = image->bytes - at;
        }
    }
}

static int check_dynamic(struct image *image, const ElfW(Phdr) * dynamic, struct error *err) {
    find_strings(image, dynamic);
    ElfW(Dyn) entry;
    for (uint64_t i = 0; i < dynamic->p_filesz / sizeof entry; i++) {
        if (read_at(image, dynamic->p_offset + i * sizeof entry, &entry, sizeof entry) < 0 ||
            entry.d_tag == DT_NULL) {
            return 0;
        }
        if (check_entry(image, &entry, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int libraries_check(const void *data, size_t bytes, struct error *err) {
    struct image image = {.data = data, .bytes = bytes};
    ElfW(Phdr) segment;
    if (read_at(&image, 0, &image.head, sizeof image.head) < 0 ||
        memcmp(image.head.e_ident, ELFMAG, SELFMAG) != 0 ||
        image.head.e_phentsize != sizeof segment) {
        return 0;
    }
    for (size_t i = 0; i < image.head.e_phnum; i++) {
        if (read_segment(&image, i, &segment) == 0 && segment.p_type == PT_DYNAMIC) {
            return check_dynamic(&image, &segment, err);
        }
    }
    return 0;
}
