# SPDX-License-Identifier: MIT OR Apache-2.0
"""GitHub's rate limits through the real binaries: design.md, "The GitHub client"."""

import json
import time

import pytest

import snek

OTHER = 60002  # an installation more, of the same account


def limit(fake, seconds, **what):
    """The next request that fits hears of a secondary limit."""
    fake.fail(status=403, headers={"Retry-After": str(seconds)},
              body={"message": "You have exceeded a secondary rate limit."}, **what)


def add_installation(fake):
    first = fake.state["installations"][0]
    fake.patch_state({"installations": [{**first, "id": OTHER}]})


def merged(changes=None):
    return snek.payload("pull_request.closed.merged", changes)


MEMBER = {"pull_request.user.login": "viper-vik", "pull_request.user.id": 90303}


@pytest.mark.own_pace("what it delivers must come while the limit of 8 s lasts")
def test_a_long_wait_sends_the_run_back_through_a_restart_and_holds_up_no_other(fake, start_bot):
    add_installation(fake)
    limit(fake, 8, method="GET", path="/orgs/")
    host = start_bot(plugins=["invite"])
    began = time.time()
    delivery = host.deliver("pull_request", merged())
    limited = host.wait_log(msg="rate_limited", installation=snek.INSTALLATION)
    assert int(limited["wait_ms"]) == 8000
    assert "rate limit" in host.wait_log(msg="requeued", delivery=delivery)["reason"]
    second = host.deliver("pull_request", merged(MEMBER))  # while it waits: not even started
    other = host.deliver("pull_request", merged({**MEMBER, "installation.id": OTHER}))
    host.wait_log(msg="skipped", delivery=other)
    host.stop()
    before = host.process
    host.start()
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "1"
    host.wait_log(msg="skipped", delivery=second)
    assert time.time() - began >= 8
    [started] = before.log(msg="started", delivery=second) + host.log(msg="started", delivery=second)
    assert snek.seconds(started["time"]) - snek.seconds(limited["time"]) > 7.9
    times = [r["time_ms"] for r in fake.api_requests() if r["caller"]["installation"] != OTHER]
    assert times[1] - times[0] >= 8000


def test_an_operator_ends_a_limit_and_the_running_host_goes_on(fake, start_bot):
    limit(fake, 3000, method="GET", path="/orgs/", times=1)
    host = start_bot(plugins=["invite"])
    delivery = host.deliver("pull_request", merged())
    host.wait_log(msg="requeued", delivery=delivery)
    [wait] = json.loads(host.verb("installations", "list", "--json").stdout)
    assert (wait["installation"], wait["waits"], wait["resource"]) == (str(snek.INSTALLATION), "rate_limit", "all")
    assert wait["account"] == "sneks-united"
    head, line = host.verb("installations", "list").stdout.splitlines()
    assert head.split() == ["INSTALLATION", "ACCOUNT", "WAITS", "FOR", "WHICH"]
    assert line.startswith(f"{snek.INSTALLATION}           sneks-united          rate limit  all, until ")
    text = host.verb("installations", "release", str(snek.INSTALLATION)).stdout
    assert text == "the rate limits are ended; 1 run waited for that\n"
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "1"
    host.wait_log(msg="rate_limits_released", installation=snek.INSTALLATION)
    assert json.loads(host.verb("installations", "list", "--json").stdout) == []
    assert "nothing of the installation" in host.verb("installations", "release", "7", status=65).stderr


@pytest.mark.parametrize("like,method", [("abuse_detection", "GET"), ("abuse_detection", "PUT"),
                                         ("secondary_limit", "PUT"), ("submitted_too_quickly", "POST")])
def test_a_limit_without_a_time_costs_no_attempt(fake, start_bot, like, method):
    path = "/repos/" if method == "POST" else "/orgs/"
    fake.fail(method=method, path=path, like=like, times=1)
    host = start_bot(plugins=["invite"])
    delivery = host.deliver("pull_request", merged())
    line = host.wait_log(msg=("requeued", "retry", "parked", "done"), delivery=delivery)
    assert line["msg"] == "requeued" and "rate limit" in line["reason"]
    limited = host.log(msg="rate_limited", installation=snek.INSTALLATION)
    assert [int(one["wait_ms"]) for one in limited] == [60000]


