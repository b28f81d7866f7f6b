/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* base: buffers, errors, secrets, log lines, mailboxes. */
#include "unit.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/secret.h"
#include "base/suggest.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void a_buffer_never_passes_its_maximum(void **state) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(10);
    assert_int_equal(buffer_append_text(&buffer, "0123456"), 0);
    assert_int_equal(buffer_append_text(&buffer, "789a"), -1);
    assert_string_equal(buffer.data, "0123456");
    assert_int_equal(buffer_append_text(&buffer, "789"), 0);
    assert_int_equal(buffer_reserve(&buffer, 11), -1);
    assert_string_equal(buffer.data, "0123456789");
}

static void reserved_characters_of_a_url_are_encoded(void **state) {
    (void)state;
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(100);
    assert_int_equal(buffer_append_encoded(&buffer, "aZ0-._~/ %\xC3\xA9", ""), 0);
    assert_string_equal(buffer.data, "aZ0-._~%2F%20%25%C3%A9");
    buffer.bytes = 0;
    assert_int_equal(buffer_append_encoded(&buffer, "a/b?", "/"), 0);
    assert_string_equal(buffer.data, "a/b%3F");
}

static void json_strings_are_escaped_and_repaired(void **state) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(100);
    assert_int_equal(buffer_append_json_string(&buffer, "a\"\\\n\xFF\xC3\xA9", 7), 0);
    assert_string_equal(buffer.data, "\"a\\\"\\\\\\u000a\xEF\xBF\xBD\xC3\xA9\"");
}

static void an_error_says_what_was_attempted_before_what_broke(void **state) {
    struct error err;
    assert_int_equal(error_set(&err, "no %s", "snakes"), -1);
    assert_int_equal(error_wrap(&err, "feeding"), -1);
    assert_string_equal(err.text, "feeding: no snakes");
    assert_false(err.transient);
    assert_int_equal(error_mark_transient(&err), -1);
    error_wrap(&err, "today");
    assert_true(err.transient);
    error_set(&err, "another");
    assert_false(err.transient);
}

static void a_scrubbed_variable_is_gone_from_memory_too(void **state) {
    static char entry[] = "SNEK_TEST_SECRET=hiss";
    assert_int_equal(putenv(entry), 0);
    secret_scrub_environment("SNEK_TEST_SECRET");
    assert_null(getenv("SNEK_TEST_SECRET"));
    assert_null(memmem(entry, sizeof entry, "hiss", 4));
}

static void capture(enum log_format format, const char *evil, char *line, size_t room) {
    int pipe_fds[2], out = dup(STDOUT_FILENO);
    assert_int_equal(pipe(pipe_fds), 0);
    dup2(pipe_fds[1], STDOUT_FILENO);
    clock_set_for_test(0, 1700000000123);
    log_setup(SNEK_LEVEL_INFO, format);
    log_event(SNEK_LEVEL_DEBUG, "hidden");
    log_event(SNEK_LEVEL_WARNING, "two words", LOG_TEXT("delivery", "abc"), LOG_TEXT("none", NULL),
              LOG_NUMBER("attempt", 2), LOG_TEXT("evil", evil));
    dup2(out, STDOUT_FILENO);
    ssize_t got = read(pipe_fds[0], line, room - 1);
    assert_true(got > 0);
    line[got] = '\0';
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    close(out);
}

static void a_log_line_is_one_line_whatever_it_is_given(void **state) {
    static const char evil[] = "x\nlevel=error \x1b[2J";
    char line[1024];
    capture(LOG_LOGFMT, evil, line, sizeof line);
    assert_string_equal(line, "time=2023-11-14T22:13:20.123Z level=warning msg=\"two words\" "
                              "delivery=abc attempt=2 "
                              "evil=\"x\\u000alevel=error \\u001b[2J\"\n");
    capture(LOG_JSON, evil, line, sizeof line);
    assert_string_equal(line, "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"warning\","
                              "\"msg\":\"two words\",\"delivery\":\"abc\",\"attempt\":2,"
                              "\"evil\":\"x\\u000alevel=error \\u001b[2J\"}\n");
}

