/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The schema of the PostgreSQL store: the migrations, and the comparison of what is there with what
 * the same migrations make in the session's temporary schema. Tables of others are left alone. */
#include "inbox/postgres/schema.h"

#include "base/cleanup.h"
#include "inbox/common/schema_version.h"
#include "inbox/postgres/link.h"
#include "inbox/postgres/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long to wait for other hosts that start and migrate at the same time. */
#define MIGRATION_MS 60000

/* In order, without gaps: the n-th is version n. */
static const struct {
    const char *name, *sql;
} migrations[] = {
    {
        "0001_inbox",
#include "postgres_0001_inbox.sql.inc"
    },
};
#define N_MIGRATIONS ((int64_t)(sizeof migrations / sizeof *migrations))

static int run(PGconn *connection, const char *sql, PGresult **result, struct error *err,
               const char *what) {
    return link_run(connection, sql, MIGRATION_MS, result, err, what);
}

/* The first row's first column; 0 when there is no row. Outside of the pipeline results are text.
 */
static int read_number(PGconn *connection, const char *sql, int64_t *number, struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    if (run(connection, sql, &result, err, "reading the schema") < 0) {
        return -1;
    }
    *number = PQntuples(result) > 0 ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    return 0;
}

/* The newest migration that was applied; 0 none. */
static int read_version(PGconn *connection, int64_t *version, struct error *err) {
    int64_t present, count;
    *version = 0;
    if (read_number(connection,
                    "SELECT count(*) FROM pg_class WHERE relname = 'schema_migrations'"
                    " AND relnamespace = current_schema()::regnamespace",
                    &present, err) < 0) {
        return -1;
    }
    if (!present) {
        return 0;
    }
    if (read_number(connection, "SELECT coalesce(max(version), 0) FROM schema_migrations", version,
                    err) < 0 ||
        read_number(connection, "SELECT count(*) FROM schema_migrations", &count, err) < 0) {
        return -1;
    }
    return schema_version_check(*version, count, N_MIGRATIONS, err);
}

int postgres_check_schema(PGconn *connection, struct error *err) {
    int64_t version, may_create;
    if (read_version(connection, &version, err) < 0) {
        return -1;
    }
    if (version == N_MIGRATIONS) {
        return postgres_compare_schema(connection, err);
    }
    if (read_number(connection,
                    "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)::int",
                    &may_create, err) < 0) {
        return -1;
    }
    return may_create
               ? 0
               : error_set(err,
                           "this user may not create tables in its schema: grant CREATE on it");
}

int postgres_check_version(PGconn *connection, struct error *err) {
    int64_t version;
    return read_version(connection, &version, err) < 0
               ? -1
               : schema_version_check_current(version, N_MIGRATIONS, err);
}

static int apply(PGconn *connection, int64_t version, int64_t now_ms, struct error *err) {
    char record[256];
    const char *name = migrations[version - 1].name;
    snprintf(record, sizeof record,
             "INSERT INTO schema_migrations (version, name, applied_ms)"
             " VALUES (%lld, '%s', %lld)",
             (long long)version, name, (long long)now_ms);
    return run(connection, migrations[version - 1].sql, NULL, err, name) < 0 ||
                   run(connection, record, NULL, err, "recording a migration") < 0
               ? -1
               : 0;
}

/* Applies the missing migrations in order in one transaction, under a lock that other hosts
 * respect. */
static int migrate(PGconn *connection, int64_t now_ms, struct error *err) {
    int64_t version;
    if (run(connection,
            "BEGIN; SET LOCAL statement_timeout = 60000; SET LOCAL lock_timeout = 60000;"
            "SELECT pg_advisory_xact_lock(1936615787)", /* "snek" */
            NULL, err, "waiting for other hosts") < 0 ||
        read_version(connection, &version, err) < 0) {
        return -1;
    }
    while (version < N_MIGRATIONS) {
        version++;
        if (apply(connection, version, now_ms, err) < 0) {
            return error_wrap(err, "migrating its schema");
        }
    }
    return run(connection, "COMMIT", NULL, err, "migrating its schema");
}

int postgres_migrate(PGconn *connection, int64_t now_ms, struct error *err) {
    AUTO_RESULT PGresult *schema = NULL;
    if (run(connection, "SELECT current_schema()", &schema, err, "reading the schema") < 0) {
        return -1;
    }
    if (PQgetisnull(schema, 0, 0)) {
        return error_set(err, "none of the schemas of its search_path exists");
    }
    int result = migrate(connection, now_ms, err);
    if (result < 0) {
        run(connection, "ROLLBACK", NULL, NULL, "rolling back"); /* `err` tells the cause */
    }
    return result;
}

/* Lists every part of a schema as (place, definition), without the schema's own name. The first row
 * that differs names the place in the error, so columns come before the parts that depend on them.
 * In the real schema it reads only the tables that the migrations create. */
