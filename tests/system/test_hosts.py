# SPDX-License-Identifier: MIT OR Apache-2.0
"""Several hosts on one PostgreSQL, through the real binaries: they share the work, none does another's,
and what one leaves undone goes on elsewhere; and a server that is away is a 503, not a loss."""

import os
import re
import signal
import socket
import threading
import time
import urllib.parse

import pytest

import snek

# What is killed here may fail a run, which must then come again by itself.
FIRST_RETRY_MS = 5000

LEASE_MS = 3000
# A host waits for its server for less than half of the time that GitHub waits for a response.
PATIENCE_MS = 5000
# A host looks for runs so often if it has not heard of any.
POLL_S = 4


@pytest.fixture
def start_hosts(start_bot, store):
    """Starts so many hosts that share a store."""

    def start(count, plugins=("trouble",), **dispatch):
        config = {"store": {"url": store}, "server": {"drain_ms": 200},
                  "dispatch": {"delay_ms": 0, "lease_ms": LEASE_MS, **dispatch}}
        return [start_bot(f"host{i}", plugins=list(plugins), config=config) for i in range(count)]

    return start


# Its runs may be held for as long as the test takes.
PATIENT = {"name": "trouble", "deadline_ms": 600000}


def trouble(action, **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, **more}


def ended(hosts, **wanted):
    """All completions in the hosts' logs."""
    return [line for host in hosts for line in host.log(msg="done", **wanted)]


def wait_done(hosts, deliveries, timeout=30):
    """Waits until each is done somewhere; the line of each."""
    def lines():
        return {line["delivery"]: line for line in ended(hosts)}

    def missing():
        return (f"not done: {set(deliveries) - set(lines())}\n" +
                "\n--\n".join(host.process.output(20) for host in hosts))

    snek.wait_until(lambda: set(deliveries) <= set(lines()), missing, timeout, pause_s=0.05)
    return lines()


def test_three_hosts_share_the_runs_and_none_runs_twice(start_hosts):
    hosts = start_hosts(3, plugins=[{**PATIENT, "concurrency": 2}])
    deliveries = [hosts[0].deliver("trouble", trouble("fine", held=1)) for _ in range(30)]
    for host in hosts:
        snek.wait_until(lambda: len(host.log(msg="started")) == 2, host.process.output)
    for host in hosts:
        host.release()
    wait_done(hosts, deliveries)
    assert sorted(line["delivery"] for line in ended(hosts)) == sorted(deliveries)
    started = [line["delivery"] for host in hosts for line in host.log(msg="started")]
    assert sorted(started) == sorted(deliveries)
    assert all(line["attempt"] == "1" for line in ended(hosts))


def lease_ends(database, store):
    """Until when the first attempts of runs are leased: by delivery, in seconds."""
    schema = re.search(r"store_\d+", store)[0]
    rows = database.sql(f"SELECT d.guid, r.lease_until_ms FROM {schema}.runs r JOIN {schema}.deliveries d"
                        " ON d.id = r.delivery WHERE r.state = 'running' AND r.attempt = 1")
    return {guid: int(ms) / 1000 for guid, ms in (row.split("|") for row in rows)}


def test_a_host_that_is_killed_leaves_its_runs_to_others_after_the_lease(start_hosts, database, store):
    hosts = start_hosts(2, plugins=[PATIENT])
    doomed, other = hosts
    deliveries = [doomed.deliver("trouble", trouble("fine", held=1)) for _ in range(5)]
    for delivery in deliveries:
        doomed.wait_log(msg="started", delivery=delivery)
    # Both stand still while the test looks: the other one would take the runs over after the lease, and a
    # host whose supervisor is gone gives its runs back.
    paused = other.kill("host", signal.SIGSTOP)
    pids = doomed.kill("host", signal.SIGSTOP)
    try:
        ends = lease_ends(database, store)
        assert set(ends) == set(deliveries)
    finally:
        for pid in doomed.pids("supervisor") + pids:
            os.kill(pid, signal.SIGKILL)
        for pid in paused:
            os.kill(pid, signal.SIGCONT)
    for delivery in deliveries:
        line = other.wait_log(msg="started", delivery=delivery, attempt=2)
        assert snek.seconds(line["time"]) >= ends[delivery]
    doomed.process.wait()


