# SPDX-License-Identifier: MIT OR Apache-2.0
"""The harness makes webhook payloads of the fake GitHub's state, as GitHub describes them."""

import json
import os
import pathlib
import subprocess

import pytest

import snek
from endpoints import SHA
from player import play  # noqa: F401  (a fixture)

MODULES = os.environ.get("SNEK_CONFORMANCE_MODULES")
NODE = os.environ.get("SNEK_NODE", "node")
JUDGE = pathlib.Path(__file__).resolve().parent.parent / "conformance" / "webhooks.mjs"

MADE = [
    ("check_run.created", {"pull": 22, "name": "DCO"}),
    ("check_run.completed", {"pull": 22, "name": "DCO", "conclusion": "failure", "external_id": "x"}),
    ("check_run.rerequested", {"branch": "second-cave", "name": "ci", "app": "ci", "by": "python-petra"}),
    ("check_run.requested_action", {"pull": 22, "name": "DCO", "identifier": "pass"}),
    ("check_suite.requested", {"sha": SHA}),
    ("check_suite.completed", {"pull": 22, "conclusion": "success"}),
    ("check_suite.rerequested", {"pull": 22}),
    ("status", {"pull": 22, "state": "success", "context": "ci"}),
    ("status", {"state": "pending"}),
    ("push", {}),
    ("push", {"branch": "second-cave", "message": "Add", "added": ["a"], "removed": ["b"]}),
    ("merge_group.checks_requested", {"pull": 22}),
    ("merge_group.destroyed", {"pull": 22, "reason": "dequeued"}),
    ("installation.created", {}), ("installation.suspend", {}), ("installation.unsuspend", {}),
    ("installation.deleted", {}), ("installation.new_permissions_accepted", {}),
    ("discussion.created", {"number": 31}), ("discussion.created", {"number": 40, "title": "New"}),
    ("discussion.edited", {"number": 31, "body": "Other"}), ("discussion.closed", {"number": 31}),
    ("discussion.reopened", {"number": 31}), ("discussion.deleted", {"number": 31}),
    ("pull_request.opened", {"pull": 22}), ("pull_request.synchronize", {"pull": 22}),
    ("pull_request.labeled", {"pull": 22, "label": "bug"}),
    ("pull_request.unlabeled", {"pull": 22, "label": "bug"}),
    ("pull_request.closed", {"pull": 22}), ("pull_request.reopened", {"pull": 22}),
    ("pull_request_review.submitted", {"pull": 22, "state": "approved", "by": "python-petra"}),
    ("pull_request_review.edited", {"pull": 22, "body": "Well"}),
    ("pull_request_review.dismissed", {"pull": 22}),
]


def build(fake, name, given=None):
    body = {"name": name} if given is None else {"name": name, "with": given}
    return snek.request("POST", f"{fake.url}/_fake/payload", body)


def made(fake, name, /, **given):
    response = build(fake, name, given)
    assert response.status == 200, response.json
    return response.json


