/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The search for issues and pull requests: a small part of GitHub's syntax, with its errors. The
 * fake rejects the other parts, because a search that ignores half of its query finds too much. */
#include "fake/handlers.h"
#include "fake/items.h"
#include "fake/pagination.h"
#include "fake/permissions.h"
#include "fake/repositories.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define QUERY_MAX 256
#define TERMS_MAX (QUERY_MAX / 2 + 1)
#define RESULTS_MAX 1000
#define NOT_THERE                                                                                  \
    "The listed users and repositories cannot be searched either because the resources do not "    \
    "exist or you do not have permission to view them."

struct term {
    bool negated; /* -label:bug */
    /* The qualifier's name; NULL: a word, or words in quotes. */
    const char *name;
    const char *value;
};

struct search {
    char *text; /* where the terms are */
    struct term terms[TERMS_MAX];
    size_t n_terms;
};

static void reject(struct http_exchange *exchange, const char *code, const char *message) {
    respond_invalid(exchange, "Search", "q", code, message);
}

/* ---- reading ---- */

/* Reads the term that starts at `at`, and returns its end. Quotes are removed; spaces in them stay.
 */
static char *cut_term(char *at, char **colon) {
    char *to = at;
    bool quoted = false;
    *colon = NULL;
    for (; *at && (quoted || !isspace((unsigned char)*at)); at++) {
        if (*at == '"') {
            quoted = !quoted;
            continue;
        }
        if (*at == ':' && !quoted && !*colon) {
            *colon = to;
        }
        *to++ = *at;
    }
    char *next = *at ? at + 1 : at;
    *to = '\0';
    return next;
}

static bool is_too_long(const char *text) {
    size_t characters = 0;
    for (; *text; text++) {
        characters += ((unsigned char)*text & 0xC0) != 0x80; /* UTF-8's first bytes */
    }
    return characters > QUERY_MAX;
}

static void read_terms(struct search *search) {
    char *at = search->text, *colon;
    for (;;) {
        at += strspn(at, " \t\n");
        if (!*at || search->n_terms == TERMS_MAX) {
            return;
        }
        struct term *term = &search->terms[search->n_terms++];
        term->negated = *at == '-';
        char *start = at + term->negated;
        bool phrase = *start == '"';
        at = cut_term(start, &colon);
        term->value = start;
        if (colon && !phrase) {
            *colon = '\0';
            term->name = start;
            term->value = colon + 1;
        }
    }
}

/* ---- checking ---- */

static bool is_named(const struct term *term, const char *name) {
    return term->name && strcasecmp(term->name, name) == 0;
}

static bool is_of_kind(const struct term *term, const char *const *values) {
    for (; *values; values++) {
        if (strcasecmp(*values, term->value) == 0) {
            return true;
        }
    }
    return false;
}

static const char *const issue_words[] = {"issue", NULL};
static const char *const pull_words[] = {"pr", "pull-request", NULL};
static const char *const state_words[] = {"open", "closed", "merged", NULL};

static bool says_kind(const struct term *term) {
    return (is_named(term, "is") || is_named(term, "type")) && !term->negated &&
           (is_of_kind(term, issue_words) || is_of_kind(term, pull_words));
}

static bool is_place(const struct term *term) {
    return is_named(term, "repo") || is_named(term, "org") || is_named(term, "user");
}

static bool place_is_there(const struct http_exchange *exchange, const struct term *term) {
    if (!is_named(term, "repo")) {
        return strcasecmp(term->value, text_of(exchange->caller.installation, "account")) == 0;
    }
    const json_t *found =
        list_find(state_list(exchange->fake, "repositories"), "full_name", term->value);
    return found && repository_is_reached(exchange, found);
}

/* False when it responded with an error. */
static bool term_is_sound(struct http_exchange *exchange, const struct term *term) {
    char message[320];
    if (!term->name) {
        return true;
    }
    if (is_place(term)) {
        bool there = place_is_there(exchange, term);
        if (!there) {
            reject(exchange, "invalid", NOT_THERE);
        }
        return there;
    }
    if (is_named(term, "author") || is_named(term, "label")) {
        bool there = is_named(term, "label") || state_user(exchange->fake, term->value);
        if (!there) {
            reject(exchange, "invalid",
                   "The listed users cannot be searched either because the users do not exist or "
                   "you do not have permission to view the users.");
        }
        return there;
    }
    if (((is_named(term, "is") || is_named(term, "type")) &&
         (is_of_kind(term, issue_words) || is_of_kind(term, pull_words))) ||
        ((is_named(term, "is") || is_named(term, "state")) && is_of_kind(term, state_words))) {
        return true;
    }
    snprintf(message, sizeof message,
             "The fake GitHub does not know the qualifier %.100s:%.100s (fake-github.md lists "
             "those that it does)",
             term->name, term->value);
    reject(exchange, "invalid", message);
    return false;
}

static bool search_is_sound(struct http_exchange *exchange, const struct search *search) {
    bool has_kind = false;
    for (size_t i = 0; i < search->n_terms; i++) {
        if (!term_is_sound(exchange, &search->terms[i])) {
            return false;
        }
        has_kind = has_kind || says_kind(&search->terms[i]);
    }
    if (!has_kind) {
        respond_error(exchange, 422, "Query must include 'is:issue' or 'is:pull-request'");
    }
    return has_kind;
}

/* ---- finding ---- */

