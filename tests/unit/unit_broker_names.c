/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* broker and the resolver: a name that is slow holds nobody up for longer than the request's time.
 */
#include "broker_fixture.h"

#include "base/clock.h"

#include <snekomatic/types.h>

#include <curl/curl.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* It is held until the test releases it. */
#define HANG_MS 10000

static atomic_int asked, answered;
static atomic_bool released;

/* In libc's entry, for libcurl too: as with name servers that say nothing. */
__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **result) {
    (void)name, (void)service, (void)hints, (void)result;
    asked++;
    for (int ms = 0; ms < HANG_MS && !released; ms += 5) {
        (void)usleep(5000);
    }
    answered++;
    return EAI_AGAIN;
}

static void a_silent_resolver_blocks_the_broker_for_one_request_at_most(void **state) {
    (void)state;
    if (curl_version_info(CURLVERSION_NOW)->version_num < 0x075700) {
        LEAVE_OUT("this libcurl cannot stop waiting for a name");
    }
    struct fixture fixture;
    struct asked question;
    struct error err;
    fixture_start(&fixture, 300);
    struct broker_options options = {.api_url = "http://slow.invalid",
                                     .user_agent = "snekomatic/test",
                                     .supervisor_fd = fixture.supervisor_fds[0],
                                     .request_timeout_ms = 300,
                                     .retry_first_ms = 1};
    broker_free(STEAL(fixture.broker));
    assert_int_equal(broker_new(&options, &fixture.broker, &err), 0);
    int64_t began_ms = clock_monotonic_ms();
    fixture_ask(&fixture, &question, "GET", "/ok", NULL);
    assert_true(clock_monotonic_ms() - began_ms < HANG_MS / 2);
    assert_int_equal(answered, 0);
    assert_int_equal(question.request.outcome, SNEK_E_TIMEOUT);
    assert_false(question.request.sent);
    assert_non_null(strstr(question.request.error.text, "Resolving timed out"));
    broker_request_finish(&question.request);
    broker_free(STEAL(fixture.broker)); /* nor the end */
    assert_true(clock_monotonic_ms() - began_ms < HANG_MS / 2);
    released = true;
    /* Libcurl's threads still use what they were given. */
    while (answered < asked) {
        (void)usleep(5000);
    }
    fixture_stop(&fixture);
    free(fixture.log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_resolver_blocks_the_broker_for_one_request_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
