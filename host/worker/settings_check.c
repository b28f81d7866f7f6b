/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Looks at the file of the commit itself, not at that of the default branch, which the plugin's
 * handlers read. */
#include "worker/settings_check.h"

#include "protocol/description.h"
#include "worker/descriptor.h"
#include "worker/matching.h"
#include "worker/response.h"
#include "worker/services.h"
#include "worker/settings.h"
#include "worker/worker.h"
#include "worker/yaml.h"

#include <snekomatic/convenience_item.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FILE_MAX (FRAME_NAME_MAX + sizeof ".github/.yml")

/* The changes that a pull request makes to the file. */
enum change { CHANGE_NONE, CHANGE_TEXT, CHANGE_REMOVED };

struct checking {
    struct run *run;
    const struct snek_plugin *plugin;
    /* The path of the file, which is also the name of the check run. */
    char file[FILE_MAX];
    const char *sha;
    struct snek_builder annotations;
    unsigned problems;
};

static const struct snek_plugin *plugin_of(const struct run *run) {
    return worker_plugin(run_worker(run));
}

static bool is_event(const struct run *run, const char *event) {
    return strcmp(run_event(run), event) == 0;
}

bool settings_check_wants(const struct run *run) {
    static const char *const actions[] = {"opened", "synchronize", "reopened"};
    bool of_checks = is_event(run, DESCRIPTION_CHECK_RUN) || is_event(run, DESCRIPTION_CHECK_SUITE);
    if (!plugin_of(run)->repository_config) {
        return false;
    }
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (is_event(run, "pull_request") && strcmp(run_action(run), actions[i]) == 0) {
            return true;
        }
    }
    return of_checks && strcmp(run_action(run), DESCRIPTION_REREQUESTED) == 0 &&
           matching_is_of_app(run);
}

/* ---- what to check ---- */

/* 1, 0 when an optional permission is not granted, or a negative error. */
static int32_t is_permitted(const struct checking *checking) {
    static const struct snek_permission needed[] = {
        {"contents", "read"}, {"pull_requests", "read"}, {"checks", "write"}};
    int32_t granted = 1;
    for (size_t i = 0; i < sizeof needed / sizeof *needed && granted == 1; i++) {
        bool required = false;
        for (uint32_t k = 0; k < checking->plugin->permissions_count; k++) {
            required =
                required || strcmp(checking->plugin->permissions[k].name, needed[i].name) == 0;
        }
        if (!required) {
            granted = service_github.has_permission(run_shown(checking->run), needed[i].name,
                                                    needed[i].access);
        }
    }
    return granted;
}

/* 0 and `*change`, or a negative error. */
static int32_t read_change(const struct checking *checking, enum change *change) {
    struct snek_run *shown = run_shown(checking->run);
    const char *number = snek_text(shown, "pull_request.number");
    struct snek_pages *list = snek_list(shown, "/repos/{owner}/{repo}/pulls/{number}/files",
                                        .parameters = {{"number", number}});
    int32_t more = 0;
    *change = CHANGE_NONE;
    while (*change == CHANGE_NONE && (more = snek_next(shown, list)) > 0) {
        const char *name = snek_item_string(shown, list, "filename");
        const char *old = snek_item_string(shown, list, "previous_filename");
        const char *status = snek_item_string(shown, list, "status");
        bool is_file = name && strcmp(name, checking->file) == 0;
        if (is_file && (!status || strcmp(status, "removed") != 0)) {
            *change = CHANGE_TEXT;
        } else if (is_file || (old && strcmp(old, checking->file) == 0)) {
            *change = CHANGE_REMOVED;
        }
    }
    snek_free_pages(shown, list);
    return more < 0 ? more : 0;
}

/* "Re-run all checks": was the file checked at this commit? 1, 0 or a negative error. */
static int32_t was_checked(const struct checking *checking) {
    struct snek_run *shown = run_shown(checking->run);
    struct snek_pages *list =
        snek_list(shown, "/repos/{owner}/{repo}/commits/{sha}/check-runs",
                  .parameters = {{"sha", checking->sha}}, .query = {{"check_name", checking->file}},
                  .list = "check_runs");
    int32_t more, found = 0;
    while (found == 0 && (more = snek_next(shown, list)) != 0) {
        const char *external = more > 0 ? snek_item_string(shown, list, "external_id") : NULL;
        if (more < 0) {
            found = more;
        } else if (external && strcmp(external, checking->file) == 0) {
            found = 1;
        }
    }
    snek_free_pages(shown, list);
    return found;
}

/* 0, and the commit and the change; or a negative error. */
static int32_t find_change(struct checking *checking, enum change *change) {
    struct run *run = checking->run;
    *change = CHANGE_NONE;
    if (is_event(run, "pull_request")) {
        const char *base = run_find_text(run, "pull_request.base.ref");
        const char *branch = run_find_text(run, "repository.default_branch");
        checking->sha = run_find_text(run, "pull_request.head.sha");
        bool counts = base && branch && strcmp(base, branch) == 0 && checking->sha;
        return counts ? read_change(checking, change) : 0;
    }
    bool of_run = is_event(run, DESCRIPTION_CHECK_RUN);
    checking->sha = run_find_text(run, of_run ? "check_run.head_sha" : "check_suite.head_sha");
    const char *name = of_run ? run_find_text(run, "check_run.name") : NULL;
    int32_t again = of_run ? name && strcmp(name, checking->file) == 0 : was_checked(checking);
    if (again > 0 && checking->sha) {
        *change = CHANGE_TEXT;
    }
    return again < 0 ? again : 0;
}

/* ---- the check run ---- */

