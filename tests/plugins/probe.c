/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Performs the action that the payload of an event "probe" names, and logs the result. */
#include <snekomatic/snekomatic.h>

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct snek_host *the_host;

static void say(struct snek_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct snek_run *run, const char *format, ...) {
    char text[2000];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snek_log(run, SNEK_LOG_INFO, text);
}

static const char *or_none(const char *text) {
    return text ? text : "(none)";
}

/* ---- event and config ---- */

static int32_t do_event(struct snek_run *run) {
    const struct snek_event_service *event = snek_event(run);
    struct snek_text payload = event->payload(run);
    say(run, "%s|%s|%s|%s|%d|%d|%d", event->name(run), event->action(run), event->delivery(run),
        event->installation(run), (int)event->attempt(run), (int)payload.bytes,
        payload.data[payload.bytes] == '\0');
    return SNEK_DONE;
}

static void say_value(struct snek_run *run, uint32_t kind, const struct snek_value *value) {
    say(run, "%u|%u|%lld|%s|%d", kind, value->is_integer, (long long)value->integer,
        or_none(value->text.data), (int)value->text.bytes);
}

static int32_t do_find(struct snek_run *run) {
    struct snek_value value;
    uint32_t kind = snek_event(run)->find(run, snek_string(run, "path"), &value);
    say_value(run, kind, &value);
    return SNEK_DONE;
}

static int32_t do_strings(struct snek_run *run) {
    struct snek_value value;
    const char *path = snek_string(run, "path");
    snek_event(run)->find(run, path, &value);
    say(run, "%s|%s|%d", or_none(snek_string(run, path)), or_none(snek_text(run, path)),
        (int)value.text.bytes);
    return SNEK_DONE;
}

static const char *read_event(struct snek_run *run, const char *path) {
    return snek_print(run, "%s=%s,%d,%d,%s,%d,%u ", path, or_none(snek_string(run, path)),
                      (int)snek_integer(run, path, -9), (int)snek_boolean(run, path),
                      or_none(snek_text(run, path)), (int)snek_exists(run, path),
                      snek_count(run, path));
}

static const char *read_response(struct snek_run *run, struct snek_response *response,
                                 const char *path) {
    return snek_print(
        run, "%s=%s,%d,%d,%s,%d,%u ", path, or_none(snek_response_string(run, response, path)),
        (int)snek_response_integer(run, response, path, -9),
        (int)snek_response_boolean(run, response, path),
        or_none(snek_response_text(run, response, path)),
        (int)snek_response_exists(run, response, path), snek_response_count(run, response, path));
}

static const char *read_item(struct snek_run *run, struct snek_pages *list, const char *path) {
    return snek_print(
        run, "%s=%s,%d,%d,%s,%d,%u ", path, or_none(snek_item_string(run, list, path)),
        (int)snek_item_integer(run, list, path, -9), (int)snek_item_boolean(run, list, path),
        or_none(snek_item_text(run, list, path)), (int)snek_item_exists(run, list, path),
        snek_item_count(run, list, path));
}

/* Reads the same members of the event, of a response, and of an item. */
static int32_t do_readers(struct snek_run *run) {
    static const char *const paths[] = {"s", "i", "f", "t", "n", "l", "o", "x"};
    struct snek_builder of_event = SNEK_EMPTY_TEXT, of_response = SNEK_EMPTY_TEXT,
                        of_item = SNEK_EMPTY_TEXT;
    struct snek_response *response;
    for (size_t i = 0; i < SNEK_COUNT(paths); i++) {
        snek_append(run, &of_event, "%s", read_event(run, paths[i]));
    }
    snek_log(run, SNEK_LOG_INFO, of_event.text);
    int32_t result = snek_get(run, "/x", &response);
    for (size_t i = 0; i < SNEK_COUNT(paths); i++) {
        snek_append(run, &of_response, "%s", read_response(run, response, paths[i]));
    }
    snek_log(run, SNEK_LOG_INFO, of_response.text);
    struct snek_pages *list = snek_list(run, "/list");
    result = result < 0 ? result : snek_next(run, list);
    for (size_t i = 0; i < SNEK_COUNT(paths); i++) {
        snek_append(run, &of_item, "%s", read_item(run, list, paths[i]));
    }
    snek_log(run, SNEK_LOG_INFO, of_item.text);
    return result < 0 ? result : SNEK_DONE;
}

