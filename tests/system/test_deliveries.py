# SPDX-License-Identifier: MIT OR Apache-2.0
"""`snekomatic deliveries`, beside a host that runs: lists, shows, retries, discards."""

import calendar
import json
import sqlite3
import subprocess
import time

import pytest

import snek


def run(bot, *words, status=0):
    """Runs `snekomatic deliveries WORDS`, which must exit with `status`. Returns both output streams."""
    result = bot.verb("deliveries", *words, status=status)
    return result.stdout + result.stderr


def entries(bot, *words):
    return json.loads(run(bot, "list", "--json", *words))


def runs(bot, guid):
    return json.loads(run(bot, "show", "--json", guid))["runs"]


def trouble(action, **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, **more}


@pytest.fixture
def host(start_bot):
    return start_bot(plugins=["trouble", "invite"], config={"dispatch": {"max_attempts": 1}})


def test_a_list_shows_each_run_and_is_narrowed(host):
    fine = host.deliver("trouble", trouble("fine"))
    dead = host.deliver("trouble", trouble("fail"))
    ping = host.deliver("ping", {"zen": "Speak like a human.", "hook_id": 1})
    host.wait_log(msg="done", delivery=fine)
    host.wait_log(msg="dead", delivery=dead)
    assert [(e["delivery"], e["plugin"], e["state"]) for e in entries(host)] == [
        (ping, None, None), (dead, "trouble", "dead"), (fine, "trouble", "done")]
    [one] = entries(host, "--state", "dead", "--plugin", "trouble", "--since", "1h")
    assert (one["delivery"], one["event"], one["action"]) == (dead, "trouble", "fail")
    assert (one["reason"], one["attempt"]) == ("asked to fail", 1)
    assert [e["delivery"] for e in entries(host, "--limit", "1")] == [ping]
    assert [e["delivery"] for e in entries(host, "--event", "ping")] == [ping]
    tomorrow = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))
    assert entries(host, "--since", tomorrow) == []
    table = run(host, "list", "--since", time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400)))
    lines = table.splitlines()
    assert len(lines) == 4 and lines[0].split()[:3] == ["RECEIVED", "DELIVERY", "EVENT"]
    assert "asked to fail" in lines[2] and dead in lines[2] and "trouble.fail" in lines[2]
    assert "no such delivery" in run(host, "list", "--plugin", "nobody")


def test_a_list_cuts_a_long_reason_which_show_prints_whole(host):
    guid = host.deliver("trouble", trouble("fail"))
    host.wait_log(msg="dead", delivery=guid)
    host.stop()
    reason = "a long reason " * 20
    with sqlite3.connect(host.folder / "snekomatic.db") as db:
        db.execute("UPDATE runs SET reason = ?", (reason,))
    line = run(host, "list").splitlines()[1]
    assert line.endswith("...") and line.count("a long reason") < 10
    assert reason.strip() in run(host, "show", guid)


def test_show_prints_everything_and_the_exact_body(host):
    body = json.dumps(trouble("fail", text="é\u0000")).encode() + b" \n"
    guid = host.post("trouble", body=body).delivery
    host.wait_log(msg="dead", delivery=guid)
    shown = run(host, "show", guid)
    for text in (guid, "trouble.fail", str(snek.INSTALLATION), f"{len(body)} bytes", "dead",
                 "asked to fail"):
        assert text in shown
    assert run(host, "show", guid, "--body").encode() == body
    assert "no delivery 'nonsense'; a GUID has 36 characters, as `snekomatic deliveries list " in run(
        host, "show", "nonsense", status=65)


def test_a_dead_run_is_retried_by_the_host_that_runs(host):
    guid = host.deliver("trouble", trouble("fail"))
    host.wait_log(msg="dead", delivery=guid)
    mark = host.mark()
    assert run(host, "retry", guid) == "1 run due now\n"
    assert host.wait_log(msg="dead", delivery=guid, after=mark)["attempt"] == "1"
    assert "is dead, parked or waits" in run(host, "retry", guid, "--plugin", "invite", status=65)


