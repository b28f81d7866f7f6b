/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Inline functions that build texts and JSON in the run's memory, over the service "text". Nothing
 * here needs free(). A function that fails returns NULL; the next call that gets this NULL fails
 * with its reason.
 *
 *   snek_print(run, "Hi @%s", user)                          "Hi @mona"
 *   snek_json(run, "{'title':'%s','n':%d}", "a \"b\"", 3)    {"title":"a \"b\"","n":3}
 *
 *   struct snek_builder names = SNEK_EMPTY_ARRAY;                  []
 *   snek_append_json(run, &names, "'%s'", "bug");            ["bug"]
 *   snek_json(run, "{'labels':%s}", names.text)              {"labels":["bug"]}
 *
 *   struct snek_builder list = SNEK_EMPTY_TEXT;
 *   snek_append(run, &list, "- %s\n", "bug");                "- bug\n"
 *
 * The compiler checks the arguments of every pattern like those of printf(). */
#ifndef SNEKOMATIC_COMPOSE_H
#define SNEKOMATIC_COMPOSE_H

#include <snekomatic/text.h>

#include <stdarg.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SNEK_PRINTF(pattern, arguments) __attribute__((format(printf, pattern, arguments)))
#else
#define SNEK_PRINTF(pattern, arguments)
#endif

static inline const struct snek_text_service *snek_texts(const struct snek_host *host) {
    return (const struct snek_text_service *)host->service(host, SNEK_TEXT_SERVICE,
                                                           SNEK_TEXT_REVISION);
}

/* Memory that lives until the handler returns. NULL when the run's memory is used up. */
static inline void *snek_allocate(struct snek_run *run, uint64_t size) {
    return snek_texts(run->host)->allocate(run->host, run, size);
}

/* The same for create(): it lives until the plugin's process ends. NULL when memory is short. */
static inline void *snek_allocate_kept(const struct snek_host *host, uint64_t size) {
    return snek_texts(host)->allocate(host, NULL, size);
}

/* ---- the arguments of patterns ---- */

/* Does this length modifier of printf, which ends before `end`, mean more than an int? */
static inline int snek_is_wide(const char *modifier, const char *end) {
    switch (*modifier) {
    case 'l':
        return end - modifier == 2 || sizeof(long) > sizeof(int);
    case 'z':
        return sizeof(size_t) > sizeof(int);
    case 't':
        return sizeof(ptrdiff_t) > sizeof(int);
    default:
        return *modifier == 'j';
    }
}

/* Reads the arguments of a pattern, of which there is room for SNEK_ARGUMENTS_MAX. It ends at a
 * conversion that it does not know, which the host then rejects. Returns their number. */
static inline uint32_t snek_read_arguments(const char *at, va_list values,
                                           struct snek_argument *arguments) {
    uint32_t count = 0;
    while (count < SNEK_ARGUMENTS_MAX && (at = strchr(at, '%'))) {
        struct snek_argument *argument = &arguments[count];
        const char *modifier;
        int wide;
        if (*++at == '%') {
            at++;
            continue;
        }
        memset(argument, 0, sizeof *argument);
        argument->text_bytes_max = -1;
        at += strspn(at, "-+ #0123456789.");
        if (*at == '*' && at[-1] == '.') {
            argument->text_bytes_max = va_arg(values, int);
            at++;
        }
        modifier = at;
        at += strspn(at, "lzjt");
        wide = snek_is_wide(modifier, at);
        if (*at == 's') {
            argument->text = va_arg(values, const char *);
            argument->kind = SNEK_ARGUMENT_TEXT;
        } else if (*at == 'd' || *at == 'i' || *at == 'c') {
            argument->integer = wide ? va_arg(values, int64_t) : va_arg(values, int);
            argument->kind = SNEK_ARGUMENT_SIGNED;
        } else if (*at && strchr("uxXo", *at)) {
            argument->integer =
                wide ? (int64_t)va_arg(values, uint64_t) : (int64_t)va_arg(values, unsigned);
            argument->kind = SNEK_ARGUMENT_UNSIGNED;
        } else if (*at && strchr("feg", *at)) {
            argument->number = va_arg(values, double);
            argument->kind = SNEK_ARGUMENT_NUMBER;
        } else {
            break;
        }
        count++;
    }
    return count;
}

/* ---- texts ---- */

/* A formatted text in the memory of `run`, or in that of the plugin when `run` is NULL. */
static inline const char *snek_vprint(const struct snek_host *host, struct snek_run *run,
                                      const char *format, va_list arguments) SNEK_PRINTF(3, 0);
static inline const char *snek_vprint(const struct snek_host *host, struct snek_run *run,
                                      const char *format, va_list arguments) {
    struct snek_argument values[SNEK_ARGUMENTS_MAX];
    uint32_t count = snek_read_arguments(format, arguments, values);
    return snek_texts(host)->print(host, run, format, values, count);
}

/* A text that lives until the handler returns: snek_print(run, "Hi @%s", user). */
static inline const char *snek_print(struct snek_run *run, const char *format, ...)
    SNEK_PRINTF(2, 3);
static inline const char *snek_print(struct snek_run *run, const char *format, ...) {
    const char *text;
    va_list arguments;
    va_start(arguments, format);
    text = snek_vprint(run->host, run, format, arguments);
    va_end(arguments);
    return text;
}

