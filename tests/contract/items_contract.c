/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about the plugins' sets and keys, and about the
 * original bot's table. */
#include "inbox_contract.h"

static struct inbox_plugin_state item_of(enum inbox_kind kind, const char *plugin,
                                         const char *scope, const char *set, const char *name) {
    return (struct inbox_plugin_state){
        .operation = {.kind = kind}, .plugin = plugin, .scope = scope, .set = set, .name = name};
}

static int item(struct fixture *fixture, enum inbox_kind kind, const char *plugin,
                const char *scope, const char *set, const char *name) {
    struct inbox_plugin_state operation = item_of(kind, plugin, scope, set, name);
    int result = fixture_do(fixture, &operation.operation);
    if (kind == INBOX_KEY_GET && result == 1) {
        buffer_finish(&operation.value);
    }
    return result;
}

static int put_key(struct fixture *fixture, const char *scope, const char *name, const void *value,
                   size_t bytes) {
    struct inbox_plugin_state operation = item_of(INBOX_KEY_PUT, "invite", scope, NULL, name);
    operation.value_in = value;
    operation.value_in_bytes = bytes;
    return fixture_do(fixture, &operation.operation);
}

static void expect_key(struct fixture *fixture, const char *scope, const char *name,
                       const void *value, size_t bytes) {
    struct inbox_plugin_state operation = item_of(INBOX_KEY_GET, "invite", scope, NULL, name);
    /* The store overwrites it. */
    operation.value.data = (char *)1;
    assert_int_equal(fixture_do(fixture, &operation.operation), 1);
    assert_int_equal(operation.value.bytes, bytes);
    if (bytes > 0) {
        assert_memory_equal(operation.value.data, value, bytes);
    }
    buffer_finish(&operation.value);
}

static void a_set_says_what_was_added_and_what_changed(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(item(fixture, INBOX_SET_HAS, "invite", "7", "s", "mona"), 0);
    assert_int_equal(item(fixture, INBOX_SET_ADD, "invite", "7", "s", "mona"), 1);
    assert_int_equal(item(fixture, INBOX_SET_ADD, "invite", "7", "s", "mona"), 0);
    assert_int_equal(item(fixture, INBOX_SET_HAS, "invite", "7", "s", "mona"), 1);
    assert_int_equal(item(fixture, INBOX_SET_REMOVE, "invite", "7", "s", "mona"), 1);
    assert_int_equal(item(fixture, INBOX_SET_REMOVE, "invite", "7", "s", "mona"), 0);
    assert_int_equal(item(fixture, INBOX_SET_HAS, "invite", "7", "s", "mona"), 0);
}

static void sets_are_a_plugins_own_and_a_scopes_own(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(item(fixture, INBOX_SET_ADD, "invite", "7", "s", "mona"), 1);
    assert_int_equal(item(fixture, INBOX_SET_HAS, "ping", "7", "s", "mona"), 0);
    assert_int_equal(item(fixture, INBOX_SET_HAS, "invite", "8", "s", "mona"), 0);
    assert_int_equal(item(fixture, INBOX_SET_HAS, "invite", "", "s", "mona"), 0);
    assert_int_equal(item(fixture, INBOX_SET_HAS, "invite", "7", "t", "mona"), 0);
    assert_int_equal(item(fixture, INBOX_SET_HAS, "invite", "7", "s", "Mona"), 0);
}

static void a_key_keeps_its_last_value_byte_by_byte(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(item(fixture, INBOX_KEY_GET, "invite", "", NULL, "k"), 0);
    assert_int_equal(put_key(fixture, "", "k", "first", 5), 0);
    assert_int_equal(put_key(fixture, "", "k", "a\0\xFF", 3), 0);
    expect_key(fixture, "", "k", "a\0\xFF", 3);
    assert_int_equal(put_key(fixture, "", "k", NULL, 0), 0);
    expect_key(fixture, "", "k", "", 0);
    assert_int_equal(put_key(fixture, "7", "k", "other", 5), 0);
    expect_key(fixture, "", "k", "", 0);
    assert_int_equal(item(fixture, INBOX_KEY_GET, "ping", "7", NULL, "k"), 0);
    assert_int_equal(item(fixture, INBOX_KEY_DELETE, "invite", "", NULL, "k"), 1);
    assert_int_equal(item(fixture, INBOX_KEY_DELETE, "invite", "", NULL, "k"), 0);
    assert_int_equal(item(fixture, INBOX_KEY_GET, "invite", "", NULL, "k"), 0);
    expect_key(fixture, "7", "k", "other", 5);
}

