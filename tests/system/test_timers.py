# SPDX-License-Identifier: MIT OR Apache-2.0
"""Timers that a plugin sets: they outlive the host, fire once, and only when the clock is right."""

import json
import re

import pytest

import snek

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def time_file(tmp_path):
    """The time of timers is as much ahead as this file says: milliseconds."""
    return tmp_path / "advance"


@pytest.fixture
def bot(start_bot, time_file):
    return start_bot(plugins=["timed"], env={"SNEKOMATIC_ADVANCE_FILE": str(time_file)})


def advance(bot, time_file, ms):
    """Returns once all has fired that is due by then, with how many timers that were. The plugin's
    schedules may fire too."""
    mark = bot.mark()
    time_file.write_text(f"{ms}\n")
    bot.wait_log(msg="time_advanced", ms=str(ms), after=mark)
    return len(bot.log(msg="stored", source="timer", after=mark))


def event(action, n=0, ms=DAY_MS, **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, "ms": ms, "n": n,
            "repository": {"id": 186853002, "name": "terrarium",
                           "full_name": "sneks-united/terrarium",
                           "owner": {"login": "sneks-united"}},
            "issue": {"number": 12}, **more}


def comments(fake):
    """Of timers: the plugin's schedules may fire in an advanced day too."""
    texts = [snek.visible({"body": text})["body"] for text in fake.bot_comments(12)]
    return [text for text in texts if text.startswith("timer ")]


def done(bot, delivery):
    bot.wait_log(msg="done", delivery=delivery)


def fired(bot, after=0):
    """The timer's delivery, once its run is done."""
    line = bot.wait_log(msg="stored", source="timer", after=after)
    done(bot, line["delivery"])
    return line["delivery"]


def test_a_timer_for_tomorrow_survives_two_restarts_and_fires_once(fake, bot, time_file):
    done(bot, bot.deliver("timed", event("set", 1)))
    assert advance(bot, time_file, DAY_MS - 600_000) == 0
    for _ in range(2):
        bot.stop()
        bot.start()
    advance(bot, time_file, DAY_MS + 60_000)
    delivery = fired(bot)
    assert comments(fake) == ["timer tea 1 in terrarium"]
    [run] = json.loads(bot.verb("deliveries", "show", delivery, "--json").stdout)["runs"]
    assert (run["state"], run["attempt"], run["order"]) == ("done", 1, "item 186853002#12")
    bot.stop()
    bot.start()
    mark = bot.mark()
    advance(bot, time_file, 3 * DAY_MS)
    assert not bot.log(msg="stored", source="timer", after=mark)
    assert comments(fake) == ["timer tea 1 in terrarium"]


def test_a_failed_attempt_sets_no_timer_and_the_retry_sets_it_once(fake, bot, time_file):
    delivery = bot.deliver("timed", event("set", 1, ms=0, failures=1))
    bot.wait_log(msg="retry", delivery=delivery)
    advance(bot, time_file, 1000)
    assert not bot.log(msg="stored", source="timer")
    assert bot.post("timed", event("hurry"), delivery=delivery).status == 200
    done(bot, delivery)
    fired(bot)
    assert comments(fake) == ["timer tea 1 in terrarium"]


def test_the_same_key_replaces_a_timer_and_a_cancelled_one_does_not_fire(fake, bot, time_file):
    done(bot, bot.deliver("timed", event("set", 1)))
    done(bot, bot.deliver("timed", event("set", 2)))
    advance(bot, time_file, DAY_MS + 60_000)
    fired(bot)
    # Not due yet, although time is a day ahead.
    done(bot, bot.deliver("timed", event("set", 3, ms=2 * DAY_MS)))
    done(bot, bot.deliver("timed", event("cancel")))
    advance(bot, time_file, 3 * DAY_MS)
    assert len(bot.log(msg="stored", source="timer")) == 1
    assert comments(fake) == ["timer tea 2 in terrarium"]


def test_a_dry_run_logs_a_timer_and_sets_none(fake, start_bot, time_file):
    bot = start_bot(plugins=[{"name": "timed", "dry_run": True}],
                    env={"SNEKOMATIC_ADVANCE_FILE": str(time_file)})
    delivery = bot.deliver("timed", event("set", 1))
    done(bot, delivery)
    [line] = bot.log(msg="dry_run", delivery=delivery)
    assert (line["timer"], line["key"], line["in_ms"]) == ("set", "tea", str(DAY_MS))
    assert '"n":1' in line["payload"]
    delivery = bot.deliver("timed", event("cancel"))
    done(bot, delivery)
    assert bot.log(msg="dry_run", delivery=delivery)[0]["timer"] == "cancelled"
    assert advance(bot, time_file, 2 * DAY_MS) == 0


def test_timers_end_with_the_installation(fake, bot, time_file):
    done(bot, bot.deliver("timed", event("set", 1)))
    bot.deliver("installation", {"action": "deleted", "installation": {"id": snek.INSTALLATION}})
    bot.wait_log(msg="stored", event="installation")
    assert advance(bot, time_file, 2 * DAY_MS) == 0
    assert not comments(fake)


def test_no_timer_fires_while_the_clock_is_40_days_ahead(fake, bot, time_file):
    """The host sees that by GitHub's clock, which is 40 days behind here."""
    done(bot, bot.deliver("timed", event("set", 1, ms=30 * DAY_MS)))
    bot.stop()
    fake.settings(clock_skew_s=-40 * 24 * 3600)
    time_file.write_text(f"{35 * DAY_MS}\n")
    bot.start()
    bot.wait_log(msg="clock_wrong")
    # GitHub takes no token of that clock.
    delivery = bot.deliver("timed", event("wait"))
    bot.wait_log(msg="retry", delivery=delivery)
    assert not bot.log(msg="stored", source="timer")
    assert not bot.log(msg="time_advanced")
    fake.settings(clock_skew_s=0)
    assert bot.post("timed", event("hurry"), delivery=delivery).status == 200
    bot.wait_log(msg="waiting", delivery=delivery)
    bot.wait_log(msg="clock_right")
    bot.wait_log(msg="time_advanced")
    fired(bot)
    assert len(bot.log(msg="stored", source="timer")) == 1


def test_pending_timers_are_counted_and_listed(bot, time_file):
    assert bot.verb("plugins", "timers").stdout == "no timer is set\n"
    done(bot, bot.deliver("timed", event("set", 7)))
    snek.wait_until(lambda: "\nsnekomatic_timers 1\n" in bot.request("GET", "/metrics").body.decode(),
                    "the metric")
    [line] = bot.verb("plugins", "timers").stdout.splitlines()
    assert re.fullmatch(rf"\S+Z  timed at installation {snek.INSTALLATION}: tea", line)
    [timer] = json.loads(bot.verb("plugins", "timers", "timed", "--json").stdout)
    assert (timer["key"], timer["data"], timer["repository"]) == (
        "tea", {"n": 7}, "sneks-united/terrarium")
    assert "did you mean timed?" in bot.verb("plugins", "timers", "tmied", status=64).stderr
    advance(bot, time_file, DAY_MS + 60_000)
    fired(bot)
    assert bot.verb("plugins", "timers").stdout == "no timer is set\n"