def test_a_waiting_run_is_retried_now_or_discarded(start_bot):
    host = start_bot(plugins=["trouble"])
    first, second = [host.deliver("trouble", trouble("fail")) for _ in range(2)]
    for guid in (first, second):
        host.wait_log(msg="retry", delivery=guid, attempt=1)
    mark = host.mark()
    assert run(host, "discard", second, "--plugin", "trouble") == "1 run discarded\n"
    assert run(host, "retry", first) == "1 run due now\n"
    host.wait_log(msg="retry", delivery=first, attempt=1, after=mark)
    [discarded] = runs(host, second)
    assert (discarded["state"], discarded["label"]) == ("dead", "discarded")
    [action] = json.loads(run(host, "show", second, "--json"))["actions"]
    assert (action["what"], action["result"]) == ("discard", "1 run of trouble discarded")
    assert action["who"].startswith("cli ")
    assert ": retry: 1 run due now" in run(host, "show", first)
    assert "queued, waiting, blocked, held, running or parked" in run(host, "discard", second, status=65)


def test_a_run_that_is_discarded_and_retried_while_it_runs_counts_once(start_bot):
    host = start_bot(plugins=["trouble"], config={"server": {"drain_ms": 200}})
    guid = host.deliver("trouble", trouble("wait"))
    host.wait_log(msg="started", delivery=guid)
    assert "is dead, parked or waits" in run(host, "retry", guid, status=65)  # it runs: not disturbed
    mark = host.mark()
    run(host, "discard", guid)
    run(host, "retry", guid)
    host.wait_log(msg="started", delivery=guid, after=mark)
    host.wait_log(msg="completion_stale", delivery=guid, after=mark)  # the first, cancelled
    [now] = runs(host, guid)
    assert (now["state"], now["attempt"]) == ("running", 1)
    host.stop()
    host.wait_log(msg="requeued", delivery=guid, after=mark)
    [now] = runs(host, guid)
    assert (now["state"], now["attempt"]) == ("queued", 0)


def dead_run(host, **more):
    guid = host.deliver("trouble", trouble("fail", **more))
    host.wait_log(msg="dead", delivery=guid)
    return guid


def preview(bot, *words):
    return json.loads(run(bot, *words, "--json"))


def test_exactly_the_runs_of_a_preview_are_retried_spread_over_time(host):
    shown = [dead_run(host) for _ in range(3)]
    text = run(host, "retry", "--state", "dead", "--plugin", "trouble")
    assert text.startswith("3 runs would be retried:\n") and "3  dead     trouble\n" in text
    number = text.split("--yes ")[1].split()[0]
    assert text.endswith(f": snekomatic deliveries retry --yes {number} -c {host.file}\n")
    late = dead_run(host)
    assert [e["state"] for e in entries(host)] == ["dead"] * 4  # so far nothing has changed
    host.stop()
    before = time.time()
    assert run(host, "retry", "--yes", number, "--rate", "6") == (
        "3 runs due, the first now, the last in 20 s\n")
    now = {e["delivery"]: e for e in entries(host)}
    assert now[late]["state"] == "dead"
    due = [calendar.timegm(time.strptime(now[guid]["due"], "%Y-%m-%dT%H:%M:%SZ")) for guid in shown]
    assert [round(at - due[0]) for at in due] == [0, 10, 20]
    assert before - 2 < due[0] < time.time() + 2
    assert "no preview" in run(host, "retry", "--yes", number, status=65)
    host.start()
    assert host.wait_log(msg="dead", delivery=shown[0])["attempt"] == "1"
    assert [e["state"] for e in entries(host, "--event", "trouble") if e["delivery"] == late] == ["dead"]


def test_runs_that_changed_after_the_preview_are_left_alone_and_named(start_bot):
    host = start_bot(plugins=["trouble"])
    ended, waits, runs_now = [host.deliver("trouble", trouble("fail")) for _ in range(3)]
    for guid in (ended, waits, runs_now):
        host.wait_log(msg="retry", delivery=guid, attempt=1)
    shown = preview(host, "discard", "--plugin", "trouble")
    assert (shown["runs"], shown["plugins"]) == (3, {"trouble": {"queued": 3}})
    run(host, "discard", ended)
    assert "no preview" in run(host, "retry", "--yes", str(shown["preview"]), status=65)
    text = run(host, "discard", "--yes", str(shown["preview"]))
    assert text == f"left alone: {ended}  trouble  its state has changed: now dead\n2 runs discarded\n"
    assert {e["label"] for e in entries(host)} == {"discarded"}


