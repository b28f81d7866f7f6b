/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* protocol/explained: the frame of an untrusted worker is checked, and each verdict has a sentence;
 * dispatch/explain: the host's own reasons come in their order. */
#include "unit.h"

#include "dispatch/explain.h"
#include "protocol/explained.h"

#include <string.h>

struct sample {
    uint64_t n_items, kind, verdict;
    size_t name_bytes;
    bool left_over;
};

static int parse(const struct sample *sample, struct explained **items, size_t *n_items) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(1 << 20);
    char name[1000];
    struct frame_writer writer;
    struct frame_reader reader;
    memset(name, 'n', sizeof name);
    frame_begin(&writer, &buffer, FRAME_EXPLAINED, 1, 0);
    frame_put_number(&writer, sample->n_items);
    frame_put_number(&writer, sample->kind);
    frame_put_bytes(&writer, name, sample->name_bytes);
    frame_put_number(&writer, sample->verdict);
    frame_put_text(&writer, "pull_request.merged = true");
    frame_put_text(&writer, "fa\x1b[31mlse");
    if (sample->left_over) {
        frame_put_number(&writer, 1);
    }
    assert_int_equal(frame_end(&writer), 0);
    frame_read_begin(&reader, buffer.data + sizeof(struct frame_head),
                     buffer.bytes - sizeof(struct frame_head));
    return explained_parse(&reader, items, n_items);
}

static void an_explanation_is_read_without_control_characters(void **state) {
    (void)state;
    struct explained *items = NULL;
    size_t n_items = 0;
    char sentence[EXPLAINED_SENTENCE_MAX + 1];
    const struct sample good = {1, EXPLAINED_SUBSCRIPTION, EXPLAINED_FILTER, 5, false};
    assert_int_equal(parse(&good, &items, &n_items), 0);
    assert_int_equal(n_items, 1);
    assert_string_equal(items[0].name, "nnnnn");
    explained_sentence(&items[0], sentence);
    assert_string_equal(sentence, "its filter pull_request.merged = true does not match: the "
                                  "payload has fa?[31mlse");
    free(items);
}

static void a_malformed_explanation_is_rejected(void **state) {
    (void)state;
    static const struct sample cases[] = {
        {2, EXPLAINED_COMMAND, EXPLAINED_ROLE, 5, false},
        {UINT64_MAX, EXPLAINED_COMMAND, EXPLAINED_ROLE, 5, false},
        {EXPLAINED_ITEMS_MAX + 1, EXPLAINED_COMMAND, EXPLAINED_ROLE, 5, false},
        {1, EXPLAINED_KINDS, EXPLAINED_ROLE, 5, false},
        {1, EXPLAINED_COMMAND, EXPLAINED_VERDICTS, 5, false},
        {1, EXPLAINED_COMMAND, EXPLAINED_ROLE, 999, false},
        {1, EXPLAINED_COMMAND, EXPLAINED_ROLE, 5, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct explained *items = NULL;
        size_t n_items = 0;
        assert_int_equal(parse(&cases[i], &items, &n_items), -1);
        assert_null(items);
    }
}

static void each_verdict_has_a_name_and_a_sentence_of_its_own(void **state) {
    (void)state;
    char sentences[EXPLAINED_VERDICTS][EXPLAINED_SENTENCE_MAX + 1];
    for (int i = 0; i < EXPLAINED_VERDICTS; i++) {
        struct explained item = {.verdict = i, .condition = "wanted", .saw = "seen"};
        explained_sentence(&item, sentences[i]);
        assert_true(strlen(explained_verdict_name(item.verdict)) > 0);
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(sentences[i], sentences[k]);
        }
    }
}

static void the_first_reason_of_the_host_is_given(void **state) {
    (void)state;
    char *installations[] = {"7", NULL}, *repositories[] = {"octo/*", NULL};
    struct config_plugin plugin = {
        .enabled = true, .installations = installations, .repositories = repositories};
    struct described_subscription subscription = {.event = "push", .action = "", .filters = ""};
    struct description description = {.subscriptions = &subscription, .n_subscriptions = 1};
    struct explain_delivery delivery = {
        .guid = "g", .event = "push", .action = "", .installation = "7", .repository = "octo/cat"};
    char sentence[EXPLAIN_SENTENCE_MAX + 1];
    assert_int_equal(explain_host_reason(&plugin, &description, &delivery), EXPLAIN_ROUTED);
    delivery.event = "issues";
    delivery.action = "opened";
    assert_int_equal(explain_host_reason(&plugin, &description, &delivery), EXPLAIN_EVENT);
    explain_host_sentence(EXPLAIN_EVENT, &delivery, sentence);
    assert_string_equal(sentence, "the plugin subscribes to no event issues.opened, and reads no "
                                  "command in it");
    struct described_command command = {.name = "ping"};
    description.commands = &command;
    description.n_commands = 1;
    /* The payload was pruned. */
    assert_int_equal(explain_host_reason(&plugin, &description, &delivery), EXPLAIN_ROUTED);
    delivery.payload = "{\"body\":\"pong\"}";
    delivery.payload_bytes = strlen(delivery.payload);
    assert_int_equal(explain_host_reason(&plugin, &description, &delivery), EXPLAIN_COMMAND);
    delivery.payload = "{\"body\":\"/ping\"}";
    delivery.payload_bytes = strlen(delivery.payload);
    assert_int_equal(explain_host_reason(&plugin, &description, &delivery), EXPLAIN_ROUTED);
    delivery.repository = "other/cat";
    assert_int_equal(explain_host_reason(&plugin, &description, &delivery), EXPLAIN_REPOSITORY);
    delivery.installation = "8";
    assert_int_equal(explain_host_reason(&plugin, &description, &delivery), EXPLAIN_INSTALLATION);
    delivery.installation = "";
    assert_int_equal(explain_host_reason(&plugin, &description, &delivery),
                     EXPLAIN_NO_INSTALLATION);
    assert_int_equal(explain_host_reason(&plugin, NULL, &delivery), EXPLAIN_NOT_LOADED);
    plugin.enabled = false;
    assert_int_equal(explain_host_reason(&plugin, NULL, &delivery), EXPLAIN_DISABLED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_explanation_is_read_without_control_characters),
        cmocka_unit_test(a_malformed_explanation_is_rejected),
        cmocka_unit_test(each_verdict_has_a_name_and_a_sentence_of_its_own),
        cmocka_unit_test(the_first_reason_of_the_host_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
