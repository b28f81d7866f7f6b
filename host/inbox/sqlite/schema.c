/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The schema of the SQLite store: the check whether the file is snekomatic's, the migrations, and
 * the comparison of the file's schema with their text, or else with a schema that they make in
 * memory. */
#include "inbox/sqlite/schema.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "inbox/common/schema_version.h"
#include "inbox/sqlite/query.h"

#include <string.h>

/* "snek". It identifies the file to file(1) and to this host. */
#define APPLICATION_ID 0x736e656b

/* In order, without gaps: the n-th is version n. */
static const struct {
    const char *name, *sql;
} migrations[] = {
    {
        "0001_inbox",
#include "sqlite_0001_inbox.sql.inc"
    },
};
/* Of all together. */
#define MIGRATION_BYTES_MAX ((size_t)1 << 20)
#define N_MIGRATIONS ((int64_t)(sizeof migrations / sizeof *migrations))

/* The original bot's tables, which may be there and are left alone. */
#define NOT_OURS "('persistent_set_sent_invitation', 'alembic_version')"

static void finalize(sqlite3_stmt **statement) {
    sqlite3_finalize(*statement);
}
#define AUTO_STATEMENT CLEANUP(finalize)

static int prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement, struct error *err,
                   const char *what) {
    if (sqlite3_prepare_v2(db, sql, -1, statement, NULL) != SQLITE_OK) {
        return sqlite_error(db, err, what);
    }
    return 0;
}

/* The first row's number; 0 when there is no row, and after an error. */
static int read_number(sqlite3 *db, const char *sql, int64_t *number, struct error *err) {
    *number = 0;
    AUTO_STATEMENT sqlite3_stmt *statement = NULL;
    if (prepare(db, sql, &statement, err, "reading the schema") < 0) {
        return -1;
    }
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        return sqlite_error(db, err, "reading the schema");
    }
    if (code == SQLITE_ROW) {
        *number = sqlite3_column_int64(statement, 0);
    }
    return 0;
}

int sqlite_check_identity(sqlite3 *db, struct error *err) {
    int64_t id, strangers;
    if (read_number(db, "PRAGMA application_id", &id, err) < 0 ||
        read_number(db,
                    "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE"
                    " '\\' AND tbl_name NOT IN " NOT_OURS,
                    &strangers, err) < 0) {
        return -1;
    }
    if (id == APPLICATION_ID || (id == 0 && strangers == 0)) {
        return 0;
    }
    return error_set(err, "it is the database of another application; it was left as it is");
}

/* The newest migration that was applied; 0 none. */
static int read_version(sqlite3 *db, int64_t *version, struct error *err) {
    int64_t present, count;
    *version = 0;
    if (read_number(db,
                    "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
                    " AND name = 'schema_migrations'",
                    &present, err) < 0) {
        return -1;
    }
    if (!present) {
        return 0;
    }
    if (read_number(db, "SELECT max(version) FROM schema_migrations", version, err) < 0 ||
        read_number(db, "SELECT count(*) FROM schema_migrations", &count, err) < 0) {
        return -1;
    }
    return schema_version_check(*version, count, N_MIGRATIONS, err);
}

static int record(sqlite3 *db, int64_t version, int64_t now_ms, struct error *err) {
    AUTO_STATEMENT sqlite3_stmt *statement = NULL;
    if (prepare(db, "INSERT INTO schema_migrations (version, name, applied_ms) VALUES (?1, ?2, ?3)",
                &statement, err, "recording a migration") < 0) {
        return -1;
    }
    sqlite3_bind_int64(statement, 1, version);
    sqlite3_bind_text(statement, 2, migrations[version - 1].name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, now_ms);
    if (sqlite3_step(statement) != SQLITE_DONE) {
        return sqlite_error(db, err, "recording a migration");
    }
    return 0;
}

static int apply(sqlite3 *db, int64_t version, int64_t now_ms, struct error *err) {
    AUTO_FREE char *identify = NULL;
    if (asprintf(&identify, "PRAGMA application_id = %d", APPLICATION_ID) < 0) {
        identify = NULL;
        return error_set(err, "out of memory");
    }
    const char *const steps[] = {"BEGIN IMMEDIATE", migrations[version - 1].sql, identify};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (sqlite3_exec(db, steps[i], NULL, NULL, NULL) != SQLITE_OK) {
            return sqlite_error(db, err, migrations[version - 1].name);
        }
    }
    if (record(db, version, now_ms, err) < 0) {
        return -1;
    }
    if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        return sqlite_error(db, err, migrations[version - 1].name);
    }
    return 0;
}

