/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A hostile plugin: it runs the probe that the payload names, and reports the outcome as its
 * reason. It also sends frames, requests and log lines that the payload gives. */
#include "probes.h"

#include <snekomatic/snekomatic.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FRAME_MAX 4096

/* By its name, or by its number. */
static const struct probe *wanted_probe(struct snek_run *run) {
    const char *name = snek_string(run, "name");
    const struct probe *probe = NULL;
    if (!name) {
        return probe_at((size_t)snek_integer(run, "number", -1));
    }
    for (size_t i = 0; (probe = probe_at(i)) && strcmp(probe->name, name) != 0; i++) {}
    return probe;
}

static int32_t on_probe(struct snek_run *run) {
    const struct world world = {.directory = snek_string(run, "directory"),
                                .victim = (int)snek_integer(run, "victim", 0),
                                .secret_at = (unsigned long long)snek_integer(run, "secret_at", 0)};
    const struct probe *probe = wanted_probe(run);
    char report[40];
    /* 0, 1 and negative numbers would name this process's group, init, or everybody. */
    if (!probe || !world.directory || world.victim <= 1) {
        return snek_reject(run, "a malformed payload");
    }
    snprintf(report, sizeof report, "outcome %d", probe->run(&world));
    return snek_skip(run, report);
}

/* Writes the bytes of `hex` to the host, past the SDK. */
static int32_t on_frame(struct snek_run *run) {
    const char *hex = snek_string(run, "hex");
    unsigned char frame[FRAME_MAX];
    size_t bytes = 0;
    unsigned byte;
    for (; hex && bytes < FRAME_MAX && sscanf(hex, "%2x", &byte) == 1; hex += 2) {
        frame[bytes++] = (unsigned char)byte;
    }
    return write(HOST_FD, frame, bytes) == (ssize_t)bytes ? SNEK_DONE : SNEK_E_FAILED;
}

static int32_t on_request(struct snek_run *run) {
    struct snek_request request = {.bytes = sizeof request,
                                   .method = snek_string(run, "method"),
                                   .url = snek_string(run, "url")};
    return snek_github(run)->send(run, &request);
}

static int32_t on_say(struct snek_run *run) {
    snek_log(run, SNEK_LOG_INFO, snek_string(run, "text"));
    printf("%s\n", snek_string(run, "text"));
    return snek_skip(run, snek_string(run, "text"));
}

static const struct snek_subscription subscriptions[] = {{"probe", NULL, on_probe, {{0}}},
                                                         {"frame", NULL, on_frame, {{0}}},
                                                         {"request", NULL, on_request, {{0}}},
                                                         {"say", NULL, on_say, {{0}}}};
SNEK_PLUGIN(.name = "hostile", .version = "1", .summary = "runs the probe that its payload names",
            SNEK_TABLE(subscriptions))
