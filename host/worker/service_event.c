/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "event": the webhook that is being handled. */
#include "worker/run.h"
#include "worker/services.h"
#include "worker/value.h"

static const char *event_name(struct snek_run *shown) {
    return shown ? run_event(run_of(shown)) : "";
}

static const char *event_action(struct snek_run *shown) {
    return shown ? run_action(run_of(shown)) : "";
}

static const char *event_delivery(struct snek_run *shown) {
    return shown ? run_delivery(run_of(shown)) : "";
}

static const char *event_installation(struct snek_run *shown) {
    return shown ? run_installation(run_of(shown)) : "";
}

static int64_t event_attempt(struct snek_run *shown) {
    return shown ? run_attempt(run_of(shown)) : 0;
}

static struct snek_text event_payload(struct snek_run *shown) {
    return shown ? run_payload(run_of(shown)) : (struct snek_text){0};
}

static uint32_t event_find(struct snek_run *shown, const char *path, struct snek_value *value) {
    if (!shown) {
        return value_find(NULL, "", 0, NULL, value);
    }
    run_note_read(run_of(shown), false, path);
    return run_find(run_of(shown), path, value);
}

const struct snek_event_service service_event = {
    .bytes = sizeof(struct snek_event_service),
    .name = event_name,
    .action = event_action,
    .delivery = event_delivery,
    .installation = event_installation,
    .attempt = event_attempt,
    .payload = event_payload,
    .find = event_find,
};
