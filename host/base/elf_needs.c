/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the ELF header, the program headers, the dynamic section and its table of strings. Each
 * read checks that the file has the bytes. */
#include "base/elf_needs.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DYNAMIC_ENTRIES_MAX 1024

struct object {
    const char *data;
    size_t bytes;
    ElfW(Ehdr) head;
    /* The dynamic section. */
    uint64_t dynamic;
    size_t n_dynamic;
    /* Its table of strings. */
    const char *strings;
    size_t strings_bytes;
};

static bool has(const struct object *object, uint64_t offset, uint64_t bytes) {
    return offset <= object->bytes && bytes <= object->bytes - offset;
}

/* The structs of a file need not be aligned, so they are copied. */
static int read_at(const struct object *object, uint64_t offset, void *out, size_t bytes) {
    if (!has(object, offset, bytes)) {
        return -1;
    }
    memcpy(out, object->data + offset, bytes);
    return 0;
}

static int read_head(struct object *object) {
    ElfW(Ehdr) *head = &object->head;
    const unsigned char class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    const unsigned char order = __BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;
    if (read_at(object, 0, head, sizeof *head) < 0 || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_ident[EI_CLASS] != class || head->e_ident[EI_DATA] != order ||
        head->e_type != ET_DYN || head->e_phentsize != sizeof(ElfW(Phdr))) {
        return -1;
    }
    return has(object, head->e_phoff, (uint64_t)head->e_phnum * sizeof(ElfW(Phdr))) ? 0 : -1;
}

/* read_head() has checked that the file has all segments. */
static ElfW(Phdr) segment_at(const struct object *object, size_t index) {
    ElfW(Phdr) segment;
    memcpy(&segment, object->data + object->head.e_phoff + index * sizeof segment, sizeof segment);
    return segment;
}

/* Finds the place in the file of an address, in the last segment that covers it, as the dynamic
 * linker maps it. 0, or -1. */
static int find_address(const struct object *object, uint64_t address, uint64_t *offset) {
    for (size_t i = object->head.e_phnum; i-- > 0;) {
        ElfW(Phdr) segment = segment_at(object, i);
        if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
            address - segment.p_vaddr < segment.p_filesz) {
            *offset = segment.p_offset + (address - segment.p_vaddr);
            return *offset >= segment.p_offset && *offset < object->bytes ? 0 : -1;
        }
    }
    return -1;
}

static int find_dynamic(struct object *object) {
    for (size_t i = 0; i < object->head.e_phnum; i++) {
        ElfW(Phdr) segment = segment_at(object, i);
        if (segment.p_type != PT_DYNAMIC) {
            continue;
        }
        object->n_dynamic = segment.p_filesz / sizeof(ElfW(Dyn));
        if (object->n_dynamic > DYNAMIC_ENTRIES_MAX ||
            find_address(object, segment.p_vaddr, &object->dynamic) < 0) {
            return -1;
        }
        return has(object, object->dynamic, segment.p_filesz) ? 0 : -1;
    }
    /* Without a dynamic section it needs nothing, and dlopen will reject it. */
    return 0;
}

/* find_dynamic() has checked that the file has all entries. False at the end of the section. */
static bool next_entry(const struct object *object, size_t index, ElfW(Dyn) * entry) {
    if (index == object->n_dynamic) {
        return false;
    }
    memcpy(entry, object->data + object->dynamic + index * sizeof *entry, sizeof *entry);
    return entry->d_tag != DT_NULL;
}

static int find_strings(struct object *object) {
    ElfW(Dyn) entry;
    uint64_t address = 0, offset;
    for (size_t i = 0; next_entry(object, i, &entry); i++) {
        if (entry.d_tag == DT_STRTAB) {
            address = entry.d_un.d_ptr;
        } else if (entry.d_tag == DT_STRSZ) {
            object->strings_bytes = entry.d_un.d_val;
        }
    }
    if (object->strings_bytes == 0) {
        return 0;
    }
    if (find_address(object, address, &offset) < 0 || !has(object, offset, object->strings_bytes)) {
        return -1;
    }
    object->strings = object->data + offset;
    return 0;
}

static int add_need(const struct object *object, const ElfW(Dyn) * entry, struct elf_needs *needs) {
    enum elf_need_kind kind = ELF_NEED_LIBRARY;
    switch (entry->d_tag) {
    case DT_RPATH:
    case DT_RUNPATH:
        kind = ELF_NEED_DIRECTORIES;
        break;
    case DT_NEEDED:
    case DT_FILTER:
    case DT_AUXILIARY:
        break;
    default:
        return 0;
    }
    uint64_t at = entry->d_un.d_val;
    if (needs->count == ELF_NEEDS_MAX || at >= object->strings_bytes ||
        !memchr(object->strings + at, '\0', object->strings_bytes - at)) {
        return -1;
    }
    needs->items[needs->count++] = (struct elf_need){.kind = kind, .text = object->strings + at};
    return 0;
}

int elf_needs_read(const void *data, size_t bytes, struct elf_needs *needs) {
    struct object object = {.data = data, .bytes = bytes};
    ElfW(Dyn) entry;
    needs->count = 0;
    if (read_head(&object) < 0 || find_dynamic(&object) < 0 || find_strings(&object) < 0) {
        return -1;
    }
    for (size_t i = 0; next_entry(&object, i, &entry); i++) {
        if (add_need(&object, &entry, needs) < 0) {
            return -1;
        }
    }
    return 0;
}
