/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Turns exit status and crash report into sentences, a backtrace and the command for its lines. */
#include "worker_process/crash.h"

#include "base/array.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char out_of_memory[] = "out of memory";

/* Frames in the log; the innermost ones matter. */
#define FRAMES_SHOWN 20

void crash_init(struct crash *crash, int fd, const char *shown, uint32_t memory_mib) {
    *crash = (struct crash){.fd = fd, .memory_mib = memory_mib};
    snprintf(crash->shown, sizeof crash->shown, "%s", shown);
}

void crash_set_file(struct crash *crash, const char *hash) {
    snprintf(crash->loaded, sizeof crash->loaded, "%s.so", hash);
}

void crash_finish(struct crash *crash) {
    if (crash->fd >= 0) {
        close(crash->fd);
        crash->fd = -1;
    }
}

/* ---- standard error ---- */

void crash_note_line(struct crash *crash, const char *text, size_t bytes) {
    static const struct {
        const char *part, *meaning;
    } known[] = {
        {"'std::bad_alloc'", out_of_memory},
        {"terminate called", "uncaught C++ exception"},
        {"stack smashing detected", "a buffer on the stack was overrun"},
        {"buffer overflow detected", "a buffer was overrun"},
        {"double free", "memory was freed twice"},
        {"free(): ", "the heap is corrupted"},
        {"malloc(): ", "the heap is corrupted"},
        {"realloc(): ", "the heap is corrupted"},
        {"corrupted ", "the heap is corrupted"},
        {"Assertion `", "a failed assertion"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (memmem(text, bytes, known[i].part, strlen(known[i].part))) {
            crash->printed = known[i].meaning;
            return;
        }
    }
}

/* ---- the report ---- */

static bool is_plausible(const struct crash_report *report) {
    return report->magic == CRASH_MAGIC && report->n_frames <= CRASH_FRAMES_MAX &&
           report->n_modules <= CRASH_MODULES_MAX;
}

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_plugin(const struct crash *crash, const char *path) {
    return *crash->loaded && strcmp(file_name(path), crash->loaded) == 0;
}

/* The last report in the pipe. False when there is none. */
static bool read_report(const struct crash *crash, int sig, struct crash_report *report) {
    struct crash_report next;
    bool found = false;
    while (crash->fd >= 0 && read(crash->fd, &next, sizeof next) == (ssize_t)sizeof next) {
        if (is_plausible(&next) && next.signal == sig) {
            *report = next;
            found = true;
        }
    }
    for (size_t i = 0; found && i < report->n_modules; i++) {
        struct crash_module *module = &report->modules[i];
        module->path[sizeof module->path - 1] = '\0';
        if (is_plugin(crash, module->path)) {
            memcpy(module->path, crash->shown, sizeof module->path);
        }
        text_clean_in_place(module->path);
        if (module->build_id_bytes > sizeof module->build_id) {
            module->build_id_bytes = 0;
        }
    }
    return found;
}

static const struct crash_module *module_of(const struct crash_report *report, size_t frame) {
    uint32_t module = report->frames[frame].module;
    return module < report->n_modules ? &report->modules[module] : NULL;
}

static void append(char *text, size_t room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t room, const char *format, ...) {
    size_t used = strlen(text);
    va_list args;
    va_start(args, format);
    vsnprintf(text + used, room - used, format, args);
    va_end(args);
}

static void append_build_id(char *text, size_t room, const struct crash_module *module) {
    append(text, room, "%s%s=", *text ? " " : "", file_name(module->path));
    for (size_t i = 0; i < module->build_id_bytes; i++) {
        append(text, room, "%02x", module->build_id[i]);
    }
}

static void show_frames(const struct crash_report *report, struct worker_death *death) {
    bool shown[CRASH_MODULES_MAX] = {false};
    for (size_t i = 0; i < report->n_frames && i < FRAMES_SHOWN; i++) {
        const struct crash_module *module = module_of(report, i);
        append(death->backtrace, sizeof death->backtrace, "%s%s+0x%" PRIx64, i > 0 ? " " : "",
               module ? file_name(module->path) : "?", report->frames[i].offset);
        if (module && !shown[module - report->modules]) {
            shown[module - report->modules] = true;
            append_build_id(death->build_ids, sizeof death->build_ids, module);
        }
    }
}

/* A path goes into a command that a person copies into a shell. */
static bool is_plain(const char *path) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+-";
    return *path == '/' && path[strspn(path, plain)] == '\0';
}

