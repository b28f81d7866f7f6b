# SPDX-License-Identifier: MIT OR Apache-2.0
"""The fake GitHub keeps what the requests to its endpoints change, and rejects what GitHub rejects."""

import base64

import pytest

from endpoints import REQUIRED, SHA, STATE
from fake_client import ORG, REPO, Client, mint


@pytest.fixture
def ask(fake, app):
    fake.patch_state(STATE)
    return Client(fake, f"Bearer {mint(app, {'permissions': REQUIRED}).json['token']}")


def texts(response, key):
    return [one[key] for one in response.json]


def test_a_pull_request_is_merged_once_and_at_the_commit_that_was_seen(ask):
    response = ask("PUT", f"{REPO}/pulls/22/merge", {"sha": "0" * 40})
    assert (response.status, response.json["message"]) == (
        409, "Head branch was modified. Review and try the merge again.")
    assert ask("GET", f"{REPO}/pulls/22").json["merged"] is False
    sha = ask("PUT", f"{REPO}/pulls/22/merge", {"sha": SHA}).json["sha"]
    pull = ask("GET", f"{REPO}/pulls/22").json
    assert (pull["merged"], pull["state"], pull["merge_commit_sha"]) == (True, "closed", sha)
    assert pull["merged_by"]["type"] == "Bot" and pull["merged_at"] and pull["closed_at"]
    assert ask("PUT", f"{REPO}/pulls/22/merge", {}).status == 405


@pytest.mark.parametrize("change", [{"draft": True}, {"mergeable": False}])
def test_a_pull_request_that_cannot_be_merged_is_not(fake, ask, change):
    fake.patch_state({"repositories": [{"full_name": "sneks-united/terrarium", "issues": [
        {"number": 22, **change}]}]})
    assert ask("PUT", f"{REPO}/pulls/22/merge", {}).status == 405


def test_pulls_are_listed_by_state_head_and_base(ask):
    numbers = lambda query: texts(ask("GET", f"{REPO}/pulls{query}"), "number")  # noqa: E731
    assert numbers("") == [22] and set(numbers("?state=all")) == {21, 22}
    assert numbers("?head=sneks-united:second-cave") == [22] and numbers("?head=x:other") == []
    assert numbers("?base=main") == [22] and numbers("?base=next") == []


def test_files_and_commits_come_page_by_page(ask):
    response = ask("GET", f"{REPO}/pulls/22/commits?per_page=1")
    assert len(response.json) == 1 and 'rel="next"' in response.headers["link"]
    assert texts(ask("GET", f"{REPO}/pulls/22/files"), "filename") == ["README.md"]
    assert ask("GET", f"{REPO}/pulls/12/files").status == 404


def test_a_review_is_kept(ask):
    reviews = f"{REPO}/pulls/22/reviews"
    before = texts(ask("GET", reviews), "state")
    assert ask("POST", reviews, {"event": "REQUEST_CHANGES"}).status == 422
    ask("POST", reviews, {"event": "APPROVE"})
    assert texts(ask("GET", reviews), "state") == before + ["APPROVED"]


def annotation(line):
    return {"path": "a", "start_line": line, "end_line": line, "annotation_level": "notice",
            "message": "x"}


def test_a_check_run_changes_and_collects_annotations(ask):
    made = ask("POST", f"{REPO}/check-runs", {"name": "mine", "head_sha": SHA}).json
    assert (made["status"], made["conclusion"]) == ("queued", None)
    assert made["pull_requests"][0]["number"] == 22
    url = f"{REPO}/check-runs/{made['id']}"
    for line in (1, 2):
        output = {"title": "T", "summary": "S", "annotations": [annotation(line)]}
        changed = ask("PATCH", url, {"conclusion": "success", "output": output}).json
    assert (changed["status"], changed["output"]["annotations_count"]) == ("completed", 2)
    assert texts(ask("GET", f"{url}/annotations"), "start_line") == [1, 2]
    suite = ask("GET", f"{REPO}/check-suites/{made['check_suite']['id']}").json
    assert suite["status"] == "in_progress" and suite["latest_check_runs_count"] == 2


def test_the_latest_check_run_of_a_name_counts(ask):
    for conclusion in ("failure", "success"):
        ask("POST", f"{REPO}/check-runs", {"name": "mine", "head_sha": SHA, "conclusion": conclusion})
    runs = lambda more: ask("GET", f"{REPO}/commits/{SHA}/check-runs?check_name=mine{more}").json  # noqa: E731
    assert [run["conclusion"] for run in runs("")["check_runs"]] == ["success"]
    assert runs("&filter=all")["total_count"] == 2


