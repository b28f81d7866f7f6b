# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pull mode with many deliveries at once: how many the host fetches at the same time, in which order it
stores them, and what it holds in memory."""

import json
import re

import pytest

import snek
from test_pull import LIST, fetched, make, rows, status, trouble, wait_readings

assert make  # a fixture

PAYLOADS = "/app/hook/deliveries/"
SLOTS = 16


def payload_requests(fake):
    return fake.requests("GET", PAYLOADS + r"\d+")


def deliver(fake, count, first=0, **how):
    return [fake.deliver("trouble", trouble(number=number), **how)
            for number in range(first, first + count)]


def wait_done(bot, entries):
    for entry in entries:
        bot.wait_log(msg="done", delivery=entry["guid"])


def test_payloads_are_fetched_sixteen_at_once_and_no_more(make, fake):
    bot = make()
    bot.stop()
    entries = deliver(fake, 40)
    # The host gives up a request after 30 s.
    fake.fail("GET", PAYLOADS, delay_ms=600000, times=SLOTS)
    bot.start()
    snek.wait_until(lambda: len(payload_requests(fake)) == SLOTS,
                    lambda: len(payload_requests(fake)))
    wait_readings(fake)  # meanwhile the host goes on reading the list
    assert len(payload_requests(fake)) == SLOTS
    fake.release()
    wait_done(bot, entries)
    assert len(payload_requests(fake)) == 40
    assert [len(bot.log(msg="stored", delivery=entry["guid"])) for entry in entries] == [1] * 40


def test_a_burst_is_fetched_while_the_rest_of_the_list_is_read(make, fake):
    """The second page never comes, and the deliveries of the first one do not wait for it."""
    bot = make()
    bot.stop()
    entries = deliver(fake, 120)
    fake.fail("GET", LIST, status=200, times=1, body=rows(fake)[:100],
              headers={"link": f'<{fake.url}/app/hook/deliveries?per_page=100&cursor=v1_1>;'
                               ' rel="next"'})
    fake.fail("GET", LIST, delay_ms=600000, times=1)
    bot.start()
    wait_done(bot, entries[20:])
    fake.release()
    wait_done(bot, entries[:20])


def test_a_payload_that_is_slow_holds_up_no_other(make, fake):
    bot = make()
    fake.fail("GET", PAYLOADS, delay_ms=600000, times=1)
    entries = deliver(fake, 30)
    snek.wait_until(lambda: len(bot.log(msg="done")) == 29, lambda: len(bot.log(msg="done")))
    [slow] = {entry["guid"] for entry in entries} - {
        line["delivery"] for line in bot.log(msg="done")}
    fake.release()
    bot.wait_log(msg="done", delivery=slow)


def test_deliveries_are_stored_in_the_order_of_the_list(make, fake):
    """Those after a payload that comes late wait for it, for a second."""
    bot = make()
    judged = 0
    for first in range(0, 100, 10):
        bot.stop()
        fake.fail("GET", PAYLOADS, delay_ms=150, times=1)
        entries = deliver(fake, 10, first)
        bot.start()
        wait_done(bot, entries)
        guids = [entry["guid"] for entry in entries]
        stored = [line["delivery"] for line in bot.log(msg="stored") if line["delivery"] in guids]
        took_ms = [int(line["ms"]) for line in bot.log(msg="request")
                   if re.search(r"/deliveries/\d", line["url"])]
        assert sorted(stored) == sorted(guids)
        if max(took_ms) < 700:  # else the machine was too slow to judge
            assert stored == guids
            judged += 1
        if judged == 2:
            break


def test_large_payloads_are_fetched_one_after_the_other(make, fake):
    bot = make()
    bot.stop()
    large = [fake.deliver("trouble", trouble(number=number, text="x" * 1500000))
             for number in range(3)]
    small = deliver(fake, 10, 3)
    bot.start()
    wait_done(bot, large + small)
    # First like the others, which shows the size, and then alone.
    assert [fetched(fake, entry) for entry in large] == [2] * 3
    assert [fetched(fake, entry) for entry in small] == [1] * 10
    for entry in large:
        assert len(bot.log(msg="stored", delivery=entry["guid"])) == 1


def test_while_github_has_no_payload_for_anybody_one_request_at_a_time_tries(make, fake):
    bot = make()
    fake.fail("GET", PAYLOADS, status=503, times=-1)
    entries = deliver(fake, 60)
    bot.wait_log(msg="pull_failed")
    assert status(bot)["state"] == "failing"
    # The first ones, and those that took their place before the fifth failure; then one at a time.
    wait_readings(fake, 6)
    assert len({line["path"] for line in payload_requests(fake)}) <= SLOTS + 4 + 6
    fake.fail_no_more()
    wait_done(bot, entries)
    bot.wait_log(msg="pull_works_again")
    assert bot.log(msg="delivery_lost") == []


def test_a_burst_that_uses_up_the_quota_says_so(make, fake):
    bot = make()
    bot.stop()
    deliver(fake, 150)
    fake.settings(rate_limit=100, rate_window_s=3600)
    bot.start()
    line = bot.wait_log(msg="pull_waits")
    assert int(line["for_s"]) > 60 and "quota" in line["reason"]
    assert status(bot)["state"] in ("limited", "slowed")
    assert status(bot)["waiting"] > 0
    # A tenth is for tokens, also while others are under way.
    assert len(payload_requests(fake)) <= 90
    assert len(bot.log(msg="pull_waits")) == 1


@pytest.mark.parametrize("number", [0, -7])
def test_a_row_whose_id_github_never_gives_is_left_out(make, fake, number):
    """An entry of id 0 would wait for ever, and be fetched again and again."""
    bot = make()
    entry = fake.deliver("trouble", trouble())
    bot.wait_log(msg="done", delivery=entry["guid"])
    odd = json.loads(json.dumps(rows(fake)))[0]
    odd.update(id=number, guid="odd")
    fake.fail("GET", LIST, status=200, times=1, body=[odd, *rows(fake)])
    bot.wait_log(msg="deliveries_unreadable")
    wait_readings(fake)
    assert fake.requests("GET", f"/app/hook/deliveries/{number}") == []


def test_a_date_of_another_year_changes_nothing(make, fake):
    """A proxy's wrong Date made the place one of the future, and all entries too old."""
    bot = make()
    for date in ("Fri, 01 Jan 2126 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"):
        fake.fail("GET", LIST, status=200, times=1, body=rows(fake), headers={"date": date})
        wait_readings(fake)
        entry = fake.deliver("trouble", trouble("fine"))
        bot.wait_log(msg="done", delivery=entry["guid"])
    bot.stop()
    entries = deliver(fake, 3)
    bot.start()
    wait_done(bot, entries)
