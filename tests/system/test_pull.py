# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pull mode: the host reads GitHub's list of deliveries, and handles each delivery once."""

import collections
import re
import signal
import sqlite3
import time

import pytest

import snek
from test_recover import asked, trouble

# What is killed here may fail a run, which must then come again by itself.
FIRST_RETRY_MS = 5000


def pulls(seconds=1, **more):
    return {"github": {"receive": "pull", "pull_interval_seconds": seconds, **more}}


@pytest.fixture
def make(start_bot, fake):
    """make(): a bot that pulls each second, of an App whose webhook leads nowhere. It has read the
    list once."""
    fake.settings(webhook_url="https://snekomatic.invalid/webhook/github", webhook_secret="unused")

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


def pass_time(bot, fake, seconds):
    """All that happened so far happened so long ago. The bot must not run."""
    fake.age_deliveries(seconds)
    with sqlite3.connect(bot.folder / "snekomatic.db") as db:
        ms = {"ms": seconds * 1000}
        db.execute("UPDATE pulled SET delivered_ms = delivered_ms - :ms, due_ms = due_ms - :ms", ms)
        db.execute("UPDATE pull_place SET started_ms = started_ms - :ms, full_ms = full_ms - :ms,"
                   " oldest_ms = oldest_ms - :ms, place_ms = place_ms - :ms WHERE place_ms > 0", ms)


def test_a_missing_payload_is_reported_and_fetched_once_it_is_there(make, fake):
    bot = make()
    other = fake.deliver("trouble", trouble(), no_payload=True)
    line = bot.wait_log(msg="not_fetched", delivery=other["guid"])
    assert (line["level"], line["again_s"]) == ("warning", "10") and "no payload" in line["reason"]
    fine = fake.deliver("trouble", trouble())
    bot.wait_log(msg="done", delivery=fine["guid"])  # it holds up no other delivery
    assert status(bot)["waiting"] == 1
    fake.lose_payload(other["id"], False)
    bot.wait_log(msg="done", delivery=other["guid"])
    assert status(bot)["waiting"] == 0 and status(bot)["lost"] == 0
    assert asked(fake) == 0


def test_a_payload_that_never_comes_is_given_up_loudly_and_redeliver_brings_it(make, fake):
    bot = make()
    entry = fake.deliver("trouble", trouble(), no_payload=True)
    bot.wait_log(msg="not_fetched", delivery=entry["guid"])
    bot.stop()
    pass_time(bot, fake, 1000)
    with sqlite3.connect(bot.folder / "snekomatic.db") as db:
        db.execute("UPDATE pulled SET attempts = 2, due_ms = 0")
    bot.start()
    line = bot.wait_log(msg="delivery_lost", delivery=entry["guid"])
    assert line["level"] == "error" and "Redeliver" in line["hint"]
    snek.wait_until(lambda: status(bot)["lost"] == 1, lambda: status(bot))
    assert "snekomatic_deliveries_lost_total 1" in bot.request("GET", "/metrics").body.decode()
    before = fetched(fake, entry)
    wait_readings(fake)
    assert fetched(fake, entry) == before
    fake.redeliver(entry["id"])
    bot.wait_log(msg="done", delivery=entry["guid"])
    assert asked(fake) == 0


def test_an_entry_that_fails_holds_up_no_other_and_is_fetched_later(make, fake):
    bot = make()
    bot.stop()
    bad = fake.deliver("trouble", trouble(number=1))
    fine = fake.deliver("trouble", trouble(number=2))
    fake.fail("GET", f"/app/hook/deliveries/{bad['id']}", status=500, times=-1)
    bot.start()
    assert "500" in bot.wait_log(msg="not_fetched", delivery=bad["guid"])["reason"]
    bot.wait_log(msg="done", delivery=fine["guid"])
    fake.fail_no_more()
    bot.wait_log(msg="done", delivery=bad["guid"])


def test_entries_that_appear_late_and_out_of_order_are_taken(make, fake):
    bot = make()
    first = fake.deliver("trouble", trouble())
    bot.wait_log(msg="done", delivery=first["guid"])
    bot.stop()
    pass_time(bot, fake, 3600)
    bot.start()
    new = fake.deliver("trouble", trouble(), id=5000)
    bot.wait_log(msg="done", delivery=new["guid"])
    late = [fake.deliver("trouble", trouble(), age_s=800, id=number)
            for number in (700, 10**18, 3, 800)]
    for entry in late:
        bot.wait_log(msg="done", delivery=entry["guid"])
    assert len(bot.log(msg="stored")) == 5


