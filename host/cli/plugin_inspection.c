/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Loads each plugin in a worker, prints its description, and reports rejected plugins. */
#include "cli/plugin_inspection.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "cli/app_needs_text.h"
#include "plugin_file/plugin_file.h"
#include "worker_process/worker_process.h"

#include <snekomatic/plugin.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For destroy() on a loaded machine; serve waits for 1 s. */
#define END_DEADLINE_MS 5000

/* One plugin while a worker loads it. */
struct inspection {
    const struct config_plugin *config;
    struct plugin_copy file;
    struct worker_process *worker_process;
    struct description *description;
    bool ready;
    enum frame_sandbox_level level;
    /* Why the level is not full; "" when it is. */
    char level_why[FRAME_REASON_MAX + 1];
    char *rejection;
    bool gone;
    /* The worker is to explain this delivery; NULL: none. Its `payload` is borrowed. */
    const struct worker_process_run *delivery;
    struct explained *items;
    size_t n_items;
};

static void on_rejected(void *context, const char *why) {
    struct inspection *inspection = context;
    if (!inspection->rejection) {
        inspection->rejection = strdup(why);
    }
}

static void on_described(void *context, struct description *description, struct frame_text body) {
    (void)body;
    struct inspection *inspection = context;
    struct error err;
    const char *why;
    inspection->level = worker_process_level(inspection->worker_process, &why);
    snprintf(inspection->level_why, sizeof inspection->level_why, "%s", why);
    if (description_permit(description, inspection->config->permissions, &err) < 0) {
        on_rejected(inspection, err.text);
        description_free(description);
        worker_process_close(inspection->worker_process);
    } else {
        inspection->description = description;
    }
}

static void on_ready(void *context) {
    struct inspection *inspection = context;
    inspection->ready = inspection->description != NULL;
    if (inspection->ready && inspection->delivery && inspection->delivery->payload) {
        struct worker_process_run delivery = *inspection->delivery;
        payload_ref(delivery.payload);
        worker_process_send_explain(inspection->worker_process, &delivery);
        return;
    }
    worker_process_close(inspection->worker_process);
}

static bool on_explained(void *context, uint64_t question, struct explained *items,
                         size_t n_items) {
    struct inspection *inspection = context;
    (void)question;
    free(inspection->items);
    inspection->items = items;
    inspection->n_items = n_items;
    worker_process_close(inspection->worker_process);
    return true;
}

static bool on_log(void *context, uint64_t run, enum log_level level, struct frame_text text) {
    (void)context;
    (void)run;
    (void)level;
    AUTO_FREE char *line = strndup(text.data, text.bytes);
    if (line) {
        text_clean_in_place(line);
        fprintf(stderr, "  %s\n", line);
    }
    return true;
}

static void on_output(void *context, const char *stream, const char *text, size_t bytes) {
    (void)context;
    char line[WORKER_PROCESS_LINE_MAX + 1];
    text_clean(line, sizeof line, text, bytes);
    fprintf(stderr, "  %s: %s\n", stream, line);
}

static void on_output_dropped(void *context, uint64_t bytes) {
    (void)context;
    fprintf(stderr, "  and %llu bytes more\n", (unsigned long long)bytes);
}

static void on_exit_of_worker(void *context, const struct worker_death *death) {
    struct inspection *inspection = context;
    if (!inspection->ready && !inspection->rejection) {
        (void)asprintf(&inspection->rejection, "its worker %s while it loaded%s%s", death->how,
                       *death->symbolize ? "; its lines: " : "", death->symbolize);
    }
    inspection->gone = true;
}

static void on_start_failed(void *context, const struct error *why) {
    struct inspection *inspection = context;
    on_rejected(inspection, why->text);
    inspection->gone = true;
}

/* A plugin under inspection has no run, so the handlers of runs are missing. */
static const struct worker_process_handlers handlers = {.on_described = on_described,
                                                        .on_ready = on_ready,
                                                        .on_rejected = on_rejected,
                                                        .on_log = on_log,
                                                        .on_explained = on_explained,
                                                        .on_output = on_output,
                                                        .on_output_dropped = on_output_dropped,
                                                        .on_exit = on_exit_of_worker,
                                                        .on_start_failed = on_start_failed};

static const char endless_destroy[] = "its destroy() does not return: serve would wait for it at "
                                      "each stop, and then kill it";
static const char endless_load[] = "it took longer than 20 s to load";

