# SPDX-License-Identifier: MIT OR Apache-2.0
"""A handler that waits for something loses no attempt, and sees what has changed meanwhile."""

import json
import signal

import pytest

import snek

ISSUE = "/repos/sneks-united/terrarium/issues/12"
MEMBERSHIP = "/orgs/sneks-united/memberships/hatchling-hana"
DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def bot(start_bot):
    return start_bot(plugins=["timed"])


def event(action, ms=600_000):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, "ms": ms}


def rename(fake, title):
    fake.patch_state({"repositories": [{"full_name": "sneks-united/terrarium",
                                        "issues": [{"number": 12, "title": title}]}]})


def hurry(bot, delivery):
    """The same GUID again makes a run due that waits."""
    mark = bot.mark()
    assert bot.post("timed", event("hurry"), delivery=delivery).status == 200
    return mark


def comments(fake):
    return [snek.visible({"body": text})["body"] for text in fake.bot_comments(12)]


def waiting(bot):
    """The deliveries that the verb, and how many runs /readyz, show as waiting."""
    listed = json.loads(bot.verb("deliveries", "list", "--state", "waiting", "--json").stdout)
    ready = json.loads(bot.request("GET", "/readyz").body)
    return [entry["delivery"] for entry in listed], ready.get("queue", {}).get("waiting")


def test_a_run_that_waits_loses_no_attempt_and_then_sees_what_has_changed(fake, bot):
    delivery = bot.deliver("timed", event("wait"))
    line = bot.wait_log(msg="waiting", delivery=delivery)
    assert (line["level"], line["reason"]) == ("info", "the issue is not ready")
    assert 599_000 < int(line["again_ms"]) <= 600_000
    snek.wait_until(lambda: waiting(bot) == ([delivery], 1), lambda: waiting(bot))
    mark = hurry(bot, delivery)
    assert bot.wait_log(msg="waiting", delivery=delivery, after=mark)["attempt"] == "1"
    rename(fake, "ready")
    hurry(bot, delivery)
    assert bot.wait_log(msg="done", delivery=delivery)["attempt"] == "1"
    assert comments(fake) == ["It is ready."]
    assert not bot.log(level="warning", delivery=delivery)


def test_a_run_may_wait_for_30_days_in_all_and_is_dead_then(bot):
    delivery = bot.deliver("timed", event("wait", 20 * DAY_MS))
    assert int(bot.wait_log(msg="waiting", delivery=delivery)["again_ms"]) == 20 * DAY_MS
    mark = hurry(bot, delivery)
    line = bot.wait_log(msg="waiting", delivery=delivery, after=mark)
    assert int(line["again_ms"]) == 10 * DAY_MS
    hurry(bot, delivery)
    line = bot.wait_log(msg="dead", delivery=delivery)
    assert line["reason"].startswith("it has waited for 30 days in all")
    mark = bot.mark()
    bot.verb("deliveries", "retry", delivery)
    line = bot.wait_log(msg="waiting", delivery=delivery, after=mark)
    assert int(line["again_ms"]) == 20 * DAY_MS


def test_a_read_before_a_change_that_changed_nothing_is_made_anew_after_the_wait(fake, bot):
    first = bot.deliver("timed", event("remember"))
    bot.wait_log(msg="waiting", delivery=first)
    second = bot.deliver("timed", event("remember"))
    bot.wait_log(msg="waiting", delivery=second)
    rename(fake, "ready")
    hurry(bot, second)
    bot.wait_log(msg="done", delivery=second)
    # The first one added the entry, so its reads before that are replayed.
    mark = hurry(bot, first)
    bot.wait_log(msg=("waiting", "done"), delivery=first, after=mark)
    assert comments(fake) == ["It is ready."]


@pytest.mark.parametrize("how", ["crash", "error", "wait", "by hand"])
def test_a_run_that_is_tried_again_after_its_invitation_reaches_its_greeting(fake, bot, how):
    """It does not find its own invitation, and stops."""
    if how == "crash":
        fake.fail(method="GET", path=ISSUE, delay_ms=600_000, times=1)
    elif how in ("error", "by hand"):
        fake.fail(method="GET", path=ISSUE, status=403, times=1)
    if how != "wait":
        rename(fake, "ready")
    delivery = bot.deliver("timed", event("invite"))
    if how == "crash":
        bot.wait_log(msg="request", method="PUT", delivery=delivery)
        bot.kill("worker")
        fake.fail_no_more()
        fake.release()
        bot.wait_log(msg="retry", delivery=delivery)
        hurry(bot, delivery)
    elif how == "by hand":
        bot.wait_log(msg="retry", delivery=delivery)
        bot.verb("deliveries", "retry", delivery)
    else:
        bot.wait_log(msg="waiting" if how == "wait" else "retry", delivery=delivery)
        rename(fake, "ready")
        hurry(bot, delivery)
    bot.wait_log(msg="done", delivery=delivery)
    assert comments(fake) == ["It is ready."]
    assert len(fake.requests(method="PUT", path=MEMBERSHIP)) == 1


def merged():
    return snek.payload("pull_request.closed.merged")


WELCOME = "/repos/sneks-united/terrarium/issues/21/comments"


@pytest.mark.parametrize("how", ["crash of the worker", "crash of the host", "error", "wait", "by hand"])
def test_invite_reaches_its_welcome_in_every_way_of_retrying(fake, start_bot, either_store, how):
    """After its PUT. It finds neither its own invitation nor its own mark, and stops."""
    bot = start_bot(plugins=["invite"], config=either_store)
    if how.startswith("crash"):
        fake.fail(method="POST", path=WELCOME, delay_ms=60000, times=1)
    elif how == "wait":
        fake.fail(method="POST", path=WELCOME, status=429, headers={"Retry-After": "6"}, times=1)
    else:
        fake.fail(method="POST", path=WELCOME, status=403, times=1)
    delivery = bot.deliver("pull_request", merged())
    if how.startswith("crash"):
        snek.wait_until(lambda: fake.requests(method="POST", path=WELCOME), "the welcome")
        bot.kill(*(("worker", signal.SIGKILL, "invite") if "worker" in how else ("host",)))
        fake.release()
    elif how == "by hand":
        bot.wait_log(msg="retry", delivery=delivery)
        bot.verb("deliveries", "retry", delivery)
    elif how == "wait":
        bot.wait_log(msg="requeued", delivery=delivery)
    if how in ("error", "crash of the worker"):
        bot.wait_log(msg="retry", delivery=delivery)
        assert bot.post("pull_request", merged(), delivery=delivery).status == 200
    # A comment of a host that died is looked for after a request's timeout, 30 s.
    bot.wait_log(msg="done", delivery=delivery, timeout=snek.PATIENCE_S + 40)
    assert len(fake.bot_comments(21)) == 1
    assert len(fake.requests(method="PUT", path=MEMBERSHIP)) == 1
    assert len(fake.requests(method="GET", path=MEMBERSHIP)) == 1
