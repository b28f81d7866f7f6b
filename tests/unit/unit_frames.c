/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* protocol/frames: what is written is read, and a frame that lies is found out. */
#include "unit.h"

#include "protocol/frames.h"

static void build(struct buffer *buffer) {
    struct frame_writer writer;
    frame_begin(&writer, buffer, FRAME_LOG, 7, 9);
    frame_put_number(&writer, 42);
    frame_put_text(&writer, "snakes");
    assert_int_equal(frame_end(&writer), 0);
}

static void what_is_written_is_read(void **state) {
    (void)state;
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(1024);
    build(&buffer);
    struct frame_head head;
    memcpy(&head, buffer.data, sizeof head);
    assert_int_equal(head.kind, FRAME_LOG);
    assert_int_equal(head.run, 7);
    assert_int_equal(head.request, 9);
    assert_int_equal(head.body_bytes, buffer.bytes - sizeof head);
    struct frame_reader reader;
    frame_read_begin(&reader, buffer.data + sizeof head, head.body_bytes);
    assert_int_equal(frame_get_number(&reader), 42);
    struct frame_text text = frame_get_text(&reader, 6);
    assert_int_equal(text.bytes, 6);
    assert_memory_equal(text.data, "snakes", 6);
    assert_int_equal(frame_read_end(&reader), 0);
}

static void every_truncation_is_found_out(void **state) {
    (void)state;
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(1024);
    build(&buffer);
    size_t body_bytes = buffer.bytes - sizeof(struct frame_head);
    for (size_t bytes = 0; bytes < body_bytes; bytes++) {
        struct frame_reader reader;
        frame_read_begin(&reader, buffer.data + sizeof(struct frame_head), bytes);
        (void)frame_get_number(&reader);
        (void)frame_get_text(&reader, 100);
        assert_int_equal(frame_read_end(&reader), -1);
    }
}

static void a_text_past_its_maximum_and_bytes_left_over_are_rejected(void **state) {
    (void)state;
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(1024);
    build(&buffer);
    const char *body = buffer.data + sizeof(struct frame_head);
    size_t body_bytes = buffer.bytes - sizeof(struct frame_head);
    struct frame_reader reader;
    frame_read_begin(&reader, body, body_bytes);
    (void)frame_get_number(&reader);
    (void)frame_get_text(&reader, 5);
    assert_int_equal(frame_read_end(&reader), -1);
    frame_read_begin(&reader, body, body_bytes);
    (void)frame_get_number(&reader);
    assert_int_equal(frame_read_end(&reader), -1);
}

static void a_frame_past_the_buffers_maximum_leaves_the_earlier_ones(void **state) {
    (void)state;
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(64);
    build(&buffer);
    size_t before = buffer.bytes;
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_LOG, 1, 1);
    frame_put_text(&writer, "more than there is room for in sixty-four bytes");
    assert_int_equal(frame_end(&writer), -1);
    assert_int_equal(buffer.bytes, before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_truncation_is_found_out),
        cmocka_unit_test(a_text_past_its_maximum_and_bytes_left_over_are_rejected),
        cmocka_unit_test(a_frame_past_the_buffers_maximum_leaves_the_earlier_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
