/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* inbox/sqlite/schema: the comparison of a schema with the text of the migrations. */
#include "unit.h"

#include "base/array.h"
#include "inbox/sqlite/schema.h"

/* Otherwise each start would make a second schema to compare with. */
static void a_schema_as_it_was_written_is_recognised_by_its_text(void **state) {
    (void)state;
    static const struct {
        const char *sql;
        bool is_written;
    } steps[] = {
        {"VACUUM", true},
        {"CREATE TABLE alembic_version (version TEXT)", true},
        {"CREATE TABLE extra (a INTEGER)", false},
        {"DROP TABLE extra", true},
        {"DROP INDEX runs_dead", false},
        {"CREATE INDEX runs_dead ON runs (finished_ms) WHERE state = 'dead'", false},
        {"DROP INDEX runs_dead", false},
        {"CREATE INDEX runs_dead ON runs (finished_ms, id, plugin, state)\n WHERE state = 'dead'",
         true},
        {"CREATE VIEW extra AS SELECT 1", false},
        {"DROP VIEW extra", true},
        {"ALTER TABLE runs ADD COLUMN colour TEXT", false},
    };
    sqlite3 *db;
    struct error err;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_false(sqlite_has_written_schema(db));
    assert_int_equal(sqlite_migrate(db, 0, &err), 0);
    assert_true(sqlite_has_written_schema(db));
    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
        assert_int_equal(sqlite3_exec(db, steps[i].sql, NULL, NULL, NULL), SQLITE_OK);
        if (sqlite_has_written_schema(db) != steps[i].is_written) {
            fail_msg("after: %s", steps[i].sql);
        }
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schema_as_it_was_written_is_recognised_by_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