@pytest.mark.parametrize("like", ["proxy_404", "sign_in_page"])
def test_a_page_in_githubs_place_ends_no_run(fake, start_bot, like):
    fake.fail(method="POST", path=f"/app/installations/{snek.INSTALLATION}/access_tokens", like=like,
              times=1)
    host = start_bot(plugins=["invite"])
    delivery = host.deliver("pull_request", merged())
    line = host.wait_log(msg=("retry", "dead", "parked", "done"), delivery=delivery)
    assert line["msg"] == "retry" and "github.api_url" in line["reason"]
    assert host.post("pull_request", merged(), delivery=delivery).status == 200
    host.wait_log(msg="done", delivery=delivery)


def test_a_short_wait_is_waited_in_the_call_and_does_not_count_towards_the_deadline(fake, start_bot):
    limit(fake, 3, method="PUT", path="/orgs/")
    host = start_bot(plugins=[{"name": "invite", "deadline_ms": 2000}])
    line = host.wait_log(msg="done", delivery=host.deliver("pull_request", merged()))
    assert line["attempt"] == "1"
    assert int(line["ms"]) >= 3000
    assert not host.log(msg="worker_died")
    assert [r["method"] for r in fake.api_requests()] == ["GET", "PUT", "PUT", "POST"]


def test_a_stop_does_not_wait_for_a_limit(fake, start_bot):
    limit(fake, 5, method="PUT", path="/orgs/")
    host = start_bot(plugins=["invite"])
    delivery = host.deliver("pull_request", merged())
    host.wait_log(msg="rate_limited")
    host.stop()
    # After the limit it would have asked again.
    assert [r["method"] for r in fake.api_requests()].count("PUT") == 1
    assert host.log(msg="requeued", delivery=delivery)
    host.start()
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "1"


def test_a_limit_of_the_app_itself_costs_no_attempt(fake, start_bot):
    limit(fake, 1, method="GET", path="/app")  # who the bot is: asked when another bot writes
    limit(fake, 6, method="POST", path="/app/installations/")
    host = start_bot(plugins=["ping"], config={"github": {"notify_interval_ms": 0}})
    delivery = host.deliver("issues", snek.payload("issues.opened", {
        "issue.body": "/ping", "sender.login": "other[bot]"}))
    assert "the app itself" in host.wait_log(msg="requeued", delivery=delivery)["reason"]
    line = host.wait_log(msg="rate_limited", installation=snek.INSTALLATION, limit="app")
    assert int(line["wait_ms"]) >= 6000
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "1"
    asked = [r["path"] for r in fake.requests(path="/app.*")]
    # The next attempt asks for the name again, then for a token to look up the bot's user.
    token = "/app/installations/60001/access_tokens"
    assert asked == ["/app", "/app", token, "/app", token, token]


def test_writes_are_paced_and_those_that_notify_more(fake, start_bot):
    """The fake stamps a request when it reads it. A busy machine may delay the first of two stamps, so half
    of each interval must be left; without a pace the requests come within milliseconds."""
    host = start_bot(plugins=["ping"],
                     config={"github": {"write_interval_ms": 800, "notify_interval_ms": 2400}})
    deliveries = [host.deliver("issues", snek.payload("issues.opened", {"issue.body": "/ping"}))
                  for _ in range(2)]
    for delivery in deliveries:
        host.wait_log(msg="done", delivery=delivery)
    calls = [(r["path"].rsplit("/", 1)[1], r["time_ms"]) for r in fake.api_requests()]
    times = [when for _, when in calls]
    assert sorted(what for what, _ in calls) == ["comments", "comments", "reactions", "reactions"]
    assert all(b - a >= 400 for a, b in zip(times, times[1:]))
    comments = [when for what, when in calls if what == "comments"]
    assert comments[1] - comments[0] >= 1200