/* For the module of the innermost frame that is neither the worker nor the C library. */
static void show_command(const struct crash_report *report, struct worker_death *death) {
    const struct crash_module *chosen = NULL;
    for (size_t i = 0; i < report->n_frames && i < FRAMES_SHOWN; i++) {
        const struct crash_module *module = module_of(report, i);
        bool system =
            !module || !is_plain(module->path) || strncmp(file_name(module->path), "lib", 3) == 0;
        if (!chosen && !system) {
            chosen = module;
            append(death->symbolize, sizeof death->symbolize, "addr2line -Cfipe %s", chosen->path);
        }
        if (chosen && module == chosen) {
            append(death->symbolize, sizeof death->symbolize, " 0x%" PRIx64,
                   report->frames[i].offset);
        }
    }
}

/* ---- meanings ---- */

static const char *meaning_of_segv(const struct crash_report *report) {
    if (report && report->flags & CRASH_STACK_OVERFLOW) {
        return "stack overflow";
    }
    if (report && report->flags & CRASH_NO_MEMORY) {
        return out_of_memory;
    }
    if (report && report->code > 0 && report->address < 65536) {
        return "access through a null pointer";
    }
    return report && report->code > 0 ? "access to memory that it does not have" : "";
}

static const char *meaning_of(const struct crash *crash, const struct crash_report *report,
                              int sig) {
    switch (sig) {
    case SIGSEGV:
        return meaning_of_segv(report);
    case SIGABRT:
        if (crash->printed) {
            return crash->printed;
        }
        return report && report->flags & CRASH_NO_MEMORY ? out_of_memory : "abort() was called";
    case SIGBUS:
        return "access beyond the end of a mapped file, or memory that the machine lacks";
    case SIGFPE:
        return "division by zero";
    case SIGILL:
        return "an instruction that the processor does not know";
    case SIGTRAP:
        return "a trap of the compiler or of a debugger";
    case SIGSYS:
        return "a system call that the sandbox forbids";
    case SIGXCPU:
        return "the limit on processor time";
    case SIGKILL:
        return "perhaps by the kernel, because the machine's or the service's memory was short";
    default:
        return "";
    }
}

static void explain_signal(struct crash *crash, int sig, struct worker_death *death) {
    struct crash_report report;
    bool has_report = read_report(crash, sig, &report);
    const char *name = sigabbrev_np(sig);
    const char *meaning = meaning_of(crash, has_report ? &report : NULL, sig);
    snprintf(death->signal, sizeof death->signal, "SIG%s", name ? name : "?");
    char raise[64] = "";
    if (meaning == out_of_memory) {
        snprintf(raise, sizeof raise, ": raise plugin.memory_mib, %u", crash->memory_mib);
    }
    snprintf(death->meaning, sizeof death->meaning, "%s%s", meaning, raise);
    snprintf(death->how, sizeof death->how, "was killed by signal %d (%s)%s%s", sig, strsignal(sig),
             *meaning ? ": " : "", death->meaning);
    if (has_report) {
        show_frames(&report, death);
        show_command(&report, death);
    }
}

void crash_explain(struct crash *crash, const siginfo_t *info, const char *killed_why,
                   struct worker_death *death) {
    *death = (struct worker_death){0};
    bool signalled = info->si_code != CLD_EXITED;
    bool by_us = !signalled || info->si_status == SIGKILL;
    if (*killed_why && by_us) {
        snprintf(death->how, sizeof death->how, "%s", killed_why);
    } else if (signalled) {
        explain_signal(crash, info->si_status, death);
    } else {
        death->clean = info->si_status == 0;
        snprintf(death->how, sizeof death->how, "exited with status %d%s", info->si_status,
                 info->si_status == EX_IOERR ? ": the plugin closed the worker's socket" : "");
    }
}
