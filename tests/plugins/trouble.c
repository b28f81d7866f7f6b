/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A plugin that performs the payload's action, mostly a bad one; and `memory`, which
 * looks for secrets in its own process, as a plugin that means harm would. */
#include <snekomatic/snekomatic.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* SIGUSR1 arrived: `held` runs go on. */
static volatile sig_atomic_t released;

static void on_release(int number) {
    released = number;
}

__attribute__((constructor)) static void wait_for_release(void) {
    signal(SIGUSR1, on_release);
}

static void sleep_ms(int64_t ms) {
    struct timespec wait = {ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&wait, NULL);
}

/* The host is another child of the supervisor: "snekomatic-host host". */
static void kill_host(void) {
    DIR *processes = opendir("/proc");
    const struct dirent *entry;
    while (processes && (entry = readdir(processes))) {
        char path[300], text[512] = "";
        int parent = 0;
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *file = fopen(path, "re");
        if (!file || fscanf(file, "%*d (%*[^)]) %*c %d", &parent) != 1 || parent != getppid()) {
            parent = 0;
        }
        if (file) {
            fclose(file);
        }
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        file = parent ? fopen(path, "re") : NULL;
        size_t bytes = file ? fread(text, 1, sizeof text - 1, file) : 0;
        if (file) {
            fclose(file);
        }
        if (bytes > 5 && strcmp(text + bytes - 5, "host") == 0) {
            kill(atoi(entry->d_name), SIGKILL);
        }
    }
}

/* Is `needle` (given in pieces, so that it is not in this program's own memory) in any readable
 * mapping outside of this function's stack? */
static int32_t search_memory(struct snek_run *run) {
    const char *first = snek_string(run, "needle_first");
    const char *second = snek_string(run, "needle_second");
    size_t first_bytes = first ? strlen(first) : 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512], report[128];
    uint64_t searched = 0, found = 0;
    if (!first || !second || !maps) {
        return snek_reject(run, "cannot look");
    }
    while (fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        char mode[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) != 3 || mode[0] != 'r' ||
            strstr(line, "[vvar") || strstr(line, "[vsyscall]")) {
            continue;
        }
        const char *at = (const char *)from, *end = (const char *)to;
        searched += to - from;
        while ((at = memmem(at, (size_t)(end - at), first, first_bytes)) != NULL) {
            at += first_bytes;
            if ((size_t)(end - at) >= strlen(second) && memcmp(at, second, strlen(second)) == 0) {
                found++;
            }
        }
    }
    fclose(maps);
    snprintf(report, sizeof report, "searched=%llu found=%llu environment=%d",
             (unsigned long long)searched, (unsigned long long)found,
             environ && environ[0] ? 1 : 0);
    return snek_skip(run, report);
}

static int32_t descriptors(struct snek_run *run) {
    char report[256] = "open:";
    for (int fd = 0; fd < 64; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            char one[16];
            snprintf(one, sizeof one, " %d", fd);
            strncat(report, one, sizeof report - strlen(report) - 1);
        }
    }
    return snek_skip(run, report);
}

static int32_t scribble(void) {
    static const char junk[] =
        "this is not a frame, it only wants to be one, and it is long enough";
    for (int fd = 3; fd < 16; fd++) {
        (void)!write(fd, junk, sizeof junk);
    }
    sleep_ms(5000);
    return SNEK_DONE;
}

static int32_t wait_for_the_end(struct snek_run *run) {
    while (!snek_cancelled(run)) {
        sleep_ms(20);
    }
    snek_log(run, SNEK_LOG_INFO, "cancelled");
    return SNEK_E_CANCELLED;
}

/* A child outlives this process in a session of its own, and sends frames faster than the host
 * reads them. */
static int32_t leave_a_talker(void) {
    static struct {
        uint32_t body_bytes, kind;
        uint64_t run, request, level;
        uint32_t text_bytes;
        char text[4];
    } __attribute__((packed)) frames[16384];
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        frames[i].body_bytes = 16;
        frames[i].kind = 68; /* FRAME_LOG */
        frames[i].text_bytes = 4;
        memcpy(frames[i].text, "talk", 4);
    }
    if (fork() == 0) {
        setsid();
        while (write(3, frames, sizeof frames) > 0) {}
        _exit(0);
    }
    sleep_ms(100);
    _exit(0);
}

static int32_t count_in_store(struct snek_run *run) {
    /* Each attempt leaves its own mark, so that a test can count attempts. */
    char entry[128];
    snprintf(entry, sizeof entry, "%s/%lld", snek_event(run)->delivery(run),
             (long long)snek_event(run)->attempt(run));
    int32_t added = snek_set_add(run, SNEK_SCOPE_PLUGIN, "attempts", entry);
    return added < 0 ? added : SNEK_DONE;
}

