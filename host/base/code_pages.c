/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Unmaps the segments of the program and its libraries that can never be written. The pages that
 * the dynamic loader has relocated are in segments that can, and stay. */
#include "base/code_pages.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A debugger's breakpoints are changed pages of code. */
static bool is_traced(void) {
    char text[4096];
    AUTO_CLOSE int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    text[bytes > 0 ? bytes : 0] = '\0';
    return strstr(text, "TracerPid:") && !strstr(text, "TracerPid:\t0\n");
}

/* The loader has then written to code too, and unmapping would lose that. */
static bool has_relocated_code(const struct dl_phdr_info *object, const ElfW(Phdr) * dynamic) {
    const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(object->dlpi_addr + dynamic->p_vaddr);
    for (; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_TEXTREL ||
            (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL))) {
            return true;
        }
    }
    return false;
}

static void release_segment(const struct dl_phdr_info *object, const ElfW(Phdr) * segment) {
    uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = (object->dlpi_addr + segment->p_vaddr) & ~(page_bytes - 1);
    uintptr_t end = object->dlpi_addr + segment->p_vaddr + segment->p_filesz;
    end = (end + page_bytes - 1) & ~(page_bytes - 1);
    /* If it fails, the pages stay, which changes nothing else. */
    (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}

static int release_object(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size, (void)context;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type == PT_DYNAMIC && has_relocated_code(object, header)) {
            return 0;
        }
    }
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && !(header->p_flags & PF_W)) {
            release_segment(object, header);
        }
    }
    return 0;
}

void code_pages_release(void) {
    if (!is_traced()) {
        dl_iterate_phdr(release_object, NULL);
    }
}