static void annotate(void *context, struct yaml_place place, const char *sentence) {
    struct checking *checking = context;
    uint32_t line = place.line > 0 ? place.line : 1, column = place.line > 0 ? place.column : 1;
    snek_append_json(run_shown(checking->run), &checking->annotations,
                     "{'path':'%s','start_line':%lu,'end_line':%lu,'start_column':%lu,"
                     "'end_column':%lu,'annotation_level':'failure','message':'%s'}",
                     checking->file, (unsigned long)line, (unsigned long)line,
                     (unsigned long)column, (unsigned long)column, sentence);
    checking->problems++;
}

static int32_t show(struct checking *checking, const char *conclusion, const char *title) {
    struct snek_run *shown = run_shown(checking->run);
    const char *summary = snek_print(shown, "The plugin `%s` of the bot reads `%s`.",
                                     checking->plugin->name, checking->file);
    const char *annotations = checking->problems > 0 ? checking->annotations.text : NULL;
    return snek_check(shown, checking->file, .head_sha = checking->sha, .conclusion = conclusion,
                      .title = title, .summary = summary, .annotations = annotations);
}

static int32_t show_problems(struct checking *checking) {
    struct snek_run *shown = run_shown(checking->run);
    if (checking->problems == 0) {
        return show(checking, "success", "The file is right");
    }
    const char *most = checking->problems == SETTINGS_PROBLEMS_MAX ? "at least " : "";
    const char *title = snek_print(shown, "The file has %s%u error%s", most, checking->problems,
                                   checking->problems == 1 ? "" : "s");
    return show(checking, "failure", title);
}

/* The sentence begins with the place, which the annotation has too. */
static const char *without_place(const char *sentence) {
    const char *end = strncmp(sentence, "line ", 5) == 0 ? strstr(sentence, ": ") : NULL;
    return end ? end + 2 : sentence;
}

static int32_t check_text(struct checking *checking, struct snek_text text) {
    AUTO_YAML struct yaml_document document = {.n_marks = 0};
    struct yaml_place wrong = {.line = 0};
    struct error err;
    if (yaml_read(&document, text.data, text.bytes, &wrong, &err) == 0) {
        settings_check_file(checking->plugin, &document, annotate, checking);
    } else if (wrong.line > 0) {
        annotate(checking, wrong, without_place(err.text));
    } else {
        return run_fail(checking->run, SNEK_E_FAILED, "%s", err.text);
    }
    return show_problems(checking);
}

/* A folder of that name is a list of its files, as JSON. */
static bool is_folder(struct snek_response *response) {
    struct snek_text type = response_header(response, "content-type");
    return type.data && strncmp(type.data, "application/json", 16) == 0;
}

static int32_t check_file(struct checking *checking) {
    struct snek_run *shown = run_shown(checking->run);
    struct snek_response *response = NULL;
    int32_t result =
        snek_request(shown, "GET", "/repos/{owner}/{repo}/contents/.github/{name}.yml",
                     .parameters = {{"name", checking->plugin->repository_config}},
                     .query = {{"ref", checking->sha}}, .accept = "application/vnd.github.raw+json",
                     .response = &response);
    if (result == SNEK_E_NOT_FOUND && response_status(response) == 404) {
        result = show(checking, "neutral", "The commit has no such file");
    } else if (result == 0 && is_folder(response)) {
        annotate(checking, (struct yaml_place){.line = 1, .column = 1},
                 "it is a folder, and must be a file");
        result = show_problems(checking);
    } else if (result == 0) {
        result = check_text(checking, response_body(response));
    }
    response_free(response);
    return result;
}

/* ---- the handler ---- */

/* A retry would fail too, and a check run is not worth a dead run. */
static bool is_final(int32_t result) {
    return result == SNEK_E_NOT_FOUND || result == SNEK_E_FORBIDDEN ||
           result == SNEK_E_VALIDATION || result == SNEK_E_IN_DOUBT || result == SNEK_E_INVALID ||
           result == SNEK_E_TOO_LARGE;
}

static int32_t skip_failure(struct checking *checking, int32_t result) {
    char text[FRAME_REASON_MAX + 1], reason[FRAME_REASON_MAX + 1];
    if (!is_final(result)) {
        return result;
    }
    run_copy_reason(checking->run, reason);
    snprintf(text, sizeof text, "cannot check %s: %.800s", checking->file, reason);
    worker_log(run_worker(checking->run), run_handle(checking->run), SNEK_LEVEL_WARNING, text);
    return snek_skip(run_shown(checking->run), text);
}

int32_t settings_check(struct snek_run *shown) {
    struct run *run = run_of(shown);
    struct checking checking = {
        .run = run, .plugin = plugin_of(run), .annotations = SNEK_EMPTY_ARRAY};
    enum change change = CHANGE_NONE;
    snprintf(checking.file, sizeof checking.file, ".github/%.*s.yml", FRAME_NAME_MAX,
             checking.plugin->repository_config);
    int32_t result = is_permitted(&checking);
    if (result == 0) {
        return snek_skip(shown, "the check of the configuration needs permissions that the "
                                "installation does not grant");
    }
    result = result < 0 ? result : find_change(&checking, &change);
    if (result < 0) {
        return skip_failure(&checking, result);
    }
    if (change == CHANGE_NONE) {
        return snek_skip(shown, snek_print(shown, "nothing changes %s", checking.file));
    }
    result = change == CHANGE_REMOVED ? show(&checking, "neutral", "The file is removed")
                                      : check_file(&checking);
    return result < 0 ? skip_failure(&checking, result) : SNEK_DONE;
}
