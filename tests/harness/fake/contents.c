/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Files of a repository, which the state has as texts. A folder is where some file is. */
#include "fake/contents.h"

#include "fake/branches.h"
#include "fake/fields.h"
#include "fake/handlers.h"
#include "fake/response.h"
#include "fake/state.h"

#include <nettle/base64.h>
#include <string.h>
#include <strings.h>

#define TEXT SCHEMA_TEXT
#define PATH_MAX_BYTES 1024

/* The path behind /contents/. */
static void read_path(const struct http_exchange *exchange, char path[PATH_MAX_BYTES]) {
    size_t used = 0;
    path[0] = '\0';
    for (size_t i = 4; i < exchange->n_segments && used < PATH_MAX_BYTES; i++) {
        used += (size_t)snprintf(path + used, PATH_MAX_BYTES - used, "%s%s", i > 4 ? "/" : "",
                                 exchange->segments[i]);
    }
}

/* Without a branch, a file is on all of them. A ref that is no branch means the default one. */
static bool is_on(const json_t *repository, const json_t *file, const char *ref) {
    const char *branch = text_of(file, "branch");
    const char *wanted = branch_name(ref ? ref : text_of(repository, "default_branch"));
    return !branch || strcmp(branch, wanted) == 0;
}

json_t *contents_find(const json_t *repository, const char *path, const char *ref) {
    size_t i;
    json_t *file;
    json_array_foreach(json_object_get(repository, "contents"), i, file) {
        if (strcmp(text_of(file, "path"), path) == 0 && is_on(repository, file, ref)) {
            return file;
        }
    }
    return NULL;
}

void contents_put(json_t *repository, const char *path, const char *ref, const char *text) {
    json_t *file = contents_find(repository, path, ref);
    const char *branch = ref ? branch_name(ref) : NULL;
    if (!file) {
        file = list_add(json_object_get(repository, "contents"),
                        json_pack("{s:s, s:s*}", "path", path, "branch", branch));
    }
    json_object_set_new(file, "text", json_string(text));
}

void contents_remove(json_t *repository, json_t *file) {
    list_remove(json_object_get(repository, "contents"), file);
}

char *contents_decode(const char *content) {
    struct base64_decode_ctx decoder;
    size_t bytes = strlen(content), decoded = BASE64_DECODE_LENGTH(bytes);
    char *text = malloc(decoded + 1);
    base64_decode_init(&decoder);
    if (!text || !base64_decode_update(&decoder, &decoded, (uint8_t *)text, bytes, content) ||
        !base64_decode_final(&decoder)) {
        free(text);
        return NULL;
    }
    text[decoded] = '\0';
    return text;
}

static json_t *encode(const char *text) {
    size_t bytes = strlen(text);
    char *out = malloc(BASE64_ENCODE_RAW_LENGTH(bytes) + 2);
    if (!out) {
        return NULL;
    }
    base64_encode_raw(out, bytes, (const uint8_t *)text);
    out[BASE64_ENCODE_RAW_LENGTH(bytes)] = '\n';
    out[BASE64_ENCODE_RAW_LENGTH(bytes) + 1] = '\0';
    json_t *shape = json_string(out);
    free(out);
    return shape;
}

/* A file or a folder without the file's text. */
static json_t *shape_entry(struct http_exchange *exchange, const char *path, const char *text) {
    const char *full_name = text_of(exchange->repository, "full_name");
    const char *slash = strrchr(path, '/'), *origin = exchange->fake->origin;
    const char *branch = text_of(exchange->repository, "default_branch");
    char sha[FAKE_SHA_BYTES];
    fake_blob_sha(text ? text : path, sha);
    json_t *url = json_sprintf("%s/repos/%s/contents/%s", origin, full_name, path);
    json_t *git =
        json_sprintf("%s/repos/%s/git/%s/%s", origin, full_name, text ? "blobs" : "trees", sha);
    json_t *html = json_sprintf("https://github.com/%s/%s/%s/%s", full_name, text ? "blob" : "tree",
                                branch, path);
    json_t *shape =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:O, s:O, s:O, s:{s:O, s:O, s:O}}", "type",
                  text ? "file" : "dir", "name", slash ? slash + 1 : path, "path", path, "sha", sha,
                  "size", (json_int_t)(text ? strlen(text) : 0), "url", url, "git_url", git,
                  "html_url", html, "_links", "self", url, "git", git, "html", html);
    json_object_set_new(
        shape, "download_url",
        text ? json_sprintf("https://raw.githubusercontent.com/%s/%s/%s", full_name, branch, path)
             : json_null());
    json_decref(url);
    json_decref(git);
    json_decref(html);
    return shape;
}