static int32_t do_config(struct snek_run *run) {
    struct snek_value value, again;
    const struct snek_config_service *config = snek_config(run->host);
    uint32_t kind = config->find(run->host, snek_string(run, "path"), &value);
    (void)config->find(run->host, snek_string(run, "path"), &again);
    say_value(run, kind, &value);
    return value.text.data == again.text.data ? SNEK_DONE : snek_fail(run, "kept twice");
}

/* ---- github ---- */

static const char *or_null(struct snek_run *run, const char *path) {
    const char *text = snek_string(run, path);
    return text && strcmp(text, "NULL") == 0 ? NULL : text;
}

static void read_parameters(struct snek_run *run, const char *list,
                            struct snek_parameter parameters[SNEK_PARAMETERS_MAX]) {
    for (uint32_t i = 0; i < snek_count(run, list); i++) {
        parameters[i].name = or_null(run, snek_print(run, "%s[%u].name", list, i));
        parameters[i].value = or_null(run, snek_print(run, "%s[%u].value", list, i));
    }
}

static int32_t do_send(struct snek_run *run) {
    struct snek_request request;
    struct snek_response *response = NULL;
    const struct snek_github_service *github = snek_github(run);
    struct snek_value body;
    memset(&request, 0, sizeof request);
    request.bytes = (uint32_t)snek_integer(run, "bytes", (int64_t)sizeof request);
    request.once = snek_string(run, "once");
    request.flags = (uint32_t)snek_integer(run, "flags", 0);
    request.method = or_null(run, "method");
    request.url = or_null(run, "url");
    read_parameters(run, "p", request.parameters);
    read_parameters(run, "q", request.query);
    request.json = snek_text(run, "json");
    if (snek_event(run)->find(run, "body", &body) != SNEK_ABSENT) {
        request.body = body.text;
    }
    request.headers[0].name = snek_string(run, "h.name");
    request.headers[0].value = snek_string(run, "h.value");
    request.accept = snek_string(run, "accept");
    request.content_type = snek_string(run, "type");
    request.repository = snek_string(run, "repository");
    request.response = snek_exists(run, "deaf") ? NULL : &response;
    int32_t rc = github->send(run, &request);
    if (response) {
        struct snek_text etag = github->header(response, "etag");
        struct snek_text none = github->header(response, "eta");
        struct snek_text all = github->body(response);
        say(run, "%d|%d|%s|%s|%s|%d", rc, github->status(response),
            or_none(snek_response_string(run, response, "login")), or_none(etag.data),
            or_none(none.data), (int)strlen(all.data) == (int)all.bytes);
    }
    if (!snek_exists(run, "forget")) {
        github->free_response(response);
    }
    return rc;
}

/* Logs the names of the items, and the last result. */
static int32_t say_items(struct snek_run *run, struct snek_pages *pages) {
    const struct snek_github_service *github = snek_github(run);
    struct snek_value name;
    char all[512] = "";
    int32_t rc;
    while ((rc = github->next(pages)) > 0 && strlen(all) < 400) {
        (void)github->item(pages, "name", &name);
        strncat(all, or_none(name.text.data), 20);
        strncat(all, ",", 2);
    }
    say(run, "%s%d|%d", all, rc, github->status(github->page(pages)));
    if (!snek_exists(run, "forget")) {
        github->free_pages(pages);
    }
    return rc;
}

static int32_t do_list(struct snek_run *run) {
    struct snek_request request;
    memset(&request, 0, sizeof request);
    request.bytes = (uint32_t)sizeof request;
    request.method = snek_string(run, "method") ? snek_string(run, "method") : "GET";
    request.url = snek_string(run, "url");
    request.accept = snek_string(run, "accept");
    request.list = snek_string(run, "list");
    return say_items(run, snek_github(run)->pages(run, &request));
}

static int32_t do_graphql(struct snek_run *run) {
    const struct snek_github_service *github = snek_github(run);
    struct snek_response *response = NULL;
    struct snek_graphql query;
    memset(&query, 0, sizeof query);
    query.bytes = (uint32_t)sizeof query;
    query.flags = (uint32_t)snek_integer(run, "flags", 0);
    query.query = snek_string(run, "query");
    query.variables = snek_text(run, "variables");
    query.path = or_null(run, "path");
    query.response = &response;
    if (snek_exists(run, "path")) {
        return say_items(run, github->graphql_pages(run, &query));
    }
    int32_t rc = github->graphql(run, &query);
    say(run, "%d|%s", rc, or_none(snek_response_string(run, response, "data.login")));
    return rc;
}