def test_a_host_that_was_paused_past_its_lease_is_rejected(fake, start_hosts):
    hosts = start_hosts(2)
    paused, other = hosts
    issue = snek.payload("issues.opened")
    url = issue["issue"]["comments_url"]
    delivery = paused.deliver("trouble", trouble("comment", held=1, url=url))
    paused.wait_log(msg="started", delivery=delivery)
    pids = paused.kill("host", signal.SIGSTOP)
    try:  # its worker goes on, and asks for the comment meanwhile
        paused.release()
        other.wait_log(msg="done", delivery=delivery, attempt=2)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    paused.wait_log(msg="completion_stale", delivery=delivery, attempt=1)
    comments = fake.requests(method="POST", path=urllib.parse.urlsplit(url).path)
    assert len(comments) == 1
    assert not paused.log(msg="done", delivery=delivery)
    again = paused.deliver("trouble", trouble("fine"))  # it is as good as before
    wait_done(hosts, [again])


def count(database, store, rows):
    schema = re.search(r"store_\d+", store)[0]
    return int(database.sql(f"SELECT count(*) FROM {schema}.{rows}")[0])


def intents(database, store):
    """How many effects the journal has."""
    return count(database, store, "journal WHERE kind = 'effect'")


@pytest.mark.own_pace("it stops the host within the 4.5 s that a request may wait for its pace")
def test_a_request_that_waits_while_its_lease_expires_is_not_sent(fake, start_bot, store, database):
    config = {"store": {"url": store}, "dispatch": {"delay_ms": 0, "lease_ms": LEASE_MS},
              # Long enough to stop it meanwhile. A host requeues a run that would wait for 5 s.
              "github": {"notify_interval_ms": 4500, "write_interval_ms": 1000}}
    paused, other = [start_bot(f"host{i}", plugins=["effects"], config=config) for i in range(2)]
    comments = "/repos/sneks-united/terrarium/issues/12/comments"
    delivery = paused.deliver("effects", trouble("comment_twice", text="hi"))
    fake.wait_requests(method="POST", path=comments)
    # The second one's intent is committed, and it waits for its pace.
    snek.wait_until(lambda: intents(database, store) == 2, "the second intent")
    pids = paused.kill("host", signal.SIGSTOP)
    try:
        # The other host looks for the comment after the 30 s that a request of the paused one may take.
        other.wait_log(msg="done", delivery=delivery, timeout=60)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    paused.wait_log(msg="completion_stale", delivery=delivery, timeout=30)
    assert len(fake.requests(method="POST", path=comments)) == 2


def test_a_run_that_takes_longer_than_its_lease_is_not_taken_away(start_hosts):
    # A host that gets no processor for two thirds of its lease loses it rightly, so it is not short.
    hosts = start_hosts(2, lease_ms=5000)
    delivery = hosts[0].deliver("trouble", trouble("fine", ms=12000))
    lines = wait_done(hosts, [delivery])
    assert lines[delivery]["attempt"] == "1"
    assert len([line for host in hosts for line in host.log(msg="started")]) == 1


