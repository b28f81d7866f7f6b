# SPDX-License-Identifier: MIT OR Apache-2.0
"""Promise 1: the host fetches deliveries that did not arrive, or requests them again; never those
that arrived."""

import json
import sqlite3

import pytest

import snek
from conftest import postgres

ATTEMPTS = r"/app/hook/deliveries/\d+/attempts"


def trouble(action="fine", **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, **more}


def recover(bot, *words, status=0):
    result = bot.verb("recover", *words, status=status)
    return result.stdout + result.stderr


def found(bot, *words):
    return {one["delivery"]: one for one in json.loads(recover(bot, "--json", *words))["deliveries"]}


def asked(fake):
    return len(fake.requests("POST", ATTEMPTS))


def pass_time(bot, fake, hours):
    """All deliveries and requests so far happened `hours` earlier."""
    fake.age_deliveries(hours * 3600)
    with sqlite3.connect(bot.folder / "snekomatic.db") as db:
        db.execute("UPDATE redeliveries SET requested_ms = requested_ms - ?", (hours * 3600000,))


@pytest.fixture
def make(start_bot, fake):
    """make(minutes): a bot at an address that stays its own, so that GitHub knows where it is. Its
    first pass is over."""
    def make_bot(minutes=10, **options):
        bot = start_bot(plugins=["trouble"], config={
            "server": {"listen": f"127.0.0.1:{postgres.free_port()}"},
            "github": {"recover_interval_minutes": minutes}, **options})
        fake.settings(webhook_url=f"{bot.url}/webhook/github", webhook_secret=snek.WEBHOOK_SECRET)
        if minutes:
            # Otherwise the first pass may list a delivery that is on its way and seems to be old.
            bot.wait_log(msg=("recovery", "recovery_failed"))
        return bot
    return make_bot


def status(bot):
    return bot.request("GET", "/readyz").json["recovery"]


def wait_pass(bot, **wanted):
    """The line that ends the first pass of this start."""
    return bot.wait_log(msg="recovery", **wanted)


def test_deliveries_during_a_downtime_are_recovered_once(make, fake):
    bot = make()
    before = fake.deliver("trouble", trouble())
    assert before["status_code"] == 202
    bot.stop()
    guids = []
    for number in range(3):
        entry = fake.deliver("trouble", trouble(number=number), age_s=3000 - number)
        assert entry["status_code"] == 502
        guids.append(entry["guid"])
    ping = fake.deliver("ping", {"zen": "Half measures are as bad as nothing at all."}, age_s=2000)
    bot.start()
    for guid in guids:
        bot.wait_log(msg="done", delivery=guid)
    bot.wait_log(msg="stored", delivery=ping["guid"])
    line = wait_pass(bot)
    assert (line["listed"], line["fetched"], line["requested"]) == ("5", "4", "0")
    recovery = bot.request("GET", "/readyz").json["recovery"]
    assert (recovery["fetched"], recovery["requested"], recovery["given_up"]) == (4, 0, 0)
    order = [line["delivery"] for line in bot.log(msg="stored", source="recovery")]
    assert order == [*guids, ping["guid"]]  # the oldest first
    fake.age_deliveries(300)
    bot.stop()
    bot.start()
    assert wait_pass(bot)["fetched"] == "0"
    assert asked(fake) == 0
    for guid in guids:
        assert len(bot.log(msg="done", delivery=guid)) == 0  # not run again
        assert [entry["redelivery"] for entry in fake.deliveries(guid)] == [False]
    assert status(bot)["state"] == "ok" and status(bot)["missing"] == 0
    assert fake.unexpected() == []


def test_a_delivery_with_a_lost_202_is_not_requested(make, fake):
    bot = make()
    entry = fake.deliver("trouble", trouble(), lose_response=True, age_s=600)
    assert entry["status_code"] == 504
    bot.wait_log(msg="done", delivery=entry["guid"])
    bot.stop()
    bot.start()
    assert wait_pass(bot)["requested"] == "0"
    assert found(bot) == {}
    assert asked(fake) == 0


def test_missing_deliveries_are_recovered_even_after_a_202(make, fake):
    bot = make()
    entry = fake.deliver("trouble", trouble(), age_s=600)
    bot.wait_log(msg="done", delivery=entry["guid"])
    bot.stop()
    for file in bot.folder.glob("snekomatic.db*"):
        file.unlink()  # the disk was lost: its last days come back
    bot.start()
    bot.wait_log(msg="done", delivery=entry["guid"])
    assert asked(fake) == 0


