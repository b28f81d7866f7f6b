/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* protocol/description: what a worker says of its plugin is checked, and what it means for routing.
 */
#include "unit.h"

#include "base/array.h"
#include "dispatch/description_file.h"
#include "protocol/description.h"

#include <snekomatic/plugin.h>

#include <sys/mman.h>

struct sample {
    const char *name, *permission[2][2], *event, *action, *command;
    uint64_t protocol, items, roles, denied, order;
    /* Method and template; NULL: none. */
    const char *effect[2];
    /* The times of a schedule for each repository; NULL: none. */
    const char *cron;
    /* The second permission is optional. */
    bool optional;
    /* A check action, unless all are 0: its roles need `metadata`. */
    const char *button, *check;
    uint64_t action_kind, action_roles;
    /* NULL: the plugin has no schema. */
    const char *settings;
};

static const struct sample good = {"invite",
                                   {{"pull_requests", "write"}, {"members", "write"}},
                                   "pull_request",
                                   "closed",
                                   "ping",
                                   FRAME_PROTOCOL,
                                   1,
                                   SNEK_ROLE_ANYBODY,
                                   SNEK_DENIED_SILENT,
                                   SNEK_ORDER_ITEM,
                                   {NULL},
                                   NULL,
                                   false,
                                   NULL,
                                   NULL,
                                   0,
                                   0,
                                   NULL};

/* The body of its frame, which stays in the buffer. */
static struct frame_text encode(const struct sample *sample, struct buffer *buffer) {
    struct frame_writer w;
    frame_begin(&w, buffer, FRAME_DESCRIBED, 0, 0);
    frame_put_number(&w, sample->protocol);
    frame_put_text(&w, sample->name);
    frame_put_text(&w, "1.0");
    frame_put_text(&w, "a sample");
    frame_put_number(&w, 1);
    frame_put_number(&w, 0);
    frame_put_number(&w, sample->order);
    frame_put_number(&w, 2);
    for (int i = 0; i < 2; i++) {
        frame_put_text(&w, sample->permission[i][0]);
        frame_put_text(&w, sample->permission[i][1]);
        frame_put_number(&w, i == 1 && sample->optional);
    }
    frame_put_number(&w, sample->items);
    frame_put_text(&w, sample->event);
    frame_put_text(&w, sample->action);
    frame_put_text(&w, "");
    frame_put_number(&w, 0);
    frame_put_number(&w, sample->command ? 1 : 0);
    if (sample->command) {
        frame_put_text(&w, sample->command);
        frame_put_text(&w, "usage");
        frame_put_number(&w, sample->roles);
        frame_put_number(&w, sample->denied);
    }
    frame_put_number(&w, sample->effect[0] ? 1 : 0);
    if (sample->effect[0]) {
        frame_put_text(&w, sample->effect[0]);
        frame_put_text(&w, sample->effect[1]);
    }
    frame_put_number(&w, sample->cron ? 1 : 0);
    if (sample->cron) {
        frame_put_text(&w, "nightly");
        frame_put_number(&w, 0);
        frame_put_text(&w, sample->cron);
        frame_put_number(&w, 1);
    }
    bool has_action = sample->button || sample->action_kind > 0;
    frame_put_number(&w, has_action);
    if (has_action) {
        frame_put_number(&w, sample->action_kind);
        frame_put_text(&w, sample->button ? sample->button : "");
        frame_put_text(&w, sample->check ? sample->check : "");
        frame_put_number(&w, sample->action_roles);
    }
    frame_put_text(&w, sample->settings ? sample->settings : "");
    assert_int_equal(frame_end(&w), 0);
    size_t head = sizeof(struct frame_head);
    return (struct frame_text){buffer->data + head, buffer->bytes - head};
}

static int parse(const struct sample *sample, struct description **out, struct error *err) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(65536);
    struct frame_text body = encode(sample, &buffer);
    return description_parse(body.data, body.bytes, out, err);
}

static void permissions_become_canonical_json(void **state) {
    (void)state;
    struct description *d = NULL;
    struct error err;
    assert_int_equal(parse(&good, &d, &err), 0);
    assert_string_equal(d->permissions_json, "{\"members\":\"write\",\"pull_requests\":\"write\"}");
    description_free(d);
}

