# SPDX-License-Identifier: MIT OR Apache-2.0
"""On PostgreSQL: `snekomatic deliveries` and `recover` beside the host, one host of several that does
the maintenance, and a backup by pg_dump."""

import json
import subprocess

import server as postgres  # conftest.py knows where it is
import snek
from test_backup import Load, has_all_and_goes_on
from test_deliveries import entries, run, runs, trouble
from test_pull import comment, comments, status
from test_recover import asked, recover

# What is killed here may fail a run, which must then come again by itself.
FIRST_RETRY_MS = 5000


def test_deliveries_are_listed_retried_and_discarded_beside_the_host(start_bot, store):
    host = start_bot(plugins=["trouble"], config={"store": {"url": store},
                                                  "dispatch": {"max_attempts": 1}})
    body = json.dumps(trouble("fail", text="\u0000")).encode()
    dead = host.post("trouble", body=body).delivery
    host.wait_log(msg="dead", delivery=dead)
    fine = host.deliver("trouble", trouble("fine"))
    host.wait_log(msg="done", delivery=fine)
    assert [(e["delivery"], e["state"]) for e in entries(host)] == [(fine, "done"), (dead, "dead")]
    assert [e["delivery"] for e in entries(host, "--state", "dead", "--since", "1h")] == [dead]
    assert run(host, "show", dead, "--body").encode() == body
    mark = host.mark()
    assert run(host, "retry", dead) == "1 run due now\n"
    assert host.wait_log(msg="dead", delivery=dead, after=mark)["attempt"] == "1"
    waits = host.deliver("trouble", trouble("wait"))
    host.wait_log(msg="started", delivery=waits)
    assert run(host, "discard", waits) == "1 run discarded\n"
    [discarded] = runs(host, waits)
    assert (discarded["state"], discarded["label"]) == ("dead", "discarded")
    assert "no delivery" in run(host, "show", "nonsense", status=65)


def test_a_database_without_our_schema_is_said_and_left_alone(fake, tmp_path, store):
    bot = snek.Bot(fake, tmp_path / "bot", config={"store": {"url": store}}, start=False)
    bot.process = bot  # nothing runs
    bot.output = lambda: ""
    said = run(bot, "list", status=66)
    assert "it has no tables yet" in said and postgres.PASSWORD not in said


def test_one_of_the_hosts_asks_for_what_was_missed_and_another_when_it_is_gone(start_bot, fake,
                                                                             store):
    config = {"store": {"url": store}, "dispatch": {"delay_ms": 0, "lease_ms": 2000},
              "github": {"recover_interval_minutes": 10}}
    hosts = [start_bot(folder, plugins=["trouble"], config=config) for folder in ("one", "two")]
    hosts[0].wait_log(msg="maintenance_taken")
    hosts[0].wait_log(msg="recovery")
    assert hosts[1].log(msg="maintenance_taken") == []
    fake.settings(webhook_url=f"{hosts[1].url}/webhook/github", webhook_secret=snek.WEBHOOK_SECRET)
    lost = fake.deliver("trouble", trouble("fine"), unsent=True, age_s=600)["guid"]
    hosts[0].stop()
    hosts[1].wait_log(msg="maintenance_taken")
    hosts[1].wait_log(msg="stored", delivery=lost, source="recovery")
    hosts[1].wait_log(msg="done", delivery=lost)
    assert asked(fake) == 0
    assert "0 requested" in recover(hosts[1])