def test_a_delivery_whose_payload_github_lost_is_requested(make, fake):
    bot = make()
    bot.stop()
    guid = fake.deliver("trouble", trouble(), age_s=600, no_payload=True)["guid"]
    bot.start()
    assert bot.wait_log(msg="redelivery_requested", delivery=guid)["accepted"] == "1"
    bot.wait_log(msg="done", delivery=guid)
    assert asked(fake) == 1


def test_a_pass_leaves_requests_of_the_app_for_tokens(make, fake):
    bot = make(minutes=1)
    bot.wait_log(msg="recovery")
    bot.stop()
    for number in range(60):
        fake.deliver("trouble", trouble(number=number), unsent=True, age_s=3000 - number)
    bot.start()
    line = wait_pass(bot)
    assert (line["listed"], line["fetched"]) == ("60", "50")


def test_a_rejected_request_does_not_count_and_does_not_hold_up_others(make, fake):
    bot = make(minutes=0)
    bot.stop()
    guids = [fake.deliver("trouble", trouble(number=number), age_s=3000 - number)["guid"]
             for number in range(3)]
    for _ in range(4):
        fake.fail("POST", "/app/hook/deliveries", status=502)
        results = {guid: (one["result"], one["requests"]) for guid, one in found(bot).items()}
        assert results[guids[0]] == ("failed", 0)
        assert {results[guid][0] for guid in guids[1:]} <= {"requested", "waiting", "tried just now"}
        fake.age_deliveries(600)
    assert found(bot)[guids[0]]["result"] == "requested"


def test_requests_are_spread_over_the_time_that_github_keeps_a_delivery(make, fake):
    bot = make(minutes=0)
    bot.stop()
    guid = fake.deliver("trouble", trouble(), age_s=600)["guid"]
    assert found(bot)[guid]["result"] == "requested"
    pass_time(bot, fake, 1)
    assert found(bot)[guid]["result"] == "waiting"
    pass_time(bot, fake, 22)
    assert found(bot)[guid]["result"] == "waiting"
    pass_time(bot, fake, 2)
    assert found(bot)[guid]["result"] == "requested"
    assert asked(fake) == 2


def test_a_requested_redelivery_after_the_fetched_payload_is_a_duplicate(make, fake):
    bot = make()
    bot.wait_log(msg="recovery")
    bot.stop()
    guid = fake.deliver("trouble", trouble(), age_s=600)["guid"]
    assert found(bot)[guid]["result"] == "requested"  # GitHub accepts it, and cannot deliver it yet
    fake.wait_requests(1, method="POST", path=ATTEMPTS)
    fake.age_deliveries(600)
    bot.start()
    bot.wait_log(msg="stored", delivery=guid, source="recovery")
    bot.wait_log(msg="done", delivery=guid)
    late = fake.deliver("trouble", trouble(), guid=guid)
    assert late["status_code"] == 200
    bot.wait_log(msg="duplicate", delivery=guid)
    by_hand = fake.deliver("trouble", trouble(), guid=guid)
    assert by_hand["status_code"] == 202
    bot.wait_log(msg="redelivered", delivery=guid)


def test_deliveries_of_the_last_minute_are_left_alone(make, fake):
    bot = make(minutes=0)
    bot.stop()
    new = fake.deliver("trouble", trouble())
    old = fake.deliver("trouble", trouble(), age_s=600)
    again = fake.deliver("trouble", trouble(), guid=old["guid"])  # somebody pressed Redeliver
    assert again["status_code"] == 502
    results = {guid: one["result"] for guid, one in found(bot).items()}
    assert results == {new["guid"]: "tried just now", old["guid"]: "tried just now"}
    assert asked(fake) == 0


def test_deliveries_of_the_minute_before_a_start_are_recovered_within_a_minute(make, fake):
    """The next pass by the clock comes 10 minutes later."""
    bot = make()
    bot.stop()
    old = fake.deliver("trouble", trouble(), age_s=600)["guid"]
    recent = fake.deliver("trouble", trouble(), age_s=50)["guid"]
    bot.start()
    first = wait_pass(bot)
    if first["too_recent"] == "1":  # The start may take longer than the 10 s that are left.
        assert first["fetched"] == "1" and 1 <= int(first["again_seconds"]) <= 61
        bot.wait_log(msg="recovery", fetched="1", too_recent="0", again_seconds="0")
    bot.wait_log(msg="done", delivery=recent)
    bot.wait_log(msg="done", delivery=old)
    assert asked(fake) == 0