static void an_optional_permission_is_asked_for_apart(void **state) {
    (void)state;
    static char *const others[] = {"pull_requests:write", "members:read", NULL};
    struct description *d = NULL;
    struct error err;
    struct sample sample = good;
    sample.optional = true;
    assert_int_equal(parse(&sample, &d, &err), 0);
    assert_string_equal(d->permissions_json, "{\"pull_requests\":\"write\"}");
    assert_string_equal(d->optional_json, "{\"members\":\"write\"}");
    assert_int_equal(description_permit(d, NULL, &err), 0);
    assert_int_equal(d->n_permissions, 2);
    /* The operator does not permit it: the plugin does without. */
    assert_int_equal(description_permit(d, others, &err), 0);
    assert_int_equal(d->n_permissions, 1);
    assert_string_equal(d->permissions[0].name, "pull_requests");
    assert_string_equal(d->permissions_json, "{\"pull_requests\":\"write\"}");
    assert_string_equal(d->optional_json, "");
    description_free(d);
}

static void a_schedule_is_checked_and_wants_its_deliveries(void **state) {
    (void)state;
    struct description *d = NULL;
    struct error err;
    struct sample sample = good;
    sample.cron = "30 3 * * *";
    assert_int_equal(parse(&sample, &d, &err), 0);
    assert_int_equal(d->n_schedules, 1);
    assert_string_equal(d->schedules[0].name, "nightly");
    assert_int_equal(schedule_last(&d->schedules[0].times, 86400000), 12600000);
    assert_true(description_wants(d, "snekomatic.schedule", "nightly"));
    assert_false(description_wants(d, "snekomatic.schedule", "daily"));
    description_free(d);
    sample.cron = "30 3 * *";
    assert_int_equal(parse(&sample, &d, &err), -1);
}

static void a_check_action_wants_its_events(void **state) {
    (void)state;
    static const struct {
        uint64_t kind;
        const char *event, *action;
        bool wanted;
    } cases[] = {{SNEK_BUTTON, "check_run", "requested_action", true},
                 {SNEK_BUTTON, "check_run", "rerequested", false},
                 {SNEK_BUTTON, "check_suite", "requested_action", false},
                 {SNEK_RERUN, "check_run", "requested_action", false},
                 {SNEK_RERUN, "check_run", "rerequested", true},
                 {SNEK_RERUN, "check_suite", "rerequested", true},
                 {SNEK_RERUN, "check_suite", "requested", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct description *d = NULL;
        struct sample sample = good;
        struct command_search search;
        struct error err;
        sample.action_kind = cases[i].kind;
        sample.button = cases[i].kind == SNEK_BUTTON ? "fix" : NULL;
        assert_int_equal(parse(&sample, &d, &err), 0);
        command_search_init(&search, "{}", 2);
        bool wanted = description_wants(d, cases[i].event, cases[i].action);
        if (wanted != cases[i].wanted ||
            description_wants_payload(d, cases[i].event, cases[i].action, &search) != wanted) {
            fail_msg("case %zu: %s.%s", i, cases[i].event, cases[i].action);
        }
        description_free(d);
    }
}

static void the_check_of_settings_wants_its_events(void **state) {
    (void)state;
    static const struct {
        const char *event, *action;
        bool wanted;
    } cases[] = {{"pull_request", "synchronize", true},
                 {"pull_request", "reopened", true},
                 {"pull_request", "edited", false},
                 {"check_run", "rerequested", true},
                 {"check_suite", "rerequested", true},
                 {"check_suite", "completed", false},
                 {"push", "", false}};
    struct description *with = NULL, *without = NULL;
    struct sample sample = good;
    struct error err;
    sample.settings = "stale";
    assert_int_equal(parse(&sample, &with, &err), 0);
    assert_int_equal(parse(&good, &without, &err), 0);
    assert_string_equal(with->repository_config, "stale");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (description_wants(with, cases[i].event, cases[i].action) != cases[i].wanted ||
            description_wants(without, cases[i].event, cases[i].action)) {
            fail_msg("%s.%s", cases[i].event, cases[i].action);
        }
    }
    description_free(with);
    description_free(without);
}

static void the_check_of_settings_is_an_effect_that_needs_no_declaration(void **state) {
    (void)state;
    struct description *d = NULL;
    struct sample sample = good;
    struct error err;
    sample.effect[0] = "POST";
    sample.effect[1] = "/graphql";
    sample.settings = "stale";
    assert_int_equal(parse(&sample, &d, &err), 0);
    assert_true(description_allows_effect(d, "POST", "/repos/a/b/check-runs"));
    assert_true(description_allows_effect(d, "PATCH", "/repos/a/b/check-runs/5"));
    assert_false(description_allows_effect(d, "DELETE", "/repos/a/b/check-runs/5"));
    assert_false(description_allows_effect(d, "POST", "/repos/a/b/issues"));
    description_free(d);
}