def test_the_whole_list_is_read_once_a_day(make, fake):
    bot = make(config={"github": {"recover_interval_minutes": 10}})
    first = fake.deliver("trouble", trouble())
    bot.wait_log(msg="done", delivery=first["guid"])
    bot.stop()
    pass_time(bot, fake, 2 * 86400)
    with sqlite3.connect(bot.folder / "snekomatic.db") as db:
        db.execute("UPDATE pull_place SET place_ms = place_ms + 2 * 86400000")
    # More than a page of entries hides it from a reading that ends at the place.
    for _ in range(120):
        fake.deliver("ping", {"zen": "Keep it logically awesome."}, age_s=20000)
    hidden = fake.deliver("trouble", trouble(), age_s=86400)
    bot.start()
    bot.wait_log(msg="done", delivery=hidden["guid"])
    assert bot.log(msg="stored", delivery=first["guid"]) == []


def test_hundreds_of_deliveries_of_a_downtime_are_listed_on_many_pages_and_run_once(make, fake):
    bot = make()
    bot.stop()
    guids = [fake.deliver("trouble", trouble(number=number))["guid"] for number in range(230)]
    bot.start()
    done = {guid: "done" for guid in guids}
    snek.wait_until(lambda: states(bot) == done, lambda: states(bot), snek.PATIENCE_S + 60)
    pages = [one for one in fake.requests("GET", "/app/hook/deliveries") if "cursor" in one["query"]]
    assert len(pages) >= 2
    assert len(fake.requests("GET", r"/app/hook/deliveries/\d+")) == 230
    assert fake.unexpected() == []


def test_an_outage_of_github_is_logged_once_shown_and_survived(make, fake):
    bot = make()
    fake.fail("GET", "/app/hook/deliveries", status=503, times=-1)
    line = bot.wait_log(msg="pull_failed")
    assert "503" in line["reason"]
    missed = fake.deliver("trouble", trouble())
    snek.wait_until(lambda: status(bot)["state"] == "failing", lambda: status(bot))
    assert "503" in status(bot)["error"]
    assert bot.request("GET", "/readyz").status == 200
    fake.fail_no_more()
    bot.wait_log(msg="done", delivery=missed["guid"])
    bot.wait_log(msg="pull_works_again")
    assert len(bot.log(msg="pull_failed")) == 1
    assert status(bot)["state"] == "ok"


def test_a_limit_with_retry_after_is_obeyed(make, fake):
    bot = make()
    wait_readings(fake, 1)
    fake.fail("GET", "/app/hook/deliveries", status=429, headers={"retry-after": "8"},
              body={"message": "You have exceeded a secondary rate limit."})
    line = bot.wait_log(msg="pull_waits")
    assert 1 <= int(line["for_s"]) <= 8
    assert status(bot)["state"] in ("limited", "ok")  # if that was long ago
    before = len(fake.requests("GET", "/app/hook/deliveries"))
    entry = fake.deliver("trouble", trouble())
    [limited] = fake.requests("GET", "/app/hook/deliveries", status=429)
    bot.wait_log(msg="done", delivery=entry["guid"])
    after = fake.requests("GET", "/app/hook/deliveries")[before]
    assert after["time_ms"] - limited["time_ms"] >= 7500


def test_a_short_quota_makes_the_interval_longer_and_leaves_requests_for_tokens(make, fake):
    fake.settings(rate_limit=25, rate_window_s=60)
    bot = make()
    line = bot.wait_log(msg="pull_slowed")
    assert int(line["interval_s"]) >= 2
    entry = fake.deliver("trouble", comment(0))
    fake.settings(auto_create=["issues"])
    bot.wait_log(msg="done", delivery=entry["guid"], timeout=snek.PATIENCE_S + 60)
    assert fake.unexpected() == []


def test_after_webhooks_the_lost_ones_are_taken_and_known_ones_never_run_again(start_bot, fake):
    bot = start_bot(plugins=["trouble"])
    fake.settings(webhook_url=f"{bot.url}/webhook/github", webhook_secret=snek.WEBHOOK_SECRET)
    known = fake.deliver("trouble", trouble())
    bot.wait_log(msg="done", delivery=known["guid"])
    fake.redeliver(known["id"])
    bot.wait_log(msg="redelivered", delivery=known["guid"])
    snek.wait_until(lambda: len(bot.log(msg="done", delivery=known["guid"])) == 2, "the second run")
    bot.stop()
    lost = fake.deliver("trouble", trouble(), age_s=3600)
    fake.age_deliveries(60)
    text = bot.file.read_text()
    bot.file.write_text(text.replace("[github]", '[github]\nreceive = "pull"\n'
                                     "pull_interval_seconds = 1"))
    bot.start()
    bot.wait_log(msg="done", delivery=lost["guid"])
    new = fake.deliver("trouble", trouble())
    bot.wait_log(msg="done", delivery=new["guid"])
    assert bot.log(delivery=known["guid"]) == []
    assert "github.receive has changed" in _reload(bot, text)
    bot.stop()
    bot.start()
    bot.wait_log(msg="maintenance_taken")
    def places():
        with sqlite3.connect(bot.folder / "snekomatic.db") as db:
            return db.execute("SELECT count(*) FROM pull_place").fetchone()[0]
    snek.wait_until(lambda: places() == 0, places)
    assert status(bot)["state"] == "off"