int sqlite_migrate(sqlite3 *db, int64_t now_ms, struct error *err) {
    int64_t version;
    if (read_version(db, &version, err) < 0) {
        return -1;
    }
    while (version < N_MIGRATIONS) {
        version++;
        if (apply(db, version, now_ms, err) < 0) {
            sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* `err` tells the cause */
            return error_wrap(err, "migrating its schema");
        }
    }
    return 0;
}

int sqlite_check_schema(sqlite3 *db, struct error *err) {
    int64_t version;
    if (sqlite_check_identity(db, err) < 0 || read_version(db, &version, err) < 0) {
        return -1;
    }
    return version < N_MIGRATIONS ? 0 : sqlite_compare_schema(db, err);
}

int sqlite_check_version(sqlite3 *db, struct error *err) {
    int64_t version;
    return read_version(db, &version, err) < 0
               ? -1
               : schema_version_check_current(version, N_MIGRATIONS, err);
}

/* Lists every part of a schema as (place, definition), in order. It compares the statements without
 * white space, because both come from the same migrations. So it also finds differences that the
 * columns' rows do not show (checks, references, conflicts). Columns come first, because the first
 * difference names the place in the error. */
static const char describe[] =
    "WITH ours AS (SELECT * FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    "  AND tbl_name NOT IN " NOT_OURS ")"
    " SELECT 1, 'table ' || m.name || ', column ' || c.name, c.type ||"
    "  iif(c.\"notnull\", ' NOT NULL', '') || iif(c.pk, ' key ' || c.pk, '') ||"
    "  ifnull(' default ' || c.dflt_value, '')"
    "  FROM ours m, pragma_table_xinfo(m.name) c WHERE m.type = 'table'"
    " UNION ALL"
    " SELECT 2, type || ' ' || name, replace(replace(replace(replace("
    "  sql, ' ', ''), char(9), ''), char(10), ''), char(13), '') FROM ours"
    " ORDER BY 1, 2";

static const char *text(sqlite3_stmt *row, int column) {
    const char *value = (const char *)sqlite3_column_text(row, column);
    return value ? value : "";
}

/* Both at a row or at their end: the first difference into `err`; 0 none. */
static int compare_rows(sqlite3_stmt *is, bool has_is, sqlite3_stmt *should, bool has_should,
                        struct error *err) {
    int order = has_is ? -1 : 1;
    if (has_is && has_should) {
        order = sqlite3_column_int(is, 0) - sqlite3_column_int(should, 0);
    }
    if (order == 0) {
        order = strcmp(text(is, 1), text(should, 1));
    }
    if (order < 0) {
        return error_set(err, "%s: not expected", text(is, 1));
    }
    if (order > 0) {
        return error_set(err, "%s: missing", text(should, 1));
    }
    if (strcmp(text(is, 2), text(should, 2)) != 0) {
        return error_set(err, "%s: is \"%s\", expected \"%s\"", text(is, 1), text(is, 2),
                         text(should, 2));
    }
    return 0;
}

static int compare(sqlite3 *db, sqlite3 *reference, struct error *err) {
    AUTO_STATEMENT sqlite3_stmt *is = NULL;
    AUTO_STATEMENT sqlite3_stmt *should = NULL;
    if (prepare(db, describe, &is, err, "reading the schema") < 0 ||
        prepare(reference, describe, &should, err, "reading the schema") < 0) {
        return -1;
    }
    for (;;) {
        int code_is = sqlite3_step(is), code_should = sqlite3_step(should);
        if (code_is != SQLITE_ROW && code_is != SQLITE_DONE) {
            return sqlite_error(db, err, "reading the schema");
        }
        if (code_should != SQLITE_ROW && code_should != SQLITE_DONE) {
            return sqlite_error(reference, err, "reading the schema");
        }
        bool has_is = code_is == SQLITE_ROW, has_should = code_should == SQLITE_ROW;
        if (!has_is && !has_should) {
            return 0;
        }
        if (compare_rows(is, has_is, should, has_should, err) < 0) {
            return error_wrap(err, "its schema is not what this snekomatic expects");
        }
    }
}

