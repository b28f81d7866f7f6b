/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* /_fake/: how a test looks inside and says what shall happen. No authentication; not recorded. */
#include "fake/internal.h"

#include <string.h>

static void answer_problem(struct call *call, const struct error *err) {
    answer_json(call, 422, json_pack("{s:s}", "message", err->text));
}

/* The body as an object, the caller's; NULL when an error was answered. */
static json_t *control_body(struct call *call) {
    json_error_t problem;
    json_t *body = json_loadb(call->body.data ? call->body.data : "", call->body.bytes,
                              JSON_REJECT_DUPLICATES, &problem);
    if (!body) {
        answer_json(call, 400, json_pack("{s:s}", "message", problem.text));
    } else if (!json_is_object(body)) {
        json_decref(body);
        body = NULL;
        answer_json(call, 400, json_pack("{s:s}", "message", "the body is not an object"));
    }
    return body;
}

static void get_requests(struct call *call) {
    answer_json(call, 200,
                json_pack("{s:O, s:I}", "requests", call->fake->requests, "forgotten",
                          call->fake->requests_forgotten));
}

static void delete_requests(struct call *call) {
    /* A new list: requests that are under way keep their records. */
    json_decref(call->fake->requests);
    call->fake->requests = json_array();
    call->fake->requests_forgotten = 0;
    answer_empty(call, 204);
}

static void get_state(struct call *call) {
    answer_json(call, 200, json_incref(call->fake->state));
}

/* Takes `state` over as a whole, or answers why not. */
static void set_state(struct call *call, json_t *state) {
    struct fake *fake = call->fake;
    struct error err = {0};
    if (state_complete(fake, state, &err) < 0) {
        json_decref(state);
        answer_problem(call, &err);
        return;
    }
    json_decref(fake->state);
    fake->state = state;
    get_state(call);
}

static void put_state(struct call *call) {
    json_t *state = control_body(call);
    if (!state) {
        return;
    }
    if (!json_object_get(state, "settings")) {
        (void)json_object_set(state, "settings", json_object_get(call->fake->state, "settings"));
    }
    set_state(call, state);
}

static void patch_state(struct call *call) {
    json_t *changes = control_body(call);
    if (!changes) {
        return;
    }
    json_t *state = json_deep_copy(call->fake->state);
    struct error err = {0};
    if (state_merge(state, changes, &err) < 0) {
        json_decref(state);
        answer_problem(call, &err);
    } else {
        set_state(call, state);
    }
    json_decref(changes);
}

static void get_failures(struct call *call) {
    answer_json(call, 200, json_pack("{s:O}", "failures", call->fake->failures));
}

static void post_failure(struct call *call) {
    json_t *failure = control_body(call);
    if (!failure) {
        return;
    }
    struct error err = {0};
    if (failure_check(failure, &err) < 0) {
        json_decref(failure);
        answer_problem(call, &err);
        return;
    }
    if (!json_object_get(failure, "times")) {
        (void)json_object_set_new(failure, "times", json_integer(1));
    }
    (void)json_array_append(call->fake->failures, failure);
    answer_json(call, 201, json_deep_copy(failure));
    json_decref(failure);
}

static void delete_failures(struct call *call) {
    (void)json_array_clear(call->fake->failures);
    answer_empty(call, 204);
}

static void post_release(struct call *call) {
    call->fake->releases++;
    (void)pthread_cond_broadcast(&call->fake->stop);
    answer_empty(call, 204);
}

static void post_expire(struct call *call) {
    json_t *body = call->body.bytes > 0 ? control_body(call) : json_object();
    if (body) {
        json_int_t count = tokens_expire(call->fake, number_of(body, "installation"));
        json_decref(body);
        answer_json(call, 200, json_pack("{s:I}", "expired", count));
    }
}

static void get_tokens(struct call *call) {
    json_t *list = json_array();
    for (const struct token *token = call->fake->tokens; token; token = token->next) {
        (void)json_array_append_new(list, json_pack("{s:s, s:I, s:O}", "token", token->text,
                                                    "installation", token->installation,
                                                    "permissions", token->permissions));
    }
    answer_json(call, 200, json_pack("{s:o}", "tokens", list));
}

static void get_settings(struct call *call) {
    answer_json(call, 200, json_incref(json_object_get(call->fake->state, "settings")));
}

static void post_settings(struct call *call) {
    json_t *changes = control_body(call);
    if (!changes) {
        return;
    }
    struct error err = {0};
    if (state_check_settings(changes, &err) < 0) {
        answer_problem(call, &err);
    } else {
        (void)json_object_update(json_object_get(call->fake->state, "settings"), changes);
        rates_set(call->fake, changes);
        get_settings(call);
    }
    json_decref(changes);
}

static void with_body(struct call *call, void (*handle)(struct call *call, json_t *body)) {
    json_t *body = control_body(call);
    if (body) {
        handle(call, body);
        json_decref(body);
    }
}

static void post_deliver(struct call *call) {
    with_body(call, control_deliver);
}

static void post_age(struct call *call) {
    with_body(call, control_age);
}

static const struct {
    const char *method, *path;
    void (*handle)(struct call *call);
} controls[] = {{"GET", "/_fake/requests", get_requests},
                {"DELETE", "/_fake/requests", delete_requests},
                {"GET", "/_fake/state", get_state},
                {"PUT", "/_fake/state", put_state},
                {"PATCH", "/_fake/state", patch_state},
                {"GET", "/_fake/fail", get_failures},
                {"POST", "/_fake/fail", post_failure},
                {"DELETE", "/_fake/fail", delete_failures},
                {"POST", "/_fake/release", post_release},
                {"GET", "/_fake/tokens", get_tokens},
                {"POST", "/_fake/tokens/expire", post_expire},
                {"POST", "/_fake/deliver", post_deliver},
                {"GET", "/_fake/deliveries", control_deliveries},
                {"POST", "/_fake/deliveries/age", post_age},
                {"GET", "/_fake/settings", get_settings},
                {"POST", "/_fake/settings", post_settings}};

void control_call(struct call *call) {
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        if (strcmp(controls[i].method, call->method) == 0 &&
            strcmp(controls[i].path, call->path) == 0) {
            controls[i].handle(call);
            return;
        }
    }
    answer_json(call, 404,
                json_pack("{s:s}", "message",
                          "/_fake/ has requests, state, fail, release, tokens, tokens/expire, "
                          "deliver, deliveries, deliveries/age, settings; their "
                          "methods are in fake-github.md"));
}