def test_a_run_that_runs_is_discarded_only_when_its_state_was_asked_for(start_bot):
    host = start_bot(plugins=["trouble"], config={"server": {"drain_ms": 200}})
    guid = host.deliver("trouble", trouble("wait"))
    host.wait_log(msg="started", delivery=guid)
    assert "no run is like that" in run(host, "discard", "--plugin", "trouble", status=65)
    assert "no run is like that" in run(host, "retry", "--plugin", "trouble", status=65)
    shown = preview(host, "discard", "--state", "running")
    done = preview(host, "discard", "--yes", str(shown["preview"]))
    assert (shown["runs"], done) == (1, {"discarded": 1, "last_due_s": 0, "left": []})
    [now] = runs(host, guid)
    assert (now["state"], now["label"]) == ("dead", "discarded")


def test_filters_narrow_a_list_and_a_preview_alike(host):
    here = dead_run(host, repository={"id": 7, "full_name": "Sneks/Home", "owner": {"login": "Sneks"}, "name": "Home"})
    dead_run(host)
    for words, found in ((["--repository", "sneks/home"], [here]), (["--reason", "ASKED to", "--repository", "Sneks/Home"], [here]),
                         (["--reason", "no such reason"], []), (["--until", "1h"], []), (["--event", "push"], [])):
        assert [e["delivery"] for e in entries(host, "--state", "dead", *words)] == found, words
        assert preview(host, "retry", *words)["runs"] == len(found), words
    assert preview(host, "retry", "--state", "dead", "--since", "1h")["runs"] == 2


@pytest.mark.parametrize("days", [-40, 40])
def test_nothing_is_forgotten_while_the_clock_differs_from_githubs(start_bot, fake, days):
    fake.settings(clock_skew_s=days * 86400)
    host = start_bot(plugins=["trouble"], config={"store": {"retention_days": 0}})
    done = host.deliver("trouble", trouble("fine"))
    host.wait_log(msg="done", delivery=done)
    host.stop()
    host.start()
    line = host.wait_log(msg="clock_wrong")
    assert abs(int(line["ahead_s"]) + days * 86400) < 60 and "set the clock" in line["reason"]
    clock = host.request("GET", "/readyz").json["clock"]
    assert clock["state"] == "wrong" and "clock" in clock["fix"]
    assert host.log(msg="pruned") == []
    run(host, "show", "--body", done)
    fake.settings(clock_skew_s=0)
    host.stop()
    host.start()
    host.wait_log(msg="pruned", bodies=1)


def test_a_retry_of_a_clock_that_was_a_day_ahead_does_not_wait_for_a_day(start_bot):
    host = start_bot(plugins=["trouble"])
    guid = host.deliver("trouble", trouble("fail"))
    host.wait_log(msg="retry", delivery=guid)
    host.stop()
    with sqlite3.connect(host.folder / "snekomatic.db", timeout=10) as db:
        db.execute("UPDATE deliveries SET received_ms = received_ms + 86400000")
        db.execute("UPDATE runs SET due_ms = due_ms + 86400000")
    host.start()
    host.wait_log(msg="started", delivery=guid, attempt=2)


def test_a_run_whose_plugin_was_removed_is_shown_and_blocks_no_redelivery(start_bot):
    host = start_bot(plugins=["trouble"])
    recent, old = (host.deliver("trouble", trouble("fine")) for _ in range(2))
    for guid in (recent, old):
        host.wait_log(msg="done", delivery=guid)
    host.stop()
    with sqlite3.connect(host.folder / "snekomatic.db", timeout=10) as db:
        db.execute("INSERT INTO runs (delivery, plugin, installation, due_ms, state, attempt, host, token,"
                   " lease_until_ms) SELECT id, 'removed', installation, received_ms, 'queued', 0, 0, 0, 0"
                   " FROM deliveries")
        db.execute("UPDATE deliveries SET received_ms = received_ms - 8 * 86400000 WHERE guid = ?", [old])
    host.start()
    line = host.wait_log(msg="not_configured")
    assert (line["runs"], line["ended"]) == ("1", "1")
    states = {e["delivery"]: (e["state"], e["reason"]) for e in entries(host, "--plugin", "removed")}
    assert states == {recent: ("queued", "its plugin is not configured"),
                      old: ("dead", "its plugin is not configured")}
    assert "its plugin is not configured" in run(host, "show", recent)
    mark = host.mark()
    host.deliver("trouble", trouble("fine"), delivery=recent)
    host.wait_log(msg="done", delivery=recent, plugin="trouble", after=mark)