def _reload(bot, text):
    """Writes this configuration and has it read. The reason why it is rejected."""
    mark = bot.mark()
    bot.file.write_text(text)
    bot.kill("supervisor", signal.SIGHUP)
    return bot.wait_log(msg="reload_rejected", after=mark)["reason"]


def test_an_inactive_webhook_is_reported(make, fake):
    fake.settings(webhook_active=False)
    bot = make()
    line = bot.wait_log(msg="pull_webhook_inactive")
    assert line["level"] == "warning" and "Active" in line["hint"]
    assert status(bot)["webhook"] == "inactive"
    assert "so GitHub lists no deliveries" in bot.verb("check", "--online", status=78).stderr


def test_an_empty_list_after_an_installation_is_reported(make, fake):
    installed = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 600))
    fake.patch_state({"installations": [{"id": snek.INSTALLATION, "created_at": installed}]})
    bot = make()
    line = bot.wait_log(msg="pull_no_deliveries")
    assert "empty" in line["reason"]
    assert status(bot)["webhook"] == "silent"


def test_an_active_webhook_with_a_quiet_app_is_no_reason_to_warn(make, fake):
    bot = make()
    snek.wait_until(lambda: status(bot)["webhook"] == "ok", lambda: status(bot))
    assert bot.log(level="warning") == []
    assert "webhook URL" not in bot.verb("check", "--online").stderr
    fake.settings(webhook_url="https://bot.example.com/webhook/github")
    assert ".invalid" in bot.verb("check", "--online").stderr


def test_the_metrics_have_the_lag_the_quota_and_the_fetched_deliveries(make, fake):
    bot = make()
    entry = fake.deliver("trouble", trouble())
    bot.wait_log(msg="done", delivery=entry["guid"])
    text = bot.request("GET", "/metrics").body.decode()
    assert 'snekomatic_deliveries_total{event="trouble",outcome="stored"} 1' in text
    [lag] = re.findall(r"^snekomatic_pull_lag_seconds ([0-9.]+)$", text, re.M)
    assert float(lag) < 60
    assert "snekomatic_pull_waiting 0" in text
    assert re.search(r'rate_limit_remaining\{installation="\(app\)",resource="core"\} 4\d\d\d', text)


def test_recover_and_send_say_that_the_host_pulls(make, tmp_path):
    bot = make()
    assert 'github.receive is "pull"' in bot.verb("recover", status=78).stderr
    payload = tmp_path / "payload.json"
    payload.write_text("{}")
    said = bot.verb("send", "--url", bot.url + "/webhook/github", "trouble", payload, status=78)
    assert "github.receive" in said.stderr


# Without the star, deliveries themselves would fail too.
LIST = "/app/hook/deliverie[s]"


def rows(fake, **change):
    """The list as GitHub gives it, newest first, with changes in each row."""
    keys = ("id", "guid", "delivered_at", "redelivery", "status_code", "event", "action",
            "installation_id")
    return [{**{key: entry.get(key) for key in keys}, **change}
            for entry in reversed(fake.deliveries())]


@pytest.mark.parametrize("field", ["status_code", "redelivery"])
def test_a_row_with_a_null_holds_up_no_delivery(make, fake, field):
    bot = make()
    entry = fake.deliver("trouble", trouble(), unsent=True)
    fake.fail("GET", LIST, status=200, times=-1, body=rows(fake, **{field: None}))
    bot.wait_log(msg="done", delivery=entry["guid"])
    assert bot.log(msg="pull_failed") == []


def test_a_page_that_cannot_be_read_holds_up_no_delivery_of_the_pages_before(make, fake):
    bot = make()
    wait_readings(fake, 1)
    bot.stop()
    guids = [fake.deliver("trouble", trouble(number=number))["guid"] for number in range(3)]
    following = f'<{fake.url}/app/hook/deliveries?per_page=100&cursor=v1_1>; rel="next"'
    fake.fail("GET", LIST, status=200, times=1, body=rows(fake),
              headers={"link": following})
    fake.fail("GET", LIST, status=503, times=-1)
    bot.start()
    for guid in guids:
        bot.wait_log(msg="done", delivery=guid)
    snek.wait_until(lambda: status(bot)["state"] == "failing", lambda: status(bot))


# The first is in the year 2286, and the other one overflows once it is in milliseconds.
@pytest.mark.parametrize("reset", ["9999999999", "9223372036854775807"])
def test_a_reset_in_the_far_future_stops_the_host_for_an_hour_at_most(make, fake, reset):
    bot = make()
    fake.fail("GET", LIST, status=200, times=1, body=[],
              headers={"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0",
                       "x-ratelimit-reset": reset})
    snek.wait_until(lambda: status(bot)["state"] == "slowed", lambda: status(bot))
    assert 3500 <= status(bot)["interval_s"] <= 3600
