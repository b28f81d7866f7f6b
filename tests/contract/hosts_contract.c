/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about the hosts that run, and what they are asked. */
#include "inbox_contract.h"

#include "inbox/hosts.h"

#include <string.h>

/* Expects that the host is asked for this. */
static void report(struct fixture *fixture, const char *name, bool write, const char *salt,
                   const char *fingerprints, const char *asked) {
    struct inbox_host_seen seen = {.operation = {.kind = INBOX_HOST_SEEN},
                                   .write = write,
                                   .name = name,
                                   .salt = salt,
                                   .fingerprints = fingerprints,
                                   .now_ms = FIXTURE_NOW,
                                   .asked = "not set"};
    assert_int_equal(fixture_do(fixture, &seen.operation), 0);
    assert_string_equal(seen.asked, asked);
}

/* Each column but the age, which depends on the store's clock. */
static void expect(struct fixture *fixture, const char *ask, const char *wanted) {
    char seen[512] = "";
    struct inbox_hosts hosts = {.operation = {.kind = INBOX_HOSTS},
                                .ask = ask,
                                .now_ms = FIXTURE_NOW,
                                .list = BUFFER_INIT(4096)};
    assert_int_equal(fixture_do(fixture, &hosts.operation), 0);
    char *rest = hosts.list.data;
    for (char *line; rest && (line = strsep(&rest, "\n")) && *line;) {
        const char *name = strsep(&line, "\t"), *age = strsep(&line, "\t");
        assert_true(strtoll(age, NULL, 10) >= 0 && strtoll(age, NULL, 10) < 60000);
        snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s:%s;", name, line);
    }
    assert_string_equal(seen, wanted);
    buffer_finish(&hosts.list);
}

static void hosts_are_listed_while_they_run(void **state) {
    struct fixture *fixture = *state;
    expect(fixture, NULL, "");
    report(fixture, "a", true, "", "", "");
    report(fixture, "b", true, "", "", "");
    report(fixture, "c", false, "", "", "");
    expect(fixture, NULL, "a:\t;b:\t;");
    struct inbox_host_seen gone = {
        .operation = {.kind = INBOX_HOST_SEEN}, .gone = true, .name = "a"};
    assert_int_equal(fixture_do(fixture, &gone.operation), 0);
    expect(fixture, NULL, "b:\t;");
}

static void a_question_reaches_every_host_and_ends(void **state) {
    struct fixture *fixture = *state;
    report(fixture, "a", true, "", "", "");
    expect(fixture, "5a17", "a:\t;");
    report(fixture, "a", false, "", "", "5a17");
    report(fixture, "b", true, "", "", "5a17");
    report(fixture, "a", true, "5a17", "f1,f2", "5a17");
    expect(fixture, NULL, "a:5a17\tf1,f2;b:\t;");
    expect(fixture, "", "a:5a17\tf1,f2;b:\t;");
    report(fixture, "a", true, "", "", "");
    expect(fixture, NULL, "a:\t;b:\t;");
}

static void an_old_question_counts_no_more(void **state) {
    struct fixture *fixture = *state;
    report(fixture, "a", true, "", "", "");
    expect(fixture, "5a17", "a:\t;");
    fixture->store->query(fixture->place, "UPDATE secret_checks SET asked_ms = asked_ms - 600001 "
                                          "RETURNING 1");
    report(fixture, "a", false, "", "", "");
}

static void a_host_that_was_silent_for_a_day_is_forgotten(void **state) {
    struct fixture *fixture = *state;
    report(fixture, "a", true, "", "", "");
    fixture->store->query(fixture->place, "UPDATE hosts SET seen_ms = seen_ms - 86400001 "
                                          "RETURNING 1");
    report(fixture, "b", true, "", "", "");
    expect(fixture, NULL, "b:\t;");
}

size_t contract_host_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest all[] = {
        CONTRACT(hosts_are_listed_while_they_run),
        CONTRACT(a_question_reaches_every_host_and_ends),
        CONTRACT(an_old_question_counts_no_more),
        CONTRACT(a_host_that_was_silent_for_a_day_is_forgotten),
    };
    memcpy(tests, all, sizeof all);
    return sizeof all / sizeof *all;
}
