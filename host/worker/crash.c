/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The handler of fatal signals. It calls only what is safe in a signal handler: system calls, and
 * the unwinder of libgcc, which is linked statically and finds its tables without a lock. If the
 * stack is too damaged to unwind, a second signal ends the process; the first part of the report is
 * written by then. */
#include "worker/crash.h"

#ifdef SNEK_SANITIZED

void crash_init(int fd) {
    (void)fd;
}

void crash_note_modules(void) {}

void crash_watch_thread(void) {}

#else

#include "protocol/crash_report.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#define HANDLER_STACK_BYTES (64u << 10)
/* An access so far below the stack counts as its overflow. */
#define OVERFLOW_REACH (1u << 20)
/* A process that cannot get so much is out of memory. */
#define MEMORY_PROBE_BYTES (4u << 20)
/* An access below this is one through a null pointer. */
#define NULL_REACH (64u << 10)
#define PAGE_BYTES 4096u

struct module {
    uintptr_t base, start, end;
};

static int report_fd = -1;
static struct crash_report report = {.magic = CRASH_MAGIC};
static struct module modules[CRASH_MODULES_MAX];
static atomic_flag reporting = ATOMIC_FLAG_INIT;
static _Thread_local uintptr_t stack_low;
/* The plugin's modules are in the list. */
static volatile bool listed;

static void list_modules(void);

/* ---- the handler ---- */

static void add_frame(uintptr_t address, uintptr_t lookup) {
    struct crash_frame frame = {.offset = address, .module = CRASH_NO_MODULE};
    if (report.n_frames == CRASH_FRAMES_MAX) {
        return;
    }
    for (uint32_t i = 0; i < report.n_modules; i++) {
        if (lookup >= modules[i].start && lookup < modules[i].end) {
            frame.module = i;
            frame.offset = lookup - modules[i].base;
        }
    }
    report.frames[report.n_frames++] = frame;
}

struct unwinding {
    uintptr_t pc;
    bool found;
};

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *data) {
    struct unwinding *unwinding = data;
    int before_instruction = 0;
    uintptr_t ip = _Unwind_GetIPInfo(context, &before_instruction);
    if (ip == 0) {
        return _URC_END_OF_STACK;
    }
    if (!unwinding->found) {
        /* The handler's own frames come first. */
        unwinding->found = ip == unwinding->pc;
        return _URC_NO_REASON;
    }
    /* A return address is behind the call. */
    add_frame(ip, before_instruction ? ip : ip - 1);
    return report.n_frames < CRASH_FRAMES_MAX ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static uintptr_t pc_of(const ucontext_t *context) {
#if defined __x86_64__
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined __aarch64__
    return (uintptr_t)context->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

static void send_report(void) {
    /* The pipe does not block. Without a report the host still gets the exit status. */
    (void)!write(report_fd, &report, sizeof report);
}

static bool memory_is_exhausted(void) {
    void *probe =
        mmap(NULL, MEMORY_PROBE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED) {
        return errno == ENOMEM;
    }
    munmap(probe, MEMORY_PROBE_BYTES);
    return false;
}

static uint32_t flags_of(int sig, const siginfo_t *info) {
    uintptr_t address = (uintptr_t)info->si_addr;
    if (sig == SIGSEGV && info->si_code > 0 && stack_low > OVERFLOW_REACH &&
        address >= stack_low - OVERFLOW_REACH && address < stack_low + PAGE_BYTES) {
        return CRASH_STACK_OVERFLOW;
    }
    bool suspicious = sig == SIGABRT || (sig == SIGSEGV && address < NULL_REACH);
    return suspicious && memory_is_exhausted() ? CRASH_NO_MEMORY : 0;
}

static void on_fatal_signal(int sig, siginfo_t *info, void *context) {
    if (atomic_flag_test_and_set(&reporting)) {
        /* Another thread reports, and its signal will end the process. */
        for (;;) {
            poll(NULL, 0, -1);
        }
    }
    struct unwinding unwinding = {.pc = pc_of(context)};
    report.signal = sig;
    report.code = info->si_code;
    report.flags = flags_of(sig, info);
    report.address = sig == SIGSYS ? (uint64_t)info->si_syscall : (uintptr_t)info->si_addr;
    add_frame(unwinding.pc, unwinding.pc);
    send_report();
    if (!listed) {
        /* A constructor crashed, on the one thread that there is. The lock of the linker's list is
         * recursive, so this cannot wait for it. */
        list_modules();
        report.n_frames = 0;
        add_frame(unwinding.pc, unwinding.pc);
    }
    _Unwind_Backtrace(on_frame, &unwinding);
    send_report();
    /* Its default action is restored. The signal comes again when this handler returns, and its
     * status is true. */
    syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), sig);
}