static void the_roles_of_a_check_action_need_metadata(void **state) {
    (void)state;
    struct description *d = NULL;
    struct error err;
    struct sample sample = good;
    sample.button = "fix";
    sample.action_roles = SNEK_ROLE_WRITE;
    assert_int_equal(parse(&sample, &d, &err), 0);
    assert_string_equal(
        d->permissions_json,
        "{\"members\":\"write\",\"metadata\":\"read\",\"pull_requests\":\"write\"}");
    description_free(d);
}

static void a_button_of_one_check_run_cannot_be_taken_twice(void **state) {
    (void)state;
    static const struct {
        const char *check, *button, *other_check, *other_button;
        bool conflicts;
    } cases[] = {{"DCO", "fix", "DCO", "fix", true},   {"DCO", "fix", NULL, "fix", true},
                 {NULL, "fix", "DCO", "fix", true},    {"DCO", "fix", "Lint", "fix", false},
                 {"DCO", "fix", "DCO", "pass", false}, {"DCO", NULL, "DCO", NULL, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sample one = good, other = good;
        struct description *d[2] = {0};
        struct error err;
        one.check = cases[i].check;
        one.button = cases[i].button;
        other.check = cases[i].other_check;
        other.button = cases[i].other_button;
        one.action_kind = other.action_kind = one.button ? SNEK_BUTTON : SNEK_RERUN;
        other.name = "other";
        other.command = "pong";
        assert_int_equal(parse(&one, &d[0], &err), 0);
        assert_int_equal(parse(&other, &d[1], &err), 0);
        const struct description *both[] = {d[0], d[1]};
        if (descriptions_conflict(both, 2, &err) != (cases[i].conflicts ? -1 : 0)) {
            fail_msg("case %zu", i);
        }
        if (cases[i].conflicts) {
            assert_string_equal(err.text, "the plugins invite and other both have the button fix "
                                          "of a check run: disable one");
        }
        description_free(d[0]);
        description_free(d[1]);
    }
}

static void an_order_is_one_of_the_sdks(void **state) {
    (void)state;
    static const char *const names[] = {"", "item", "repository", "installation"};
    struct sample sample = good;
    struct error err;
    for (sample.order = 0; sample.order < 4; sample.order++) {
        struct description *d = NULL;
        assert_int_equal(parse(&sample, &d, &err), 0);
        assert_int_equal(d->order, sample.order);
        assert_string_equal(description_order(d->order), names[sample.order]);
        description_free(d);
    }
    struct description *none = NULL;
    assert_int_equal(parse(&sample, &none, &err), -1);
    assert_string_equal(err.text, "its description is malformed");
}

static void a_command_for_a_level_needs_metadata(void **state) {
    (void)state;
    static const struct {
        uint64_t roles;
        const char *json, *shown;
    } table[] = {{SNEK_ROLE_AUTHOR | SNEK_ROLE_ORG_MEMBER,
                  "{\"members\":\"write\",\"pull_requests\":\"write\"}",
                  "author, organization member"},
                 {SNEK_ROLE_AUTHOR | SNEK_ROLE_WRITE,
                  "{\"members\":\"write\",\"metadata\":\"read\",\"pull_requests\":\"write\"}",
                  "author, write"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sample sample = good;
        struct description *d = NULL;
        struct error err;
        char shown[DESCRIPTION_ROLES_MAX];
        sample.roles = table[i].roles;
        assert_int_equal(parse(&sample, &d, &err), 0);
        assert_string_equal(d->permissions_json, table[i].json);
        description_roles(d->commands[0].roles, shown);
        assert_string_equal(shown, table[i].shown);
        description_free(d);
    }
}

static void commands_in_discussions_need_their_permission(void **state) {
    (void)state;
    struct sample sample = good;
    struct description *without = NULL, *with = NULL;
    struct error err;
    assert_int_equal(parse(&good, &without, &err), 0);
    sample.permission[0][0] = "discussions";
    assert_int_equal(parse(&sample, &with, &err), 0);
    static const char *const events[] = {"discussion", "discussion_comment"};
    for (size_t i = 0; i < 2; i++) {
        assert_true(description_wants(with, events[i], "created"));
        assert_false(description_wants(with, events[i], "edited"));
        assert_false(description_wants(without, events[i], "created"));
    }
    description_free(without);
    description_free(with);
}

static void a_description_that_lies_is_rejected(void **state) {
    (void)state;
    struct sample bad[12];
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        bad[i] = good;
    }
    bad[0].name = "";
    bad[1].name = "../etc";
    bad[2].name = "two\nlines";
    bad[3].protocol = FRAME_PROTOCOL + 1;
    bad[4].items = FRAME_ITEMS_MAX + 1;
    bad[5].items = 2;                    /* more than there are */
    bad[6].permission[0][0] = "members"; /* twice */
    bad[7].roles = SNEK_ROLE_ORG_MEMBER << 1;
    bad[8].denied = SNEK_DENIED_REPLY + 1;
    bad[9].action_kind = SNEK_RERUN + 1;
    bad[10].button = "an identifier that is too long";
    bad[11].button = "fix";
    bad[11].action_roles = SNEK_ROLE_AUTHOR;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct description *d = NULL;
        struct error err;
        if (parse(&bad[i], &d, &err) == 0) {
            fail_msg("case %zu was accepted", i);
        }
        assert_null(d);
    }
}