def test_payloads_are_pruned_after_the_end_and_guids_are_kept(start_bot):
    host = start_bot(plugins=["trouble"], config={"store": {"retention_days": 0},
                                                  "dispatch": {"max_attempts": 1}})
    done = host.deliver("trouble", trouble("fine"))
    dead = host.deliver("trouble", trouble("fail"))
    host.wait_log(msg="done", delivery=done)
    host.wait_log(msg="dead", delivery=dead)
    host.stop()
    host.start()
    # The first host may have done it already.
    snek.wait_until(lambda: "pruned" in run(host, "show", done), host.process.output)
    assert "was pruned" in run(host, "show", "--body", done, status=65)
    assert run(host, "show", "--body", dead)
    # GitHub's button still means: run it again.
    assert host.deliver("trouble", trouble("fine"), delivery=done) == done
    host.wait_log(msg="done", delivery=done)


def test_a_missing_or_foreign_store_is_reported_and_not_changed(fake, tmp_path):
    bot = snek.Bot(fake, tmp_path / "bot", start=False)
    bot.process = bot  # nothing runs
    bot.output = lambda: ""
    for words in (["list"], ["show", "x"], ["retry", "x"]):
        assert "No such file" in run(bot, *words, status=66)
    file = bot.folder / "snekomatic.db"
    assert not file.exists()
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    assert "another application" in run(bot, "list", status=66)


@pytest.mark.parametrize("words,sentence", [
    ([], "list, show, retry and discard"), (["lst"], "did you mean list"), (["show"], "GUID"),
    (["list", "--state", "deed"], "did you mean dead"), (["list", "--since", "soon"], "2h"),
    (["list", "--limit", "-1"], "number"), (["show", "x", "--json", "--body"], "exclude"),
    (["retry", "x", "--json"], "takes no option but --plugin"), (["list", "more"], "one argument too many"),
    (["retry", "--state", "done"], "cannot be retried"), (["discard", "--state", "dead"], "has ended"),
    (["retry", "--yes", "123456789", "--state", "dead"], "takes no filter"), (["retry", "--yes", "x"], "--yes must be"),
    (["discard", "--yes", "123456789", "--rate", "6"], "--rate is not an option of discard"),
    (["retry", "--state", "dead", "--rate", "6"], "--rate belongs to --yes"), (["discard"], "or a filter"),
    (["retry", "x", "--state", "dead"], "takes no option but --plugin"), (["show"], "needs the GUID"),
    (["list", "--repository", "foo"], "--repository takes OWNER/NAME"),
    (["retry", "--repository", "a/b/c"], "--repository takes OWNER/NAME")])
def test_wrong_usage_is_reported(words, sentence):
    result = subprocess.run([str(snek.program("snekomatic")), "deliveries", *words],
                            env=snek.clean_environment(), capture_output=True, text=True,
                            timeout=60, check=False)
    assert result.returncode == 64
    assert sentence in result.stderr


def test_an_empty_list_says_which_store_and_filters_it_searched(host):
    """Lists need no credentials of the app."""
    searched = host.verb("deliveries", "list", "--state", "held", "--since", "2031-01-02").stderr
    assert "has no such delivery: --state 'held', received since 2031-01-02T00:00:00Z" in searched
    assert "the store sqlite:" in searched or "the store of store.url (PostgreSQL)" in searched
    host.env = {name: value for name, value in host.env.items() if not name.startswith("GITHUB_")}
    for words in (("deliveries", "list"), ("installations", "list")):
        assert "GITHUB_" not in host.verb(*words).stderr