/* Whole words, in any case. */
static bool has_words(const char *text, const char *words) {
    size_t bytes = strlen(words);
    for (const char *at = text; at && (at = strcasestr(at, words)) != NULL; at++) {
        if ((at == text || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[bytes])) {
            return true;
        }
    }
    return false;
}

static bool has_label(const json_t *issue, const char *label) {
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(issue, "labels"), i, name) {
        if (strcasecmp(json_string_value(name), label) == 0) {
            return true;
        }
    }
    return false;
}

static bool term_fits(const struct term *term, const json_t *issue) {
    const char *user = text_of(issue, "user");
    bool is_pull = json_is_true(json_object_get(issue, "pull_request"));
    if (!term->name) {
        return has_words(text_of(issue, "title"), term->value) ||
               has_words(text_of(issue, "body"), term->value);
    }
    if (is_named(term, "author")) {
        return user && strcasecmp(user, term->value) == 0;
    }
    if (is_named(term, "label")) {
        return has_label(issue, term->value);
    }
    if (is_of_kind(term, issue_words) || is_of_kind(term, pull_words)) {
        return is_pull == is_of_kind(term, pull_words);
    }
    return strcasecmp(term->value, "merged") == 0
               ? json_is_string(json_object_get(issue, "merged_at"))
               : strcasecmp(term->value, text_of(issue, "state")) == 0;
}

/* An issue in any of the places is found. */
static bool is_searched(const struct search *search, const json_t *repository) {
    const char *full_name = text_of(repository, "full_name");
    bool named = false, is_in = false;
    for (size_t i = 0; i < search->n_terms; i++) {
        const struct term *term = &search->terms[i];
        if (!is_place(term)) {
            continue;
        }
        bool here = !is_named(term, "repo") || strcasecmp(term->value, full_name) == 0;
        if (term->negated && here) {
            return false;
        }
        named = named || !term->negated;
        is_in = is_in || (!term->negated && here);
    }
    return is_in || !named;
}

static bool is_found(const struct http_exchange *exchange, const struct search *search,
                     const json_t *issue) {
    bool is_pull = json_is_true(json_object_get(issue, "pull_request"));
    if (!permission_covers(exchange->caller.permissions, is_pull ? "pull_requests" : "issues",
                           "read")) {
        return false;
    }
    for (size_t i = 0; i < search->n_terms; i++) {
        const struct term *term = &search->terms[i];
        if (!is_place(term) && term_fits(term, issue) == term->negated) {
            return false;
        }
    }
    return true;
}

static json_t *find_all(struct http_exchange *exchange, const struct search *search,
                        const struct issue_order *order) {
    json_t *all = json_array(), *repository, *issue;
    size_t i, k;
    json_array_foreach(state_list(exchange->fake, "repositories"), i, repository) {
        if (!repository_is_reached(exchange, repository) || !is_searched(search, repository)) {
            continue;
        }
        json_array_foreach(json_object_get(repository, "issues"), k, issue) {
            if (!is_found(exchange, search, issue)) {
                continue;
            }
            json_t *shape = shape_issue(exchange->fake, repository, issue);
            json_object_set_new(shape, "score", json_real(1.0));
            size_t at = json_array_size(all);
            while (at > 0 && comes_before(shape, json_array_get(all, at - 1), order)) {
                at--;
            }
            json_array_insert_new(all, at, shape);
        }
    }
    return all;
}

/* False when it responded with an error. The best match is the newest issue here. */
static bool read_order(struct http_exchange *exchange, struct issue_order *order) {
    AUTO_FREE char *sort = exchange_query(exchange, "sort");
    AUTO_FREE char *way = exchange_query(exchange, "order");
    static const char *const keys[] = {"created", "updated", "comments"};
    *order = (struct issue_order){.key = sort ? NULL : keys[0],
                                  .ascending = sort && way && strcmp(way, "asc") == 0};
    for (size_t i = 0; sort && i < sizeof keys / sizeof *keys; i++) {
        order->key = strcmp(sort, keys[i]) == 0 ? keys[i] : order->key;
    }
    if (!order->key) {
        respond_invalid(exchange, "Search", "sort", "invalid",
                        "The fake GitHub sorts by comments, created or updated");
        return false;
    }
    return true;
}

static void respond_search(struct http_exchange *exchange, struct search *search) {
    struct issue_order order;
    size_t page = query_number(exchange, "page", 1), per_page = query_per_page(exchange);
    if (is_too_long(search->text)) {
        reject(exchange, "invalid", "The search is longer than 256 characters.");
        return;
    }
    read_terms(search);
    if (page > 1 && (page - 1) * per_page >= RESULTS_MAX) {
        respond_error(exchange, 422, "Only the first 1000 search results are available");
    } else if (read_order(exchange, &order) && search_is_sound(exchange, search)) {
        json_t *all = find_all(exchange, search, &order);
        json_t *whole = json_pack("{s:i, s:b}", "total_count", (int)json_array_size(all),
                                  "incomplete_results", 0);
        while (json_array_size(all) > RESULTS_MAX) {
            json_array_remove(all, json_array_size(all) - 1);
        }
        respond_page_in(exchange, whole, "items", all);
    }
}

void handle_search_issues(struct http_exchange *exchange) {
    struct search search = {.text = exchange_query(exchange, "q")};
    if (!search.text || !search.text[strspn(search.text, " \t\n")]) {
        reject(exchange, "missing", NULL);
    } else {
        respond_search(exchange, &search);
    }
    free(search.text);
}