static void routing_goes_by_event_and_action_and_commands(void **state) {
    (void)state;
    static const struct {
        const char *event, *action;
        bool wanted;
    } cases[] = {{"pull_request", "closed", true},
                 {"pull_request", "opened", true},
                 {"pull_request", "edited", false},
                 {"issues", "opened", true},
                 {"issues", "closed", false},
                 {"issue_comment", "created", true},
                 {"issue_comment", "edited", false},
                 {"commit_comment", "created", false},
                 {"pull_request_review", "submitted", true},
                 {"pull_request_review_comment", "created", true},
                 {"push", "", false}};
    struct description *d = NULL;
    struct error err;
    assert_int_equal(parse(&good, &d, &err), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (description_wants(d, cases[i].event, cases[i].action) != cases[i].wanted) {
            fail_msg("%s.%s", cases[i].event, cases[i].action);
        }
    }
    description_free(d);
}

static void a_command_counts_only_if_the_payload_may_have_it(void **state) {
    (void)state;
    static const struct {
        const char *event, *action, *payload;
        bool wanted;
    } cases[] = {{"issue_comment", "created", "{\"body\":\"/ping\"}", true},
                 {"issue_comment", "created", "{\"body\":\"ping\"}", false},
                 {"issue_comment", "edited", "{\"body\":\"/ping\"}", false},
                 /* By its subscription. */
                 {"pull_request", "closed", "{\"body\":\"ping\"}", true}};
    struct description *d = NULL;
    struct error err;
    assert_int_equal(parse(&good, &d, &err), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct command_search search;
        command_search_init(&search, cases[i].payload, strlen(cases[i].payload));
        if (description_wants_payload(d, cases[i].event, cases[i].action, &search) !=
            cases[i].wanted) {
            fail_msg("%s.%s %s", cases[i].event, cases[i].action, cases[i].payload);
        }
    }
    description_free(d);
}

static void a_name_or_command_cannot_be_taken_twice(void **state) {
    (void)state;
    struct sample other = good, stranger = good;
    struct description *d[3] = {0};
    struct error err;
    other.name = "other";
    stranger.name = "stranger";
    stranger.command = "Ping"; /* case matters */
    assert_int_equal(parse(&good, &d[0], &err), 0);
    assert_int_equal(parse(&other, &d[1], &err), 0);
    assert_int_equal(parse(&stranger, &d[2], &err), 0);
    const struct description *fine[] = {d[0], NULL, d[2]}, *command[] = {d[0], d[1]},
                             *name[] = {d[0], d[2], d[0]};
    assert_int_equal(descriptions_conflict(fine, 3, &err), 0);
    assert_int_equal(descriptions_conflict(command, 2, &err), -1);
    assert_string_equal(err.text,
                        "the plugins invite and other both have the command /ping: disable one");
    assert_int_equal(descriptions_conflict(name, 3, &err), -1);
    assert_string_equal(err.text, "two plugins call themselves invite: disable one");
    for (size_t i = 0; i < 3; i++) {
        description_free(d[i]);
    }
}

