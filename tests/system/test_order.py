# SPDX-License-Identifier: MIT OR Apache-2.0
"""A plugin with an order: the runs of an item go one at a time, as their deliveries were committed,
on one host and on several. Each run of the plugin "ordered" posts a comment when it begins and one
when it ends, so the comments of an item show the order, and that no two runs overlapped."""

import collections
import json
import os
import re
import signal
import threading
import time

import pytest

import snek

# For a run by hand: SNEK_ORDER="10000 100 5", that many deliveries, items and hosts.
DELIVERIES, ITEMS, HOSTS = map(int, os.environ.get("SNEK_ORDER", "200 25 2").split())
LEASE_MS = 3000


@pytest.fixture
def start_hosts(start_bot, request, fake):
    """Starts so many hosts that share a store; on SQLite there is one."""
    fake.settings(auto_create=["issues"])

    def start(count, kind, concurrency=32, **dispatch):
        config = {"dispatch": {"delay_ms": 0, "lease_ms": LEASE_MS, "first_retry_ms": 1000, **dispatch},
                  "log": {"level": "info"}, "server": {"drain_ms": 200}}
        if kind == "postgres":
            config["store"] = {"url": request.getfixturevalue("store")}
        plugin = {"name": "ordered", "concurrency": concurrency, "effects_per_hour": 10 * DELIVERIES,
                  "memory_mib": max(256, 2 * concurrency)}
        return [start_bot(f"host{i}", plugins=[plugin], config=config)
                for i in range(count if kind == "postgres" else 1)]

    return start


def ordered(item, number, action="go", **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION},
            "repository": {"id": 186853002, "full_name": "sneks-united/terrarium"},
            "issue": {"number": item}, "number": number, **more}


def comments(fake):
    """The comments of each item, in order: (number, "begin" or "end")."""
    said = collections.defaultdict(list)
    for entry in fake.requests(method="POST", path=".*/comments", status=201):
        match = re.match(r"item=(\d+) number=(\d+) (\w+)", entry["body"]["body"])
        said[int(match[1])].append((int(match[2]), match[3]))
    return said


def wait_comments(fake, item, *wanted, timeout=60):
    """Waits until as many were said as wanted, and then they must be these."""
    snek.wait_until(lambda: len(comments(fake)[item]) >= len(wanted),
                    lambda: (wanted, comments(fake)), timeout)
    assert comments(fake)[item] == list(wanted)


