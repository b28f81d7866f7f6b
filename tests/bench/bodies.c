/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Real payloads in GitHub's form: without white space, and signed. */
#include "bench.h"

#include <jansson.h>
#include <nettle/base16.h>
#include <nettle/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MIN 8000
#define BODY_MAX 25000

static void sign(struct bench_body *body) {
    struct hmac_sha256_ctx hmac;
    uint8_t digest[SHA256_DIGEST_SIZE];
    hmac_sha256_set_key(&hmac, sizeof BENCH_SECRET - 1, (const uint8_t *)BENCH_SECRET);
    hmac_sha256_update(&hmac, body->bytes, (const uint8_t *)body->json);
    hmac_sha256_digest(&hmac, sizeof digest, digest);
    memcpy(body->signature, "sha256=", 7);
    base16_encode_update(body->signature + 7, sizeof digest, digest);
    body->signature[7 + 2 * sizeof digest] = '\0';
}

static void add(struct bench_bodies *bodies, const char *event, json_t *example) {
    if (!json_object_get(example, "installation")) {
        json_object_set_new(example, "installation", json_pack("{s:i}", "id", 60001));
    }
    struct bench_body body = {.json = json_dumps(example, JSON_COMPACT)};
    body.bytes = body.json ? strlen(body.json) : 0;
    if (body.bytes < BODY_MIN || body.bytes > BODY_MAX) {
        free(body.json);
        return;
    }
    snprintf(body.event, sizeof body.event, "%s", event);
    sign(&body);
    bodies->all = reallocarray(bodies->all, bodies->n + 1, sizeof *bodies->all);
    if (!bodies->all) {
        bench_fail("out of memory");
    }
    bodies->all[bodies->n++] = body;
    bodies->mean_bytes += body.bytes;
}

struct bench_bodies bench_bodies_load(const char *path) {
    struct bench_bodies bodies = {0};
    json_error_t error;
    json_t *index = json_load_file(path, 0, &error), *entry, *example;
    size_t i, j;
    if (!index) {
        bench_fail("%s: %s", path, error.text);
    }
    json_array_foreach(index, i, entry) {
        const char *event = json_string_value(json_object_get(entry, "name"));
        json_array_foreach(json_object_get(entry, "examples"), j, example) {
            add(&bodies, event ? event : "push", example);
        }
    }
    json_decref(index);
    if (bodies.n == 0) {
        bench_fail("%s has no example of %d to %d bytes", path, BODY_MIN, BODY_MAX);
    }
    bodies.mean_bytes /= bodies.n;
    return bodies;
}