static void an_effect_must_fit_a_declared_template(void **state) {
    (void)state;
    static const struct {
        const char *template, *method, *path;
        bool allowed;
    } cases[] = {
        {NULL, "DELETE", "/anything", true},
        {"/repos/{owner}/{repo}/issues/{number}/comments", "POST", "/repos/a/b/issues/1/comments",
         true},
        {"/repos/{owner}/{repo}/issues/{number}/comments", "POST",
         "/repos/a/b/issues/1/comments?x=/y", true},
        {"/repos/{owner}/{repo}/issues/{number}/comments", "PUT", "/repos/a/b/issues/1/comments",
         false},
        {"/repos/{owner}/{repo}/issues/{number}/comments", "POST", "/repos/a/b/issues/1", false},
        {"/repos/{owner}/{repo}/issues/{number}/comments", "POST", "/repos/a/b/issues/1/comments/2",
         false},
        {"/repos/{owner}/{repo}/issues/{number}/comments", "POST", "/repos/a/b/issues//comments",
         false},
        {"/repos/{owner}/{repo}/issues/{number}/comments", "POST", "/repos/a/b/c/issues/1/comments",
         false},
        {"/repos/{owner}/{repo}/issues/{number}/comments", "POST", "/Repos/a/b/issues/1/comments",
         false},
        {"/repos/{owner}/{repo}/issues/{number}/comments", "POST", "/repos/a/b/issues/1/comments/",
         false},
        {"/repos/{owner}/{repo}/issues/{number}/comments", "POST", "/repos/a/b/issues/1?/comments",
         false},
        {"/repos/{owner}/{repo}/contents/{+path}", "POST", "/repos/a/b/contents/x/y.c", true},
        {"/repos/{owner}/{repo}/contents/{+path}", "POST", "/repos/a/b/contents/", false},
        {"/repos/{owner}/{repo}/contents/{+path}", "POST", "/repos/a/b/contents", false},
        {"/graphql", "POST", "/graphql", true},
        {"/graphql", "POST", "/graphql2", false},
        {"/graphql", "POST", "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sample sample = good;
        struct description *d = NULL;
        struct error err;
        sample.effect[0] = cases[i].template ? "POST" : NULL;
        sample.effect[1] = cases[i].template;
        assert_int_equal(parse(&sample, &d, &err), 0);
        if (description_allows_effect(d, cases[i].method, cases[i].path) != cases[i].allowed) {
            fail_msg("case %zu: %s %s", i, cases[i].method, cases[i].path);
        }
        description_free(d);
    }
}

static void a_list_of_permissions_is_all_that_a_plugin_may_ask_for(void **state) {
    (void)state;
    static const struct {
        const char *list[4];
        const char *missing;
    } cases[] = {
        {{"members:write", "pull_requests:write"}, NULL},
        {{"issues:read", "pull_requests:admin", "members:write"}, NULL},
        {{"members:read", "pull_requests:write"}, "members: write"},
        {{"members:write"}, "pull_requests: write"},
        {{"members:write", "pull:write"}, "pull_requests: write"},
        {{"members:write", "pull_requests_x:write"}, "pull_requests: write"},
        {{NULL}, "members: write"},
    };
    struct description *d = NULL;
    struct error err;
    assert_int_equal(parse(&good, &d, &err), 0);
    assert_int_equal(description_permit(d, NULL, &err), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *list[4];
        memcpy(list, cases[i].list, sizeof list);
        int result = description_permit(d, list, &err);
        assert_int_equal(result, cases[i].missing ? -1 : 0);
        if (cases[i].missing && !strstr(err.text, cases[i].missing)) {
            fail_msg("case %zu: %s", i, err.text);
        }
    }
    description_free(d);
}

/* ---- the file that survives a host ---- */

#define PLUGINS 3

static off_t append(int fd, uint32_t plugin, const char *name) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(65536);
    struct sample sample = good;
    struct error err;
    sample.name = name;
    assert_int_equal(description_file_append(fd, plugin, encode(&sample, &buffer), &err), 0);
    return lseek(fd, 0, SEEK_END);
}

/* The names of the plugins in the file, each with a space after it. */
static const char *read_names(int fd) {
    static char names[100];
    struct description *found[PLUGINS] = {NULL};
    struct error err;
    assert_int_equal(description_file_read(fd, found, PLUGINS, &err), 0);
    names[0] = '\0';
    for (size_t i = 0; i < PLUGINS; i++) {
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s ",
                 found[i] ? found[i]->name : "-");
        description_free(found[i]);
    }
    return names;
}