def test_each_delivery_is_requested_three_times_at_most(make, fake):
    bot = make(minutes=0)
    bot.stop()
    guid = fake.deliver("trouble", trouble(), age_s=600)["guid"]
    for time in range(1, 4):
        one = found(bot)[guid]
        assert (one["result"], one["requests"]) == ("requested", time)
        fake.wait_requests(time, method="POST", path=ATTEMPTS)
        pass_time(bot, fake, 37)
    assert found(bot)[guid]["result"] == "given up"
    assert "given up (3 of 3 times)" in recover(bot)
    assert asked(fake) == 3


def test_a_dry_run_requests_and_counts_nothing(make, fake):
    bot = make(minutes=0)
    bot.stop()
    guid = fake.deliver("trouble", trouble(), age_s=600)["guid"]
    for _ in range(4):
        one = found(bot, "--dry-run")[guid]
        assert (one["result"], one["requests"], one["event"]) == ("missing", 0, "trouble.fine")
    assert guid in recover(bot, "--dry-run")
    assert asked(fake) == 0
    assert found(bot)[guid]["requests"] == 1


def test_all_pages_are_read_and_the_verb_works_beside_the_host(make, fake):
    bot = make(minutes=0)
    lost = fake.deliver("trouble", trouble(), unsent=True, age_s=90000)["guid"]
    for _ in range(120):
        fake.deliver("ping", {"zen": "Keep it logically awesome."}, age_s=3000)
    forgotten = fake.deliver("trouble", trouble(), unsent=True, age_s=3 * 86400)["guid"]
    response = json.loads(recover(bot, "--json"))
    assert (response["listed"], response["missing"], response["requested"]) == (121, 1, 1)
    bot.wait_log(msg="done", delivery=lost)
    assert bot.log(msg="stored", delivery=forgotten) == []
    cursors = [entry["query"] for entry in fake.requests("GET", "/app/hook/deliveries")]
    assert len(cursors) == 2 and "cursor=v1_" in cursors[1]


def test_a_failing_github_is_logged_once_shown_and_asked_again(make, fake):
    fake.fail("GET", "/app/hook/deliveries", status=503, times=-1)
    bot = make()
    line = bot.wait_log(msg="recovery_failed")
    assert "503" in line["reason"] and line["again_minutes"] == "10"
    shown = bot.request("GET", "/readyz")
    assert shown.status == 200  # it is no reason not to be ready
    assert shown.json["recovery"]["state"] == "failing"
    assert "503" in shown.json["recovery"]["error"]
    assert "503" in recover(bot, status=69)
    fake.fail_no_more()
    guid = fake.deliver("trouble", trouble(), unsent=True, age_s=600)["guid"]
    fake.fail("POST", "/app/hook/deliveries", status=422, body={"message": "too old"})
    one = found(bot)[guid]
    assert one["result"] == "failed" and "too old" in one["reason"]
    assert found(bot)[guid]["result"] == "requested"


def test_a_github_without_a_list_of_deliveries_is_reported_as_such(make, fake):
    fake.fail("GET", "/app/hook/deliveries", status=404, body={"message": "Not Found"}, times=-1)
    line = make().wait_log(msg="recovery_failed")
    assert "cannot recover webhooks" in line["hint"] and "github.api_url" in line["hint"]


def test_a_wrong_key_is_reported(make, fake, tmp_path):
    bot = make(minutes=0)
    bot.stop()
    other = snek.make_key(tmp_path / "other.pem")
    bot.file.write_text(bot.file.read_text().replace(str(fake.key), str(other)))
    assert "check the app id, the private key" in recover(bot, status=69)
    other.write_text("nonsense")
    assert "private key" in recover(bot, status=78)
    for file in bot.folder.glob("snekomatic.db*"):
        file.unlink()
    bot.file.write_text(bot.file.read_text().replace(str(other), str(fake.key)))
    assert "No such file" in recover(bot, status=66)


def test_recovery_can_be_switched_off(make, fake):
    bot = make(minutes=0)
    bot.wait_log(msg="listening")
    assert status(bot)["state"] == "off"
    assert fake.requests(path="/app/hook/.*") == []
