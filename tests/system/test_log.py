# SPDX-License-Identifier: MIT OR Apache-2.0
"""The reader of the log may stand still (a pager, a log shipper that hangs). Only lines are lost then,
and the log has their number."""

import concurrent.futures
import contextlib
import http.client
import json
import re
import signal
import sqlite3
import time
import uuid

import pytest

import snek

BODY = json.dumps({"action": "fine", "installation": {"id": snek.INSTALLATION}}).encode()
GITHUB_WAITS_S = 10
DELIVERIES_MAX = 20000  # far fewer fill the queue


@pytest.fixture
def host(start_bot):
    return start_bot(plugins=["trouble"])


def deliver(host, count):
    """So many webhooks on one connection. Their responses."""
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=GITHUB_WAITS_S)
    responses = []
    for _ in range(count):
        connection.request("POST", "/webhook/github", BODY, {
            "Content-Type": "application/json", "X-GitHub-Event": "trouble",
            "X-GitHub-Delivery": str(uuid.uuid4()), "X-Hub-Signature-256": snek.signature(BODY)})
        response = connection.getresponse()
        response.read()
        responses.append(response.status)
    connection.close()
    return responses


def dropped(host):
    text = host.request("GET", "/metrics", timeout=GITHUB_WAITS_S).body.decode()
    return int(re.search(r"^snekomatic_log_lines_dropped_total (\d+)$", text, re.M).group(1))


def flood(host):
    """Webhooks until lines are dropped. How many."""
    sent = 0
    with concurrent.futures.ThreadPoolExecutor(4) as senders:
        while dropped(host) == 0:
            assert sent < DELIVERIES_MAX
            for responses in senders.map(lambda _: deliver(host, 100), range(4)):
                assert responses == [202] * 100
                sent += 100
    return sent


def wait_done(host, count):
    """Until so many runs are done, by the store."""
    with contextlib.closing(sqlite3.connect(host.folder / "snekomatic.db")) as store:
        def states():
            return dict(store.execute("SELECT state, count(*) FROM runs GROUP BY state"))

        snek.wait_until(lambda: states() == {"done": count}, states, 3 * snek.PATIENCE_S)


def test_a_stalled_reader_costs_only_lines_and_the_log_counts_them(host):
    host.process.stall()
    sent = flood(host)
    assert host.request("GET", "/healthz", timeout=GITHUB_WAITS_S).status == 200
    wait_done(host, sent)
    assert dropped(host) > 0
    before = host.mark()
    host.process.read_on()
    missing = int(host.wait_log(msg="log_lines_dropped", after=before)["count"])
    delivery = host.deliver("trouble", json.loads(BODY))
    host.wait_log(msg="done", delivery=delivery)
    assert dropped(host) == missing
    assert len(host.log(msg="log_lines_dropped")) == 1


def test_warnings_are_kept_where_other_lines_are_dropped(host):
    host.process.stall()
    flood(host)
    body = json.dumps({"action": "fail", "installation": {"id": snek.INSTALLATION}}).encode()
    deliveries = [host.deliver("trouble", None, body=body) for _ in range(5)]
    missing = dropped(host)
    host.process.read_on()
    for delivery in deliveries:
        host.wait_log(msg="retry", level="warning", delivery=delivery)
    assert missing > 0


def test_a_host_that_dies_is_started_again_though_nobody_reads(host):
    host.process.stall()
    assert deliver(host, 20) == [202] * 20
    for sig in (signal.SIGKILL, signal.SIGABRT):
        old = host.kill("host", sig)
        snek.wait_until(lambda: host.pids("host") not in ([], old), "the next host")
        host.wait_ready()
        assert deliver(host, 20) == [202] * 20
    wait_done(host, 60)
    before = host.mark()
    host.process.read_on()
    host.wait_log(msg="host_died", signal="KILL", after=before)
    host.wait_log(msg="host_died", signal="ABRT", after=before)


def test_sigterm_ends_it_with_0_though_nobody_reads(start_bot):
    host = start_bot(plugins=["trouble"], config={"server": {"drain_ms": 200}})
    host.process.stall()
    assert deliver(host, 20) == [202] * 20
    wait_done(host, 20)
    began = time.monotonic()
    assert host.process.end() == 0
    assert time.monotonic() - began < 10  # 1.2 s where nothing else runs


def test_buffered_log_lines_are_written_at_the_end_to_a_slow_reader(host):
    host.process.stall()
    delivery = host.deliver("trouble", json.loads(BODY))
    wait_done(host, 1)
    host.process.popen.send_signal(signal.SIGTERM)
    host.process.read_on()
    assert host.process.wait(snek.PATIENCE_S) == 0
    host.wait_log(msg="done", delivery=delivery)
    host.wait_log(msg="stopped")