static void inspect(struct loop *loop, struct worker_starter *starter,
                    struct inspection *inspection) {
    struct error err;
    const struct config_plugin *config = inspection->config;
    assert(inspection->file.path);
    struct worker_process_spec spec = {.plugin_path = inspection->file.path,
                                       .plugin_shown = config->path,
                                       .config_json = config->config_json,
                                       .concurrency = config->concurrency,
                                       .memory_mib = config->memory_mib,
                                       .sandbox = (enum frame_sandbox)config->sandbox,
                                       .log_level = SNEK_LEVEL_WARNING};
    if (worker_process_start(loop, starter, &spec, &handlers, inspection,
                             &inspection->worker_process, &err) < 0) {
        on_rejected(inspection, err.text);
        return;
    }
    int64_t deadline_ms = clock_monotonic_ms() + WORKER_SPAWN_LOAD_DEADLINE_MS;
    bool ending = false;
    while (!inspection->gone) {
        if (inspection->ready && !ending) {
            ending = true;
            deadline_ms = clock_monotonic_ms() + END_DEADLINE_MS;
        }
        if (clock_monotonic_ms() >= deadline_ms) {
            on_rejected(inspection, ending ? endless_destroy : endless_load);
            break;
        }
        worker_process_flush(inspection->worker_process);
        loop_step(loop, 100);
        worker_process_tick(inspection->worker_process, clock_monotonic_ms());
    }
    worker_process_free(inspection->worker_process);
    inspection->worker_process = NULL;
}

static void print_permissions(const struct inspection *inspection) {
    const struct description *d = inspection->description;
    char *const *permitted = inspection->config->permissions;
    for (size_t i = 0; i < d->n_permissions; i++) {
        printf("  %s %s: %s%s\n", i == 0 ? "permissions " : "            ", d->permissions[i].name,
               d->permissions[i].access, d->permissions[i].optional ? " (optional)" : "");
    }
    if (d->n_permissions == 0) {
        printf("  permissions  none declared: metadata: read\n");
    }
    if (permitted) {
        printf("  may ask for  %s", *permitted ? "" : "nothing");
        for (size_t i = 0; permitted[i]; i++) {
            printf("%s%s", i > 0 ? ", " : "", permitted[i]);
        }
        printf(" (plugin.permissions)\n");
    }
}

static void print_checks(const struct description *d) {
    for (size_t i = 0; i < d->n_check_actions; i++) {
        const struct described_check_action *action = &d->check_actions[i];
        char roles[DESCRIPTION_ROLES_MAX];
        description_roles(action->roles, roles);
        printf("  %s ", i == 0 ? "check runs  " : "            ");
        if (action->kind == SNEK_RERUN) {
            printf("re-run");
        } else {
            printf("button %s", action->identifier);
        }
        printf(" of %s (%s)\n", *action->check ? action->check : "any check run", roles);
    }
    if (*d->repository_config) {
        printf("  settings     .github/%s.yml of each repository, checked in pull requests\n",
               d->repository_config);
    }
}

static void print_plugin(const struct inspection *inspection) {
    static const char *const denied[] = {
        [SNEK_DENIED_SILENT] = "",
        [SNEK_DENIED_REACTION] = "; others get a reaction",
        [SNEK_DENIED_REPLY] = "; others get a reply",
    };
    const struct description *d = inspection->description;
    printf("plugin %s %s (ABI %u.%u): %s\n  file         %s\n  sha256       %s\n", d->name,
           d->version, d->abi_major, d->abi_minor, d->summary, inspection->config->path,
           inspection->file.sha256);
    if (d->order != SNEK_ORDER_NONE) {
        printf("  order        by %s: one run at a time\n", description_order(d->order));
    }
    printf("  sandbox      %s%s%s\n", frame_level_name(inspection->level),
           *inspection->level_why ? ": " : "", inspection->level_why);
    print_permissions(inspection);
    for (size_t i = 0; i < d->n_subscriptions; i++) {
        const struct described_subscription *s = &d->subscriptions[i];
        printf("  %s %s%s%s", i == 0 ? "events      " : "            ", s->event,
               *s->action ? "." : "", s->action);
        if (*s->filters) {
            printf(" when %s", s->filters);
        }
        if (s->flags & SNEK_OWN_EVENTS) {
            printf(" (also the bot's own)");
        }
        if (s->flags & SNEK_COALESCE) {
            printf("; only the newest of several");
        }
        printf("\n");
    }
    for (size_t i = 0; i < d->n_commands; i++) {
        const struct described_command *c = &d->commands[i];
        char roles[DESCRIPTION_ROLES_MAX];
        description_roles(c->roles, roles);
        printf("  %s /%s (%s%s): %s\n", i == 0 ? "commands    " : "            ", c->name, roles,
               denied[c->denied], c->usage);
    }
    for (size_t i = 0; i < d->n_schedules; i++) {
        const struct described_schedule *s = &d->schedules[i];
        printf("  %s %s: ", i == 0 ? "schedules   " : "            ", s->name);
        if (*s->cron) {
            printf("%s (UTC)", s->cron);
        } else {
            printf("every %u minutes", (unsigned)s->every_minutes);
        }
        printf(", each %s\n", s->target == SNEK_EACH_REPOSITORY ? "repository" : "installation");
    }
    print_checks(d);
    for (size_t i = 0; i < d->n_effects; i++) {
        printf("  %s %s %s\n", i == 0 ? "effects     " : "            ", d->effects[i].method,
               d->effects[i].url);
    }
    if (d->n_effects == 0) {
        printf("  effects      none declared: any\n");
    }
}