static void respond_file(struct http_exchange *exchange, const json_t *file) {
    const char *accept =
        MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    const char *text = text_of(file, "text");
    if (accept && strcasestr(accept, "github") && strcasestr(accept, "raw")) {
        respond_empty(exchange, 200);
        exchange->response_text = strdup(text);
        response_header(exchange, "Content-Type", "application/vnd.github.raw+json; charset=utf-8");
        return;
    }
    json_t *shape = shape_entry(exchange, text_of(file, "path"), text);
    json_object_set_new(shape, "encoding", json_string("base64"));
    json_object_set_new(shape, "content", encode(text));
    respond_json(exchange, 200, shape);
}

/* Everything right below the folder; 404 when there is nothing. */
static void respond_folder(struct http_exchange *exchange, const char *folder, const char *ref) {
    json_t *all = json_array(), *seen = json_object(), *file;
    size_t i, folder_bytes = strlen(folder);
    json_array_foreach(json_object_get(exchange->repository, "contents"), i, file) {
        const char *path = text_of(file, "path");
        bool below = folder_bytes == 0 ||
                     (strncmp(path, folder, folder_bytes) == 0 && path[folder_bytes] == '/');
        if (!below || !is_on(exchange->repository, file, ref)) {
            continue;
        }
        const char *rest = path + folder_bytes + (folder_bytes > 0 ? 1 : 0);
        AUTO_FREE char *entry = strndup(path, (size_t)(rest - path) + strcspn(rest, "/"));
        bool is_file = !strchr(rest, '/');
        if (entry && !json_object_get(seen, entry)) {
            json_object_set_new(seen, entry, json_true());
            json_array_append_new(
                all, shape_entry(exchange, entry, is_file ? text_of(file, "text") : NULL));
        }
    }
    json_decref(seen);
    if (json_array_size(all) == 0) {
        json_decref(all);
        respond_error(exchange, 404, "Not Found");
        return;
    }
    respond_json(exchange, 200, all);
}

void handle_contents_get(struct http_exchange *exchange) {
    AUTO_FREE char *ref = exchange_query(exchange, "ref");
    char path[PATH_MAX_BYTES];
    read_path(exchange, path);
    const json_t *file = contents_find(exchange->repository, path, ref);
    if (file) {
        respond_file(exchange, file);
    } else {
        respond_folder(exchange, path, ref);
    }
}

/* Commits a change to the branch, and shows the commit. */
static json_t *shape_change(struct http_exchange *exchange, const json_t *body) {
    const char *full_name = text_of(exchange->repository, "full_name");
    const char *origin = exchange->fake->origin, *branch = text_of(body, "branch");
    branch = branch ? branch : text_of(exchange->repository, "default_branch");
    const json_t *made =
        branch_commit(exchange->fake, exchange->repository, branch, text_of(body, "message"), NULL);
    const char *sha = text_of(made, "sha");
    const char *parent = json_string_value(json_array_get(json_object_get(made, "parents"), 0));
    char tree[FAKE_SHA_BYTES];
    fake_sha(sha, tree);
    json_t *person = json_pack("{s:s, s:s, s:o}", "name", exchange->fake->app_slug, "email",
                               "bot@example.org", "date", fake_now(exchange->fake));
    json_t *commit = json_pack(
        "{s:s, s:o, s:o, s:o, s:O, s:O, s:O, s:[{s:s, s:o, s:o}], s:{s:s, s:o}}", "sha", sha,
        "node_id", json_sprintf("C_%s", sha), "url",
        json_sprintf("%s/repos/%s/git/commits/%s", origin, full_name, sha), "html_url",
        json_sprintf("https://github.com/%s/commit/%s", full_name, sha), "author", person,
        "committer", person, "message", json_object_get(body, "message"), "parents", "sha", parent,
        "url", json_sprintf("%s/repos/%s/git/commits/%s", origin, full_name, parent), "html_url",
        json_sprintf("https://github.com/%s/commit/%s", full_name, parent), "tree", "sha", tree,
        "url", json_sprintf("%s/repos/%s/git/trees/%s", origin, full_name, tree));
    json_decref(person);
    return commit;
}

