/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The one C++ file: lets toml++ parse and copies its tree into plain structs. Everything that may
 * throw is inside toml_parse()'s try. */
#include "config/toml.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

struct tree_deleter {
    void operator()(toml_value *root) const noexcept {
        toml_free(root);
    }
};

/* A copy with a NUL at its end, from malloc() because toml_free() is C. */
char *copy_text(std::string_view text) {
    char *copy = static_cast<char *>(std::malloc(text.size() + 1));
    if (!copy) {
        throw std::bad_alloc();
    }
    std::memcpy(copy, text.data(), text.size());
    copy[text.size()] = '\0';
    return copy;
}

void set_text(toml_value &to, toml_kind kind, std::string_view text) {
    to.kind = kind;
    to.text = copy_text(text);
    to.text_bytes = text.size();
}

/* Items are zeroed, so that a growing tree can be freed at any time. */
void set_items(toml_value &to, toml_kind kind, std::size_t count) {
    to.kind = kind;
    to.items = static_cast<toml_value *>(std::calloc(count + 1, sizeof *to.items));
    if (!to.items) {
        throw std::bad_alloc();
    }
    to.n_items = count;
}

template <typename Value> void set_date(toml_value &to, const Value &value) {
    std::ostringstream out;
    out << value.get();
    set_text(to, TOML_DATETIME, out.str());
}

/* Recursion is bounded by toml++'s own limit on nesting (TOML_MAX_NESTED_VALUES). */
void convert(toml_value &to, const toml::node &node);

void convert_table(toml_value &to, const toml::table &table) {
    /* toml++ sorts by key; people read problems in the order of their file. */
    using member = std::pair<const toml::key *, const toml::node *>;
    std::vector<member> members;
    for (const auto &[key, node] : table) {
        members.emplace_back(&key, &node);
    }
    std::stable_sort(members.begin(), members.end(), [](const member &a, const member &b) {
        return a.first->source().begin < b.first->source().begin;
    });
    set_items(to, TOML_TABLE, members.size());
    for (std::size_t i = 0; i < members.size(); i++) {
        const toml::key &key = *members[i].first;
        to.items[i].key = copy_text(key.str());
        to.items[i].key_bytes = key.str().size();
        to.items[i].line = key.source().begin.line;
        convert(to.items[i], *members[i].second);
    }
}

void convert(toml_value &to, const toml::node &node) {
    if (to.line == 0) {
        to.line = node.source().begin.line;
    }
    if (const auto *table = node.as_table()) {
        convert_table(to, *table);
    } else if (const auto *array = node.as_array()) {
        set_items(to, TOML_ARRAY, array->size());
        for (std::size_t i = 0; i < array->size(); i++) {
            convert(to.items[i], (*array)[i]);
        }
    } else if (const auto *text = node.as_string()) {
        set_text(to, TOML_STRING, text->get());
    } else if (const auto *integer = node.as_integer()) {
        to.kind = TOML_INTEGER;
        to.integer = integer->get();
    } else if (const auto *number = node.as_floating_point()) {
        to.kind = TOML_FLOAT;
        to.number = number->get();
    } else if (const auto *boolean = node.as_boolean()) {
        to.kind = TOML_BOOLEAN;
        to.boolean = boolean->get();
    } else if (const auto *date = node.as_date()) {
        set_date(to, *date);
    } else if (const auto *time = node.as_time()) {
        set_date(to, *time);
    } else if (const auto *date_time = node.as_date_time()) {
        set_date(to, *date_time);
    }
}

void set_error(toml_error *error, unsigned line, unsigned column, std::string_view text) noexcept {
    error->line = line;
    error->column = column;
    (void)std::snprintf(error->text, sizeof error->text, "%.*s", static_cast<int>(text.size()),
                        text.data());
}

/* Is the character at a line and column, both from 1, the end of that line or of the file? toml++
 * counts code points. */
bool is_at_line_end(std::string_view toml, unsigned line, unsigned column) noexcept {
    for (; line > 1 && !toml.empty(); line--) {
        const std::size_t end = toml.find('\n');
        toml = end == std::string_view::npos ? std::string_view() : toml.substr(end + 1);
    }
    toml = toml.substr(0, toml.find_first_of("\r\n"));
    unsigned points = 0;
    for (const char c : toml) {
        points += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }
    return column > points;
}

/* toml++ describes a forgotten quote by the line break that it finds instead. */
std::string_view explain(std::string_view toml, const toml::source_position &at,
                         std::string_view description) noexcept {
    const bool in_string = description.find("string: ") != std::string_view::npos;
    if (in_string && is_at_line_end(toml, at.line, at.column)) {
        return "a text has no closing quote at its end";
    }
    if (description.find("could not determine value type") != std::string_view::npos) {
        return "this is no value; a text needs quotes: name = \"text\"";
    }
    return description;
}

} // namespace

extern "C" int toml_parse(const char *toml, size_t bytes, struct toml_value **root,
                          struct toml_error *error) {
    try {
        const toml::table table = toml::parse(std::string_view(toml, bytes));
        std::unique_ptr<toml_value, tree_deleter> tree(
            static_cast<toml_value *>(std::calloc(1, sizeof(toml_value))));
        if (!tree) {
            throw std::bad_alloc();
        }
        convert(*tree, table);
        *root = tree.release();
        return 0;
    } catch (const toml::parse_error &what) {
        const toml::source_position &at = what.source().begin;
        set_error(error, at.line, at.column,
                  explain(std::string_view(toml, bytes), at, what.description()));
    } catch (const std::exception &what) {
        set_error(error, 0, 0, what.what());
    } catch (...) {
        set_error(error, 0, 0, "the TOML parser failed");
    }
    return -1;
}

#define TEXT_OF_(value) #value
#define TEXT_OF(value) TEXT_OF_(value)

extern "C" const char *toml_library_version(void) {
    return TEXT_OF(TOML_LIB_MAJOR) "." TEXT_OF(TOML_LIB_MINOR) "." TEXT_OF(TOML_LIB_PATCH);
}
