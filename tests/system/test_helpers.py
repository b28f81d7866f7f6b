# SPDX-License-Identifier: MIT OR Apache-2.0
"""The SDK's helpers when several runs, or the end of the host, come in between."""

import os
import signal

import pytest

import snek

COMMENTS = "/repos/sneks-united/terrarium/issues/12/comments"
COMMENT = "/repos/sneks-united/terrarium/issues/comments/*"


def opened(host, title):
    return host.deliver("issues", snek.payload("issues.opened", {"issue.title": title}))


def hurry(host, delivery):
    """The same GUID again makes a run that waits for its retry due now."""
    assert host.post("issues", snek.payload("issues.opened"), delivery=delivery).status == 200


def begun(fake):
    """GitHub has the comment, or will not take it, and does not respond yet."""
    snek.wait_until(lambda: fake.requests(method="POST", path=COMMENTS), lambda: fake.requests())


def shown(fake):
    """The texts of the bot's comments, then the edits that it made."""
    texts = [snek.visible({"body": text})["body"] for text in fake.bot_comments(12)]
    return texts, [entry["body"]["body"] for entry in fake.requests(method="PATCH")]


def grant(fake):
    state = fake.state
    state["installations"][0]["permissions"]["checks"] = "write"
    fake.put_state(state)


@pytest.fixture
def checks(fake, start_bot):
    grant(fake)
    return start_bot(plugins=["helpers"], config={"dispatch": {"first_retry_ms": 100}})


@pytest.fixture
def host(fake, start_bot):
    grant(fake)
    fake.fail(method="PATCH", path=COMMENT, status=200, body={}, times=-1)
    return start_bot(plugins=["helpers"])


def test_two_runs_at_once_make_one_comment(fake, host):
    fake.fail(method="POST", path=COMMENTS, after=True, delay_ms=600000, times=1)
    first = opened(host, "first")
    begun(fake)
    second = opened(host, "second")
    line = host.wait_log(msg="waiting", delivery=second)
    assert line["reason"] == "another run of this plugin makes the same comment, and has not ended"
    fake.release()
    host.wait_log(msg="done", delivery=first)
    done = host.wait_log(msg="done", delivery=second)
    assert done["attempt"] == "1"
    assert shown(fake) == (["first"], ["second"])


def test_a_run_waits_for_the_retry_of_another_and_then_edits_its_comment(fake, host):
    """The first run's response is lost, so its comment is in doubt while the second run begins."""
    fake.fail(method="POST", path=COMMENTS, after=True, drop=True, times=1)
    first = opened(host, "first")
    host.wait_log(msg="retry", delivery=first)
    second = opened(host, "second")
    host.wait_log(msg="waiting", delivery=second)
    hurry(host, first)
    host.wait_log(msg="comment_found", delivery=first)
    host.wait_log(msg="done", delivery=first)
    host.wait_log(msg="done", delivery=second)
    assert shown(fake) == (["first"], ["second"])


def test_a_run_goes_on_when_the_other_has_ended_without_a_comment(fake, host):
    fake.fail(method="POST", path=COMMENTS, delay_ms=600000, times=1, like="locked")
    first = opened(host, "first")
    begun(fake)
    second = opened(host, "second")
    host.wait_log(msg="waiting", delivery=second)
    fake.release()
    host.wait_log(msg="rejected", delivery=first)
    host.wait_log(msg="done", delivery=second)
    assert shown(fake) == (["second"], [])


def test_a_host_that_is_killed_at_the_comment_makes_one(fake, host):
    fake.fail(method="POST", path=COMMENTS, after=True, delay_ms=600000, times=1)
    first = opened(host, "first")
    begun(fake)
    host.kill("host", signal.SIGKILL)
    fake.release()
    second = opened(host, "second")
    host.wait_log(msg="done", delivery=first, timeout=2 * snek.PATIENCE_S)
    host.wait_log(msg="done", delivery=second, timeout=2 * snek.PATIENCE_S)
    texts, _ = shown(fake)
    assert len(texts) == 1


