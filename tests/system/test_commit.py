# SPDX-License-Identifier: MIT OR Apache-2.0
"""Commits when a response is lost or the branch moves: one commit, or none and a clear result."""

import pytest

import snek

GRAPHQL = {"method": "POST", "path": "/graphql"}


@pytest.fixture
def host(fake, start_bot):
    state = fake.state
    state["installations"][0]["permissions"]["contents"] = "write"
    fake.put_state(state)
    return start_bot(plugins=["commits"], config={"dispatch": {"first_retry_ms": 100}})


def terrarium(fake):
    return next(one for one in fake.state["repositories"]
                if one["full_name"] == "sneks-united/terrarium")


def messages(fake):
    return [commit["message"] for commit in terrarium(fake).get("commits", [])]


def pull(fake):
    return next(one for one in terrarium(fake)["issues"] if one["number"] == 22)


def opened(fake, host, action="opened"):
    """The plugin commits on top of the head that the event names."""
    head = pull(fake)["head"]
    return host.deliver("pull_request", snek.payload("pull_request.opened", {
        "action": action, "pull_request.head.sha": head["sha"], "pull_request.head.ref": head["ref"]}))


def mutations(fake):
    return [entry for entry in fake.requests(**GRAPHQL)
            if "createCommitOnBranch" in entry["body"]["query"]]


def push(fake, message="Something else"):
    """Somebody pushes a commit to the branch of the pull request."""
    state = fake.state
    [repository] = [one for one in state["repositories"]
                    if one["full_name"] == "sneks-united/terrarium"]
    [item] = [one for one in repository["issues"] if one["number"] == 22]
    repository.setdefault("commits", []).append({"sha": "f" * 40, "message": message,
                                  "author": {"name": "viper-vik", "email": "v@example.org",
                                             "date": "2026-01-01T00:00:00Z", "login": "viper-vik"},
                                  "parents": [item["head"]["sha"]]})
    item["head"]["sha"] = "f" * 40
    fake.put_state(state)


@pytest.mark.parametrize("moved", [False, True])
def test_a_commit_whose_response_was_lost_is_found_and_not_made_again(fake, host, moved):
    """Also when others have pushed on top of it meanwhile."""
    fake.fail(**GRAPHQL, after=True, drop=True, delay_ms=600000, times=1)
    delivery = opened(fake, host)
    snek.wait_until(lambda: messages(fake) == ["Format"], lambda: messages(fake))
    if moved:
        push(fake)
    fake.release()
    host.wait_log(msg="done", delivery=delivery)
    assert messages(fake) == ["Format"] + ["Something else"] * moved
    assert len(mutations(fake)) == 1


def test_a_commit_that_never_arrived_is_made_once(fake, host):
    fake.fail(**GRAPHQL, drop=True, times=1)
    delivery = opened(fake, host)
    host.wait_log(msg="done", delivery=delivery)
    assert messages(fake) == ["Format"]
    assert len(mutations(fake)) == 2


def test_a_lost_commit_that_arrives_after_the_look_is_the_commit(fake, host):
    """The history of the first look is old. So the request is repeated, GitHub rejects it, and the
    second look finds the commit."""
    fake.fail(**GRAPHQL, after=True, drop=True, times=1)
    fake.fail(**GRAPHQL, status=200, times=1, body={"data": {"repository": {"ref": {"target": {
        "history": {"nodes": []}}}}}})
    delivery = opened(fake, host)
    host.wait_log(msg="done", delivery=delivery)
    assert messages(fake) == ["Format"]
    assert len(mutations(fake)) == 2


@pytest.mark.parametrize("message", ["Something else", "Formax", "Forma", "Format it"])
def test_a_commit_that_never_arrived_on_a_branch_that_moved_ends_the_run(fake, host, message):
    """Another commit stands on the expected head now, perhaps with almost the same message."""
    fake.fail(**GRAPHQL, drop=True, delay_ms=600000, times=1)
    delivery = opened(fake, host)
    snek.wait_until(lambda: mutations(fake), "the request")
    push(fake, message)
    fake.release()
    line = host.wait_log(msg="rejected", delivery=delivery)
    assert "any more, so nothing was committed" in line["reason"], line
    assert messages(fake) == [message]
    assert len(mutations(fake)) == 2


def test_a_run_that_reads_the_head_itself_commits_on_top_of_the_new_one(fake, host):
    """Two runs read the same head. The slower one commits in its second attempt, so no file is lost."""
    fake.fail(**GRAPHQL, delay_ms=1, times=1)
    fake.fail(**GRAPHQL, delay_ms=600000, times=1)
    first = host.deliver("issues", snek.payload("issues.opened", {"issue.title": "first"}))
    snek.wait_until(lambda: mutations(fake), "the first run's request")
    second = host.deliver("issues", snek.payload("issues.opened", {"issue.title": "second"}))
    host.wait_log(msg="done", delivery=second)
    fake.release()
    line = host.wait_log(msg="retry", delivery=first)
    assert "any more, so nothing was committed" in line["reason"], line
    host.wait_log(msg="done", delivery=first)
    assert messages(fake) == ["Write second", "Write first"]
    assert terrarium(fake)["commits"][1]["parents"] == [terrarium(fake)["commits"][0]["sha"]]


def test_contents_that_differ_in_each_attempt_are_committed_once(fake, host):
    fake.fail(**GRAPHQL, after=True, drop=True, times=1)
    delivery = opened(fake, host, "edited")
    line = host.wait_log(msg="skipped", delivery=delivery)
    sha = terrarium(fake)["commits"][0]["sha"]
    assert line["reason"] == f"the commit is {sha}"
    assert messages(fake) == ["Set the time"]


def test_a_dry_run_commits_nothing(fake, start_bot):
    state = fake.state
    state["installations"][0]["permissions"]["contents"] = "write"
    fake.put_state(state)
    host = start_bot(plugins=[{"name": "commits", "dry_run": True}])
    host.wait_log(msg="done", delivery=opened(fake, host))
    assert messages(fake) == [] and mutations(fake) == []