/* ---- before ---- */

static void read_build_id(const struct dl_phdr_info *info, const ElfW(Phdr) * header,
                          struct crash_module *module) {
    const char *at = (const char *)(info->dlpi_addr + header->p_vaddr);
    const char *end = at + header->p_memsz;
    while ((size_t)(end - at) >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, at, sizeof note);
        size_t name_bytes = (note.n_namesz + 3u) & ~3u, bytes = (note.n_descsz + 3u) & ~3u;
        const char *name = at + sizeof note, *value = name + name_bytes;
        if ((size_t)(end - name) < name_bytes + bytes) {
            return;
        }
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(name, "GNU", 4) == 0 &&
            note.n_descsz <= sizeof module->build_id) {
            memcpy(module->build_id, value, note.n_descsz);
            module->build_id_bytes = note.n_descsz;
        }
        at = value + bytes;
    }
}

static int add_module(struct dl_phdr_info *info, size_t bytes, void *context) {
    (void)bytes;
    (void)context;
    struct crash_module *shown = &report.modules[report.n_modules];
    struct module *module = &modules[report.n_modules];
    if (report.n_modules == CRASH_MODULES_MAX) {
        return 1;
    }
    *shown = (struct crash_module){0};
    *module = (struct module){.base = info->dlpi_addr, .start = UINTPTR_MAX};
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr, end = start + header->p_memsz;
        if (header->p_type == PT_LOAD) {
            module->start = start < module->start ? start : module->start;
            module->end = end > module->end ? end : module->end;
        } else if (header->p_type == PT_NOTE) {
            read_build_id(info, header, shown);
        }
    }
    const char *path = *info->dlpi_name ? info->dlpi_name : "snekomatic-worker";
    memcpy(shown->path, path, strnlen(path, sizeof shown->path - 1));
    report.n_modules++;
    return 0;
}

static void list_modules(void) {
    report.n_modules = 0;
    dl_iterate_phdr(add_module, NULL);
}

void crash_note_modules(void) {
    list_modules();
    listed = true;
}

void crash_watch_thread(void) {
    pthread_attr_t attributes;
    void *low;
    size_t bytes;
    if (report_fd < 0) {
        return;
    }
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        if (pthread_attr_getstack(&attributes, &low, &bytes) == 0) {
            stack_low = (uintptr_t)low;
        }
        pthread_attr_destroy(&attributes);
    }
    /* Never freed: the threads of the pool live as long as the process. */
    void *memory = mmap(NULL, HANDLER_STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory != MAP_FAILED) {
        stack_t stack = {.ss_sp = memory, .ss_size = HANDLER_STACK_BYTES};
        sigaltstack(&stack, NULL);
    }
}

void crash_init(int fd) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
    struct sigaction action = {.sa_sigaction = on_fatal_signal,
                               .sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND)};
    if (fd < 0) {
        return;
    }
    report_fd = fd;
    list_modules();
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaction(signals[i], &action, NULL);
    }
    crash_watch_thread();
}

#endif