static int put_within(struct fixture *fixture, const char *name, size_t bytes, int64_t quota) {
    static const char zeros[1000];
    struct inbox_plugin_state operation = item_of(INBOX_KEY_PUT, "invite", "7", NULL, name);
    operation.value_in = zeros;
    operation.value_in_bytes = bytes;
    operation.quota_bytes = quota;
    return fixture_do(fixture, &operation.operation);
}

static int add_within(struct fixture *fixture, const char *plugin, const char *name,
                      int64_t quota) {
    struct inbox_plugin_state operation = item_of(INBOX_SET_ADD, plugin, "7", "s", name);
    operation.quota_bytes = quota;
    return fixture_do(fixture, &operation.operation);
}

static int64_t used_bytes(struct fixture *fixture) {
    return fixture->store->query(fixture->place,
                                 "SELECT bytes FROM plugin_usage WHERE plugin = 'invite'");
}

static void the_bytes_of_sets_and_keys_are_counted_as_they_change(void **state) {
    struct fixture *fixture = *state;
    /* The item itself, "7", "s", "mona". */
    assert_int_equal(add_within(fixture, "invite", "mona", 0), 1);
    assert_int_equal(used_bytes(fixture), 70);
    assert_int_equal(add_within(fixture, "invite", "mona", 0), 0);
    assert_int_equal(used_bytes(fixture), 70);
    assert_int_equal(put_within(fixture, "k", 100, 0), 0);
    assert_int_equal(used_bytes(fixture), 70 + 166);
    assert_int_equal(put_within(fixture, "k", 40, 0), 0);
    assert_int_equal(used_bytes(fixture), 70 + 106);
    assert_int_equal(put_within(fixture, "k", 41, 0), 0);
    assert_int_equal(used_bytes(fixture), 70 + 107);
    assert_int_equal(item(fixture, INBOX_KEY_DELETE, "invite", "7", NULL, "other"), 0);
    assert_int_equal(item(fixture, INBOX_KEY_DELETE, "invite", "7", NULL, "k"), 1);
    assert_int_equal(used_bytes(fixture), 70);
    assert_int_equal(item(fixture, INBOX_SET_REMOVE, "invite", "7", "s", "lisa"), 0);
    assert_int_equal(item(fixture, INBOX_SET_REMOVE, "invite", "7", "s", "mona"), 1);
    assert_int_equal(used_bytes(fixture), 0);
}

static void what_does_not_fit_into_the_quota_is_not_written(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(put_within(fixture, "k", 100, 236), 0);
    assert_int_equal(add_within(fixture, "invite", "mona", 235), INBOX_PLUGIN_STATE_FULL);
    assert_int_equal(item(fixture, INBOX_SET_HAS, "invite", "7", "s", "mona"), 0);
    assert_int_equal(add_within(fixture, "invite", "mona", 236), 1);
    /* An entry that is there needs no room. */
    assert_int_equal(add_within(fixture, "invite", "mona", 236), 0);
    assert_int_equal(put_within(fixture, "l", 0, 236), INBOX_PLUGIN_STATE_FULL);
    assert_int_equal(put_within(fixture, "k", 101, 236), INBOX_PLUGIN_STATE_FULL);
    assert_int_equal(used_bytes(fixture), 236);
    /* A plugin over its quota, because it was lowered, can shrink. */
    assert_int_equal(put_within(fixture, "k", 99, 10), 0);
    assert_int_equal(put_within(fixture, "k", 100, 236), 0);
    /* Each plugin has its own. */
    assert_int_equal(add_within(fixture, "ping", "mona", 70), 1);
    assert_int_equal(item(fixture, INBOX_SET_REMOVE, "invite", "7", "s", "mona"), 1);
    assert_int_equal(put_within(fixture, "l", 4, 236), 0);
}

static void a_change_that_does_not_fit_leaves_no_record(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_record change = {.number = 1,
                                  .kind = INBOX_CHANGE,
                                  .state = INBOX_COMPLETED,
                                  .method = (char *)(uintptr_t) "set_add",
                                  .url = (char *)(uintptr_t) "mona"};
    const struct inbox_record *records[] = {&change};
    struct inbox_plugin_state operation = item_of(INBOX_SET_ADD, "invite", "7", "s", "mona");
    operation.writer = writer_of(&run, records, 1);
    operation.quota_bytes = 69;
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_PLUGIN_STATE_FULL);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM journal"), 0);
    operation.quota_bytes = 70;
    assert_int_equal(fixture_do(fixture, &operation.operation), 1);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM journal"), 1);
    assert_int_equal(used_bytes(fixture), 70);
    inbox_run_finish(&run);
}