static const char describe[] =
    "WITH ours AS (SELECT c.*, n.nspname FROM pg_class c JOIN pg_namespace n"
    "  ON n.oid = c.relnamespace WHERE c.relnamespace = %s AND c.relkind IN ('r', 'p', 'v', 'm')"
    "  AND c.relname = ANY ('%s'::name[])),"
    " parts AS ("
    " SELECT 1 AS rank, 'table ' || c.relname || ', column ' || a.attname AS place,"
    "  format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END"
    "  || CASE a.attidentity WHEN '' THEN '' ELSE ' identity ' || a.attidentity::text END"
    "  || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')"
    "  || ' storage ' || a.attstorage::text AS what, c.nspname"
    "  FROM ours c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
    "  AND NOT a.attisdropped LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum"
    " UNION ALL SELECT 2, 'table ' || c.relname || ', constraint ' || k.conname,"
    "  pg_get_constraintdef(k.oid), c.nspname"
    "  FROM ours c JOIN pg_constraint k ON k.conrelid = c.oid"
    " UNION ALL SELECT 3, 'index ' || x.relname, pg_get_indexdef(x.oid), c.nspname"
    "  FROM ours c JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class x ON x.oid = i.indexrelid"
    " UNION ALL SELECT 4, 'trigger ' || t.tgname, pg_get_triggerdef(t.oid), c.nspname"
    "  FROM ours c JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal"
    " UNION ALL SELECT 5, 'table ' || c.relname, CASE WHEN c.relpersistence = 'u' THEN 'unlogged'"
    "  ELSE c.relkind::text END, c.nspname FROM ours c)"
    " SELECT rank, place, replace(replace(what, quote_ident(nspname) || '.', ''), 'pg_temp.', '')"
    "  FROM parts ORDER BY rank, place COLLATE \"C\"";

static int describe_schema(PGconn *connection, const char *schema, const char *tables,
                           PGresult **result, struct error *err) {
    AUTO_FREE char *sql = NULL;
    if (asprintf(&sql, describe, schema, tables) < 0) {
        sql = NULL;
        return error_set(err, "out of memory");
    }
    return run(connection, sql, result, err, "reading the schema");
}

static int compare_row(const PGresult *is, int is_row, const PGresult *should, int should_row,
                       struct error *err) {
    bool has_is = is_row < PQntuples(is), has_should = should_row < PQntuples(should);
    int order = !has_is;
    if (has_is && !has_should) {
        order = -1;
    }
    for (int column = 0; order == 0 && column < 2; column++) {
        order = strcmp(PQgetvalue(is, is_row, column), PQgetvalue(should, should_row, column));
    }
    if (order < 0) {
        return error_set(err, "%s: not expected", PQgetvalue(is, is_row, 1));
    }
    if (order > 0) {
        return error_set(err, "%s: missing", PQgetvalue(should, should_row, 1));
    }
    const char *what = PQgetvalue(is, is_row, 2), *wanted = PQgetvalue(should, should_row, 2);
    return strcmp(what, wanted) == 0 ? 0
                                     : error_set(err, "%s: is \"%s\", expected \"%s\"",
                                                 PQgetvalue(is, is_row, 1), what, wanted);
}

/* Within a transaction that is rolled back. */
static int compare(PGconn *connection, struct error *err) {
    AUTO_RESULT PGresult *schema = NULL, *tables = NULL, *is = NULL, *should = NULL;
    if (run(connection,
            "BEGIN READ WRITE; SET LOCAL statement_timeout = 60000; SELECT "
            "current_schema()::regnamespace::oid",
            &schema, err, "comparing the schema") < 0 ||
        run(connection, "SET LOCAL search_path = pg_temp", NULL, err, "comparing the schema") < 0) {
        return -1;
    }
    for (int64_t i = 0; i < N_MIGRATIONS; i++) {
        if (run(connection, migrations[i].sql, NULL, err, "comparing the schema") < 0) {
            return -1;
        }
    }
    if (run(connection,
            "SELECT array_agg(relname)::text FROM pg_class WHERE relnamespace ="
            " pg_my_temp_schema() AND relkind = 'r'",
            &tables, err, "comparing the schema") < 0 ||
        describe_schema(connection, PQgetvalue(schema, 0, 0), PQgetvalue(tables, 0, 0), &is, err) <
            0 ||
        describe_schema(connection, "pg_my_temp_schema()", PQgetvalue(tables, 0, 0), &should, err) <
            0) {
        return -1;
    }
    int rows = PQntuples(is) > PQntuples(should) ? PQntuples(is) : PQntuples(should);
    for (int row = 0; row < rows; row++) {
        if (compare_row(is, row, should, row, err) < 0) {
            return error_wrap(err, "its schema is not what this snekomatic expects");
        }
    }
    return 0;
}

int postgres_compare_schema(PGconn *connection, struct error *err) {
    int result = compare(connection, err);
    struct error *later = result < 0 ? NULL : err;
    return run(connection, "ROLLBACK", NULL, later, "comparing the schema") < 0 ? -1 : result;
}

int postgres_find_adopted(PGconn *connection, bool *adopted, struct error *err) {
    int64_t columns, entry;
    if (read_number(connection,
                    "SELECT count(*) FROM pg_attribute WHERE attrelid ="
                    " to_regclass('persistent_set_sent_invitation') AND attnum > 0"
                    " AND NOT attisdropped",
                    &columns, err) < 0 ||
        read_number(connection,
                    "SELECT count(*) FROM pg_constraint k JOIN pg_attribute a"
                    " ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]"
                    " WHERE k.conrelid = to_regclass('persistent_set_sent_invitation')"
                    " AND k.contype = 'p' AND a.attname = 'entry'",
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