static void what_steers_a_terminal_is_escaped_in_a_log_line(void **state) {
    static const struct {
        const char *text, *shown;
    } cases[] = {{"\xC2\x80|\xC2\x9B"
                  "2J|\xC2\x9F|\xC2\xA0",
                  "\\u0080|\\u009b2J|\\u009f|\xC2\xA0"},
                 {"\xE2\x80\xA7\xE2\x80\xA8\xE2\x80\xA9", "\xE2\x80\xA7\\u2028\\u2029"},
                 {"\xE2\x80\xAA\xE2\x80\xAE\xE2\x80\xAF", "\\u202a\\u202e\xE2\x80\xAF"},
                 {"a\xE2\x81\xA6\xE2\x81\xA9z", "a\\u2066\\u2069z"},
                 {"\xE2\x82\xAC \xF0\x9F\x90\x8D", "\xE2\x82\xAC \xF0\x9F\x90\x8D"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (enum log_format format = LOG_LOGFMT; format <= LOG_JSON; format++) {
            char line[1024], want[128];
            capture(format, cases[i].text, line, sizeof line);
            bool json = format == LOG_JSON;
            snprintf(want, sizeof want, "%s\"%s\"", json ? "\"evil\":" : " evil=", cases[i].shown);
            assert_non_null(strstr(line, want));
        }
    }
}

static int opened[3], n_opened;
static struct mail mails[3];

static void open_mail(struct mail *mail) {
    opened[n_opened++] = (int)(mail - mails);
}

static void mail_is_opened_once_and_in_order(void **state) {
    struct mailbox mailbox;
    assert_int_equal(mailbox_init(&mailbox), 0);
    for (int i = 0; i < 3; i++) {
        mails[i].open = open_mail;
        mailbox_post(&mailbox, &mails[i]);
    }
    assert_int_equal(mailbox_drain(&mailbox), 3);
    assert_int_equal(mailbox_drain(&mailbox), 0);
    assert_int_equal(n_opened, 3);
    assert_true(opened[0] == 0 && opened[1] == 1 && opened[2] == 2);
    mailbox_finish(&mailbox);
}

static void mail_that_is_posted_at_once_wakes_the_owner_once(void **state) {
    struct mailbox mailbox;
    struct mail_list list;
    eventfd_t wakes;
    assert_int_equal(mailbox_init(&mailbox), 0);
    TAILQ_INIT(&list);
    n_opened = 0;
    for (int i = 0; i < 3; i++) {
        mails[i].open = open_mail;
        TAILQ_INSERT_TAIL(&list, &mails[i], link);
    }
    mailbox_post_all(&mailbox, &list);
    assert_true(TAILQ_EMPTY(&list));
    assert_int_equal(eventfd_read(mailbox.event_fd, &wakes), 0);
    assert_int_equal(wakes, 1);
    assert_int_equal(mailbox_drain(&mailbox), 3);
    assert_true(opened[0] == 0 && opened[1] == 1 && opened[2] == 2);
    mailbox_finish(&mailbox);
}

static void a_slip_is_near_and_another_word_is_not(void **state) {
    static const struct {
        const char *name, *right;
        size_t distance;
        bool near;
    } cases[] = {{"send", "send", 0, true},      {"sned", "send", 1, true},
                 {"sendd", "send", 1, true},     {"end", "send", 1, true},
                 {"serve", "send", 3, false},    {"", "send", 4, false},
                 {"ab", "ba", 1, false},         {"deliverys", "deliveries", 2, true},
                 {"abcdef", "badcfe", 3, false}, {"server.drain", "server.drain_ms", 3, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(suggest_distance(cases[i].name, cases[i].right), cases[i].distance);
        assert_int_equal(suggest_distance(cases[i].right, cases[i].name), cases[i].distance);
        assert_int_equal(suggest_is_near(cases[i].name, cases[i].distance), cases[i].near);
    }
    char name[SUGGEST_NAME_MAX + 2];
    memset(name, 'x', sizeof name - 1);
    name[SUGGEST_NAME_MAX + 1] = '\0';
    assert_true(suggest_distance(name, "x") == SIZE_MAX);
    assert_false(suggest_is_near(name, SIZE_MAX));
    assert_true(suggest_distance(name + 1, "x") == SUGGEST_NAME_MAX - 1);
}

static void the_rest_of_a_pipe_is_read_up_to_the_maximum(void **state) {
    for (size_t max = 4; max < 6; max++) {
        int fds[2];
        struct error err;
        AUTO_BUFFER struct buffer text = BUFFER_INIT(max);
        assert_int_equal(pipe(fds), 0);
        assert_int_equal(io_write_full(fds[1], "snake", 5), 0);
        close(fds[1]);
        if (max == 4) {
            assert_int_equal(io_read_rest(fds[0], "the pipe", &text, &err), -1);
            assert_string_equal(err.text, "the pipe is larger than 4 bytes");
        } else {
            assert_int_equal(io_read_rest(fds[0], "the pipe", &text, &err), 0);
            assert_string_equal(text.data, "snake");
        }
        close(fds[0]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_never_passes_its_maximum),
        cmocka_unit_test(reserved_characters_of_a_url_are_encoded),
        cmocka_unit_test(json_strings_are_escaped_and_repaired),
        cmocka_unit_test(an_error_says_what_was_attempted_before_what_broke),
        cmocka_unit_test(a_scrubbed_variable_is_gone_from_memory_too),
        cmocka_unit_test(a_log_line_is_one_line_whatever_it_is_given),
        cmocka_unit_test(what_steers_a_terminal_is_escaped_in_a_log_line),
        cmocka_unit_test(mail_is_opened_once_and_in_order),
        cmocka_unit_test(mail_that_is_posted_at_once_wakes_the_owner_once),
        cmocka_unit_test(a_slip_is_near_and_another_word_is_not),
        cmocka_unit_test(the_rest_of_a_pipe_is_read_up_to_the_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
