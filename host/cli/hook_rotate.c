/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic hook --rotate`: changes the webhook secret here and at GitHub. GitHub gets the new
 * one only after every host of the store accepts both; a failure before that changes nothing. */
#include "cli/hook.h"

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/hook_files.h"
#include "cli/hook_hosts.h"
#include "cli/reload_client.h"
#include "cli/webhook_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define VERB "hook"
#define SECRET_BYTES 32
#define PATCH_TRIES 3

struct rotation {
    const struct config *config;
    struct broker_client *client;
    struct store_client store;
    struct hook_files files;
    struct secret old, next;
    /* This run made the new secret, so GitHub cannot have it before this run sends it. */
    bool fresh;
    int64_t wait_ms;
};

static void explain(const char *what, const struct error *err) {
    fflush(stdout);
    fprintf(stderr, "snekomatic " VERB ": %s%s\n", what, err->text);
}

static int print_steps(const struct hook_files *files, const struct error *why) {
    const char *file = files->paths.current;
    const struct cli_command reload = cli_command("reload");
    printf("%s, so this program does not change it. Do this:\n", why->text);
    if (file) {
        printf("  1. Write a new secret, as from `openssl rand -hex 32`, into %s.next,\n"
               "     and run `%s`, on every host. The hosts then accept both secrets.\n"
               "  2. Set the new secret at GitHub: " APP_FORM_WEBHOOK " > Secret.\n"
               "  3. Move %s to %s.previous and %s.next to %s,\n"
               "     and run `%s`, on every host.\n"
               "  4. Three days later, remove %s.previous, and run `%s`.\n",
               file, reload.text, file, file, file, file, reload.text, file, reload.text);
    } else {
        printf(
            "  1. Set GITHUB_WEBHOOK_SECRET_PREVIOUS to the present secret, and "
            "GITHUB_WEBHOOK_SECRET to a\n"
            "     new one, as from `openssl rand -hex 32`, and restart every host. The hosts then "
            "accept\n"
            "     both secrets.\n"
            "  2. Set the new secret at GitHub: " APP_FORM_WEBHOOK " > Secret.\n"
            "  3. Three days later, remove GITHUB_WEBHOOK_SECRET_PREVIOUS, and restart every "
            "host.\n");
    }
    return EX_OK;
}

/* 0: reloaded, or no host runs here, which `*runs` says; -1. */
static int reload(const struct rotation *rotation, bool *runs) {
    enum reload_result result;
    char text[RELOAD_REPLY_MAX];
    struct error err;
    *runs = false;
    enum reload_client_outcome outcome =
        reload_client_ask(rotation->config->settings, RELOAD_CLIENT_TIMEOUT_S, &result, text, &err);
    if (outcome == RELOAD_CLIENT_NO_HOST) {
        return 0;
    }
    *runs = true;
    if (outcome == RELOAD_CLIENT_ASKED && result == RELOAD_DONE) {
        return 0;
    }
    if (outcome == RELOAD_CLIENT_ASKED) {
        static const char *const words[RELOAD_RESULTS] = RELOAD_WORDS;
        error_set(&err, "%s: %s", words[result], text);
    }
    explain("the reload did not succeed: ", &err);
    return -1;
}

static int make_secret(struct rotation *rotation, struct error *err) {
    unsigned char bytes[SECRET_BYTES];
    char text[2 * SECRET_BYTES + 1];
    arc4random_buf(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    int copied = secret_copy(&rotation->next, text, sizeof text - 1);
    explicit_bzero(bytes, sizeof bytes);
    explicit_bzero(text, sizeof text);
    return copied < 0 ? error_set(err, "no memory")
                      : hook_files_add(&rotation->files, &rotation->next, err);
}

/* Webhooks that GitHub signed before the last rotation may still come. An exit status. The reload
 * rejects a file that cannot be read. */
static int check_previous(const struct rotation *rotation) {
    const struct webhook_secret_paths *paths = &rotation->files.paths;
    struct error err;
    bool exists = false;
    int64_t until_ms = 0;
    char until[TIME_TEXT_MAX] = "you remove it";
    if (hook_files_tidy(&rotation->files, clock_wall_ms(), &exists, &until_ms, &err) < 0 ||
        !exists) {
        return EX_OK;
    }
    if (until_ms > 0) {
        time_text(until_ms, until);
    }
    fprintf(stderr,
            "the last rotation has ended, and nothing has changed now: the hosts accept the secret "
            "in %s until %s.\nTo rotate before then, remove that file; the hosts reject that "
            "secret after the next reload\n",
            paths->previous, until);
    return EX_TEMPFAIL;
}

/* Reads the old secret, and the new one of an interrupted rotation, or makes one. An exit status.
 */
static int get_secrets(struct rotation *rotation) {
    struct error err;
    int found = config_secret_file(rotation->files.paths.current, &rotation->old, &err);
    if (found == 0) {
        found = webhook_secret_read_next(&rotation->files.paths, &rotation->next, &err);
    }
    if (found == 0) {
        printf("the new secret is already in %s\n", rotation->files.paths.next);
        return EX_OK;
    }
    if (found > 0) {
        int status = check_previous(rotation);
        if (status != EX_OK) {
            return status;
        }
        rotation->fresh = true;
        found = make_secret(rotation, &err);
    }
    if (found < 0) {
        explain("", &err);
        return EX_CANTCREAT;
    }
    printf("the new secret is in %s\n", rotation->files.paths.next);
    return EX_OK;
}

/* GitHub does not have the new secret: everything is as before. Otherwise it may have it. */
static int give_up(const struct rotation *rotation, bool reloaded, int status) {
    struct error err;
    bool runs;
    fflush(stdout);
    if (!rotation->fresh) {
        fprintf(stderr,
                "GitHub may have either secret, and the hosts accept both: run `%s` again. Do not "
                "remove %s\n",
                cli_command("hook --rotate").text, rotation->files.paths.next);
        return status;
    }
    if (hook_files_remove_next(&rotation->files, &err) < 0) {
        explain("", &err);
        return status;
    }
    if (reloaded) {
        reload(rotation, &runs);
    }
    fputs("nothing has changed: GitHub and the hosts have the present secret\n", stderr);
    return status;
}

/* 0: GitHub has the new secret; 1: it has not; -1: nobody knows. */
static int send_secret(const struct rotation *rotation) {
    json_t *change = json_pack("{s:s#}", "secret", rotation->next.data, rotation->next.bytes);
    char *body = json_dumps(change, JSON_COMPACT);
    json_decref(change);
    int result = 1;
    for (unsigned tries = 0; body && tries < PATCH_TRIES; tries++) {
        struct broker_request request;
        json_t *webhook =
            broker_client_json(rotation->client, "PATCH", HOOK_CONFIG_PATH, body, &request);
        bool rejected = request.status >= 400 && request.status < 500;
        bool may_have = request.outcome == 0 || (request.sent && !rejected);
        if (request.outcome == 0) {
            result = 0;
        } else if (may_have) {
            result = -1;
        }
        if (request.outcome != 0) {
            hook_request_failed(&request);
        }
        json_decref(webhook);
        broker_request_finish(&request);
        if (result == 0 || rejected) {
            break;
        }
        sleep(tries + 1);
    }
    if (body) {
        explicit_bzero(body, strlen(body));
        free(body);
    }
    return result;
}

static int finish(struct rotation *rotation) {
    struct error err;
    bool runs;
    char until[TIME_TEXT_MAX];
    int64_t now_ms = clock_wall_ms();
    puts("GitHub has the new secret");
    if (hook_files_finish(&rotation->files, &rotation->old, &rotation->next, now_ms, &err) < 0) {
        explain("", &err);
        fprintf(stderr, "the hosts accept both secrets: run `%s` again\n",
                cli_command("hook --rotate").text);
        return EX_CANTCREAT;
    }
    time_text(now_ms + HOOK_PREVIOUS_MS, until);
    printf("the hosts accept the old secret until %s; it is in %s\n", until,
           rotation->files.paths.previous);
    if (reload(rotation, &runs) < 0) {
        fprintf(stderr, "the hosts accept both secrets; run `%s` later, so that the old one ends\n",
                cli_command("reload").text);
        return EX_TEMPFAIL;
    }
    return EX_OK;
}

static int confirm(struct rotation *rotation) {
    const struct secret *const secrets[HOOK_HOSTS_SECRETS] = {&rotation->old, &rotation->next};
    int result = hook_hosts_confirm(&rotation->store, secrets, rotation->wait_ms);
    if (result > 0) {
        fprintf(stderr,
                "To rotate on several machines, write the new secret into %s on each of them, run "
                "`%s` there, and then run this command on each\n",
                rotation->files.paths.next, cli_command("reload").text);
    }
    return result;
}

static int rotate(struct rotation *rotation) {
    bool runs = false;
    int status = get_secrets(rotation);
    if (status != EX_OK) {
        return status;
    }
    if (reload(rotation, &runs) < 0) {
        return give_up(rotation, false, EX_TEMPFAIL);
    }
    puts(runs ? "the host here has reloaded" : "no host runs here with this configuration");
    if (confirm(rotation) != 0) {
        return give_up(rotation, runs, EX_TEMPFAIL);
    }
    puts("all hosts of the store accept both secrets");
    int sent = send_secret(rotation);
    if (sent != 0) {
        rotation->fresh = rotation->fresh && sent > 0;
        return give_up(rotation, runs, sent > 0 ? EX_UNAVAILABLE : EX_TEMPFAIL);
    }
    return finish(rotation);
}

/* Nothing is changed before GitHub has responded once. */
static int ask_first(const struct rotation *rotation) {
    struct broker_request request;
    json_t *webhook = broker_client_json(rotation->client, "GET", HOOK_CONFIG_PATH, NULL, &request);
    int status = webhook ? EX_OK : hook_request_failed(&request);
    json_decref(webhook);
    broker_request_finish(&request);
    return status;
}

int hook_rotate(const struct config *config, struct broker_client *client, int64_t wait_ms) {
    struct rotation rotation = {
        .config = config, .client = client, .files = {.lock_fd = -1}, .wait_ms = wait_ms};
    struct error why;
    int status;
    if (config->github.receive == CONFIG_RECEIVE_PULL) {
        fputs("snekomatic " VERB
              ": github.receive is \"pull\", so no webhook arrives, and there is "
              "no secret to rotate\n",
              stderr);
        status = EX_CONFIG;
    } else if (hook_files_are_fixed(&rotation.files, config, &why)) {
        status = print_steps(&rotation.files, &why);
    } else if (!hook_files_lock(&rotation.files)) {
        fputs("snekomatic " VERB ": another rotation of this secret runs\n", stderr);
        status = EX_TEMPFAIL;
    } else {
        status = ask_first(&rotation);
        if (status == EX_OK) {
            status = store_client_open(&rotation.store, VERB, config, true);
        }
        if (status == EX_OK) {
            status = rotate(&rotation);
            store_client_close(&rotation.store);
        }
    }
    secret_finish(&rotation.old);
    secret_finish(&rotation.next);
    hook_files_close(&rotation.files);
    return status;
}