/* A body of nearly the largest size. */
static int32_t send_large(struct snek_run *run) {
    static char body[3 << 20];
    memset(body, ' ', sizeof body);
    memcpy(body, "{}", 2);
    struct snek_request request = {.bytes = sizeof request,
                                   .method = "POST",
                                   .url = "/repos/sneks-united/terrarium/issues/12/reactions"};
    body[sizeof body - 1] = '\0';
    request.json = body;
    return snek_github(run)->send(run, &request);
}

/* Ever new requests of nearly the longest URL, all of which the host rejects. */
static int32_t send_long_urls(struct snek_run *run) {
    char url[8100];
    for (int n = 0; n < 1000; n++) {
        memset(url, 'x', sizeof url - 1);
        url[sizeof url - 1] = '\0';
        char start[64];
        int bytes = snprintf(start, sizeof start, "https://elsewhere.example/%d/", n);
        memcpy(url, start, (size_t)bytes);
        snek_get(run, url, NULL);
    }
    return SNEK_DONE;
}

/* A test may hold the response to the first request back, and thereby the comment. */
static int32_t write_comment(struct snek_run *run) {
    const char *url = snek_string(run, "url"), *first = snek_string(run, "first");
    if (first) {
        snek_get(run, first, NULL);
    }
    return snek_post(run, url ? url : "", snek_json(run, "{'body':'%s'}", "troubled"));
}

/* So many attempts wait for the test's signal to this worker; true if the run is cancelled first.
 */
static bool is_held(struct snek_run *run) {
    while (snek_event(run)->attempt(run) <= snek_integer(run, "held", 0) && !released) {
        if (snek_cancelled(run)) {
            return true;
        }
        sleep_ms(20);
    }
    return false;
}

static int32_t trouble(struct snek_run *run) {
    const char *what = snek_event(run)->action(run);
    int64_t ms = snek_integer(run, "ms", 0);
    int32_t rc = count_in_store(run);
    if (rc < 0) {
        return rc;
    }
    if (ms > 0) {
        sleep_ms(ms);
    }
    if (is_held(run)) {
        return SNEK_E_CANCELLED;
    }
    if (strcmp(what, "segfault") == 0) {
        /* A sanitizer would turn the signal into an exit. */
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    } else if (strcmp(what, "chatter") == 0) {
        for (int64_t n = snek_integer(run, "lines", 0); n > 0; n--) {
            snek_log(run, SNEK_LOG_INFO, "chatter");
        }
    } else if (strcmp(what, "kill-host") == 0) {
        kill_host();
        sleep_ms(60000);
    } else if (strcmp(what, "exit") == 0) {
        exit(0);
    } else if (strcmp(what, "loop") == 0) {
        for (volatile unsigned i = 0;; i++) {}
    } else if (strcmp(what, "scribble") == 0) {
        return scribble();
    } else if (strcmp(what, "talker") == 0) {
        return leave_a_talker();
    } else if (strcmp(what, "fail") == 0) {
        return snek_fail(run, "asked to fail");
    } else if (strcmp(what, "reject") == 0) {
        return snek_reject(run, "asked to reject");
    } else if (strcmp(what, "later") == 0) {
        return snek_event(run)->attempt(run) > 1 ? SNEK_DONE
                                                 : snek_retry_after(run, 300, "asked to wait");
    } else if (strcmp(what, "memory") == 0) {
        return search_memory(run);
    } else if (strcmp(what, "descriptors") == 0) {
        return descriptors(run);
    } else if (strcmp(what, "wait") == 0) {
        return wait_for_the_end(run);
    } else if (strcmp(what, "foreign") == 0) {
        return snek_get(run, "https://example.com/steal", NULL);
    } else if (strcmp(what, "get") == 0) {
        return snek_get(run, snek_string(run, "url"), NULL);
    } else if (strcmp(what, "large") == 0) {
        return send_large(run);
    } else if (strcmp(what, "long_urls") == 0) {
        return send_long_urls(run);
    } else if (strcmp(what, "as_app") == 0) {
        return snek_get(run, "/app/hook/config", NULL);
    } else if (strcmp(what, "comment") == 0) {
        return write_comment(run);
    }
    return SNEK_DONE;
}

static const struct snek_permission permissions[] = {{"issues", "write"}};
static const struct snek_subscription subscriptions[] = {{"trouble", NULL, trouble, {{0}}, 0, 0}};
/* tests/system/test_reload.py finds these bytes in the file, and changes the version. */
static const char version[] = "1\0the version of trouble";
SNEK_PLUGIN(.name = "trouble", .version = version, .summary = "performs the action of its payload",
            SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