static int64_t bot_user(struct fixture *fixture, enum inbox_kind kind, const char *app,
                        int64_t user) {
    struct inbox_bot_user operation = {.operation = {.kind = kind}, .app = app, .user = user};
    assert_int_equal(fixture_do(fixture, &operation.operation), 0);
    return operation.user;
}

static void the_id_of_the_bot_user_is_kept_for_each_app(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(bot_user(fixture, INBOX_BOT_USER_GET, "https://a 1", 9), 0);
    assert_int_equal(bot_user(fixture, INBOX_BOT_USER_PUT, "https://a 1", 77), 77);
    assert_int_equal(bot_user(fixture, INBOX_BOT_USER_PUT, "https://a 2", 78), 78);
    fixture_close(fixture);
    fixture_open(fixture, FIXTURE_NOW);
    assert_int_equal(bot_user(fixture, INBOX_BOT_USER_GET, "https://a 1", 0), 77);
    assert_int_equal(bot_user(fixture, INBOX_BOT_USER_PUT, "https://a 1", 79), 79);
    assert_int_equal(bot_user(fixture, INBOX_BOT_USER_GET, "https://a 1", 0), 79);
    assert_int_equal(bot_user(fixture, INBOX_BOT_USER_GET, "https://a 2", 0), 78);
}

static int reserve(struct fixture *fixture, const char *plugin, const char *scope, const char *name,
                   int64_t run) {
    struct inbox_plugin_state operation = item_of(INBOX_RESERVE, plugin, scope, NULL, name);
    operation.writer.run = run;
    return fixture_do(fixture, &operation.operation);
}

static void a_name_is_reserved_until_its_run_has_ended(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run first = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_run second = fixture_put_and_claim(fixture, "guid-2");
    assert_int_equal(reserve(fixture, "invite", "7", "c", first.id), 1);
    assert_int_equal(reserve(fixture, "invite", "7", "c", second.id), 0);
    /* Its retry has it still. */
    assert_int_equal(reserve(fixture, "invite", "7", "c", first.id), 1);
    assert_int_equal(reserve(fixture, "invite", "7", "d", second.id), 1);
    assert_int_equal(reserve(fixture, "invite", "8", "c", second.id), 1);
    assert_int_equal(reserve(fixture, "ping", "7", "c", second.id), 1);
    struct inbox_finish retried = finish_of(&first, INBOX_RETRY);
    assert_int_equal(fixture_do(fixture, &retried.operation), 0);
    assert_int_equal(reserve(fixture, "invite", "7", "c", second.id), 0);
    struct inbox_run again = fixture_claim_one(fixture);
    struct inbox_finish done = finish_of(&again, INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &done.operation), 0);
    assert_int_equal(reserve(fixture, "invite", "7", "c", second.id), 1);
    assert_int_equal(reserve(fixture, "invite", "7", "c", first.id), 0);
    struct inbox_finish dead = finish_of(&second, INBOX_DEAD);
    assert_int_equal(fixture_do(fixture, &dead.operation), 0);
    assert_int_equal(reserve(fixture, "invite", "7", "c", first.id), 1);
    inbox_run_finish(&first);
    inbox_run_finish(&second);
    inbox_run_finish(&again);
}

/* A plugin may send the frame itself, as often as it likes. */
static void a_run_reserves_only_so_many_names(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run first = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_run second = fixture_put_and_claim(fixture, "guid-2");
    char sql[400];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE s (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM s WHERE i < %d)"
             " INSERT INTO reservations (plugin, scope, name, run)"
             " SELECT 'invite', '7', 'name ' || i, %lld FROM s",
             INBOX_RESERVATIONS_MAX, (long long)first.id);
    (void)fixture->store->query(fixture->place, sql);
    assert_int_equal(reserve(fixture, "invite", "7", "last", first.id), 1);
    assert_int_equal(reserve(fixture, "invite", "7", "more", first.id), INBOX_PLUGIN_STATE_FULL);
    /* A retry of the run reserves again what it has. */
    assert_int_equal(reserve(fixture, "invite", "7", "last", first.id), 1);
    assert_int_equal(reserve(fixture, "invite", "7", "name 2", first.id), 1);
    assert_int_equal(reserve(fixture, "invite", "7", "more", second.id), 1);
    assert_int_equal(reserve(fixture, "invite", "7", "last", second.id), 0);
    inbox_run_finish(&first);
    inbox_run_finish(&second);
}

