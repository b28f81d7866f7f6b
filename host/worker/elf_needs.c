/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the ELF header, the program headers, the dynamic section and its table of strings, each
 * with a maximum. */
#include "worker/elf_needs.h"

#include "base/cleanup.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>

#define PROGRAM_HEADERS_MAX 64
#define DYNAMIC_ENTRIES_MAX 1024

struct object {
    int fd;
    ElfW(Ehdr) head;
    ElfW(Phdr) segments[PROGRAM_HEADERS_MAX];
    ElfW(Dyn) dynamic[DYNAMIC_ENTRIES_MAX];
    size_t n_dynamic;
};

static int read_at(int fd, void *data, size_t bytes, uint64_t offset) {
    for (size_t done = 0; done < bytes;) {
        ssize_t got = offset > INT64_MAX - bytes
                          ? -1
                          : pread(fd, (char *)data + done, bytes - done, (off_t)(offset + done));
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return -1;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static int read_head(struct object *object) {
    ElfW(Ehdr) *head = &object->head;
    const unsigned char class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    const unsigned char order = __BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;
    if (read_at(object->fd, head, sizeof *head, 0) < 0 ||
        memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_ident[EI_CLASS] != class ||
        head->e_ident[EI_DATA] != order || head->e_type != ET_DYN ||
        head->e_phentsize != sizeof *object->segments || head->e_phnum > PROGRAM_HEADERS_MAX) {
        return -1;
    }
    return read_at(object->fd, object->segments, head->e_phnum * sizeof *object->segments,
                   head->e_phoff);
}

/* Where the file has what the dynamic linker will find at an address: in the last segment that
 * covers it. -1: in none. */
static int64_t file_offset(const struct object *object, uint64_t address) {
    for (size_t i = object->head.e_phnum; i-- > 0;) {
        const ElfW(Phdr) *segment = &object->segments[i];
        if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
            address - segment->p_vaddr < segment->p_filesz) {
            uint64_t inside = address - segment->p_vaddr;
            bool fits = segment->p_offset <= (uint64_t)INT64_MAX - inside;
            return fits ? (int64_t)(segment->p_offset + inside) : -1;
        }
    }
    return -1;
}

static int read_dynamic(struct object *object) {
    for (size_t i = 0; i < object->head.e_phnum; i++) {
        const ElfW(Phdr) *segment = &object->segments[i];
        if (segment->p_type != PT_DYNAMIC) {
            continue;
        }
        int64_t offset = file_offset(object, segment->p_vaddr);
        if (offset < 0 || segment->p_filesz > sizeof object->dynamic) {
            return -1;
        }
        object->n_dynamic = segment->p_filesz / sizeof *object->dynamic;
        return read_at(object->fd, object->dynamic, object->n_dynamic * sizeof *object->dynamic,
                       (uint64_t)offset);
    }
    /* Without a dynamic section it needs nothing, and dlopen will reject it. */
    return 0;
}

static int read_strings(const struct object *object, struct elf_needs *needs, size_t *bytes) {
    uint64_t address = 0;
    *bytes = 0;
    for (size_t i = 0; i < object->n_dynamic && object->dynamic[i].d_tag != DT_NULL; i++) {
        if (object->dynamic[i].d_tag == DT_STRTAB) {
            address = object->dynamic[i].d_un.d_ptr;
        } else if (object->dynamic[i].d_tag == DT_STRSZ) {
            *bytes = object->dynamic[i].d_un.d_val;
        }
    }
    int64_t offset = file_offset(object, address);
    if (*bytes == 0) {
        return 0;
    }
    if (*bytes > ELF_STRINGS_MAX || offset < 0) {
        return -1;
    }
    needs->strings = malloc(*bytes + 1);
    if (!needs->strings) {
        return -1;
    }
    needs->strings[*bytes] = '\0';
    return read_at(object->fd, needs->strings, *bytes, (uint64_t)offset);
}

static int add_need(struct elf_needs *needs, size_t strings_bytes, const ElfW(Dyn) * entry) {
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
    if (entry->d_un.d_val >= strings_bytes || needs->count == ELF_NEEDS_MAX) {
        return -1;
    }
    needs->needs[needs->count++] =
        (struct elf_need){.kind = kind, .text = needs->strings + entry->d_un.d_val};
    return 0;
}

static int read_needs(struct object *object, struct elf_needs *needs) {
    size_t bytes;
    if (read_head(object) < 0 || read_dynamic(object) < 0 ||
        read_strings(object, needs, &bytes) < 0) {
        return -1;
    }
    needs->needs = calloc(ELF_NEEDS_MAX, sizeof *needs->needs);
    int result = needs->needs ? 0 : -1;
    for (size_t i = 0; result == 0 && i < object->n_dynamic && object->dynamic[i].d_tag != DT_NULL;
         i++) {
        result = add_need(needs, bytes, &object->dynamic[i]);
    }
    return result;
}

int elf_needs_read(const char *path, struct elf_needs *needs, struct error *err) {
    AUTO_FREE struct object *object = calloc(1, sizeof *object);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct elf_needs read = {0};
    if (!object) {
        return error_set(err, "out of memory");
    }
    if (fd < 0) {
        return error_set(err, "cannot open %s: %s", path, strerror(errno));
    }
    object->fd = fd;
    if (read_needs(object, &read) < 0) {
        elf_needs_finish(&read);
        return error_set(
            err, "cannot load it: %s is not a whole shared object (ELF) of this machine", path);
    }
    *needs = read;
    return 0;
}

void elf_needs_finish(struct elf_needs *needs) {
    free(needs->needs);
    free(needs->strings);
    *needs = (struct elf_needs){0};
}