/* SQLite keeps the text of each statement that created something, so most files have the
 * statements of the migrations as they are. Then nothing needs to be built and described, which
 * would take a quarter of the host's start. After an ALTER TABLE, for example, a text differs. */

#define SPACE " \t\n\r"

/* Appends ";STATEMENT" without white space for each statement that creates something, and at the
 * end another ";". Returns how many there are, or -1 without memory. */
static int append_creating(struct buffer *plain, const char *sql) {
    int n = 0, result = 0;
    for (sql += strspn(sql, SPACE); *sql; sql += strspn(sql, SPACE)) {
        if (strncmp(sql, "--", 2) == 0) {
            sql += strcspn(sql, "\n");
            continue;
        }
        bool creates = strncmp(sql, "CREATE ", 7) == 0;
        result |= creates ? buffer_append_text(plain, ";") : 0;
        while (*sql && *sql != ';') {
            size_t bytes = strcspn(sql, SPACE ";");
            result |= creates ? buffer_append(plain, sql, bytes) : 0;
            sql += bytes;
            sql += strspn(sql, SPACE);
        }
        sql += *sql == ';';
        n += creates;
    }
    result |= buffer_append_text(plain, ";");
    return result < 0 ? -1 : n;
}

/* Is each text of the schema in `plain`, and are there `n` of them? They differ from each other,
 * because each has another name. Usually each follows the one before it. */
static bool has_texts(sqlite3 *db, const char *plain, int n) {
    static const char texts[] =
        "SELECT ';' || replace(replace(replace(replace("
        "  sql, ' ', ''), char(9), ''), char(10), ''), char(13), '') || ';' FROM sqlite_schema"
        " WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND tbl_name NOT IN " NOT_OURS;
    AUTO_STATEMENT sqlite3_stmt *rows = NULL;
    if (sqlite3_prepare_v2(db, texts, -1, &rows, NULL) != SQLITE_OK) {
        return false;
    }
    const char *next = plain;
    int code, found = 0;
    while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(rows, 0);
        size_t bytes = text ? strlen(text) : 0;
        if (bytes > 0 && strncmp(next, text, bytes) != 0) {
            next = strstr(plain, text);
        }
        if (bytes == 0 || !next) {
            return false;
        }
        /* At the ";" behind it. */
        next += bytes - 1;
        found++;
    }
    return code == SQLITE_DONE && found == n;
}

bool sqlite_has_written_schema(sqlite3 *db) {
    AUTO_BUFFER struct buffer plain = BUFFER_INIT(MIGRATION_BYTES_MAX);
    int n = 0;
    for (int64_t i = 0; i < N_MIGRATIONS; i++) {
        int more = append_creating(&plain, migrations[i].sql);
        if (more < 0) {
            return false;
        }
        n += more;
    }
    return has_texts(db, plain.data, n);
}

int sqlite_compare_schema(sqlite3 *db, struct error *err) {
    sqlite3 *reference = NULL;
    int result = -1;
    if (sqlite_has_written_schema(db)) {
        return 0;
    }
    if (sqlite3_open(":memory:", &reference) != SQLITE_OK) {
        error_set(err, "comparing the schema: out of memory");
    } else if (sqlite_migrate(reference, 0, err) == 0) {
        result = compare(db, reference, err);
    }
    sqlite3_close(reference);
    return result;
}

int sqlite_find_adopted(sqlite3 *db, bool *adopted, struct error *err) {
    int64_t columns, entry;
    if (read_number(db, "SELECT count(*) FROM pragma_table_xinfo('persistent_set_sent_invitation')",
                    &columns, err) < 0 ||
        read_number(db,
                    "SELECT count(*) FROM pragma_table_xinfo('persistent_set_sent_invitation')"
                    " WHERE name = 'entry' AND pk = 1",
                    &entry, err) < 0) {
        return -1;
    }
    if (columns > 0 && entry == 0) {
        return error_set(err, "table persistent_set_sent_invitation has no key \"entry\": it is"
                              " not the original bot's");
    }
    *adopted = entry > 0;
    return 0;
}
