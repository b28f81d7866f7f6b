/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* /settings replies with what `.github/settings.yml` says. */
#include <snekomatic/snekomatic.h>

static int32_t reply(struct snek_run *run, struct snek_repository_config *config, int64_t days,
                     const char *greeting, int32_t close) {
    const char *label, *labels = "";
    int32_t result;
    uint32_t n = 0;
    while ((result = snek_repository_item(run, config, "labels", n, &label)) > 0) {
        labels = snek_print(run, "%s %s", labels, label);
        n++;
    }
    if (result < 0) {
        return result;
    }
    return snek_reply(run, snek_print(run, "%s: %" PRId64 " days, %s,%s (%s)", greeting, days,
                                      close ? "close" : "keep", labels,
                                      snek_repository_configs(run)->source(config)));
}

static int32_t settings(struct snek_run *run) {
    static const char *const keys[] = {"days", "greeting", "close", "labels"};
    struct snek_repository_config *config;
    const char *greeting;
    int64_t days;
    int32_t close, result;
    if ((result = snek_repository_config(run, "settings", &config)) < 0 ||
        (result = snek_repository_allow(run, config, keys, 4)) < 0 ||
        (result = snek_repository_string(run, config, "greeting", "hello", &greeting)) < 0 ||
        (result = snek_repository_integer(run, config, "days", 1, 90, 30, &days)) < 0 ||
        (result = snek_repository_boolean(run, config, "close", 0, &close)) < 0) {
        return result;
    }
    return reply(run, config, days, greeting, close);
}

/* A handler that looks at the list for each of many files. */
static int32_t many(struct snek_run *run) {
    struct snek_repository_config *config;
    const char *label;
    int32_t result = snek_repository_config(run, "settings", &config);
    for (uint32_t n = 0; result >= 0 && n < 300000; n++) {
        result = snek_repository_item(run, config, "labels", 1, &label);
        if (result == 0 || (result > 0 && strcmp(label, "needs info") != 0)) {
            return snek_fail(
                run, snek_print(run, "the label is gone after %lu times", (unsigned long)n));
        }
    }
    return result < 0 ? result : SNEK_DONE;
}

static int32_t misnamed(struct snek_run *run) {
    struct snek_repository_config *config;
    return snek_repository_config(run, "../settings", &config);
}

static const struct snek_permission permissions[] = {
    {"issues", "write"}, {"pull_requests", "write"}, {"contents", "read"}};

static const struct snek_command commands[] = {
    {.name = "settings", .usage = "/settings", .handler = settings},
    {.name = "many", .usage = "/many", .handler = many},
    {.name = "misnamed", .usage = "/misnamed", .handler = misnamed},
};

SNEK_PLUGIN(.name = "settings", .version = "1.0", .summary = "Shows its configuration.",
            SNEK_TABLE(permissions), SNEK_TABLE(commands))