def whole(*numbers):
    return [(number, word) for number in numbers for word in ("begin", "end")]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_each_items_effects_come_in_the_order_of_arrival_and_none_overlap(fake, start_hosts, kind):
    hosts = start_hosts(HOSTS, kind, concurrency=320 // HOSTS if kind == "postgres" else 320)
    errors = []
    fake.settings(rate_limit=10 * DELIVERIES)

    def post(items):
        # A response is a commit. So this is the order of arrival, whichever host a delivery reaches.
        for number in range(DELIVERIES // ITEMS):
            for item in items:
                host = hosts[(number + item) % len(hosts)]
                response = host.post("ordered", ordered(item, number))
                if response.status != 202:
                    errors.append((item, number, response))

    threads = [threading.Thread(target=post, args=(range(first, ITEMS, 6),)) for first in range(6)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    posted = time.monotonic() - began
    assert not errors
    total = DELIVERIES // ITEMS * ITEMS

    def done():
        return sum(len(host.log(msg="done")) for host in hosts)

    snek.wait_until(lambda: done() >= total, lambda: (done(), total), timeout=60 + total / 20,
                    pause_s=0.05 + total / 2000)
    print(f"{kind}: {len(hosts)} hosts, {total} deliveries of {ITEMS} items: "
          f"posted in {posted:.1f} s, done after {time.monotonic() - began:.1f} s")
    said = comments(fake)
    expected = whole(*range(DELIVERIES // ITEMS))
    assert {item: said[item] for item in range(ITEMS)} == {item: expected for item in range(ITEMS)}
    if len(hosts) > 1:
        assert all(host.log(msg="done") for host in hosts), "one host did all"


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_run_that_fails_keeps_its_place_for_four_attempts(fake, start_hosts, kind):
    hosts = start_hosts(2, kind, max_attempts=6)
    first = hosts[0].deliver("ordered", ordered(1, 0, "retry", failures=5, ms=1500))
    second = hosts[-1].deliver("ordered", ordered(1, 1))
    wait_comments(fake, 1, (0, "begin"), *whole(1), (0, "end"))
    retries = [line for host in hosts for line in host.log(msg="retry", delivery=first)]
    retries.sort(key=lambda line: int(line["attempt"]))
    assert [line["place"] for line in retries] == ["kept"] * 4 + ["given_up"]
    assert {line["order"] for line in retries} == {"item 186853002#1"}
    done = [line for host in hosts for line in host.log(msg="done", delivery=second)]
    assert [line["attempt"] for line in done] == ["1"]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_crash_of_the_worker_keeps_the_order(fake, start_hosts, kind):
    host = start_hosts(1, kind)[0]
    for number in range(4):
        host.deliver("ordered", ordered(1, number, "exit", failures=1))
    # The next one waits with the one that crashed.
    wait_comments(fake, 1, *whole(*range(4)), timeout=90)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_stop_and_a_start_of_the_host_keep_the_order(fake, start_hosts, kind):
    host = start_hosts(1, kind)[0]
    first = host.deliver("ordered", ordered(1, 0, ms=4000))
    host.wait_log(msg="started", delivery=first)
    for number in range(1, 4):
        host.deliver("ordered", ordered(1, number))
    fake.wait_requests(method="POST", path=".*/comments")
    host.stop()
    host.start()
    wait_comments(fake, 1, *whole(*range(4)))


def test_a_host_that_was_paused_past_its_lease_keeps_the_order(fake, start_hosts, database, store):
    paused, other = start_hosts(2, "postgres")
    schema = re.search(r"store_\d+", store)[0]

    def recorded():
        return int(database.sql(f"SELECT count(*) FROM {schema}.journal"
                                " WHERE kind = 'effect' AND state = 'completed'")[0])

    # Long enough to see that, and to stop the host.
    first = paused.deliver("ordered", ordered(1, 0, ms=5000))
    snek.wait_until(lambda: recorded() == 1, "the first comment is recorded")
    pids = paused.kill("host", signal.SIGSTOP)
    try:
        for number in range(1, 4):
            other.deliver("ordered", ordered(1, number))
        other.wait_log(msg="done", delivery=first, attempt=2)
        wait_comments(fake, 1, *whole(*range(4)))
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    paused.wait_log(msg="completion_stale", delivery=first, attempt=1)
    last = paused.deliver("ordered", ordered(1, 4))
    snek.wait_until(lambda: any(host.log(msg="done", delivery=last) for host in (paused, other)),
                    "the last one is done")
    assert comments(fake)[1] == whole(*range(5))


def deliveries(host, *words):
    return host.verb("deliveries", *words).stdout


def test_deliveries_show_who_blocks_and_who_is_passed(fake, start_hosts):
    host = start_hosts(1, "sqlite", max_attempts=1)[0]
    first = host.deliver("ordered", ordered(1, 0, "retry", failures=5, ms=60000))
    host.wait_log(msg="dead", delivery=first)
    text = deliveries(host, "show", first)
    assert re.search(r"^item +186853002#1$", text, re.M)
    assert re.search(r"^  order +item 186853002#1$", text, re.M)
    assert re.search(r"^  passed +later runs of this order go first$", text, re.M)
    second = host.deliver("ordered", ordered(1, 1, ms=30000))
    host.wait_log(msg="started", delivery=second)
    third = host.deliver("ordered", ordered(1, 2))
    text = deliveries(host, "show", third)
    assert re.search(r"^  state +blocked$", text, re.M)
    assert re.search(rf"^  behind +{second}$", text, re.M)
    listed = json.loads(deliveries(host, "list", "--state", "blocked", "--json"))
    assert [(run["delivery"], run["behind"], run["order"], run["passed"]) for run in listed] == [
        (third, second, "item 186853002#1", False)]
    assert f"behind {second}" in deliveries(host, "list")
    assert comments(fake)[1] == [(0, "begin"), (1, "begin")]


def test_plugins_shows_the_order_and_what_coalesces(start_bot):
    host = start_bot(plugins=["coalescing"])
    text = host.verb("plugins").stdout
    assert re.search(r"^  order +by item: one run at a time$", text, re.M)
    assert re.search(r"^  events +coalesced; only the newest of several$", text, re.M)


# -- coalescing: the plugin "coalescing" posts the number of the event

@pytest.fixture
def start_coalescing(start_bot, request):
    def start(kind):
        config = {"dispatch": {"delay_ms": 0, "lease_ms": LEASE_MS}}
        if kind == "postgres":
            config["store"] = {"url": request.getfixturevalue("store")}
        return start_bot(plugins=["coalescing"], config=config)

    return start


def numbers(fake):
    found = []
    for entry in fake.requests(method="POST", path=".*/comments", status=201):
        found.append(int(re.match(r"number=(\d+)", entry["body"]["body"])[1]))
    return found


def wait_numbers(fake, *wanted):
    snek.wait_until(lambda: len(numbers(fake)) >= len(wanted), lambda: (wanted, numbers(fake)))
    assert numbers(fake) == list(wanted)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_of_several_waiting_runs_only_the_newest_runs(fake, start_coalescing, kind):
    host = start_coalescing(kind)
    fake.fail(method="POST", path="*/comments", delay_ms=60000)
    first = host.deliver("coalesced", ordered(1, 0))
    fake.wait_arrived(method="POST", path=".*/comments")
    guids = [host.deliver("coalesced", ordered(1, number)) for number in range(1, 4)]
    other = host.deliver("coalesced", ordered(2, 9))
    host.wait_log(msg="done", delivery=other)
    assert numbers(fake) == [9]
    fake.release()
    wait_numbers(fake, 0, 9, 3)
    host.wait_log(msg="done", delivery=guids[2])
    assert [(line["delivery"], line["by"]) for line in host.log(msg="superseded")] == [
        (guids[0], guids[1]), (guids[1], guids[2])]
    text = deliveries(host, "show", guids[0])
    assert re.search(r"^  label +superseded$", text, re.M)
    assert re.search(rf"^  reason +a newer delivery replaced it: {guids[1]}$", text, re.M)
    assert re.search(rf"{guids[0]} .* done .* superseded", deliveries(host, "list"))
    metrics = host.request("GET", "/metrics").body.decode()
    assert re.search(r'^snekomatic_run_seconds_count\{.*outcome="superseded".*\} 2$', metrics, re.M)


def test_a_run_whose_event_may_hold_a_command_is_not_superseded(fake, start_coalescing):
    host = start_coalescing("sqlite")
    first = host.deliver("coalesced", ordered(1, 0, ms=2000))
    host.wait_log(msg="started", delivery=first)
    for number in range(1, 4):
        host.deliver("issue_comment", ordered(1, number, "created"))
    wait_numbers(fake, 0, 1, 2, 3)
    assert not host.log(msg="superseded")


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_failed_run_does_not_delay_a_newer_one(fake, start_coalescing, kind):
    host = start_coalescing(kind)
    failing = host.deliver("coalesced", ordered(1, 0, failures=9))
    host.wait_log(msg="retry", delivery=failing)
    newer = host.deliver("coalesced", ordered(1, 1, failures=1, ms=2000))
    host.wait_log(msg="superseded", delivery=failing, by=newer)
    host.wait_log(msg="retry", delivery=newer)
    slow = host.deliver("coalesced", ordered(1, 2, failures=1, ms=2000))
    host.wait_log(msg="superseded", delivery=newer, by=slow)
    host.wait_log(msg="retry", delivery=slow)
    assert host.post("coalesced", ordered(1, 2), delivery=slow).status == 200
    host.wait_log(msg="done", delivery=slow, attempt=2)
    assert numbers(fake) == [2]
