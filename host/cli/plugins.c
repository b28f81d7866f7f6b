/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic check` and `snekomatic plugins`: load everything that `serve` would load, workers
 * included, and say what each plugin wants and what is wrong. */
#include "cli/cli.h"
#include "cli/online.h"

#include "base/clock.h"
#include "base/text.h"
#include "config/config.h"
#include "inbox/inbox.h"
#include "supervisor/supervisor.h"
#include "worker_process/worker_process.h"

#include <errno.h>
#include <getopt.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char check_usage[] =
    "Usage: snekomatic check [--online] [-c FILE]\n"
    "\n"
    "Reads the configuration, the credentials and every plugin (each in a worker of its own, as\n"
    "serve does), looks at the store and the address, prints what it found, and says what is "
    "wrong\n"
    "and how to fix it. It changes nothing, and a host may run meanwhile.\n"
    "\n"
    "  --online           ask GitHub, too, which app the key is of: by the proxy and with the\n"
    "                     certificates that serve would use\n"
    "  -c, --config FILE  the configuration (default as for serve)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 all is well; 64 wrong usage; 78 something is wrong.\n";

static const char plugins_usage[] =
    "Usage: snekomatic plugins [-c FILE]\n"
    "\n"
    "Lists what the configured plugins subscribe to, their commands and permissions, each loaded "
    "in\n"
    "a worker of its own as serve does. Credentials are not looked at: a build may ask it.\n"
    "\n"
    "  -c, --config FILE  the configuration (default as for serve)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0; 64 wrong usage; 78 when the configuration or a plugin is wrong.\n";

#define END_DEADLINE_MS 5000 /* for destroy(), on a loaded machine; serve waits for 1 s */

/* One plugin on its way through a worker. */
struct loading {
    const struct config_plugin *config;
    struct worker_process *worker_process;
    struct description *description; /* NULL: rejected */
    char *rejection;
    bool gone;
};

static void on_described(void *context, struct description *description) {
    struct loading *loading = context;
    loading->description = description;
    worker_process_close(loading->worker_process);
}

static void on_rejected(void *context, const char *why) {
    struct loading *loading = context;
    if (!loading->rejection) {
        loading->rejection = strdup(why);
    }
}

static void on_log(void *context, uint64_t run, enum log_level level, struct frame_text text) {
    (void)context;
    (void)run;
    (void)level;
    AUTO_FREE char *line = strndup(text.data, text.bytes);
    if (line) {
        text_clean_in_place(line);
        (void)fprintf(stderr, "  %s\n", line);
    }
}

static void on_died(void *context, const char *how) {
    struct loading *loading = context;
    if (!loading->description && !loading->rejection) {
        (void)asprintf(&loading->rejection, "its worker %s while it loaded", how);
    }
    loading->gone = true;
}

/* A plugin that is only being looked at has no run, so these would be lies. */
static void on_http(void *context, const struct http_call *request) {
    (void)request;
    worker_process_kill(((struct loading *)context)->worker_process,
                        "was ended: it asked before it was asked");
}

static void on_store(void *context, const struct store_call *request) {
    (void)request;
    worker_process_kill(((struct loading *)context)->worker_process,
                        "was ended: it asked before it was asked");
}

static void on_result(void *context, uint64_t run, int64_t result, int64_t delay_ms,
                      struct frame_text reason) {
    (void)run;
    (void)result;
    (void)delay_ms;
    (void)reason;
    worker_process_kill(((struct loading *)context)->worker_process,
                        "was ended: it answered before it was asked");
}

static const struct worker_process_handlers handlers = {.described = on_described,
                                                        .rejected = on_rejected,
                                                        .http = on_http,
                                                        .store = on_store,
                                                        .log = on_log,
                                                        .result = on_result,
                                                        .died = on_died};

static void load_one(struct loop *loop, const char *worker_path, struct loading *loading) {
    struct error err;
    struct worker_process_options options = {.loop = loop,
                                             .worker_path = worker_path,
                                             .plugin = loading->config,
                                             .log_level = SNEK_LEVEL_WARNING,
                                             .handlers = &handlers,
                                             .context = loading};
    if (worker_process_start(&options, &loading->worker_process, &err) < 0) {
        on_rejected(loading, err.text);
        return;
    }
    int64_t deadline_ms = clock_monotonic_ms() + WORKER_PROCESS_LOAD_DEADLINE_MS;
    bool ending = false;
    while (!loading->gone) {
        if (loading->description && !ending) {
            ending = true;
            deadline_ms = clock_monotonic_ms() + END_DEADLINE_MS;
        }
        if (clock_monotonic_ms() >= deadline_ms) {
            on_rejected(loading, ending
                                     ? "its destroy() does not return: serve would wait for it at "
                                       "each stop, and then kill it"
                                     : "it took longer than 20 s to load");
            break;
        }
        loop_step(loop, 100);
    }
    worker_process_free(loading->worker_process);
    loading->worker_process = NULL;
}

static void print_plugin(const struct loading *loading) {
    const struct description *d = loading->description;
    (void)printf("plugin %s %s (ABI %u.%u): %s\n  file         %s\n", d->name, d->version,
                 d->abi_major, d->abi_minor, d->summary, loading->config->path);
    for (size_t i = 0; i < d->n_permissions; i++) {
        (void)printf("  %s %s: %s\n", i == 0 ? "permissions " : "            ",
                     d->permissions[i].name, d->permissions[i].access);
    }
    if (d->n_permissions == 0) {
        (void)printf("  permissions  none declared: metadata: read\n");
    }
    for (size_t i = 0; i < d->n_subscriptions; i++) {
        const struct described_subscription *s = &d->subscriptions[i];
        (void)printf("  %s %s%s%s%s%s\n", i == 0 ? "events      " : "            ", s->event,
                     *s->action ? "." : "", s->action, *s->filters ? " when " : "", s->filters);
    }
    for (size_t i = 0; i < d->n_commands; i++) {
        const struct described_command *c = &d->commands[i];
        (void)printf("  %s /%s (%s): %s\n", i == 0 ? "commands    " : "            ", c->name,
                     description_who(c->who), c->usage);
    }
}

/* Only a warning: GitHub may have permissions by now that this program does not know. */
static void warn_of_permissions(const struct description *d) {
    (void)fflush(stdout);
    for (size_t i = 0; i < d->n_permissions; i++) {
        const char *nearest;
        if (!cli_permission_is_known(d->permissions[i].name, &nearest)) {
            (void)fprintf(stderr,
                          "warning: plugin %s wants the permission %s, which is not known%s%s%s\n",
                          d->name, d->permissions[i].name, nearest ? "; did you mean " : "",
                          nearest ? nearest : "", nearest ? "?" : "");
        }
    }
}

/* Loads, prints, and says on stderr what is wrong; how many things were. */
static unsigned look_at_plugins(const struct config *config) {
    unsigned problems = 0;
    struct error err = {"out of memory"};
    struct loop loop;
    AUTO_FREE char *worker_path = worker_process_find_binary(&err);
    AUTO_FREE struct loading *all = calloc(config->n_plugins + 1, sizeof *all);
    AUTO_FREE const struct description **described =
        calloc(config->n_plugins + 1, sizeof *described);
    if (!worker_path || !all || !described || loop_init(&loop) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (config->n_plugins == 0) {
        (void)puts("no plugins: nothing will act; add a [[plugin]]");
    }
    for (size_t i = 0; i < config->n_plugins; i++) {
        all[i].config = &config->plugins[i];
        if (!config->plugins[i].enabled) {
            (void)printf("plugin %s is not enabled\n", config->plugins[i].as_written);
            continue;
        }
        load_one(&loop, worker_path, &all[i]);
        described[i] = all[i].description;
        if (all[i].description) {
            print_plugin(&all[i]);
            warn_of_permissions(all[i].description);
        }
        if (all[i].rejection) {
            problems++;
            (void)fflush(stdout);
            (void)fprintf(stderr, "plugin %s %s: %s\n  file         %s\n",
                          config->plugins[i].as_written,
                          all[i].description ? "does not end" : "is rejected", all[i].rejection,
                          config->plugins[i].path);
        }
    }
    if (descriptions_conflict(described, config->n_plugins, &err) < 0) {
        problems++;
        (void)fprintf(stderr, "%s\n", err.text);
    }
    for (size_t i = 0; i < config->n_plugins; i++) {
        description_free(all[i].description);
        free(all[i].rejection);
    }
    loop_finish(&loop);
    return problems;
}

/* For questions to GitHub a process of its own holds the key, and none is left to look at. */
static unsigned start_signer(const struct config *config, int *messages_fd) {
    struct error err;
    (void)fflush(stdout); /* the other process has a copy of what is not written yet */
    if (supervisor_start_signer(config, messages_fd, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    (void)printf("private key     ok\n");
    return 0;
}

static unsigned look_at_key(const struct config *config) {
    struct error err;
    AUTO_SECRET struct secret text = {0};
    struct app_key *key = NULL;
    bool from_variable = getenv("GITHUB_PRIVATE_KEY") && *getenv("GITHUB_PRIVATE_KEY");
    const char *source =
        from_variable ? "variable GITHUB_PRIVATE_KEY" : config->github.private_key_file;
    int result = config_private_key(config, &text, &err);
    if (result == 0) {
        result = app_key_parse(&text, &key, &err);
    }
    if (result < 0) {
        (void)fprintf(stderr, "private key (%s): %s\n", source, err.text);
        return 1;
    }
    (void)printf("private key     ok\n");
    app_key_free(key);
    return 0;
}

static unsigned look_at_secrets(const struct config *config) {
    struct error err;
    struct secret secrets[CONFIG_WEBHOOK_SECRETS_MAX] = {{0}};
    size_t count = 0;
    if (config_webhook_secrets(config, secrets, &count, &err) < 0) {
        (void)fprintf(stderr, "webhook secret: %s\n", err.text);
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        secret_finish(&secrets[i]);
    }
    (void)printf("webhook secret  ok%s\n", count > 1 ? ", and the previous one" : "");
    return 0;
}

static unsigned look_at_listen(const struct config *config) {
    struct error err;
    if (supervisor_check_listen(config->server.host, config->server.port, &err) < 0) {
        (void)fprintf(stderr, "server.listen: %s\n", err.text);
        return 1;
    }
    return 0;
}

static unsigned look_at_store(const struct config *config) {
    const char *url = config->store.url;
    struct error err;
    AUTO_FREE char *shown = inbox_show_url(url, &err);
    if (!shown) {
        (void)fprintf(stderr, "store: %s\n", err.text);
        return 1;
    }
    (void)printf("store           %s\n", shown);
    (void)fflush(stdout);
    if (inbox_check(url, &err) < 0) {
        (void)fprintf(stderr, "store: %s\n", err.text);
        return 1;
    }
    return 0;
}

static unsigned look_at_authorities(const struct config *config) {
    const char *path = config->github.ca_file;
    if (!path) {
        return 0;
    }
    if (access(path, R_OK) < 0) {
        (void)fprintf(stderr, "github.ca_file: cannot read %s: %s\n", path, strerror(errno));
        return 1;
    }
    gnutls_certificate_credentials_t credentials;
    int found = gnutls_certificate_allocate_credentials(&credentials);
    if (found == 0) {
        found = gnutls_certificate_set_x509_trust_file(credentials, path, GNUTLS_X509_FMT_PEM);
        gnutls_certificate_free_credentials(credentials);
    }
    if (found <= 0) {
        (void)fprintf(stderr, "github.ca_file: %s holds no certificates that can be used: %s\n",
                      path, found < 0 ? gnutls_strerror(found) : "it needs them in PEM");
        return 1;
    }
    return 0;
}

/* -1: go on; else the exit status. */
static int parse_check(int argc, char **argv, const char **path, bool *online) {
    static const struct option options[] = {{"online", no_argument, NULL, 'o'},
                                            {"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'o':
            *online = true;
            break;
        case 'c':
            *path = optarg;
            break;
        case 'h':
            (void)fputs(check_usage, stdout);
            return EX_OK;
        default:
            return EX_USAGE; /* getopt has said what is wrong */
        }
    }
    return optind < argc ? cli_usage_error("check", "'%s' is one argument too many", argv[optind])
                         : -1;
}

static unsigned look_at_everything(const struct config *config, bool online) {
    AUTO_CLOSE int messages_fd = -1;
    unsigned problems = look_at_listen(config) + look_at_store(config);
    problems += online ? start_signer(config, &messages_fd) : look_at_key(config);
    problems += look_at_secrets(config) + look_at_authorities(config) + look_at_plugins(config);
    return problems + (messages_fd >= 0 ? online_look(config, messages_fd) : 0);
}

int cli_check(int argc, char **argv) {
    const char *path = NULL;
    bool online = false;
    struct config *config = NULL;
    int status = parse_check(argc, argv, &path, &online);
    if (status >= 0) {
        return status;
    }
    status = cli_load_config(path, CONFIG_NEED_EVERYTHING, &config);
    if (status != 0) {
        return status;
    }
    (void)printf("configuration   %s\napp             %s at %s\nlisten on       %s port %u\n",
                 config->file ? config->file : "the environment", config->github.app_id,
                 config->github.api_url, config->server.host, config->server.port);
    unsigned problems = look_at_everything(config, online);
    config_free(config);
    if (problems > 0) {
        (void)fflush(stdout);
        (void)fprintf(stderr, "%u thing%s to fix\n", problems, problems == 1 ? "" : "s");
        return EX_CONFIG;
    }
    (void)printf("all is well\n");
    return EX_OK;
}

int cli_plugins(int argc, char **argv) {
    const char *path = NULL;
    struct config *config = NULL;
    int status = cli_config_option(argc, argv, plugins_usage, &path);
    if (status >= 0) {
        return status;
    }
    status = cli_load_config(path, CONFIG_NEED_NOTHING, &config);
    if (status != 0) {
        return status;
    }
    unsigned problems = look_at_plugins(config);
    config_free(config);
    return problems > 0 ? EX_CONFIG : EX_OK;
}