CHECKS = "/repos/sneks-united/terrarium/check-runs"
LISTED = "/repos/sneks-united/terrarium/commits/5ca1ab1e/check-runs"


def edited(host, title):
    return host.deliver("issues", snek.payload("issues.opened", {"action": "edited",
                                                                 "issue.title": title}))


def list_checks(fake, *ids):
    """GitHub has these check runs of the app."""
    fake.fail(method="GET", path=LISTED, times=-1, status=200, body={
        "total_count": len(ids),
        "check_runs": [{"id": n, "external_id": "Lint", "app": {"id": snek.APP_ID},
                        "output": {"annotations_count": 0}} for n in ids]})


def made(fake):
    """(method, title) of the check runs that were made or updated."""
    return [(entry["method"], entry["body"]["output"]["title"]) for entry in fake.requests()
            if entry["method"] in ("POST", "PATCH") and "/check-runs" in entry["path"]]


def test_two_runs_at_once_make_one_check_run(fake, checks):
    list_checks(fake)
    fake.fail(method="POST", path=CHECKS, status=201, body={"id": 5}, delay_ms=600000, times=1)
    first = edited(checks, "first")
    snek.wait_until(lambda: fake.requests(method="POST", path=CHECKS), "the first check run")
    second = edited(checks, "second")
    line = checks.wait_log(msg="waiting", delivery=second)
    assert line["reason"].startswith("another run of this plugin makes the same check run")
    # The second one looks again every 2 s: not while the rules change.
    pids = checks.kill("host", signal.SIGSTOP)
    fake.fail_no_more()
    list_checks(fake, 5)
    fake.fail(method="PATCH", path=CHECKS + "/5", status=200, body={"id": 5}, times=-1)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    fake.release()
    checks.wait_log(msg="done", delivery=first)
    assert checks.wait_log(msg="done", delivery=second)["attempt"] == "1"
    assert made(fake) == [("POST", "first"), ("PATCH", "second")]


@pytest.mark.parametrize("found", [True, False])
def test_a_check_run_whose_response_was_lost_is_looked_for(fake, checks, found):
    list_checks(fake)
    fake.fail(method="POST", path=CHECKS, drop=True, delay_ms=600000, times=1)
    delivery = edited(checks, "first")
    snek.wait_until(lambda: fake.requests(method="POST", path=CHECKS), "the first check run")
    fake.fail_no_more()
    list_checks(fake, *([5] if found else []))
    fake.fail(method="POST", path=CHECKS, status=201, body={"id": 6}, times=1)
    fake.fail(method="PATCH", path=CHECKS + "/5", status=200, body={"id": 5}, times=1)
    fake.release()
    checks.wait_log(msg="done", delivery=delivery)
    assert made(fake) == [("POST", "first"), ("PATCH" if found else "POST", "first")]


MAY_STILL = "the response to a request was lost, and GitHub may still be processing it"


def test_a_check_run_that_github_still_makes_after_the_hosts_death_is_not_made_twice(fake, checks):
    fake.fail(method="POST", path=CHECKS, delay_ms=600000, times=1)
    delivery = edited(checks, "first")
    snek.wait_until(lambda: fake.requests(method="POST", path=CHECKS), "the check run")
    checks.kill("host", signal.SIGKILL)
    line = checks.wait_log(msg="requeued", delivery=delivery, reason=MAY_STILL)
    assert int(line["again_ms"]) > 0, line
    assert check_runs(fake) == []
    fake.release()
    checks.wait_log(msg="done", delivery=delivery, timeout=2 * snek.PATIENCE_S)
    assert check_runs(fake) == [("Lint", "Lint")]
    assert len(fake.requests(method="POST", path=CHECKS)) == 1


def test_a_check_run_that_github_still_makes_after_a_broken_connection_is_not_made_twice(fake, checks):
    fake.fail(method="POST", path=CHECKS, drop=True, times=1)
    delivery = edited(checks, "first")
    checks.wait_log(msg="requeued", delivery=delivery, reason=MAY_STILL)
    assert len(fake.requests(method="POST", path=CHECKS)) == 1
    checks.wait_log(msg="done", delivery=delivery, timeout=2 * snek.PATIENCE_S)
    assert check_runs(fake) == [("Lint", "Lint")]
    assert len(fake.requests(method="POST", path=CHECKS)) == 2