@pytest.mark.parametrize("body,field", [
    ({"head_sha": SHA}, "name"), ({"name": "x"}, "head_sha"),
    ({"name": "x", "head_sha": SHA, "status": "completed"}, "conclusion"),
    ({"name": "x", "head_sha": SHA, "conclusion": "fine"}, "conclusion"),
    ({"name": "x", "head_sha": SHA, "output": {"title": "T"}}, "output"),
    ({"name": "x", "head_sha": SHA, "output": {"title": "T", "summary": "S", "annotations": [
        annotation(line) for line in range(51)]}}, "annotations"),
    ({"name": "x", "head_sha": SHA, "output": {"title": "T", "summary": "S", "annotations": [
        {**annotation(1), "annotation_level": "error"}]}}, "annotations"),
    ({"name": "x", "head_sha": SHA, "output": {"title": "T", "summary": "S", "annotations": [
        {"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "notice"}]}}, "annotations"),
    ({"name": "x", "head_sha": SHA, "actions": [{"label": "x" * 21, "description": "d",
                                                 "identifier": "i"}]}, "actions"),
])
def test_a_check_run_that_github_rejects_is_rejected(ask, body, field):
    response = ask("POST", f"{REPO}/check-runs", body)
    assert response.status == 422 and response.json["errors"][0]["field"] == field, response.body


def test_a_check_run_of_another_app_cannot_be_changed(ask):
    assert ask("PATCH", f"{REPO}/check-runs/51001", {"conclusion": "success"}).status == 403


def test_the_last_status_of_each_context_counts(ask):
    state = lambda: ask("GET", f"{REPO}/commits/{SHA}/status").json["state"]  # noqa: E731
    assert state() == "pending"
    for context, value, combined in (("a", "success", "success"), ("b", "failure", "failure"),
                                     ("b", "success", "success"), ("c", "pending", "pending")):
        assert ask("POST", f"{REPO}/statuses/{SHA}", {"state": value, "context": context}).status == 201
        assert state() == combined
    assert len(ask("GET", f"{REPO}/commits/second-cave/statuses").json) == 4
    assert ask("POST", f"{REPO}/statuses/{SHA}", {"state": "fine"}).status == 422


def test_a_file_is_changed_only_by_those_who_know_what_it_is(ask):
    url, new = f"{REPO}/contents/README.md", base64.b64encode(b"More").decode()
    sha = ask("GET", url).json["sha"]
    assert ask("PUT", url, {"message": "m", "content": new}).status == 422
    assert ask("PUT", url, {"message": "m", "content": new, "sha": "0" * 40}).status == 409
    assert ask("PUT", url, {"message": "m", "content": new, "sha": sha}).status == 200
    assert base64.b64decode(ask("GET", url).json["content"]) == b"More"
    assert ask("GET", url, Accept="application/vnd.github.raw+json").body == b"More"
    assert ask("PUT", url, {"message": "m", "content": "?", "sha": sha}).status == 422
    assert texts(ask("GET", f"{REPO}/contents/docs"), "path") == ["docs/a.md"]
    assert {(one["name"], one["type"]) for one in ask("GET", f"{REPO}/contents/").json} == {
        ("README.md", "file"), ("docs", "dir")}
    assert ask("GET", f"{REPO}/contents/nothing").status == 404


def test_a_file_of_a_branch_is_on_that_branch_only(ask, fake):
    url, new = f"{REPO}/contents/x", base64.b64encode(b"x").decode()
    body = {"message": "m", "content": new, "branch": "next"}
    assert ask("PUT", url, body).json["message"] == "Branch next not found"
    fake.patch_state({"repositories": [{"full_name": "sneks-united/terrarium",
                                        "branches": [{"name": "next", "sha": SHA}]}]})
    made = ask("PUT", url, body)
    assert made.status == 201 and made.json["commit"]["parents"][0]["sha"] == SHA
    assert ask("GET", url).status == 404 and ask("GET", f"{url}?ref=next").status == 200


def test_labels_of_the_repository_follow_those_of_issues(ask):
    ask("POST", f"{REPO}/issues/12/labels", {"labels": ["heat", "used"]})
    assert texts(ask("GET", f"{REPO}/labels"), "name") == ["heat", "used"]
    assert ask("POST", f"{REPO}/labels", {"name": "Used"}).status == 422
    ask("PATCH", f"{REPO}/labels/used", {"new_name": "done", "color": "00ff00"})
    assert texts(ask("GET", f"{REPO}/issues/12/labels"), "color") == ["ff0000", "00ff00"]
    ask("DELETE", f"{REPO}/labels/heat")
    assert texts(ask("GET", f"{REPO}/issues/12/labels"), "name") == ["done"]
    ask("PUT", f"{REPO}/issues/12/labels", {"labels": ["b", "a", "B"]})
    assert texts(ask("GET", f"{REPO}/issues/12/labels"), "name") == ["b", "a"]


def test_an_issue_is_made_with_its_parts_and_counts_at_its_milestone(ask):
    made = ask("POST", f"{REPO}/issues", {"title": "New", "labels": ["heat"], "milestone": 1,
                                          "assignees": ["viper-vik"]})
    assert made.status == 201 and made.json["number"] == 23
    issue = ask("GET", f"{REPO}/issues/23").json
    assert (issue["milestone"]["title"], issue["assignee"]["login"]) == ("Spring", "viper-vik")
    assert ask("GET", f"{REPO}/milestones/1").json["open_issues"] == 1
    ask("PATCH", f"{REPO}/issues/23", {"state": "closed", "state_reason": "not_planned"})
    issue = ask("GET", f"{REPO}/issues/23").json
    assert (issue["state_reason"], issue["milestone"]["closed_issues"]) == ("not_planned", 1)
    assert ask("POST", f"{REPO}/issues", {"title": "x", "milestone": 9}).status == 422
    assert ask("POST", f"{REPO}/issues", {"title": "x", "assignees": ["nobody"]}).status == 422
    assert ask("POST", f"{REPO}/issues", {"body": "x"}).json["errors"][0]["code"] == "missing_field"


def test_only_people_with_access_are_assigned(ask):
    assert {"viper-vik", "python-petra", "hatchling-hana"} == set(
        texts(ask("GET", f"{REPO}/assignees"), "login"))
    response = ask("POST", f"{REPO}/issues/12/assignees", {"assignees": ["viper-vik", "nobody"]})
    assert [one["login"] for one in response.json["assignees"]] == ["viper-vik"]
    ask("DELETE", f"{REPO}/issues/12/assignees", {"assignees": ["Viper-Vik"]})
    assert ask("GET", f"{REPO}/issues/12").json["assignees"] == []


def test_a_comment_is_changed_and_deleted(ask):
    made = ask("POST", f"{REPO}/issues/12/comments", {"body": "x"}).json
    url = f"{REPO}/issues/comments/{made['id']}"
    assert ask("PATCH", url, {"body": "y"}).json["body"] == "y"
    assert ask("PATCH", url, {"body": ""}).status == 422
    assert ask("DELETE", url).status == 204 and ask("GET", url).status == 404


def test_team_members_have_their_role(ask):
    role = lambda login: ask("GET", f"{ORG}/teams/keepers/memberships/{login}").json.get("role")  # noqa: E731
    assert (role("viper-vik"), role("python-petra"), role("hatchling-hana")) == (
        "member", "maintainer", None)
    assert ask("GET", f"{ORG}/teams/nobody/members").status == 404


def runs_of(ask, query=""):
    response = ask("GET", f"{REPO}/actions/runs{query}").json
    return response["total_count"], texts_of(response["workflow_runs"], "id")


def texts_of(items, key):
    return [one[key] for one in items]


def test_workflow_runs_are_listed_newest_first_and_filtered(ask, fake):
    fake.patch_state({"repositories": [{"full_name": "sneks-united/terrarium", "workflow_runs": [
        {"id": 778, "name": "lint", "head_sha": "0" * 40, "event": "push", "head_branch": "main"}]}]})
    assert runs_of(ask) == (2, [778, 777])
    assert runs_of(ask, "?status=failure") == runs_of(ask, "?actor=viper-vik") == (1, [777])
    assert runs_of(ask, "?status=queued") == runs_of(ask, "?branch=main") == (1, [778])
    assert runs_of(ask, "?event=push") == runs_of(ask, f"?head_sha={'0' * 40}") == (1, [778])
    assert runs_of(ask, "?per_page=1&page=2") == (2, [777])
    assert ask("GET", f"{REPO}/actions/runs?created=2025-01-01").status == 422
    run = ask("GET", f"{REPO}/actions/runs/777").json
    assert (run["head_branch"], texts_of(run["pull_requests"], "number")) == ("second-cave", [22])
    assert runs_of(ask, f"?check_suite_id={run['check_suite_id']}") == (1, [777])


def test_a_workflow_runs_again_only_when_it_has_ended(ask, fake):
    url = f"{REPO}/actions/runs/777"
    assert ask("POST", f"{url}/cancel").status == 409
    assert ask("POST", f"{url}/rerun-failed-jobs").status == 201
    run = ask("GET", url).json
    assert (run["status"], run["conclusion"], run["run_attempt"]) == ("queued", None, 2)
    assert ask("POST", f"{url}/rerun").status == 403
    assert ask("POST", f"{url}/cancel").status == 202
    assert ask("GET", url).json["conclusion"] == "cancelled"
    fake.patch_state({"repositories": [{"full_name": "sneks-united/terrarium", "workflow_runs": [
        {"id": 777, "conclusion": "success"}]}]})
    assert ask("POST", f"{url}/rerun-failed-jobs").json["message"] == "This workflow run has no failed jobs"
    assert ask("POST", f"{url}/rerun").status == 201
    assert ask("POST", f"{REPO}/actions/runs/1/rerun").status == 404
