/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "text", revision 1: memory that the host frees with the run, and JSON that is escaped by
 * construction. The inline functions of compose.h call these slots.
 *
 *   allocate(host, run, 80)      lives until the handler returns
 *   allocate(host, NULL, 80)     for create(): lives until the plugin's process ends
 *   print(host, run, "Hi @%s", arguments, 1)      in the same memory
 *   json(host, run, "{'a':'%s'}", arguments, 1)   checked and escaped
 *   fill(host, run, "Hi @{user}", names, 1)
 *
 * A slot that fails returns NULL and leaves the reason. A later call that gets this NULL as its
 * text fails with that reason, so a handler can pass a result on without a check: `return
 * snek_reply(run, snek_print(run, ...))`. All memory of a run together is at most 64 MiB. */
#ifndef SNEKOMATIC_TEXT_H
#define SNEKOMATIC_TEXT_H

#include <snekomatic/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNEK_TEXT_SERVICE "text"
#define SNEK_TEXT_REVISION 1

/* The most conversions of a pattern. */
#define SNEK_ARGUMENTS_MAX 32

enum snek_argument_kind {
    /* `text`, for %s. */
    SNEK_ARGUMENT_TEXT = 0,
    /* `integer`, for %d, %i and %c. */
    SNEK_ARGUMENT_SIGNED = 1,
    /* `integer`, read as unsigned, for %u, %x, %X and %o. */
    SNEK_ARGUMENT_UNSIGNED = 2,
    /* `number`, for %f, %e and %g. */
    SNEK_ARGUMENT_NUMBER = 3
};

/* The value of one conversion of a pattern. */
struct snek_argument {
    const char *text;
    int64_t integer;
    double number;
    /* enum snek_argument_kind. */
    uint32_t kind;
    /* The most bytes of `text`, for "%.*s"; negative when there is no limit. */
    int32_t text_bytes_max;
};

struct snek_text_service {
    /* The size of this struct in the host. */
    uint32_t bytes;
    /* 0. */
    uint32_t reserved;

    /* [any thread] Memory for `size` bytes, aligned for any type, not initialised. It lives until
     * the handler returns, or until the plugin's process ends when `run` is NULL. NULL, with a
     * reason left, when the run's memory is used up. Never blocks. */
    void *(*allocate)(const struct snek_host *host, struct snek_run *run, uint64_t size);

    /* [any thread] A formatted text, in memory like that of allocate(). The conversions are those
     * of printf(): %s %c %d %i %u %x %X %o %f %e %g %%, with flags, width, precision, and the
     * length modifiers l, ll, j, z and t; "%.*s" takes the most bytes of the text. NULL, with a
     * reason left, when a text is NULL, a conversion is not known, or memory is short. Never
     * blocks. */
    const char *(*print)(const struct snek_host *host, struct snek_run *run, const char *format,
                         const struct snek_argument *arguments, uint32_t arguments_count);

    /* [any thread] JSON from a pattern, in memory like that of allocate(). The pattern is JSON in
     * which a string is in single quotes, and in which the conversions of print() stand for values:
     *
     *   '%s'  '#%d: %s'   in quotes: a part of the string; every byte is escaped
     *   %s                outside: raw JSON, which must be one whole value
     *   %d %u %g %f …     outside: a number
     *   %%  \'  \\        a percent sign; in quotes an apostrophe, a backslash
     *
     * The result is checked: it is one well-formed value. NULL with a reason that names the place
     * in the pattern, when the pattern is malformed, a text is NULL, raw JSON is none, a number is
     * not finite, or memory is short. Never blocks. */
    const char *(*json)(const struct snek_host *host, struct snek_run *run, const char *pattern,
                        const struct snek_argument *arguments, uint32_t arguments_count);

    /* [any thread] `text` with every {name} replaced by its value, in memory like that of
     * allocate(). Names within values are not replaced, and other braces stay. NULL with a reason,
     * when a value that the text needs is NULL, or when memory is short. Never blocks. */
    const char *(*fill)(const struct snek_host *host, struct snek_run *run, const char *text,
                        const struct snek_parameter *parameters, uint32_t parameters_count);
};

#ifdef __cplusplus
}
#endif

#endif
