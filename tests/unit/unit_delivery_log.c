/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* maintenance/delivery_log: what GitHub's list of deliveries says, and what is no such list. */
#include "unit.h"

#include "maintenance/delivery_log.h"

#include <stdlib.h>

static struct buffer text(const char *content) {
    struct buffer buffer = BUFFER_INIT(1 << 20);
    assert_int_equal(buffer_append_text(&buffer, content), 0);
    return buffer;
}

static struct delivery_log_page *read_page(const char *headers_text, const char *body_text,
                                           struct error *err) {
    AUTO_BUFFER struct buffer headers = text(headers_text);
    AUTO_BUFFER struct buffer body = text(body_text);
    return delivery_log_read(&headers, &body, err);
}

static void times_are_read_with_and_without_fractions(void **state) {
    (void)state;
    int64_t ms;
    assert_int_equal(delivery_log_read_time("2019-06-03T00:57:16Z", &ms), 0);
    assert_int_equal(ms, 1559523436000);
    assert_int_equal(delivery_log_read_time("2019-06-03T00:57:16.789Z", &ms), 0);
    assert_int_equal(ms, 1559523436000);
    static const char *const bad[] = {"", "2019-06-03", "2019-06-03T00:57:16", "yesterday",
                                      "2019-06-03T00:57:16Zz"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(delivery_log_read_time(bad[i], &ms), -1);
    }
}

static void entries_are_read_and_the_clock_is_githubs(void **state) {
    (void)state;
    struct error err;
    struct delivery_log_page *page = read_page(
        "date: Mon, 03 Jun 2019 01:00:00 GMT\nlink: <https://a/2>; rel=\"next\"\n",
        "[{\"id\": 9007199254740993, \"guid\": \"g1\", \"delivered_at\":"
        " \"2019-06-03T00:57:16Z\", \"status_code\": 502, \"event\": \"issues\","
        " \"action\": \"opened\", \"more\": [1], \"redelivery\": true, \"installation_id\": 77},"
        " {\"id\": 2, \"guid\": \"\", \"delivered_at\": \"2019-06-03T00:57:16Z\","
        " \"event\": \"ping\"},"
        " {\"id\": 3, \"guid\": \"g3\", \"delivered_at\": \"2019-06-03T00:57:15Z\","
        " \"event\": \"ping\", \"action\": null, \"status_code\": 200}]",
        &err);
    assert_non_null(page);
    assert_int_equal(page->n_entries, 2);
    assert_true(page->entries[0].id == 9007199254740993);
    assert_string_equal(page->entries[0].event, "issues");
    assert_string_equal(page->entries[0].action, "opened");
    assert_int_equal(page->entries[0].status, 502);
    assert_true(page->entries[0].redelivery);
    assert_int_equal(page->entries[0].installation, 77);
    assert_false(page->entries[1].redelivery);
    assert_int_equal(page->entries[1].installation, 0);
    assert_string_equal(page->guids[1], "g3");
    assert_string_equal(page->entries[1].event, "ping");
    assert_string_equal(page->entries[1].action, "");
    assert_int_equal(page->now_ms - page->entries[0].delivered_ms, 164000);
    assert_string_equal(page->next_url, "https://a/2");
    delivery_log_free(page);
}

static void odd_rows_are_left_out(void **state) {
    (void)state;
    struct error err;
    struct delivery_log_page *page =
        read_page("",
                  "[{\"id\": 0, \"guid\": \"a\", \"delivered_at\": \"2019-06-03T00:57:16Z\","
                  " \"event\": \"ping\"},"
                  " {\"id\": -5, \"guid\": \"b\", \"delivered_at\": \"2019-06-03T00:57:16Z\","
                  " \"event\": \"ping\"},"
                  " {\"id\": 7, \"guid\": \"c\", \"delivered_at\": \"2019-06-03T00:57:16Z\","
                  " \"event\": \"snekomatic.timer\"},"
                  " {\"id\": 8, \"guid\": \"d\", \"delivered_at\": \"2019-06-03T00:57:16Z\","
                  " \"event\": \"ping\"}]",
                  &err);
    assert_non_null(page);
    assert_int_equal(page->n_entries, 1);
    assert_int_equal(page->entries[0].id, 8);
    delivery_log_free(page);
}

static void anything_but_a_list_of_deliveries_is_an_error(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "{}",
        "[1]",
        "[{\"id\": 1}]",
        ("[{\"id\": \"1\", \"guid\": \"g\", \"delivered_at\": \"2019-06-03T00:57:16Z\","
         " \"event\": \"ping\"}]"),
        "[{\"id\": 1, \"guid\": \"g\", \"delivered_at\": \"soon\", \"event\": \"ping\"}]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = {.text = ""};
        assert_null(read_page("", bad[i], &err));
        assert_non_null(strstr(err.text, "GET /app/hook/deliveries answered"));
    }
    struct error err;
    struct delivery_log_page *page = read_page("", "[]", &err);
    assert_non_null(page);
    assert_int_equal(page->n_entries, 0);
    assert_null(page->next_url);
    delivery_log_free(page);
}

static void one_bad_row_does_not_hide_the_others(void **state) {
    (void)state;
    struct error err;
    struct delivery_log_page *page =
        read_page("",
                  "[{\"id\": 1}, {\"id\": 2, \"guid\": \"g2\", \"delivered_at\":"
                  " \"2019-06-03T00:57:16Z\", \"event\": \"ping\", \"status_code\": null,"
                  " \"redelivery\": null}, 7]",
                  &err);
    assert_non_null(page);
    assert_int_equal(page->n_entries, 1);
    assert_string_equal(page->guids[0], "g2");
    assert_int_equal(page->entries[0].status, 0);
    assert_false(page->entries[0].redelivery);
    delivery_log_free(page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_with_and_without_fractions),
        cmocka_unit_test(entries_are_read_and_the_clock_is_githubs),
        cmocka_unit_test(odd_rows_are_left_out),
        cmocka_unit_test(anything_but_a_list_of_deliveries_is_an_error),
        cmocka_unit_test(one_bad_row_does_not_hide_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
