/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Counts the allocations of a handler, and lets one of them fail. The plugin's own calls arrive
 * here through its table of addresses (GOT), which is patched after the plugin was loaded. */
#include "worker/failing_allocation.h"

#include "base/array.h"
#include "protocol/frames.h"
#include "worker/worker.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

atomic_bool failing_allocation_counts;

/* NULL: none is armed. */
static struct worker *armed;
static atomic_uint_fast64_t left;

void failing_allocation_on_handler(bool starts) {
    if (armed) {
        failing_allocation_counts = starts;
    }
}

bool failing_allocation_count(const char *function) {
    /* Below 0 it wraps around, and does not come back to 1. */
    if (atomic_fetch_sub(&left, 1) != 1) {
        return false;
    }
    char line[FRAME_REASON_MAX];
    snprintf(line, sizeof line, "%s%s", FRAME_ALLOCATION_FAILED, function);
    worker_log(armed, 0, SNEK_LEVEL_ERROR, line);
    errno = ENOMEM;
    return true;
}

/* ---- what the plugin calls instead ---- */

static void *failing_malloc(size_t bytes) {
    return failing_allocation_take("malloc()") ? NULL : malloc(bytes);
}

static void *failing_calloc(size_t count, size_t bytes) {
    return failing_allocation_take("calloc()") ? NULL : calloc(count, bytes);
}

static void *failing_realloc(void *old, size_t bytes) {
    return failing_allocation_take("realloc()") ? NULL : realloc(old, bytes);
}

static void *failing_reallocarray(void *old, size_t count, size_t bytes) {
    return failing_allocation_take("reallocarray()") ? NULL : reallocarray(old, count, bytes);
}

static void *failing_aligned_alloc(size_t alignment, size_t bytes) {
    return failing_allocation_take("aligned_alloc()") ? NULL : aligned_alloc(alignment, bytes);
}

static int failing_posix_memalign(void **memory, size_t alignment, size_t bytes) {
    return failing_allocation_take("posix_memalign()") ? ENOMEM
                                                       : posix_memalign(memory, alignment, bytes);
}

static char *failing_strdup(const char *text) {
    return failing_allocation_take("strdup()") ? NULL : strdup(text);
}

static char *failing_strndup(const char *text, size_t bytes) {
    return failing_allocation_take("strndup()") ? NULL : strndup(text, bytes);
}

__attribute__((format(printf, 2, 0))) static int failing_vasprintf(char **text, const char *format,
                                                                   va_list args) {
    return failing_allocation_take("asprintf()") ? -1 : vasprintf(text, format, args);
}

__attribute__((format(printf, 2, 3))) static int failing_asprintf(char **text, const char *format,
                                                                  ...) {
    va_list args;
    va_start(args, format);
    int result = failing_vasprintf(text, format, args);
    va_end(args);
    return result;
}

/* With _FORTIFY_SOURCE the compiler calls these. */
__attribute__((format(printf, 3, 0))) static int
failing_vasprintf_chk(char **text, int flag, const char *format, va_list args) {
    return failing_vasprintf(text, format, args);
}

__attribute__((format(printf, 3, 4))) static int failing_asprintf_chk(char **text, int flag,
                                                                      const char *format, ...) {
    va_list args;
    va_start(args, format);
    int result = failing_vasprintf(text, format, args);
    va_end(args);
    return result;
}

static const struct {
    const char *name;
    uintptr_t replacement;
} functions[] = {
    {"malloc", (uintptr_t)failing_malloc},
    {"calloc", (uintptr_t)failing_calloc},
    {"realloc", (uintptr_t)failing_realloc},
    {"reallocarray", (uintptr_t)failing_reallocarray},
    {"aligned_alloc", (uintptr_t)failing_aligned_alloc},
    {"posix_memalign", (uintptr_t)failing_posix_memalign},
    {"strdup", (uintptr_t)failing_strdup},
    {"__strdup", (uintptr_t)failing_strdup},
    {"strndup", (uintptr_t)failing_strndup},
    {"__strndup", (uintptr_t)failing_strndup},
    {"asprintf", (uintptr_t)failing_asprintf},
    {"vasprintf", (uintptr_t)failing_vasprintf},
    {"__asprintf_chk", (uintptr_t)failing_asprintf_chk},
    {"__vasprintf_chk", (uintptr_t)failing_vasprintf_chk},
};

/* ---- the plugin's table of addresses ---- */

#define SYMBOL_OF(relocation) ((relocation)->r_info >> (__ELF_NATIVE_CLASS == 64 ? 32 : 8))

/* The plugin's dynamic section, by tag. */
struct object {
    ElfW(Addr) base, values[DT_NUM];
};

static void read_object(const struct link_map *map, struct object *object) {
    *object = (struct object){.base = map->l_addr};
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag > 0 && entry->d_tag < DT_NUM) {
            object->values[entry->d_tag] = entry->d_un.d_val;
        }
    }
}

/* The linker has relocated the address in place, unless this section is read-only. */
static const void *table_of(const struct object *object, int tag) {
    ElfW(Addr) value = object->values[tag];
    return (const void *)(value < object->base ? value + object->base : value);
}

/* The table may be read-only since the linker has filled it in (RELRO). It stays writable: this
 * worker serves one trial. */
static int patch_slot(ElfW(Addr) slot, uintptr_t replacement) {
    ElfW(Addr) page_bytes = (ElfW(Addr))sysconf(_SC_PAGESIZE), page = slot & ~(page_bytes - 1);
    if (mprotect((void *)page, page_bytes, PROT_READ | PROT_WRITE) < 0) {
        return -1;
    }
    *(uintptr_t *)slot = replacement;
    return 0;
}

/* A relocation with an addend begins as one without. */
static int patch(const struct object *object, int table_tag, ElfW(Addr) bytes,
                 ElfW(Addr) entry_bytes) {
    const char *relocations = table_of(object, table_tag), *names = table_of(object, DT_STRTAB);
    const ElfW(Sym) *symbols = table_of(object, DT_SYMTAB);
    for (ElfW(Addr) at = 0; at < bytes; at += entry_bytes) {
        const ElfW(Rel) *relocation = (const void *)(relocations + at);
        const ElfW(Sym) *symbol = &symbols[SYMBOL_OF(relocation)];
        for (size_t i = 0; i < ARRAY_LENGTH(functions); i++) {
            if (symbol->st_shndx == SHN_UNDEF &&
                strcmp(names + symbol->st_name, functions[i].name) == 0 &&
                patch_slot(object->base + relocation->r_offset, functions[i].replacement) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

static int patch_object(const struct object *object) {
    const ElfW(Addr) *values = object->values;
    ElfW(Addr) jump_bytes = values[DT_PLTREL] == DT_RELA ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel));
    if (patch(object, DT_JMPREL, values[DT_PLTRELSZ], jump_bytes) < 0 ||
        patch(object, DT_RELA, values[DT_RELASZ], sizeof(ElfW(Rela))) < 0) {
        return -1;
    }
    return patch(object, DT_REL, values[DT_RELSZ], sizeof(ElfW(Rel)));
}

int failing_allocation_arm(struct worker *worker, const char *path, uint64_t number,
                           struct error *err) {
    struct link_map *map;
    struct object object;
    void *handle = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (!handle || dlinfo(handle, RTLD_DI_LINKMAP, &map) < 0) {
        return error_set(err, "cannot find the loaded plugin: %s", dlerror());
    }
    read_object(map, &object);
    if (patch_object(&object) < 0) {
        return error_set(err, "cannot patch its calls of malloc(): %m");
    }
    left = number;
    armed = worker;
    return 0;
}
