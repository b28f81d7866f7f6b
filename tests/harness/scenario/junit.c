/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Collects the cases, and writes JUnit's XML. */
#include "scenario/junit.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void junit_init(struct junit *junit) {
    *junit = (struct junit){.cases = json_array()};
    junit_begin(junit);
}

void junit_finish(struct junit *junit) {
    json_decref(junit->cases);
}

void junit_begin(struct junit *junit) {
    junit->began_ms = clock_monotonic_ms();
}

void junit_add(struct junit *junit, const char *suite, const char *name, bool good) {
    int64_t now_ms = clock_monotonic_ms();
    json_array_append_new(junit->cases,
                          json_pack("{s:s, s:s, s:I, s:s*}", "suite", suite, "name", name, "ms",
                                    (json_int_t)(now_ms - junit->began_ms), "failure",
                                    good ? NULL : ""));
    junit->began_ms = now_ms;
}

void junit_explain(struct junit *junit, const char *text, size_t bytes) {
    json_t *last = json_array_get(junit->cases, json_array_size(junit->cases) - 1);
    const char *before = json_string_value(json_object_get(last, "failure"));
    if (before) {
        json_object_set_new(last, "failure", json_sprintf("%s%.*s", before, (int)bytes, text));
    }
}

/* XML has no control characters but white space. */
static void write_text(FILE *file, const char *text) {
    for (const char *at = text; *at; at++) {
        switch (*at) {
        case '&':
            fputs("&amp;", file);
            break;
        case '<':
            fputs("&lt;", file);
            break;
        case '>':
            fputs("&gt;", file);
            break;
        case '"':
            fputs("&quot;", file);
            break;
        default:
            fputc((unsigned char)*at < ' ' && !strchr("\t\n\r", *at) ? '?' : *at, file);
        }
    }
}

static const char *text(const json_t *one, const char *key) {
    return json_string_value(json_object_get(one, key));
}

static void write_case(FILE *file, const json_t *one) {
    const char *failure = text(one, "failure");
    fputs("    <testcase classname=\"", file);
    write_text(file, text(one, "suite"));
    fputs("\" name=\"", file);
    write_text(file, text(one, "name"));
    fprintf(file, "\" time=\"%.3f\"",
            (double)json_integer_value(json_object_get(one, "ms")) / 1000);
    if (!failure) {
        fputs("/>\n", file);
        return;
    }
    fputs(">\n      <failure message=\"", file);
    char first[200];
    snprintf(first, sizeof first, "%.*s", (int)strcspn(failure, "\n"), failure);
    write_text(file, first);
    fputs("\">", file);
    write_text(file, failure);
    fputs("</failure>\n    </testcase>\n", file);
}

/* The cases from `from` on that belong to one scenario; returns the first of the next one. */
static size_t write_suite(FILE *file, const json_t *cases, size_t from) {
    const char *name = text(json_array_get(cases, from), "suite");
    size_t to = from, failures = 0;
    json_int_t ms = 0;
    for (; to < json_array_size(cases); to++) {
        const json_t *one = json_array_get(cases, to);
        if (strcmp(text(one, "suite"), name) != 0) {
            break;
        }
        failures += text(one, "failure") != NULL;
        ms += json_integer_value(json_object_get(one, "ms"));
    }
    fputs("  <testsuite name=\"", file);
    write_text(file, name);
    fprintf(file, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" time=\"%.3f\">\n", to - from,
            failures, (double)ms / 1000);
    for (size_t i = from; i < to; i++) {
        write_case(file, json_array_get(cases, i));
    }
    fputs("  </testsuite>\n", file);
    return to;
}

int junit_write(const struct junit *junit, const char *path, struct error *err) {
    FILE *file = fopen(path, "we");
    if (!file) {
        return error_set(err, "cannot write %s: %s", path, strerror(errno));
    }
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", file);
    for (size_t i = 0; i < json_array_size(junit->cases);) {
        i = write_suite(file, junit->cases, i);
    }
    fputs("</testsuites>\n", file);
    bool failed = ferror(file) != 0;
    return fclose(file) != 0 || failed
               ? error_set(err, "cannot write %s: %s", path, strerror(errno))
               : 0;
}