/* Sends a body of n bytes, so that the payload need not contain a large text. */
static int32_t do_large(struct snek_run *run) {
    size_t bytes = (size_t)snek_integer(run, "n", 0);
    char *text = malloc(bytes + 1);
    memset(text, 'x', bytes);
    text[bytes] = '\0';
    struct snek_request request;
    memset(&request, 0, sizeof request);
    request.bytes = (uint32_t)sizeof request;
    request.method = "POST";
    request.url = "/large";
    request.body.data = text;
    request.body.bytes = bytes;
    request.content_type = "text/plain";
    int32_t rc = snek_github(run)->send(run, &request);
    free(text);
    return rc;
}

/* Logs each time of the list. */
static int32_t do_times(struct snek_run *run) {
    for (uint32_t n = 0; n < snek_count(run, "ms"); n++) {
        int64_t ms = snek_integer(run, snek_print(run, "ms[%u]", n), 0);
        const char *text = snek_time(run, ms);
        say(run, "%s %d", text, snek_time_ms(text) == ms / 1000 * 1000);
    }
    for (uint32_t n = 0; n < snek_count(run, "wrong"); n++) {
        const char *text = snek_string(run, snek_print(run, "wrong[%u]", n));
        say(run, "%s %d", text ? text : "NULL", (int)snek_time_ms(text));
    }
    return SNEK_DONE;
}

/* Logs what the host says about the app. */
static int32_t do_app(struct snek_run *run) {
    const char *login = "none", *name = snek_string(run, "permission");
    int32_t granted = name ? snek_has_permission(run, name, snek_string(run, "access")) : -99;
    int32_t result = name ? 0 : snek_bot_login(run, &login);
    say(run, "%d|%d|%s", (int)granted, (int)result, login);
    return granted < 0 && name ? granted : result;
}

/* Comments in each way, and logs the ids. */
static int32_t do_comment(struct snek_run *run) {
    int64_t id = -1, reply_id = -1;
    int32_t result = snek_commands(run)->comment(run, 7, "a \"b\"", NULL, &id);
    result = result < 0 ? result : snek_comment(run, 8, "c");
    result = result < 0 ? result : snek_reply_id(run, "d", &reply_id);
    say(run, "%d|%d|%d", result, (int)id, (int)reply_id);
    return result;
}

/* A reply of n snakes, each four bytes. */
static int32_t do_reply(struct snek_run *run) {
    size_t characters = (size_t)snek_integer(run, "n", 0);
    char *text = malloc(4 * characters + 1);
    for (size_t i = 0; i < characters; i++) {
        memcpy(text + 4 * i, "\xF0\x9F\x90\x8D", 4);
    }
    text[4 * characters] = '\0';
    int32_t rc = snek_reply(run, text);
    free(text);
    return rc;
}

/* ---- texts ---- */

/* Appends n items, so that the builders grow several times. */
static int32_t do_build(struct snek_run *run) {
    struct snek_builder text = SNEK_EMPTY_TEXT, array = SNEK_EMPTY_ARRAY, none = SNEK_EMPTY_ARRAY;
    int n = (int)snek_integer(run, "n", 0);
    for (int i = 0; i < n; i++) {
        snek_append(run, &text, "%s%d", i > 0 ? " " : "", i);
        snek_append_json(run, &array, "{'n':'%d'}", i);
    }
    say(run, "%s|%s|%s|%d|%d", n < 9 ? text.text : "", n < 9 ? array.text : "", none.text,
        (int)text.bytes, (int)array.bytes);
    return strlen(text.text) == text.bytes && strlen(array.text) == array.bytes ? SNEK_DONE
                                                                                : SNEK_E_FAILED;
}

/* A text cannot be built, and a later call gets its NULL. */
static int32_t do_unbuilt(struct snek_run *run) {
    const char *how = snek_string(run, "how"), *null = snek_string(run, "absent");
    const struct snek_parameter names[] = {{"user", null}};
    struct snek_builder array = SNEK_EMPTY_ARRAY;
    if (strcmp(how, "print") == 0) {
        return snek_reply(run, snek_print(run, "Hi @%s", null));
    }
    if (strcmp(how, "json") == 0) {
        return snek_post(run, "/x", snek_json(run, "{'a':%s}", "bug"));
    }
    if (strcmp(how, "chain") == 0) {
        return snek_reply(run, snek_print(run, "It is %s", snek_json(run, "{'a':%s}", "bug")));
    }
    if (strcmp(how, "fill") == 0) {
        return snek_reply(run, snek_fill(run, "Hi @{user}", names, 1));
    }
    if (strcmp(how, "append") == 0) {
        snek_append_json(run, &array, "'%s'", null);
        snek_append_json(run, &array, "'%s'", "more");
        return snek_reply(run, array.text);
    }
    if (strcmp(how, "fill nothing") == 0) {
        return snek_reply(run, snek_fill(run, snek_print(run, "%s", null), names, 1));
    }
    if (strcmp(how, "reason") == 0) {
        return snek_skip(run, snek_print(run, "not for %s", null));
    }
    if (strcmp(how, "memory") == 0) {
        while (snek_allocate(run, 1u << 20)) {}
        return snek_reply(run, (const char *)snek_allocate(run, 1u << 20));
    }
    return snek_reply(run, null);
}