static void sets_and_keys_last_when_the_store_is_opened_again(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(item(fixture, INBOX_SET_ADD, "invite", "7", "s", "mona"), 1);
    assert_int_equal(put_key(fixture, "7", "k", "value", 5), 0);
    fixture_close(fixture);
    fixture_open(fixture, FIXTURE_NOW);
    assert_int_equal(item(fixture, INBOX_SET_HAS, "invite", "7", "s", "mona"), 1);
    expect_key(fixture, "7", "k", "value", 5);
}

/* The commit of a change succeeded, and its result got lost: the host repeats it. */
static void a_repeated_change_has_the_result_of_the_first(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_record record = {.number = 1,
                                  .kind = INBOX_CHANGE,
                                  .state = INBOX_COMPLETED,
                                  .key = {1},
                                  .at_ms = FIXTURE_NOW,
                                  .method = (char *)(uintptr_t) "set_add",
                                  .url = (char *)(uintptr_t) "mona"};
    const struct inbox_record *records[] = {&record};
    static const enum inbox_kind kinds[] = {INBOX_SET_ADD, INBOX_SET_REMOVE};
    for (size_t i = 0; i < 2; i++) {
        record.number = (int64_t)i + 1;
        struct inbox_plugin_state change = item_of(kinds[i], "invite", "", "s", "mona");
        change.writer = writer_of(&run, records, 1);
        change.repeats = true;
        /* The first time there is no record. */
        assert_int_equal(fixture_do(fixture, &change.operation), 1);
        assert_int_equal(fixture_do(fixture, &change.operation), 1);
        change.repeats = false;
        assert_int_equal(fixture_do(fixture, &change.operation), 0);
    }
    inbox_run_finish(&run);
}

static void the_originals_database_is_adopted(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(item(fixture, INBOX_SET_HAS, "invite", "", "sent_invitation", "mona"), 0);
    fixture_close(fixture);
    /* The original bot's database has none of our tables yet. */
    fixture->store->remove(fixture->place);
    fixture->place = fixture->store->make();
    static const char *const original[] = {
        "CREATE TABLE alembic_version (version_num varchar(32) primary key)",
        "INSERT INTO alembic_version VALUES ('7e4b4bdc8ba1')",
        "CREATE TABLE persistent_set_sent_invitation (entry varchar primary key)",
        "INSERT INTO persistent_set_sent_invitation VALUES ('mona')"};
    for (size_t i = 0; i < sizeof original / sizeof *original; i++) {
        (void)fixture->store->query(fixture->place, original[i]);
    }
    for (int opening = 0; opening < 2; opening++) {
        fixture_open(fixture, FIXTURE_NOW);
        assert_int_equal(item(fixture, INBOX_SET_HAS, "invite", "", "sent_invitation", "mona"), 1);
        assert_int_equal(item(fixture, INBOX_SET_HAS, "other", "", "sent_invitation", "mona"), 1);
        assert_int_equal(item(fixture, INBOX_SET_HAS, "invite", "", "sent_invitation", "hubot"), 0);
        assert_int_equal(item(fixture, INBOX_SET_HAS, "invite", "7", "sent_invitation", "mona"), 0);
        assert_int_equal(item(fixture, INBOX_SET_HAS, "invite", "", "s", "mona"), 0);
        fixture_close(fixture);
    }
    fixture_open(fixture, FIXTURE_NOW);
    assert_int_equal(item(fixture, INBOX_SET_ADD, "invite", "", "sent_invitation", "hubot"), 1);
    assert_int_equal(item(fixture, INBOX_SET_HAS, "invite", "", "sent_invitation", "hubot"), 1);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM alembic_version"),
                     1);
    assert_int_equal(fixture->store->query(fixture->place,
                                           "SELECT count(*) FROM persistent_set_sent_invitation"),
                     1);
}

size_t contract_item_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest ours[] = {
        CONTRACT(a_set_says_what_was_added_and_what_changed),
        CONTRACT(sets_are_a_plugins_own_and_a_scopes_own),
        CONTRACT(a_key_keeps_its_last_value_byte_by_byte),
        CONTRACT(the_bytes_of_sets_and_keys_are_counted_as_they_change),
        CONTRACT(what_does_not_fit_into_the_quota_is_not_written),
        CONTRACT(a_change_that_does_not_fit_leaves_no_record),
        CONTRACT(the_id_of_the_bot_user_is_kept_for_each_app),
        CONTRACT(a_name_is_reserved_until_its_run_has_ended),
        CONTRACT(a_run_reserves_only_so_many_names),
        CONTRACT(sets_and_keys_last_when_the_store_is_opened_again),
        CONTRACT(a_repeated_change_has_the_result_of_the_first),
        CONTRACT(the_originals_database_is_adopted),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}