static void descriptions_survive_a_host_in_a_file(void **state) {
    (void)state;
    AUTO_CLOSE int fd = memfd_create("descriptions", MFD_CLOEXEC);
    assert_string_equal(read_names(fd), "- - - ");
    append(fd, 2, "ping");
    append(fd, 0, "invite");
    assert_string_equal(read_names(fd), "invite - ping ");
    append(fd, 1, "hello");
    assert_string_equal(read_names(fd), "invite hello ping ");
}

static void a_later_record_of_a_plugin_replaces_an_earlier_one(void **state) {
    (void)state;
    AUTO_CLOSE int fd = memfd_create("descriptions", MFD_CLOEXEC);
    AUTO_BUFFER struct buffer one = BUFFER_INIT(65536), other = BUFFER_INIT(65536);
    struct sample sample = good;
    struct error err;
    struct frame_text first = encode(&sample, &one);
    sample.name = "other";
    struct frame_text second = encode(&sample, &other);
    assert_false(description_file_has(fd, 1, first));
    assert_int_equal(description_file_append(fd, 1, first, &err), 0);
    assert_true(description_file_has(fd, 1, first));
    assert_false(description_file_has(fd, 0, first));
    assert_false(description_file_has(fd, 1, second));
    assert_int_equal(description_file_append(fd, 1, second, &err), 0);
    assert_string_equal(read_names(fd), "- other - ");
    assert_true(description_file_has(fd, 1, second));
    assert_false(description_file_has(fd, 1, first));
    assert_int_equal(description_file_discard(fd, &err), 0);
    assert_string_equal(read_names(fd), "- - - ");
}

static void a_bad_record_is_removed_from_the_file_with_all_after_it(void **state) {
    (void)state;
    static const struct {
        uint32_t plugin, bytes;
    } bad[] = {{PLUGINS, 0}, {0, 0}, {1, 4}, {1, 0}, {1, UINT32_MAX}};
    AUTO_CLOSE int fd = memfd_create("descriptions", MFD_CLOEXEC);
    off_t whole = append(fd, 0, "invite");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(pwrite(fd, &bad[i], sizeof bad[i], whole), sizeof bad[i]);
        assert_int_equal(pwrite(fd, "junk", 4, whole + (off_t)sizeof bad[i]), 4);
        assert_string_equal(read_names(fd), "invite - - ");
        assert_int_equal(lseek(fd, 0, SEEK_END), whole);
    }
    off_t end = append(fd, 1, "hello");
    for (off_t cut = end - 1; cut > whole; cut--) {
        append(fd, 1, "hello");
        assert_int_equal(ftruncate(fd, cut), 0);
        assert_string_equal(read_names(fd), "invite - - ");
        assert_int_equal(lseek(fd, 0, SEEK_END), whole);
    }
    append(fd, 1, "hello");
    assert_string_equal(read_names(fd), "invite hello - ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(permissions_become_canonical_json),
        cmocka_unit_test(an_optional_permission_is_asked_for_apart),
        cmocka_unit_test(a_schedule_is_checked_and_wants_its_deliveries),
        cmocka_unit_test(a_check_action_wants_its_events),
        cmocka_unit_test(the_check_of_settings_wants_its_events),
        cmocka_unit_test(the_check_of_settings_is_an_effect_that_needs_no_declaration),
        cmocka_unit_test(the_roles_of_a_check_action_need_metadata),
        cmocka_unit_test(a_button_of_one_check_run_cannot_be_taken_twice),
        cmocka_unit_test(an_order_is_one_of_the_sdks),
        cmocka_unit_test(a_command_for_a_level_needs_metadata),
        cmocka_unit_test(commands_in_discussions_need_their_permission),
        cmocka_unit_test(a_description_that_lies_is_rejected),
        cmocka_unit_test(routing_goes_by_event_and_action_and_commands),
        cmocka_unit_test(a_command_counts_only_if_the_payload_may_have_it),
        cmocka_unit_test(an_effect_must_fit_a_declared_template),
        cmocka_unit_test(a_list_of_permissions_is_all_that_a_plugin_may_ask_for),
        cmocka_unit_test(a_name_or_command_cannot_be_taken_twice),
        cmocka_unit_test(descriptions_survive_a_host_in_a_file),
        cmocka_unit_test(a_later_record_of_a_plugin_replaces_an_earlier_one),
        cmocka_unit_test(a_bad_record_is_removed_from_the_file_with_all_after_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