def judge(payloads):
    done = subprocess.run([NODE, JUDGE, MODULES], input=json.dumps(payloads).encode(), check=True,
                          stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def test_every_payload_is_as_github_describes_it(fake):
    payloads = [{"name": name, "payload": made(fake, name, **given)} for name, given in MADE]
    assert judge(payloads) == []
    payloads[0]["payload"]["check_run"]["head_sha"] = 7
    del payloads[1]["payload"]["repository"]
    assert {one["name"] for one in judge(payloads)} == {"check_run.created", "check_run.completed"}


def terrarium(fake):
    return fake.state["repositories"][0]


def test_what_an_event_says_is_in_the_state(fake):
    run = made(fake, "check_run.completed", pull=22, name="DCO", conclusion="failure")["check_run"]
    again = made(fake, "check_run.rerequested", pull=22, name="DCO")["check_run"]
    assert (run["id"], run["head_sha"], again["conclusion"]) == (again["id"], SHA, "failure")
    assert [one["conclusion"] for one in terrarium(fake)["check_runs"]] == ["failure"]
    push = made(fake, "push", branch="second-cave", by="python-petra", added=["x"])
    assert (push["before"], push["pusher"]["name"]) == (SHA, "python-petra")
    assert push["head_commit"]["added"] == ["x"]
    assert terrarium(fake)["issues"][2]["head"]["sha"] == push["after"]
    assert made(fake, "status", pull=22, state="error")["sha"] == push["after"]
    assert made(fake, "installation.suspend")["installation"]["suspended_at"]
    assert fake.state["installations"][0]["suspended"] is True
    pushed = made(fake, "pull_request.synchronize", pull=22)
    assert (pushed["before"], pushed["number"]) == (push["after"], 22)
    assert terrarium(fake)["issues"][2]["head"]["sha"] == pushed["after"] != pushed["before"]
    assert pushed["pull_request"]["head"]["sha"] == pushed["after"]
    labels = made(fake, "pull_request.labeled", pull=22, label="bug")["pull_request"]["labels"]
    assert [one["name"] for one in labels] == terrarium(fake)["issues"][2]["labels"] == ["bug"]
    assert made(fake, "pull_request.unlabeled", pull=22, label="bug")["label"]["name"] == "bug"
    assert terrarium(fake)["issues"][2]["labels"] == []
    assert made(fake, "pull_request.closed", pull=22)["pull_request"]["state"] == "closed"
    assert made(fake, "pull_request.reopened", pull=22)["pull_request"]["state"] == "open"
    review = made(fake, "pull_request_review.submitted", pull=22, state="approved")["review"]
    kept = terrarium(fake)["issues"][2]["reviews"][-1]
    assert (review["id"], review["state"], kept["state"]) == (kept["id"], "approved", "APPROVED")


@pytest.mark.parametrize("name,given,said", [
    ("issues.opened", None, "the harness makes no payload of issues.opened; it makes those of check_run, "),
    ("check_run", {"pull": 22}, "the action of check_run is created completed rerequested"),
    ("status.created", {}, "the action of status is absent"),
    ("status", {"pull": 22}, "with needs the state of the status"),
    ("status", {"pull": 22, "state": "success", "number": 1}, "with: status has no number; it has by, "),
    ("status", {"pull": "22", "state": "success"}, "pull is not a whole number"),
    ("status", {"branch": "none", "state": "success"}, "branch: there is no branch none"),
    ("check_run.created", {"pull": 22}, "a check run needs a name"),
    ("check_run.created", {"id": 4}, "id: there is no check run 4"),
    ("check_run.completed", {"name": "x"}, "needs a conclusion"),
    ("check_run.requested_action", {"name": "x"}, "needs the identifier"),
    ("check_suite.completed", {"pull": 22}, "needs a conclusion"),
    ("merge_group.destroyed", {}, "with needs pull"),
    ("merge_group.destroyed", {"pull": 12}, "pull: there is no pull request 12"),
    ("pull_request.synchronize", {}, "with needs pull"),
    ("pull_request.synchronize", {"pull": 21}, "pull: the pull request is closed"),
    ("pull_request.labeled", {"pull": 22}, "with needs the label"),
    ("discussion.created", {}, "with needs the number of the discussion"),
    ("push", {"by": "nobody"}, "by: GitHub has no user nobody"),
    ("push", {"repository": "o/none"}, "repository: GitHub has no repository o/none"),
    ("push", {"branch": "none"}, "branch: there is no branch none"),
])
def test_a_payload_that_cannot_be_made_is_an_error(fake, name, given, said):
    before = fake.state
    response = build(fake, name, given)
    assert response.status == 422 and said in response.json["message"]
    assert fake.state["repositories"][0]["statuses"] == before["repositories"][0]["statuses"]


def test_a_scenario_names_the_event_and_a_few_values(play):
    outcome = play('''
[[step]]
deliver = "check_run.completed"
with = { pull = 22, name = "ci", conclusion = "success" }
change = { "check_run.output.title" = "All well" }
result = "none"
state.repositories = [{ full_name = "sneks-united/terrarium", check_runs = [{ name = "ci", conclusion = "success" }] }]

[[step]]
deliver = "status"
with = { pull = 22 }
result = "none"
''', plugin="client")
    assert "ok 1" in outcome.text and "with needs the state of the status" in outcome.text, outcome.text
