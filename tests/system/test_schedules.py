# SPDX-License-Identifier: MIT OR Apache-2.0
"""Schedules that a plugin declares: "hourly" for each installation, "nightly" for each repository."""

import collections
import re

import pytest

import snek

HOUR_MS = 3600 * 1000


@pytest.fixture
def time_file(tmp_path):
    """The time of schedules is as much ahead as this file says: milliseconds."""
    return tmp_path / "advance"


@pytest.fixture
def start(start_bot, time_file):
    def start_it(name="bot", **more):
        return start_bot(name, plugins=["timed"], env={"SNEKOMATIC_ADVANCE_FILE": str(time_file)},
                         **more)

    return start_it


def advance(bot, time_file, ms):
    """Returns once all has fired that is due by then."""
    mark = bot.mark()
    time_file.write_text(f"{ms}\n")
    bot.wait_log(msg="time_advanced", ms=str(ms), after=mark)


def began(bot, time_file):
    """The host has seen the targets, so the next slots count."""
    advance(bot, time_file, 1)


def firings(bots):
    """(schedule, installation, delivery) of each that a host stored."""
    return [(line["action"], line["installation"], line["delivery"]) for bot in bots
            for line in bot.log(msg="stored", source="schedule")]


def said(fake):
    """How often each schedule fired at each slot in each place, as the plugin saw it."""
    texts = [snek.visible({"body": text})["body"] for text in fake.bot_comments(12)]
    return collections.Counter(re.fullmatch(r"(\w+) at (\S+) in (\S+)", text).groups()
                               for text in texts)


def finish(bots):
    """Waits until the runs are done. The host looks for a comment of a killed host after a request's
    timeout, 30 s."""
    wanted = {delivery: "done" for _, _, delivery in firings(bots)}
    snek.wait_until(lambda: wanted.items() <= bots[0].states().items(),
                    lambda: [bot.process.output() for bot in bots], timeout=snek.PATIENCE_S + 60)


def test_a_schedule_fires_once_in_each_slot_and_a_new_one_waits_for_its_first(fake, start,
                                                                             time_file):
    bot = start()
    began(bot, time_file)
    assert not firings([bot])
    advance(bot, time_file, HOUR_MS + 600_000)
    finish([bot])
    hourly = [key for key in said(fake).items() if key[0][0] == "hourly"]
    assert [count for _, count in hourly] == [1]
    assert hourly[0][0][2] == "-"
    bot.stop()
    bot.start()
    advance(bot, time_file, HOUR_MS + 600_001)
    assert sum(key[0] == "hourly" for key in said(fake)) == 1
    # Missed slots fire once.
    advance(bot, time_file, 26 * HOUR_MS)
    finish([bot])
    counts = collections.Counter(key[0] for key in said(fake).elements())
    assert counts["hourly"] == 2
    nightly = {key[2] for key in said(fake) if key[0] == "nightly"}
    assert "sneks-united/terrarium" in nightly
    assert max(said(fake).values()) == 1


def test_a_suspended_installation_is_left_out_and_a_new_one_is_included(fake, start, time_file):
    bot = start()
    began(bot, time_file)
    everywhere = [one["id"] for one in fake.state["installations"]]
    fake.patch_state({"installations": [{"id": one, "suspended": True} for one in everywhere]})
    advance(bot, time_file, 3 * HOUR_MS)
    assert not firings([bot])
    fake.patch_state({"installations": [{"id": one, "suspended": False} for one in everywhere]})
    advance(bot, time_file, 6 * HOUR_MS)
    advance(bot, time_file, 9 * HOUR_MS)
    finish([bot])
    assert any(key[0] == "hourly" for key in said(fake))


def test_an_archived_repository_is_left_out(fake, start, time_file):
    fake.patch_state({"repositories": [{"full_name": "sneks-united/vivarium", "archived": True},
                                       {"full_name": "sneks-united/paludarium"}]})
    bot = start()
    began(bot, time_file)
    advance(bot, time_file, 26 * HOUR_MS)
    finish([bot])
    assert {key[2] for key in said(fake) if key[0] == "nightly"} == {
        "sneks-united/terrarium", "sneks-united/paludarium"}


def test_a_target_is_left_out_while_its_last_run_has_not_ended(fake, start, time_file, either_store):
    bot = start(config=either_store)
    began(bot, time_file)
    fake.fail(method="POST", path="/repos/sneks-united/terrarium/issues/12/comments", status=503)
    advance(bot, time_file, HOUR_MS + 600_000)
    [(_, _, delivery)] = [one for one in firings([bot]) if one[0] == "hourly"]
    bot.wait_log(msg="retry", delivery=delivery)
    advance(bot, time_file, 2 * HOUR_MS + 600_000)
    line = bot.wait_log(msg="schedule_skipped", schedule="hourly")
    assert (line["plugin"], line["installation"], line["reason"]) == (
        "timed", str(snek.INSTALLATION), "the run of its last time has not ended")
    fake.fail_no_more()
    bot.verb("deliveries", "retry", delivery)
    bot.wait_log(msg="done", delivery=delivery)
    advance(bot, time_file, 3 * HOUR_MS + 600_000)
    finish([bot])
    hourly = [key for key in said(fake) if key[0] == "hourly"]
    assert len(hourly) == 2, "the slot that was left out does not come later"
    assert max(said(fake).values()) == 1


def test_a_slot_fires_once_on_three_hosts_though_one_is_killed(fake, start, store, time_file):
    config = {"store": {"url": store}, "dispatch": {"delay_ms": 0, "lease_ms": 3000}}
    bots = [start(f"host{i}", config=config) for i in range(3)]

    def of_any(**wanted):
        found = []
        snek.wait_until(lambda: found or found.extend(bot for bot in bots if bot.log(**wanted)),
                        lambda: [bot.process.output() for bot in bots])
        return found[0]

    began(of_any(msg="maintenance_taken"), time_file)
    mark = {bot: bot.mark() for bot in bots}
    time_file.write_text(f"{25 * HOUR_MS + 900_000}\n")
    killed = of_any(msg="stored", source="schedule")
    killed.kill("host")
    # Else the bot could end while its supervisor does not know of the death.
    killed.wait_log(msg="host_restarted")
    snek.wait_until(lambda: any(bot.log(msg="time_advanced", ms=str(25 * HOUR_MS + 900_000),
                                        after=mark[bot]) for bot in bots),
                    lambda: [bot.process.output() for bot in bots])
    finish(bots)
    counts = said(fake)
    assert max(counts.values()) == 1
    assert sum(key[0] == "hourly" for key in counts) == 1
    nightly = [key[2] for key in counts if key[0] == "nightly"]
    assert nightly == ["sneks-united/terrarium"]