/* The same for create(): the text lives until the plugin's process ends. */
static inline const char *snek_print_kept(const struct snek_host *host, const char *format, ...)
    SNEK_PRINTF(2, 3);
static inline const char *snek_print_kept(const struct snek_host *host, const char *format, ...) {
    const char *text;
    va_list arguments;
    va_start(arguments, format);
    text = snek_vprint(host, NULL, format, arguments);
    va_end(arguments);
    return text;
}

/* `text` with every {name} replaced by its value. Names within values are not replaced, and other
 * braces stay. NULL when a value that the text needs is NULL. */
static inline const char *snek_fill(struct snek_run *run, const char *text,
                                    const struct snek_parameter *parameters,
                                    uint32_t parameters_count) {
    return snek_texts(run->host)->fill(run->host, run, text, parameters, parameters_count);
}

/* The same for create(): the text lives until the plugin's process ends. */
static inline const char *snek_fill_kept(const struct snek_host *host, const char *text,
                                         const struct snek_parameter *parameters,
                                         uint32_t parameters_count) {
    return snek_texts(host)->fill(host, NULL, text, parameters, parameters_count);
}

/* ---- JSON ---- */

/* JSON in the memory of `run`, or in that of the plugin when `run` is NULL. */
static inline const char *snek_vjson(const struct snek_host *host, struct snek_run *run,
                                     const char *pattern, va_list values) SNEK_PRINTF(3, 0);
static inline const char *snek_vjson(const struct snek_host *host, struct snek_run *run,
                                     const char *pattern, va_list values) {
    struct snek_argument arguments[SNEK_ARGUMENTS_MAX];
    uint32_t count = snek_read_arguments(pattern, values, arguments);
    return snek_texts(host)->json(host, run, pattern, arguments, count);
}

/* JSON from a pattern (text.h), which lives until the handler returns:
 * snek_json(run, "{'title':'%s','labels':%s,'n':%" PRId64 "}", title, labels, n). */
static inline const char *snek_json(struct snek_run *run, const char *pattern, ...)
    SNEK_PRINTF(2, 3);
static inline const char *snek_json(struct snek_run *run, const char *pattern, ...) {
    const char *json;
    va_list values;
    va_start(values, pattern);
    json = snek_vjson(run->host, run, pattern, values);
    va_end(values);
    return json;
}

/* ---- texts and arrays that grow ---- */

/* A text that grows. Begin with SNEK_EMPTY_TEXT or SNEK_EMPTY_ARRAY. */
struct snek_builder {
    /* The text so far; NULL after a failure. Borrowed until the next append. */
    const char *text;
    /* Its length. */
    uint64_t bytes;
    /* The room at `text`; 0 while the text is a constant. */
    uint64_t room;
};

/* Begins a text. */
#define SNEK_EMPTY_TEXT                                                                            \
    { "", 0, 0 }
/* Begins a JSON array. */
#define SNEK_EMPTY_ARRAY                                                                           \
    { "[]", 2, 0 }

/* Makes room for `more` bytes. Returns the writable text; NULL after a failure. */
static inline char *snek_grow(struct snek_run *run, struct snek_builder *builder, uint64_t more) {
    if (builder->text && builder->bytes + more >= builder->room) {
        uint64_t room = 2 * (builder->bytes + more) + 64;
        char *memory = (char *)snek_allocate(run, room);
        if (memory) {
            memcpy(memory, builder->text, (size_t)builder->bytes + 1);
        }
        builder->text = memory;
        builder->room = room;
    }
    return (char *)builder->text;
}

/* Appends to a text: snek_append(run, &list, "- %s\n", name). */
static inline void snek_append(struct snek_run *run, struct snek_builder *builder,
                               const char *format, ...) SNEK_PRINTF(3, 4);
static inline void snek_append(struct snek_run *run, struct snek_builder *builder,
                               const char *format, ...) {
    const char *text;
    char *memory;
    va_list arguments;
    va_start(arguments, format);
    text = builder->text ? snek_vprint(run->host, run, format, arguments) : NULL;
    va_end(arguments);
    memory = text ? snek_grow(run, builder, strlen(text)) : NULL;
    if (memory) {
        memcpy(memory + builder->bytes, text, strlen(text) + 1);
        builder->bytes += strlen(text);
    } else {
        builder->text = NULL;
    }
}

/* Appends an item to a JSON array: snek_append_json(run, &labels, "'%s'", name). The pattern is
 * that of snek_json(). */
static inline void snek_append_json(struct snek_run *run, struct snek_builder *array,
                                    const char *pattern, ...) SNEK_PRINTF(3, 4);
static inline void snek_append_json(struct snek_run *run, struct snek_builder *array,
                                    const char *pattern, ...) {
    const char *item;
    char *memory;
    va_list values;
    va_start(values, pattern);
    item = array->text ? snek_vjson(run->host, run, pattern, values) : NULL;
    va_end(values);
    memory = item ? snek_grow(run, array, strlen(item) + 1) : NULL;
    if (memory) {
        /* Over the bracket at the end. */
        if (array->bytes > 2) {
            memory[array->bytes - 1] = ',';
            array->bytes++;
        }
        memcpy(memory + array->bytes - 1, item, strlen(item));
        array->bytes += strlen(item);
        memcpy(memory + array->bytes - 1, "]", 2);
    } else {
        array->text = NULL;
    }
}

#ifdef __cplusplus
}
#endif

#endif
