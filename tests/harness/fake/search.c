/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The search for issues and pull requests: a small part of GitHub's syntax, with its errors. What
 * is not part of it is rejected, for a search that ignores half of its query finds too much. */
#include "fake/internal.h"

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
    bool negated;     /* -label:bug */
    const char *name; /* of the qualifier; NULL: a word, or words in quotes */
    const char *value;
};

struct search {
    char *text; /* where the terms are */
    struct term terms[TERMS_MAX];
    size_t n_terms;
};

static void reject(struct call *call, const char *code, const char *message) {
    answer_invalid(call, "Search", "q", code, message);
}

/* ---- reading ---- */

/* Behind the term that starts at `at`; quotes are taken out of it, spaces in them stay. */
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

static bool place_is_there(const struct call *call, const struct term *term) {
    if (!is_named(term, "repo")) {
        return strcasecmp(term->value, text_of(call->caller.installation, "account")) == 0;
    }
    const json_t *found =
        list_find(state_list(call->fake, "repositories"), "full_name", term->value);
    return found && repository_is_reached(call, found);
}

/* False when an error was answered. */
static bool term_is_sound(struct call *call, const struct term *term) {
    char message[320];
    if (!term->name) {
        return true;
    }
    if (is_place(term)) {
        bool there = place_is_there(call, term);
        if (!there) {
            reject(call, "invalid", NOT_THERE);
        }
        return there;
    }
    if (is_named(term, "author") || is_named(term, "label")) {
        bool there = is_named(term, "label") || state_user(call->fake, term->value);
        if (!there) {
            reject(call, "invalid",
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
    (void)snprintf(
        message, sizeof message,
        "The fake GitHub does not know the qualifier %.100s:%.100s (fake-github.md lists "
        "those that it does)",
        term->name, term->value);
    reject(call, "invalid", message);
    return false;
}

static bool search_is_sound(struct call *call, const struct search *search) {
    bool has_kind = false;
    for (size_t i = 0; i < search->n_terms; i++) {
        if (!term_is_sound(call, &search->terms[i])) {
            return false;
        }
        has_kind = has_kind || says_kind(&search->terms[i]);
    }
    if (!has_kind) {
        answer_error(call, 422, "Query must include 'is:issue' or 'is:pull-request'");
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

/* Places add up: what is in any of them counts. */
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

static bool is_found(const struct call *call, const struct search *search, const json_t *issue) {
    bool is_pull = json_is_true(json_object_get(issue, "pull_request"));
    if (!permission_covers(call->caller.permissions, is_pull ? "pull_requests" : "issues",
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

struct order {
    const char *key;
    bool ascending;
};

static bool comes_before(const json_t *a, const json_t *b, const struct order *order) {
    int way = strcmp(order->key, "comments") == 0
                  ? (int)(number_of(a, "comments") - number_of(b, "comments"))
                  : strcmp(text_of(a, "created_at"), text_of(b, "created_at"));
    if (way == 0) {
        way = number_of(a, "id") < number_of(b, "id") ? -1 : 1;
    }
    return order->ascending ? way < 0 : way > 0;
}

static json_t *find_all(struct call *call, const struct search *search, const struct order *order) {
    json_t *all = json_array(), *repository, *issue;
    size_t i, k;
    json_array_foreach(state_list(call->fake, "repositories"), i, repository) {
        if (!repository_is_reached(call, repository) || !is_searched(search, repository)) {
            continue;
        }
        json_array_foreach(json_object_get(repository, "issues"), k, issue) {
            if (!is_found(call, search, issue)) {
                continue;
            }
            json_t *shape = shape_issue(call->fake, repository, issue);
            (void)json_object_set_new(shape, "score", json_real(1.0));
            size_t at = json_array_size(all);
            while (at > 0 && comes_before(shape, json_array_get(all, at - 1), order)) {
                at--;
            }
            (void)json_array_insert_new(all, at, shape);
        }
    }
    return all;
}

/* False when an error was answered. Best match is the newest here. */
static bool read_order(struct call *call, struct order *order) {
    AUTO_FREE char *sort = call_query(call, "sort");
    AUTO_FREE char *way = call_query(call, "order");
    bool comments = sort && strcmp(sort, "comments") == 0;
    *order =
        (struct order){comments ? "comments" : "created", sort && way && strcmp(way, "asc") == 0};
    if (sort && !comments && strcmp(sort, "created") != 0 && strcmp(sort, "updated") != 0) {
        answer_invalid(call, "Search", "sort", "invalid",
                       "The fake GitHub sorts by comments, created or updated");
        return false;
    }
    return true;
}

static void answer_search(struct call *call, struct search *search) {
    struct order order;
    size_t page = query_number(call, "page", 1), per_page = query_per_page(call);
    if (is_too_long(search->text)) {
        reject(call, "invalid", "The search is longer than 256 characters.");
        return;
    }
    read_terms(search);
    if (page > 1 && (page - 1) * per_page >= RESULTS_MAX) {
        answer_error(call, 422, "Only the first 1000 search results are available");
    } else if (read_order(call, &order) && search_is_sound(call, search)) {
        json_t *all = find_all(call, search, &order);
        json_t *whole = json_pack("{s:i, s:b}", "total_count", (int)json_array_size(all),
                                  "incomplete_results", 0);
        while (json_array_size(all) > RESULTS_MAX) {
            (void)json_array_remove(all, json_array_size(all) - 1);
        }
        answer_page_in(call, whole, "items", all);
    }
}

void handle_search_issues(struct call *call) {
    struct search search = {.text = call_query(call, "q")};
    if (!search.text || !search.text[strspn(search.text, " \t\n")]) {
        reject(call, "missing", NULL);
    } else {
        answer_search(call, &search);
    }
    free(search.text);
}