def test_a_database_is_dumped_under_load_and_restored(start_bot, tmp_path, database):
    def config(url):  # what was running when it was dumped is due when its lease lapses
        return {"store": {"url": url}, "dispatch": {"delay_ms": 0, "lease_ms": 2000}}

    database.sql("CREATE DATABASE dumped")
    source = database.url("dumped")
    bot = start_bot(plugins=["trouble"], config=config(source))
    load = Load(bot, threads=4, pause_s=0)
    before = load.wait(60)
    dump = tmp_path / "snekomatic.dump"
    program = postgres.binaries()
    subprocess.run([program / "pg_dump", "--format=custom", f"--file={dump}", source], check=True)
    load.wait(len(load.acknowledged) + 20)
    load.stop()
    bot.stop()

    database.sql("CREATE DATABASE restored")
    target = database.url("restored")
    subprocess.run([program / "pg_restore", "--no-owner", "--exit-on-error", "--single-transaction",
                    f"--dbname={target}", dump], check=True)
    restored = start_bot("restored", plugins=["trouble"], config=config(target))
    has_all_and_goes_on(restored, before)


def test_two_hosts_pull_one_after_the_other_and_run_each_delivery_once(start_bot, fake, store):
    config = {"store": {"url": store}, "dispatch": {"delay_ms": 0, "lease_ms": 2000},
              "github": {"receive": "pull", "pull_interval_seconds": 1}}
    fake.settings(webhook_url="https://snekomatic.invalid/webhook/github", auto_create=["issues"])
    hosts = [start_bot(folder, plugins=["trouble"], config=config) for folder in ("one", "two")]
    hosts[0].wait_log(msg="pulling")
    assert status(hosts[1])["state"] == "elsewhere"
    guids = []
    for number in range(20):
        guids.append(fake.deliver("trouble", comment(number))["guid"])
    hosts[0].wait_log(msg="stored", delivery=guids[5], source="pull")
    hosts[0].process.popen.kill()  # the whole machine
    guids += [fake.deliver("trouble", comment(number))["guid"] for number in range(20, 30)]
    hosts[1].wait_log(msg="pulling")
    hosts[1].wait_log(msg="stored", delivery=guids[-1], source="pull")
    once = {number: 1 for number in range(30)}
    # A comment that was on its way at the kill waits for GitHub's timeout, 30 s.
    snek.wait_until(lambda: comments(fake) == once, lambda: comments(fake), snek.PATIENCE_S + 60)
    assert asked(fake) == 0


def test_another_host_pulls_at_once_after_the_first_one_was_killed(start_bot, fake, store):
    """kill -9 of a host, and of a host with its supervisor: nobody waits for the lease of 10 minutes."""
    config = {"store": {"url": store}, "dispatch": {"delay_ms": 0, "lease_ms": 600000},
              "github": {"receive": "pull", "pull_interval_seconds": 1}}
    fake.settings(webhook_url="https://snekomatic.invalid/webhook/github")
    hosts = [start_bot(folder, plugins=["trouble"], config=config) for folder in ("one", "two")]
    hosts[0].wait_log(msg="pulling")
    hosts[0].process.popen.kill()
    hosts[1].wait_log(msg="maintenance_taken")
    entry = fake.deliver("trouble", trouble("fine"))
    hosts[1].wait_log(msg="done", delivery=entry["guid"])
    mark = hosts[1].mark()
    hosts[1].kill("host")  # its supervisor starts the next one
    hosts[1].wait_log(msg="maintenance_taken", after=mark)
    entry = fake.deliver("trouble", trouble("fine"))
    hosts[1].wait_log(msg="done", delivery=entry["guid"])


def test_another_host_pulls_soon_after_the_first_one_stops(start_bot, fake, store):
    config = {"store": {"url": store}, "dispatch": {"delay_ms": 0, "lease_ms": 600000},
              "github": {"receive": "pull", "pull_interval_seconds": 1}}
    fake.settings(webhook_url="https://snekomatic.invalid/webhook/github")
    hosts = [start_bot(folder, plugins=["trouble"], config=config) for folder in ("one", "two")]
    hosts[0].wait_log(msg="pulling")
    entry = fake.deliver("trouble", trouble("fine"))
    hosts[0].wait_log(msg="done", delivery=entry["guid"])
    hosts[0].stop()
    entry = fake.deliver("trouble", trouble("fine"))
    hosts[1].wait_log(msg="done", delivery=entry["guid"])  # not after the end of a lease of 10 minutes
