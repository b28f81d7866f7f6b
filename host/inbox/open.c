/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Opens an inbox: chooses the store by its URL, and gives it to a writer. */
#include "inbox/inbox.h"

#include "inbox/common/writer.h"
#include "inbox/postgres/postgres.h"
#include "inbox/sqlite/sqlite.h"

#include <stdlib.h>
#include <string.h>

static const char sqlite_scheme[] = "sqlite:";

/* The path of an SQLite file; NULL: it is PostgreSQL's URL. */
static const char *sqlite_path(const char *url) {
    size_t bytes = strlen(sqlite_scheme);
    return strncmp(url, sqlite_scheme, bytes) == 0 ? url + bytes : NULL;
}

int inbox_start(struct inbox *inbox, const char *url, int64_t now_ms, struct error *err) {
    const char *path = sqlite_path(url);
    struct store *store = NULL;
    int opened =
        path ? sqlite_open(path, now_ms, &store, err) : postgres_open(url, now_ms, &store, err);
    return opened < 0 ? -1 : writer_start(inbox, store, err);
}

/* The writer of a store that was opened or not; then `opened` is -1. */
static int start_new(int opened, struct store *store, struct inbox **inbox, struct error *err) {
    struct inbox *made = NULL;
    if (opened < 0) {
        return -1;
    }
    if (inbox_new(&made, err) < 0) {
        store->methods->free(store);
        return -1;
    }
    if (writer_start(made, store, err) < 0) {
        inbox_free(made);
        return -1;
    }
    *inbox = made;
    return 0;
}

int inbox_open(const char *url, int64_t now_ms, struct inbox **inbox, struct error *err) {
    const char *path = sqlite_path(url);
    struct store *store = NULL;
    int opened =
        path ? sqlite_open(path, now_ms, &store, err) : postgres_open(url, now_ms, &store, err);
    return start_new(opened, store, inbox, err);
}

int inbox_open_tool(const char *url, bool write, struct inbox **inbox, struct error *err) {
    const char *path = sqlite_path(url);
    struct store *store = NULL;
    int opened = path ? sqlite_open_tool(path, write, &store, err)
                      : postgres_open_tool(url, write, &store, err);
    return start_new(opened, store, inbox, err);
}

int inbox_open_reader(const char *url, struct inbox **inbox, struct error *err) {
    const char *path = sqlite_path(url);
    struct store *store = NULL;
    int opened =
        path ? sqlite_open_tool(path, false, &store, err) : postgres_open_reader(url, &store, err);
    return start_new(opened, store, inbox, err);
}

int inbox_check(const char *url, struct error *err) {
    const char *path = sqlite_path(url);
    return path ? sqlite_check(path, err) : postgres_check(url, err);
}

char *inbox_show_url(const char *url, struct error *err) {
    if (!sqlite_path(url)) {
        return postgres_show_url(url, err);
    }
    char *shown = strdup(url);
    if (!shown) {
        error_set(err, "out of memory");
    }
    return shown;
}
