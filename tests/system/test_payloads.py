# SPDX-License-Identifier: MIT OR Apache-2.0
"""The kinds of payload that the original's tests had: each is accepted, and reaches the plugins that
it is for."""

import pytest

import snek

RUNS = {
    "pull_request.closed.merged": 1,  # invite
    "issues.opened": 1,  # ping, as all that may hold a command
    "pull_request.opened": 1,
    "issue_comment.created": 1,
    "pull_request_review.submitted": 1,
    "pull_request_review_comment.created": 1,
    "pull_request_review_comment.created.reply": 1,
    "discussion.created": 0,  # ping does not declare the permission `discussions`
    "discussion_comment.created": 0,
    "discussion_comment.created.reply": 0,
    "issue_comment.edited": 0,
    "issue_comment.deleted": 0,
    "check_run.requested_action": 0,  # neither has check actions
    "check_run.rerequested": 0,
    "check_suite.rerequested": 0,
    "commit_comment.created": 0,
    "ping": 0,
}


def test_every_sample_is_in_the_table():
    assert {path.stem for path in snek.PAYLOADS.glob("*.json")} - {"github"} == set(RUNS)


@pytest.mark.parametrize("kind", RUNS)
def test_a_sample_reaches_the_plugins_that_it_is_for(bot, kind):
    delivery = bot.deliver(kind.split(".")[0], snek.payload(kind))
    assert bot.wait_log(msg="stored", delivery=delivery)["runs"] == str(RUNS[kind])
    if RUNS[kind]:
        bot.wait_log(msg=("done", "skipped"), delivery=delivery)
    assert bot.fake.unexpected() == []


def test_a_delivery_without_an_installation_is_stored_and_runs_nothing(bot):
    merged = snek.payload("pull_request.closed.merged", {"installation": ...})
    delivery = bot.deliver("pull_request", merged)
    assert bot.wait_log(msg="stored", delivery=delivery)["runs"] == "0"


def test_a_plugin_acts_only_where_the_configuration_lets_it(start_bot):
    merged = snek.payload("pull_request.closed.merged")
    name = merged["repository"]["full_name"]
    owner = name.split("/", maxsplit=1)[0]
    for key, values, runs in [("repositories", [f"{owner}/*"], 1), ("repositories", [name], 1),
                              ("repositories", ["someone/*"], 0),
                              ("installations", [str(snek.INSTALLATION)], 1),
                              ("installations", ["1"], 0)]:
        host = start_bot(folder=f"{key}-{values[0].replace('/', '-').replace('*', 'all')}",
                         plugins=[{"name": "invite", key: values}])
        delivery = host.deliver("pull_request", merged)
        assert host.wait_log(msg="stored", delivery=delivery)["runs"] == str(runs), (key, values)
        host.stop()