/* The branch that the change is for, or the default one. */
static bool branch_is_there(struct http_exchange *exchange, const json_t *body) {
    const char *branch = text_of(body, "branch");
    bool is_there = !branch || branch_head(exchange->repository, branch);
    if (!is_there) {
        char message[300];
        snprintf(message, sizeof message, "Branch %.200s not found", branch);
        respond_error(exchange, 404, message);
    }
    return is_there;
}

/* A change names the file's SHA, so that nobody's change is lost. */
static bool sha_is_current(struct http_exchange *exchange, const json_t *file, const json_t *body) {
    const char *given = text_of(body, "sha");
    char sha[FAKE_SHA_BYTES];
    if (!file) {
        return true;
    }
    fake_blob_sha(text_of(file, "text"), sha);
    if (given && strcmp(given, sha) == 0) {
        return true;
    }
    if (given) {
        char message[PATH_MAX_BYTES + 64];
        snprintf(message, sizeof message, "%s does not match %s", text_of(file, "path"), given);
        respond_error(exchange, 409, message);
    } else {
        respond_error(exchange, 422, "Invalid request.\n\n\"sha\" wasn't supplied.");
    }
    return false;
}

static void put_file(struct http_exchange *exchange, const json_t *body, const char *path) {
    const char *branch = text_of(body, "branch");
    json_t *file = contents_find(exchange->repository, path, branch);
    AUTO_FREE char *text = contents_decode(text_of(body, "content"));
    if (!text) {
        respond_error(exchange, 422, "content is not valid Base64");
        return;
    }
    if (!branch_is_there(exchange, body) || !sha_is_current(exchange, file, body)) {
        return;
    }
    contents_put(exchange->repository, path, branch, text);
    respond_json(exchange, file ? 200 : 201,
                 json_pack("{s:o, s:o}", "content", shape_entry(exchange, path, text), "commit",
                           shape_change(exchange, body)));
}

void handle_contents_put(struct http_exchange *exchange) {
    static const struct field fields[] = {{"message", TEXT, true, NULL},
                                          {"content", TEXT, true, NULL},
                                          {"sha", TEXT, false, NULL},
                                          {"branch", TEXT, false, NULL},
                                          {"committer", SCHEMA_TABLE, false, NULL},
                                          {"author", SCHEMA_TABLE, false, NULL},
                                          {0}};
    char path[PATH_MAX_BYTES];
    json_t *body = exchange_fields(exchange, "Content", fields);
    if (body) {
        read_path(exchange, path);
        put_file(exchange, body, path);
        json_decref(body);
    }
}

void handle_contents_delete(struct http_exchange *exchange) {
    static const struct field fields[] = {
        {"message", TEXT, true, NULL},         {"sha", TEXT, true, NULL},
        {"branch", TEXT, false, NULL},         {"committer", SCHEMA_TABLE, false, NULL},
        {"author", SCHEMA_TABLE, false, NULL}, {0}};
    char path[PATH_MAX_BYTES];
    json_t *body = exchange_fields(exchange, "Content", fields);
    if (!body) {
        return;
    }
    read_path(exchange, path);
    json_t *file = contents_find(exchange->repository, path, text_of(body, "branch"));
    if (!file) {
        respond_error(exchange, 404, "Not Found");
    } else if (branch_is_there(exchange, body) && sha_is_current(exchange, file, body)) {
        contents_remove(exchange->repository, file);
        respond_json(exchange, 200,
                     json_pack("{s:n, s:o}", "content", "commit", shape_change(exchange, body)));
    }
    json_decref(body);
}