def check_runs(fake):
    """(name, external id) of the check runs that GitHub has."""
    repository = next(one for one in fake.state["repositories"]
                      if one["full_name"] == "sneks-united/terrarium")
    return [(one["name"], one.get("external_id")) for one in repository.get("check_runs", [])]


def changed(host, action):
    return host.deliver("issues", snek.payload("issues.opened", {"action": action}))


@pytest.mark.parametrize("action", ["labeled", "unlabeled"])
def test_a_check_run_of_a_plugins_own_request_is_looked_for(fake, checks, action):
    """A check run without an external id gets one of the host's."""
    fake.fail(method="POST", path=CHECKS, after=True, drop=True, times=1)
    delivery = changed(checks, action)
    checks.wait_log(msg="check_run_found", delivery=delivery)
    checks.wait_log(msg="done", delivery=delivery)
    [(name, external)] = check_runs(fake)
    assert name == "a & b"
    assert external == "mine" if action == "unlabeled" else len(external) == 32, external
    assert len(fake.requests(method="POST", path=CHECKS)) == 1


def test_a_check_run_that_never_arrived_is_made_once(fake, checks):
    fake.fail(method="POST", path=CHECKS, drop=True, times=1)
    delivery = changed(checks, "unlabeled")
    checks.wait_log(msg="done", delivery=delivery, timeout=2 * snek.PATIENCE_S)
    assert check_runs(fake) == [("a & b", "mine")]
    assert len(fake.requests(method="POST", path=CHECKS)) == 2


def test_a_list_that_cannot_tell_leaves_the_check_run_in_doubt(fake, checks):
    fake.fail(method="POST", path=CHECKS, after=True, drop=True, times=1)
    fake.fail(method="GET", path=LISTED, status=200, body={"check_runs": None}, times=1)
    delivery = changed(checks, "labeled")
    line = checks.wait_log(msg="retry", delivery=delivery, attempt=2)
    assert "an earlier attempt may have written this check run" in line["reason"], line
    assert len(check_runs(fake)) == 1


def test_a_host_that_is_killed_at_a_check_run_of_a_request_makes_one(fake, checks):
    fake.fail(method="POST", path=CHECKS, after=True, delay_ms=600000, times=1)
    delivery = changed(checks, "labeled")
    snek.wait_until(lambda: check_runs(fake), "the check run")
    checks.kill("host", signal.SIGKILL)
    fake.release()
    checks.wait_log(msg="requeued", delivery=delivery)
    checks.wait_log(msg="check_run_found", delivery=delivery, timeout=2 * snek.PATIENCE_S)
    checks.wait_log(msg="done", delivery=delivery)
    assert len(check_runs(fake)) == 1


def test_the_check_of_sign_offs_says_that_nobody_has_looked_at_the_commits_beyond_githubs_list(fake, start_bot):
    state = fake.state
    state["installations"][0]["permissions"].update(checks="write", contents="read")
    repository = next(one for one in state["repositories"]
                      if one["full_name"] == "sneks-united/terrarium")
    pull = next(one for one in repository["issues"] if one["number"] == 22)
    pull["commits"] = [{"sha": f"{n:040x}", "message": "Change it",
                        "author": {"name": "Hana", "email": "hana@example.org"}}
                       for n in range(251)]
    fake.put_state(state)
    bot = start_bot(plugins=["dco"])
    delivery = bot.deliver("pull_request", snek.payload("pull_request.opened", {
        "pull_request.head.sha": pull["head"]["sha"]}))
    bot.wait_log(msg="done", delivery=delivery)
    [made] = fake.requests(method="POST", path=CHECKS)
    assert made["body"]["conclusion"] == "action_required"
    assert "GitHub lists 250 commits of a pull request. Nobody has looked at the others." in \
        made["body"]["output"]["summary"]
