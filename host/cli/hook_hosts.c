/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Puts a salt into the store, and compares the hosts' fingerprints with ours. */
#include "cli/hook_hosts.h"

#include "base/array.h"
#include "base/clock.h"
#include "config/webhook_fingerprint.h"
#include "inbox/hosts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VERB "hook"
#define POLL_MS 250
#define LIST_BYTES_MAX (1u << 20)

struct host {
    char *name;
    int64_t age_ms;
    bool answered, accepts;
};

struct secret_check {
    char salt[INBOX_SALT_MAX + 1];
    char fingerprints[HOOK_HOSTS_SECRETS][WEBHOOK_FINGERPRINT_TEXT_MAX];
    struct host *hosts;
    size_t n_hosts;
};

static void secret_check_finish(struct secret_check *check) {
    for (size_t i = 0; i < check->n_hosts; i++) {
        free(check->hosts[i].name);
    }
    free(check->hosts);
}

static void prepare(struct secret_check *check, const struct secret *const secrets[]) {
    unsigned char salt[INBOX_SALT_MAX / 2];
    arc4random_buf(salt, sizeof salt);
    for (size_t i = 0; i < sizeof salt; i++) {
        snprintf(check->salt + 2 * i, 3, "%02x", salt[i]);
    }
    for (size_t i = 0; i < HOOK_HOSTS_SECRETS; i++) {
        struct webhook_fingerprint fingerprint;
        webhook_fingerprint_begin(&fingerprint, check->salt);
        while (!webhook_fingerprint_step(&fingerprint, secrets[i])) {}
        webhook_fingerprint_text(&fingerprint, check->fingerprints[i]);
    }
}

static struct host *host_of(struct secret_check *check, const char *name) {
    for (size_t i = 0; i < check->n_hosts; i++) {
        if (strcmp(check->hosts[i].name, name) == 0) {
            return &check->hosts[i];
        }
    }
    return NULL;
}

/* Reads one line of inbox_hosts. A host that begins to run later counts too. 0, or -1. */
static int read_line(struct secret_check *check, char *line) {
    char *age = strchr(line, '\t'), *salt = age ? strchr(age + 1, '\t') : NULL,
         *fingerprints = salt ? strchr(salt + 1, '\t') : NULL;
    if (!fingerprints) {
        return 0;
    }
    *age = *salt = *fingerprints = '\0';
    struct host *host = host_of(check, line);
    if (!host) {
        char *name = strdup(line);
        host = name ? ARRAY_ADD(check->hosts, check->n_hosts) : NULL;
        if (!host) {
            free(name);
            return -1;
        }
        host->name = name;
        host->age_ms = strtoll(age + 1, NULL, 10);
    }
    host->answered = strcmp(salt + 1, check->salt) == 0;
    host->accepts = host->answered;
    for (size_t i = 0; i < HOOK_HOSTS_SECRETS; i++) {
        host->accepts = host->accepts && strstr(fingerprints + 1, check->fingerprints[i]);
    }
    return 0;
}

static int list(struct store_client *store, struct secret_check *check, const char *ask) {
    struct inbox_hosts hosts = {.operation = {.kind = INBOX_HOSTS},
                                .ask = ask,
                                .now_ms = clock_wall_ms(),
                                .list = BUFFER_INIT(LIST_BYTES_MAX)};
    int result = store_client_do(store, VERB, &hosts.operation);
    char *rest = hosts.list.data;
    for (char *line; result == 0 && rest && (line = strsep(&rest, "\n"));) {
        result = read_line(check, line);
    }
    buffer_finish(&hosts.list);
    return result;
}

/* A host that was silent before we asked has stopped; its row is there for a day. */
static bool counts(const struct host *host) {
    return host->answered || host->age_ms <= INBOX_HOST_GONE_MS;
}

static bool all_accept(const struct secret_check *check) {
    for (size_t i = 0; i < check->n_hosts; i++) {
        if (counts(&check->hosts[i]) && !check->hosts[i].accepts) {
            return false;
        }
    }
    return true;
}

static void report(const struct secret_check *check) {
    for (size_t i = 0; i < check->n_hosts; i++) {
        const struct host *host = &check->hosts[i];
        if (!counts(host)) {
            fprintf(stderr,
                    "warning: host %s has stopped: before you start it again, give it the new "
                    "secret\n",
                    host->name);
        } else if (!host->answered) {
            fprintf(stderr, "host %s does not respond: if it has stopped, try again in %d s\n",
                    host->name, INBOX_HOST_GONE_MS / 1000);
        } else if (!host->accepts) {
            fprintf(stderr, "host %s does not accept both secrets\n", host->name);
        }
    }
}

static void pause_before_next(void) {
    struct timespec wait = {.tv_nsec = POLL_MS * 1000000L};
    nanosleep(&wait, NULL);
}

int hook_hosts_confirm(struct store_client *store,
                       const struct secret *const secrets[HOOK_HOSTS_SECRETS], int64_t wait_ms) {
    CLEANUP(secret_check_finish) struct secret_check check = {.salt = ""};
    int64_t deadline_ms = clock_monotonic_ms() + wait_ms;
    prepare(&check, secrets);
    int result = list(store, &check, check.salt);
    while (result == 0 && !all_accept(&check) && clock_monotonic_ms() < deadline_ms) {
        pause_before_next();
        result = list(store, &check, NULL);
    }
    bool accepted = all_accept(&check);
    fflush(stdout);
    report(&check);
    /* The hosts remove their fingerprints. */
    int cleared = list(store, &check, "");
    if (result < 0 || cleared < 0) {
        return -1;
    }
    return accepted ? 0 : 1;
}
