/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic check --online`: asks GitHub which app the key belongs to, through the same proxy and
 * with the same certificates as serve. */
#include "cli/online.h"

#include "base/clock.h"
#include "base/log.h"
#include "cli/broker_client.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* serve logs this warning if GitHub accepts the next key only. On the broker's thread. */
static void on_log(void *context, enum log_level level, const char *message,
                   const struct log_field *fields) {
    (void)level, (void)fields;
    if (strcmp(message, "private_key_next") == 0) {
        atomic_store((atomic_bool *)context, true);
    }
}

/* GitHub's response has shown its clock, even if it rejected the request. */
static unsigned check_clock(void) {
    int64_t ahead_ms;
    if (!clock_error_ms(&ahead_ms) ||
        (ahead_ms <= CLOCK_ERROR_MAX_MS && ahead_ms >= -CLOCK_ERROR_MAX_MS)) {
        return 0;
    }
    int64_t seconds = ahead_ms / 1000;
    fprintf(stderr, "clock: this machine's clock is %" PRId64 " s %s GitHub's; set it (NTP)\n",
            seconds < 0 ? -seconds : seconds, seconds < 0 ? "behind" : "ahead of");
    return 1;
}

static unsigned check_app(struct broker_client *client, const struct config *config) {
    struct broker_request request = {.kind = BROKER_SLUG};
    broker_client_call(client, &request);
    unsigned problems = request.outcome == 0 ? 0 : 1;
    if (problems == 0) {
        const struct proxy *proxy = &config->proxy;
        printf("GitHub          ok: the app is %.*s%s%s\n", (int)request.response.bytes,
               request.response.data, proxy->url ? "; HTTPS_PROXY is " : "",
               proxy->url ? proxy->shown : "");
    } else {
        fprintf(stderr, "GitHub: %s\n", request.error.text);
    }
    broker_request_finish(&request);
    return problems + check_clock();
}

unsigned online_check(const struct config *config, int messages_fd) {
    struct error err;
    struct broker_client client;
    unsigned problems = 1;
    atomic_bool next_only = false;
    /* Standard output is for the results. */
    log_setup(SNEK_LEVEL_ERROR, config->log.format);
    log_watch(on_log, &next_only);
    if (broker_client_open(&client, config, messages_fd, &err) < 0) {
        fprintf(stderr, "GitHub: cannot send requests: %s\n", err.text);
    } else {
        problems = check_app(&client, config);
        broker_client_close(&client);
    }
    log_watch(NULL, NULL);
    if (atomic_load(&next_only)) {
        fflush(stdout);
        fprintf(stderr, "warning: GitHub rejects the private key and accepts the next one: make it "
                        "github.private_key_file\n");
    }
    return problems;
}