def test_a_delivery_that_github_sends_to_two_hosts_runs_once(start_hosts):
    hosts = start_hosts(2)
    body = b'{"action": "fine", "installation": {"id": 60001}}'
    deliveries = [f"twice-{number}" for number in range(20)]
    responses = []

    def post(host):
        for delivery in deliveries:
            # On a busy machine a host may wait too long for a row that the other one has locked. GitHub is
            # asked for such a delivery again.
            while (response := host.post("trouble", body=body, delivery=delivery)).status == 503:
                pass
            responses.append(response)

    threads = [threading.Thread(target=post, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {response.status for response in responses} <= {200, 202}
    wait_done(hosts, deliveries)
    # A redelivery (its run had ended already) is another 202; each 202 is one run.
    queued = sum(response.status == 202 for response in responses)
    snek.wait_until(lambda: len(ended(hosts)) >= queued, lambda: (len(ended(hosts)), queued))
    assert len(ended(hosts)) == queued


@pytest.mark.own_pace("it measures how long another host needs")
def test_another_host_hears_of_runs_at_once(start_hosts):
    hosts = start_hosts(2, plugins=[{**PATIENT, "concurrency": 1}])
    busy, idle = hosts
    first = busy.deliver("trouble", trouble("fine", held=1))
    busy.wait_log(msg="started", delivery=first)
    busy.deliver("trouble", trouble("fine"))  # it may have been promised the slot before it was busy
    began = time.monotonic()
    for _ in range(10):
        idle.wait_log(msg="done", delivery=busy.deliver("trouble", trouble("fine")))
    # If it had to look by itself, each but the first would have taken that long.
    assert time.monotonic() - began < 9 * POLL_S / 2


def test_a_retry_by_hand_is_noticed_by_the_hosts(start_hosts):
    host = start_hosts(1, max_attempts=1)[0]
    delivery = host.deliver("trouble", trouble("fail"))
    host.wait_log(msg="dead", delivery=delivery)
    before = host.mark()
    status = snek.Process([snek.program("snekomatic"), "deliveries", "retry", "-c", host.file,
                           delivery], snek.clean_environment(), cwd=host.folder)
    assert status.wait(20) == 0, status.output()
    host.wait_log(msg="dead", delivery=delivery, after=before)


def rejected(host):
    """A webhook that is rejected though the server does not come back: why."""
    response = host.post("trouble", trouble("fine"))
    assert response.status == 503
    assert int(response.headers["retry-after"]) > 0
    return host.wait_log(msg="not_stored", delivery=response.delivery)["reason"]


def test_a_server_that_is_stopped_is_503_while_github_waits_and_then_works_again(start_hosts, database):
    host = start_hosts(1)[0]
    database.signal(signal.SIGSTOP)
    try:
        for _ in range(3):
            assert "the server has not responded" in rejected(host)
        # The operation that came first has waited; the others knew. It may be one of the host's own,
        # some of which log nothing.
        waited = re.findall("the server has not responded for ([0-9]+) ms", host.process.output(None))
        assert all(int(ms) <= PATIENCE_MS for ms in waited)
        assert host.request("GET", "/readyz").status == 503
    finally:
        database.signal(signal.SIGCONT)
    recovered(host)


def test_a_server_that_is_killed_loses_nothing_and_works_again(start_hosts, database):
    host = start_hosts(1, plugins=[PATIENT])[0]
    kept = [host.deliver("trouble", trouble("fine", held=1)) for _ in range(10)]
    for delivery in kept:
        host.wait_log(msg="started", delivery=delivery)
    database.kill()
    try:
        rejected(host)
        host.release()
    finally:
        database.start()
    recovered(host)
    wait_done([host], kept)


def test_runs_go_on_while_the_server_is_away_for_longer_than_the_lease(start_hosts, store,
                                                                       database):
    host = start_hosts(1, plugins=[PATIENT], lease_ms=1000)[0]
    kept = [host.deliver("trouble", trouble("fine", held=1)) for _ in range(8)]
    for delivery in kept:
        host.wait_log(msg="started", delivery=delivery)
    snek.wait_until(lambda: count(database, store, "plugin_sets") == len(kept),
                    "each handler has left its mark in the store")
    database.signal(signal.SIGSTOP)
    time.sleep(4)
    database.signal(signal.SIGCONT)
    host.release()
    lines = wait_done([host], kept)
    for delivery in kept:
        assert lines[delivery]["attempt"] == "1" and len(host.log(msg="started",
                                                                  delivery=delivery)) == 1


def recovered(host):
    """It takes deliveries again, and is ready."""
    snek.wait_until(lambda: host.post("trouble", trouble("fine")).status == 202, host.process.output)
    host.wait_ready()


def test_a_bot_whose_database_is_away_does_not_start_and_names_no_password(fake, tmp_path):
    password = "s3cret-of-nobody"
    with socket.socket() as nobody:  # is bound, and does not listen
        nobody.bind(("127.0.0.1", 0))
        url = f"postgres://snek:{password}@127.0.0.1:{nobody.getsockname()[1]}/x"
    host = snek.Bot(fake, tmp_path / "bot", plugins=["trouble"], start=False,
                    env={"DATABASE_URL": url})
    process = snek.Process([snek.program("snekomatic"), "serve", "-c", host.file],
                           snek.clean_environment(**host.env), cwd=host.folder)
    assert process.wait(30) == 75
    line = process.wait_log(msg="cannot_start")
    assert "127.0.0.1" in line["reason"] and "refused" in line["reason"]
    assert password not in process.output()


def test_the_original_bots_invitations_count(fake, start_bot, database, store):
    merged = snek.payload("pull_request.closed.merged")
    schema = store.rpartition("%3D")[2]
    for statement in (
        "CREATE TABLE alembic_version (version_num varchar(32) primary key)",
        "INSERT INTO alembic_version VALUES ('7e4b4bdc8ba1')",
        "CREATE TABLE persistent_set_sent_invitation (entry varchar primary key)",
        f"INSERT INTO persistent_set_sent_invitation VALUES"
        f" ('{merged['pull_request']['user']['login']}')",
    ):
        database.sql(statement, schema=schema)
    host = start_bot(plugins=["invite"], config={"store": {"url": store}})
    host.wait_log(msg="skipped", delivery=host.deliver("pull_request", merged))
    assert fake.api_requests() == []