/* ---- store ---- */

static int32_t do_store(struct snek_run *run) {
    const struct snek_store_service *store = snek_store(run);
    const char *op = snek_string(run, "op"), *set = or_null(run, "set"),
               *name = or_null(run, "name");
    uint32_t scope = (uint32_t)snek_integer(run, "scope", 0);
    struct snek_text value = {NULL, 0};
    int32_t rc = -100;
    if (strcmp(op, "has") == 0) {
        rc = store->set_has(run, scope, set, name);
    } else if (strcmp(op, "add") == 0) {
        rc = store->set_add(run, scope, set, name);
    } else if (strcmp(op, "remove") == 0) {
        rc = store->set_remove(run, scope, set, name);
    } else if (strcmp(op, "get") == 0) {
        rc = store->get(run, scope, name, &value);
    } else if (strcmp(op, "put") == 0) {
        const char *text = or_null(run, "value");
        rc = store->put(run, scope, name, text,
                        (uint64_t)snek_integer(run, "n", text ? (int64_t)strlen(text) : 0));
    } else if (strcmp(op, "delete") == 0) {
        rc = store->remove(run, scope, name);
    }
    say(run, "%d|%s|%d", rc, or_none(value.data), (int)value.bytes);
    return rc < 0 ? rc : SNEK_DONE;
}

/* ---- how handlers end ---- */

static int32_t do_end(struct snek_run *run) {
    if (snek_exists(run, "reason")) {
        run->host->explain(run->host, run, snek_string(run, "reason"),
                           snek_integer(run, "delay", 0));
    }
    return (int32_t)snek_integer(run, "result", 0);
}

/* A call fails, and the handler handles the error. */
static int32_t do_recover(struct snek_run *run) {
    return snek_get(run, "/missing", NULL) == SNEK_E_NOT_FOUND ? SNEK_DONE : SNEK_E_FAILED;
}

static int32_t do_wait(struct snek_run *run) {
    snek_log(run, SNEK_LOG_INFO, "waiting");
    while (!snek_cancelled(run)) {
        usleep(2000);
    }
    return snek_fail(run, "saw it");
}

static void *add_from_thread(void *run) {
    return (void *)(intptr_t)snek_set_add((struct snek_run *)run, SNEK_SCOPE_PLUGIN, "set", "x");
}

static int32_t do_threads(struct snek_run *run) {
    pthread_t threads[8];
    int32_t sum = 0;
    for (int i = 0; i < 8; i++) {
        pthread_create(&threads[i], NULL, add_from_thread, run);
    }
    for (int i = 0; i < 8; i++) {
        void *rc;
        pthread_join(threads[i], &rc);
        sum += (int32_t)(intptr_t)rc;
    }
    say(run, "%d", sum);
    return SNEK_DONE;
}

static int32_t do_misuse(struct snek_run *run) {
    const struct snek_host *host = run->host;
    const struct snek_event_service *event = snek_event(run);
    const struct snek_github_service *github = snek_github(run);
    const struct snek_commands_service *commands = snek_commands(run);
    const struct snek_store_service *store = snek_store(run);
    const struct snek_config_service *config = snek_config(host);
    struct snek_value value;
    struct snek_text text;
    host->log(NULL, NULL, 1, NULL);
    host->log(host, NULL, 99, NULL);
    host->explain(NULL, NULL, NULL, 0);
    host->explain(host, run, NULL, -5);
    github->free_response(NULL);
    say(run, "%d%d%d%d%d%d %d%d%d%d%d%d %d%d%d%d %d%d%d%d %d%d",
        host->service(host, NULL, 1) == NULL, host->service(host, "event", 2) == NULL,
        host->cancelled(NULL) == 0, strcmp(event->name(NULL), "") == 0,
        event->payload(NULL).data == NULL, event->find(NULL, "a", &value) == SNEK_ABSENT,
        event->find(run, NULL, &value) == SNEK_ABSENT, event->find(run, "do", NULL) == SNEK_STRING,
        github->send(NULL, NULL) == -2, github->send(run, NULL) == -2, github->status(NULL) == 0,
        github->find(NULL, "a", &value) == SNEK_ABSENT,
        commands->reply(NULL, "x", NULL, NULL) == -2, commands->reply(run, NULL, NULL, NULL) == -2,
        commands->react(run, NULL) == -2, commands->argument(NULL, 0) == NULL,
        store->set_has(NULL, 0, "a", "b") == -2, store->set_has(run, 0, NULL, NULL) == -2,
        store->get(run, 0, "a", NULL) == -2, store->get(NULL, 0, "a", &text) == -2,
        config->find(NULL, "a", &value) == SNEK_ABSENT,
        config->find(host, NULL, NULL) == SNEK_ABSENT);
    return SNEK_DONE;
}

