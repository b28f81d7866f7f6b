# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pull mode: the host reads GitHub's list of deliveries, and handles each delivery once."""

import collections
import sqlite3
import time

import pytest

import snek
from test_recover import asked, trouble


def pulls(seconds=1, **more):
    return {"github": {"receive": "pull", "pull_interval_seconds": seconds, **more}}


@pytest.fixture
def make(start_bot, fake):
    """make(): a bot that pulls each second, of an App whose webhook leads nowhere. It has read the
    list once."""
    fake.settings(webhook_url="https://pull.invalid/webhook/github", webhook_secret="unused")

    def make_bot(folder="bot", seconds=1, config=None, **options):
        tables = pulls(seconds)
        for name, table in (config or {}).items():
            tables[name] = {**tables.get(name, {}), **table}
        bot = start_bot(folder, plugins=["trouble"], config=tables, **options)
        bot.wait_log(msg="pulling")
        return bot
    return make_bot


def status(bot):
    return bot.request("GET", "/readyz").json["pull"]


def wait_readings(fake, count=2):
    """The host reads the list so many times more, so that it has seen all that is in it."""
    before = len(fake.requests("GET", "/app/hook/deliveries"))
    fake.wait_requests(before + count, method="GET", path="/app/hook/deliveries")


def fetched(fake, entry):
    return len(fake.requests("GET", f"/app/hook/deliveries/{entry['id']}"))


def test_a_delivery_in_the_list_runs_once_within_the_interval(make, fake):
    bot = make()
    for _ in range(3):
        entry = fake.deliver("trouble", trouble())
        began = time.monotonic()
        assert entry["status_code"] == 502  # nothing is at .invalid
        bot.wait_log(msg="stored", delivery=entry["guid"], source="pull")
        assert time.monotonic() - began < 10 * 2
        bot.wait_log(msg="done", delivery=entry["guid"])
    # The list is read again and again, and this has passed twice by then.
    wait_readings(fake)
    assert len(bot.log(msg="stored")) == 3 and len(bot.log(msg="duplicate")) == 0
    assert fetched(fake, entry) == 1
    assert asked(fake) == 0
    assert status(bot)["state"] == "ok" and status(bot)["fetched"] == 3
    assert fake.unexpected() == []


def test_deliveries_of_a_downtime_run_once_and_older_ones_than_the_first_start_never(make, fake):
    old = fake.deliver("trouble", trouble(), age_s=60)
    bot = make()
    guids = []
    for _ in range(2):
        bot.stop()
        for number in range(3):
            guids.append(fake.deliver("trouble", trouble(number=number))["guid"])
        bot.start()
        for guid in guids[-3:]:
            bot.wait_log(msg="done", delivery=guid)
        assert [line["delivery"] for line in bot.log(msg="stored")] == guids[-3:]
    assert fetched(fake, old) == 0
    assert asked(fake) == 0
    assert fake.unexpected() == []


def comment(number):
    """A payload whose run makes an effect: the only comment of an issue of its own."""
    return trouble("comment", number=number,
                   url=f"/repos/sneks-united/terrarium/issues/{1000 + number}/comments")


def comments(fake):
    """How many comments each of these issues has, by number."""
    issues = [one.get("issue", 0) - 1000 for one in fake.repository()["comments"]]
    return collections.Counter(number for number in issues if number >= 0)


def states(bot):
    with sqlite3.connect(bot.folder / "snekomatic.db") as db:
        return dict(db.execute("SELECT d.guid, r.state FROM runs r JOIN deliveries d"
                               " ON d.id = r.delivery"))


def test_a_killed_host_fetches_the_others_and_runs_each_once(make, fake):
    fake.settings(auto_create=["issues"])
    bot = make()
    bot.stop()
    guids = [fake.deliver("trouble", comment(number))["guid"] for number in range(40)]
    bot.start()
    for kill in range(4):
        # A killed host's last lines may be missing from its log.
        snek.wait_until(lambda: len(states(bot)) > kill * 9, lambda: states(bot))
        mark = bot.mark()
        bot.kill("host")
        bot.wait_log(msg="listening", after=mark)
    done = {guid: "done" for guid in guids}
    # A run whose comment was on its way at the kill waits for GitHub's timeout, 30 s.
    snek.wait_until(lambda: states(bot) == done, lambda: states(bot), snek.PATIENCE_S + 60)
    assert comments(fake) == {number: 1 for number in range(40)}
    assert asked(fake) == 0


def test_a_redeliver_click_runs_a_finished_delivery_again_once(make, fake):
    bot = make()
    entry = fake.deliver("trouble", trouble())
    bot.wait_log(msg="done", delivery=entry["guid"])
    mark = bot.mark()
    again = fake.redeliver(entry["id"])
    bot.wait_log(msg="redelivered", delivery=entry["guid"], after=mark, source="pull")
    bot.wait_log(msg="done", delivery=entry["guid"], after=mark)
    bot.stop()
    bot.start()
    bot.wait_log(msg="pulling")
    marker = fake.deliver("trouble", trouble())
    bot.wait_log(msg="done", delivery=marker["guid"])
    assert bot.log(delivery=entry["guid"]) == []
    assert fetched(fake, again) == 1


def test_a_click_during_a_downtime_and_the_first_entry_are_one_delivery(make, fake):
    bot = make()
    bot.stop()
    entry = fake.deliver("trouble", trouble())
    again = fake.redeliver(entry["id"])
    bot.start()
    bot.wait_log(msg="done", delivery=entry["guid"])
    marker = fake.deliver("trouble", trouble())
    bot.wait_log(msg="done", delivery=marker["guid"])
    assert len(bot.log(msg="done", delivery=entry["guid"])) == 1
    assert fetched(fake, entry) + fetched(fake, again) == 1


def test_events_that_no_plugin_wants_are_not_fetched(make, fake):
    bot = make()
    push = fake.deliver("push", trouble())
    ping = fake.deliver("ping", {"zen": "Keep it logically awesome."})
    installation = fake.deliver("installation", {"action": "new_permissions_accepted",
                                                 "installation": {"id": snek.INSTALLATION}})
    wanted = fake.deliver("trouble", trouble())
    bot.wait_log(msg="done", delivery=wanted["guid"])
    bot.wait_log(msg="stored", delivery=installation["guid"])
    assert fetched(fake, push) == 0 and fetched(fake, ping) == 0


def test_webhooks_are_rejected_and_the_reason_is_given(make, fake):
    bot = make()
    response = bot.post("trouble", trouble())
    assert response.status == 404 and "github.receive" in response.json["fix"]
    sent = bot.verb("check").stdout
    assert "by pull" in sent
    assert bot.request("GET", "/readyz").json["recovery"]["state"] == "off"