static void report_rejection(const struct inspection *inspection) {
    const struct config_plugin *plugin = inspection->config;
    fflush(stdout);
    fprintf(stderr, "plugin %s %s: %s\n  file         %s\n", plugin->as_written,
            inspection->ready ? "does not end" : "is rejected", inspection->rejection,
            plugin->path);
}

/* With `warnings` it prints the description too. */
static unsigned inspect_and_report(struct loop *loop, struct worker_starter *starter,
                                   struct plugin_files *files, struct inspection *inspection,
                                   unsigned *warnings) {
    struct error err;
    const struct config_plugin *config = inspection->config;
    if (plugin_files_copy(files, config->path, config->sha256, &inspection->file, &err) < 0) {
        on_rejected(inspection, err.text);
    } else {
        inspect(loop, starter, inspection);
    }
    if (inspection->ready && warnings) {
        print_plugin(inspection);
        *warnings += app_needs_warn(inspection->description);
    }
    if (inspection->rejection) {
        report_rejection(inspection);
        return 1;
    }
    return 0;
}

static void close_files(struct plugin_files **files) {
    plugin_files_close(*files);
}

/* `explained` has room for each plugin of the configuration; NULL without a `delivery`. */
static unsigned inspect_all(const struct config *config, struct inspected_plugins *plugins,
                            bool print, const struct worker_process_run *delivery,
                            struct explained_plugin *explained) {
    unsigned problems = 0;
    *plugins = (struct inspected_plugins){.warnings = 0};
    struct error err = {.text = "out of memory"};
    struct loop loop;
    CLEANUP(close_files) struct plugin_files *files = NULL;
    int opened = plugin_files_open(&files, &err);
    /* A constructor of a plugin may read /proc/PPID/environ. */
    secret_scrub_whole_environment();
    struct direct_starter direct = {.worker_path = NULL};
    AUTO_FREE struct inspection *all = calloc(config->n_plugins + 1, sizeof *all);
    assert(config->n_plugins <= CONFIG_PLUGINS_MAX);
    if (opened < 0 || !all || loop_init(&loop) < 0 ||
        direct_starter_init(&direct, &loop, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (config->n_plugins == 0 && print) {
        puts("no plugins: the host will not act on anything; add a [[plugin]]");
    }
    for (size_t i = 0; i < config->n_plugins; i++) {
        all[i].config = &config->plugins[i];
        all[i].delivery = delivery;
        if (!config->plugins[i].enabled) {
            if (print) {
                printf("plugin %s is not enabled\n", config->plugins[i].as_written);
            }
            continue;
        }
        problems += inspect_and_report(&loop, &direct.starter, files, &all[i],
                                       print ? &plugins->warnings : NULL);
        if (all[i].ready) {
            plugins->descriptions[i] = all[i].description;
            all[i].description = NULL;
        }
    }
    if (descriptions_conflict(inspected_plugins_list(plugins), config->n_plugins, &err) < 0) {
        problems++;
        fprintf(stderr, "%s\n", err.text);
    }
    for (size_t i = 0; i < config->n_plugins; i++) {
        if (explained) {
            explained[i] = (struct explained_plugin){.description = STEAL(plugins->descriptions[i]),
                                                     .items = STEAL(all[i].items),
                                                     .n_items = all[i].n_items,
                                                     .rejection = STEAL(all[i].rejection)};
        }
        free(all[i].items);
        description_free(all[i].description);
        free(all[i].rejection);
        plugin_copy_finish(&all[i].file);
    }
    direct_starter_finish(&direct);
    loop_finish(&loop);
    return problems;
}

unsigned plugin_inspection(const struct config *config, struct inspected_plugins *plugins) {
    return inspect_all(config, plugins, true, NULL, NULL);
}

unsigned plugin_inspection_silent(const struct config *config, struct inspected_plugins *plugins) {
    return inspect_all(config, plugins, false, NULL, NULL);
}

void plugin_inspection_explain(const struct config *config,
                               const struct worker_process_run *delivery,
                               struct explained_plugin *explained) {
    struct inspected_plugins plugins;
    inspect_all(config, &plugins, false, delivery, explained);
    inspected_plugins_finish(&plugins);
}

void explained_plugin_finish(struct explained_plugin *explained) {
    description_free(explained->description);
    free(explained->items);
    free(explained->rejection);
    *explained = (struct explained_plugin){0};
}

const struct description *const *inspected_plugins_list(const struct inspected_plugins *plugins) {
    return (const struct description *const *)plugins->descriptions;
}

void inspected_plugins_finish(struct inspected_plugins *plugins) {
    for (size_t i = 0; i < CONFIG_PLUGINS_MAX; i++) {
        description_free(plugins->descriptions[i]);
        plugins->descriptions[i] = NULL;
    }
}