/* ---- harm ---- */

static int32_t do_print(struct snek_run *run) {
    (void)run;
    printf("to standard output\n");
    fflush(stdout);
    fprintf(stderr, "to standard error\n");
    return write(1, "x", 1) == 12345 ? SNEK_E_FAILED : SNEK_DONE;
}

static int32_t do_segfault(struct snek_run *run) {
    (void)run;
    *(volatile int *)(uintptr_t)snek_integer(run, "nowhere", 8) = 1;
    return SNEK_DONE;
}

static int32_t do_exit(struct snek_run *run) {
    (void)run;
    exit(0);
}

static int32_t do_loop(struct snek_run *run) {
    snek_log(run, SNEK_LOG_INFO, "looping");
    for (volatile int i = 0;; i++) {}
    return SNEK_DONE;
}

static int32_t do_eat(struct snek_run *run) {
    size_t bytes = (size_t)snek_integer(run, "n", 0);
    /* Volatile, or the compiler removes the allocation. */
    char *volatile memory = malloc(bytes);
    if (memory) {
        memset(memory, 1, bytes);
    }
    say(run, "%s", memory ? "got it" : "rejected");
    free(memory);
    return SNEK_DONE;
}

static int32_t probe(struct snek_run *run) {
    static const struct {
        const char *name;
        snek_handler handler;
    } all[] = {{"event", do_event},       {"find", do_find},       {"strings", do_strings},
               {"config", do_config},     {"send", do_send},       {"store", do_store},
               {"end", do_end},           {"recover", do_recover}, {"wait", do_wait},
               {"threads", do_threads},   {"misuse", do_misuse},   {"print", do_print},
               {"segfault", do_segfault}, {"exit", do_exit},       {"loop", do_loop},
               {"eat", do_eat},           {"large", do_large},     {"list", do_list},
               {"graphql", do_graphql},   {"reply", do_reply},     {"build", do_build},
               {"comment", do_comment},   {"app", do_app},         {"times", do_times},

               {"readers", do_readers},

               {"unbuilt", do_unbuilt}};
    const char *name = snek_string(run, "do");
    for (size_t i = 0; name && i < sizeof all / sizeof *all; i++) {
        if (strcmp(all[i].name, name) == 0) {
            return all[i].handler(run);
        }
    }
    return snek_fail(run, "no such thing to do");
}

/* ---- life ---- */

static int state_of_ours;

static int32_t create(const struct snek_host *host, void **state) {
    static const char *const keys[] = {"mode", "message", "nested"};
    the_host = host;
    *state = &state_of_ours;
    if (snek_config(host)->allow(host, keys, 3) < 0) {
        return SNEK_E_INVALID;
    }
    const char *mode = snek_config_string(host, "mode", "");
    if (!mode) {
        return SNEK_E_INVALID;
    }
    if (strcmp(mode, "reject") == 0) {
        return snek_reject_start(host, "no, thank you");
    }
    if (strcmp(mode, "log") == 0) {
        host->log(host, NULL, SNEK_LOG_INFO, "created");
    }
    return strcmp(mode, "mute") == 0 ? -7 : 0;
}

static void destroy(void *state) {
    the_host->log(the_host, NULL, SNEK_LOG_INFO, state == &state_of_ours ? "destroyed" : "lost");
}

static const struct snek_permission permissions[] = {{"members", "write"}, {"issues", "read"}};
static const struct snek_permission optional_permissions[] = {{"checks", "write"}};
static const struct snek_subscription subscriptions[] = {{"probe", NULL, probe, {{0}}, 0, 0}};

SNEK_PLUGIN(.name = "probe", .version = "0.9", .summary = "performs the action of its payload",
            SNEK_TABLE(permissions), SNEK_TABLE(optional_permissions), SNEK_TABLE(subscriptions),
            .create = create, .destroy = destroy)
