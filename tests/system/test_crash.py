# SPDX-License-Identifier: MIT OR Apache-2.0
"""Promises 1 and 3: an acknowledged delivery is handled, whichever process is killed; and a plugin
breaks only itself."""

import contextlib
import os
import signal
import sqlite3
import time

import pytest

import snek
from crashing import handled_neighbour, on, state, trouble, wait_done


# Its runs may be held for as long as the test takes.
PATIENT = {"name": "trouble", "deadline_ms": 600000}


@pytest.fixture
def host(start_bot):
    return start_bot(plugins=["trouble", "invite"])


@pytest.mark.parametrize("who", ["host", "worker"])
def test_kill_9_between_the_202_and_the_handling_loses_nothing(start_bot, either_store, who):
    # A run that is under way when the worker dies fails an attempt.
    host = start_bot(plugins=["trouble"], config=on(either_store, delay_ms=1000, first_retry_ms=100))
    deliveries = [host.deliver("trouble", trouble("fine")) for _ in range(20)]
    host.kill(who, signal.SIGKILL)
    wait_done(host, deliveries)


def marks(host):
    """The entries that the plugin trouble has added to its set."""
    with contextlib.closing(sqlite3.connect(host.folder / "snekomatic.db")) as store:
        return store.execute("SELECT count(*) FROM plugin_sets").fetchone()[0]


def deliver_held(host):
    """A run that goes on from memory. None does before the host's first claim has its result."""
    while True:
        delivery = host.deliver("trouble", trouble("fine"))
        if state(host, delivery) == ("running", 1):
            return delivery


# Runs wait in memory for half of a lease at most.
LONG = {"dispatch": {"delay_ms": 1_800_000, "lease_ms": 3_600_000}}


def test_new_runs_wait_in_memory_up_to_the_free_slots_and_others_are_queued(start_bot):
    host = start_bot(plugins=[{"name": "trouble", "concurrency": 2}], config=LONG)
    deliveries = [deliver_held(host), *(host.deliver("trouble", trouble("fine")) for _ in range(4))]
    assert [state(host, delivery) for delivery in deliveries] == [
        ("running", 1), ("running", 1), ("queued", 0), ("queued", 0), ("queued", 0)]


def test_runs_that_wait_in_memory_and_others_are_handled_once(start_bot):
    host = start_bot(plugins=[{"name": "trouble", "concurrency": 2}],
                     config={"dispatch": {"delay_ms": 1000}})
    deliveries = [host.deliver("trouble", trouble("fine")) for _ in range(5)]
    for delivery in deliveries:
        assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "1"
        assert len(host.log(msg="started", delivery=delivery)) == 1


def test_the_drain_gives_back_runs_that_wait_in_memory_and_costs_no_attempt(start_bot):
    host = start_bot(plugins=["trouble"], config=LONG)
    delivery = deliver_held(host)
    host.stop()
    assert host.log(msg="requeued", delivery=delivery)
    assert state(host, delivery) == ("queued", 0)


def test_runs_that_waited_in_a_killed_host_are_due_again(start_bot):
    host = start_bot(plugins=["trouble"], config=LONG)
    delivery = deliver_held(host)
    mark = host.mark()
    host.kill("host", signal.SIGKILL)
    host.wait_log(msg="host_restarted", after=mark)
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "2"


def test_a_long_delay_is_not_waited_out_in_memory(start_bot):
    host = start_bot(plugins=["trouble"], config={"dispatch": {"delay_ms": 60000}})
    for _ in range(3):
        assert state(host, host.deliver("trouble", trouble("fine"))) == ("queued", 0)


def test_kill_9_of_the_host_in_the_middle_of_runs_loses_nothing(start_bot, either_store):
    host = start_bot(plugins=["trouble"], config=on(either_store))
    deliveries = [host.deliver("trouble", trouble("fine", held=1)) for _ in range(10)]
    host.wait_log(msg="started", delivery=deliveries[-1])
    host.kill("host", signal.SIGKILL)
    wait_done(host, deliveries)


def ran_once(host, deliveries):
    for delivery in deliveries:
        host.wait_log(msg="done", delivery=delivery, attempt=1, timeout=30)
        assert len(host.log(msg="started", delivery=delivery)) == 1


def test_a_host_that_was_paused_past_its_lease_goes_on_with_its_runs(start_bot, either_store):
    host = start_bot(plugins=[PATIENT], config=on(either_store, lease_ms=1000))
    deliveries = [host.deliver("trouble", trouble("fine", held=1)) for _ in range(4)]
    for delivery in deliveries:
        host.wait_log(msg="started", delivery=delivery)
    pids = host.kill("host", signal.SIGSTOP)
    time.sleep(3)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    host.release()
    ran_once(host, deliveries)


def test_runs_go_on_while_the_store_is_away_for_longer_than_the_lease(start_bot):
    host = start_bot(plugins=[PATIENT], config=on({}, lease_ms=1000))
    deliveries = [host.deliver("trouble", trouble("fine", held=1)) for _ in range(4)]
    for delivery in deliveries:
        host.wait_log(msg="started", delivery=delivery)
    snek.wait_until(lambda: marks(host) == 4, "each handler has left its mark in the store")
    with contextlib.closing(sqlite3.connect(host.folder / "snekomatic.db",
                                            isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        host.wait_log(msg="claim_failed")
    host.release()
    ran_once(host, deliveries)


def test_the_supervisor_starts_the_host_again_and_no_connection_is_refused(start_bot):
    host = start_bot(plugins=["ping"])
    snek.wait_until_gone(host.kill("host", signal.SIGKILL))
    assert host.request("GET", "/healthz").status == 200


def test_a_host_whose_supervisor_is_gone_exits(start_bot):
    host = start_bot(plugins=["ping"])
    pids = host.pids("host") + host.pids("worker")
    host.kill("supervisor", signal.SIGKILL)
    host.process.wait(snek.PATIENCE_S)
    snek.wait_until_gone(pids)


def test_a_host_whose_supervisor_is_gone_waits_for_no_run_and_no_run_pays_for_it(start_bot):
    host = start_bot(plugins=[PATIENT], config={"server": {"drain_ms": 120000}})
    delivery = host.deliver("trouble", trouble("fine", held=1))
    host.wait_log(msg="started", delivery=delivery, attempt=1)
    pids = host.pids("host") + host.pids("worker")
    host.kill("supervisor", signal.SIGKILL)
    host.process.wait(snek.PATIENCE_S)
    snek.wait_until_gone(pids)
    host.start()
    host.wait_log(msg="started", delivery=delivery, attempt=1)
    host.release()
    host.wait_log(msg="done", delivery=delivery)


@pytest.mark.parametrize("how,words", [("segfault", "signal 11"), ("exit", "status 0"),
                                       ("scribble", "malformed frame")])
def test_a_plugin_that_dies_costs_its_own_run_only(host, how, words):
    delivery = host.deliver("trouble", trouble(how))
    line = host.wait_log(msg="retry", delivery=delivery)
    assert words in line["reason"]
    handled_neighbour(host)
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble("fine")))
    assert len(host.pids("host")) == 1


@pytest.mark.parametrize("config,attempts,words", [({}, 5, "the host died each of the last 3 times"),
                                                   ({"dispatch": {"max_attempts": 2}}, 2,
                                                    "max_attempts, 2, and the host died")],
                         ids=["by-crashes", "by-attempts"])
def test_a_run_that_kills_the_host_is_dead_in_the_end(start_bot, config, attempts, words):
    host = start_bot(plugins=[{"name": "trouble", "sandbox": "off"}, "invite"], config=config)
    delivery = host.deliver("trouble", trouble("kill-host"))
    line = host.wait_log(msg="dead", delivery=delivery, timeout=90)
    assert words in line["reason"]
    assert state(host, delivery)[0] == "dead"
    # The supervisor's lines and the host's have no order.
    snek.wait_until(lambda: len(host.log(msg="host_died")) == attempts, host.process.output)
    host.wait_ready()
    handled_neighbour(host)


def test_a_plugins_log_lines_are_limited_per_second_and_counted(host):
    host.deliver("trouble", trouble("chatter", lines=5000))

    def counts():
        shown = len(host.log(msg="plugin", plugin="trouble", text="chatter"))
        more = sum(int(line.get("more", 0)) for line in host.log(msg="plugin", plugin="trouble"))
        return shown, more

    snek.wait_until(lambda: sum(counts()) == 5000, counts, 30)
    assert min(counts()) > 0


def test_what_one_run_logs_has_a_limit_and_the_sentence_names_its_key(start_bot):
    host = start_bot(plugins=[{"name": "trouble", "log_bytes_per_run": 70}])
    for _ in range(2):
        delivery = host.deliver("trouble", trouble("chatter", lines=50))
        host.wait_log(msg="done", delivery=delivery)
        assert len(host.log(msg="plugin", delivery=delivery, text="chatter")) == 10
        [line] = host.log(msg="plugin", delivery=delivery, level="warning")
        assert "plugin.log_bytes_per_run, 70 bytes" in line["reason"]


def test_frames_from_a_child_of_a_dead_worker_are_ignored(start_bot):
    # In the sandbox it could not have a child.
    host = start_bot(plugins=[{"name": "trouble", "sandbox": "off"}, "invite"])
    delivery = host.deliver("trouble", trouble("talker"))
    host.wait_log(msg="retry", delivery=delivery, plugin="trouble")
    handled_neighbour(host)
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble("fine")))


@pytest.mark.own_pace("the deadlines of its two runs are 4 s apart")
def test_a_loop_ends_at_its_deadline_and_its_neighbours_lose_no_attempt(start_bot):
    host = start_bot(plugins=[{"name": "trouble", "deadline_ms": 8000}],
                     config={"dispatch": {"delay_ms": 0}})
    loop = host.deliver("trouble", trouble("loop"))
    host.wait_log(msg="started", delivery=loop)
    # The neighbour's own deadline comes so much later.
    time.sleep(4)
    place = "/repos/sneks-united/terrarium/issues/12"
    host.fake.fail("GET", place, delay_ms=600000)
    slow = host.deliver("trouble", trouble("get", url=place))
    line = host.wait_log(msg="retry", delivery=loop)
    assert "deadline_ms" in line["reason"]
    host.wait_log(msg="requeued", delivery=slow)
    assert host.wait_log(msg="done", delivery=slow)["attempt"] == "1"


def test_only_the_culprit_of_several_runs_in_a_crash_loses_an_attempt(start_bot, either_store):
    host = start_bot(plugins=["trouble"], config=on(either_store))
    good = [host.deliver("trouble", trouble("fine", ms=900)) for _ in range(4)]
    for delivery in good:
        host.wait_log(msg="started", delivery=delivery)
    bad = host.deliver("trouble", trouble("segfault"))
    for delivery in good:
        assert host.wait_log(msg="done", delivery=delivery, timeout=30)["attempt"] == "1"
    assert "signal 11" in host.wait_log(msg="retry", delivery=bad, timeout=30)["reason"]
    assert not [line for line in host.log(msg="retry") if line["delivery"] in good]


def test_a_run_that_fails_too_often_is_dead_with_its_reason(start_bot, either_store):
    host = start_bot(plugins=["trouble"], config=on(either_store, max_attempts=1))
    line = host.wait_log(msg="dead", delivery=host.deliver("trouble", trouble("fail")))
    assert line["reason"] == "asked to fail"


def test_the_plugin_decides_the_result(start_bot):
    host = start_bot(plugins=["trouble"])
    line = host.wait_log(msg="rejected", delivery=host.deliver("trouble", trouble("reject")))
    assert line["reason"] == "asked to reject"
    delivery = host.deliver("trouble", trouble("later"))
    assert host.wait_log(msg="retry", delivery=delivery)["again_ms"] == "300"
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "2"


def test_sigterm_lets_runs_finish_and_exits_0(start_bot):
    host = start_bot(plugins=["trouble"], config={"dispatch": {"delay_ms": 0}})
    delivery = host.deliver("trouble", trouble("fine", held=1))
    host.wait_log(msg="started", delivery=delivery)
    host.process.popen.terminate()
    host.wait_log(msg="stopping")
    host.release()
    assert host.process.wait() == 0
    assert host.log(msg="done", delivery=delivery)


def test_a_run_that_the_drain_cuts_off_runs_after_the_next_start(start_bot, either_store):
    host = start_bot(plugins=["trouble"], config={**on(either_store), "server": {"drain_ms": 200}})
    delivery = host.deliver("trouble", trouble("fine", held=1))
    host.wait_log(msg="started", delivery=delivery)
    host.stop()
    assert host.log(msg="requeued", delivery=delivery)
    host.start()
    host.wait_log(msg="started", delivery=delivery)
    host.release()
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "1"


def test_a_handler_learns_that_it_is_cancelled_and_its_run_loses_no_attempt(start_bot):
    host = start_bot(plugins=["trouble"], config={"server": {"drain_ms": 200}})
    delivery = host.deliver("trouble", trouble("wait"))
    snek.wait_until(lambda: marks(host) == 1, "the handler has left its mark in the store")
    host.stop()
    assert host.log(msg="plugin", delivery=delivery, text="cancelled")
    assert host.log(msg="requeued", delivery=delivery)


def test_sigterm_to_every_process_at_once_and_repeated_exits_0(start_bot):
    host = start_bot(plugins=["trouble"], config={"dispatch": {"delay_ms": 0}})
    delivery = host.deliver("trouble", trouble("fine", ms=800))
    host.wait_log(msg="started", delivery=delivery)
    for _ in range(3):
        for pid in host.pids("supervisor") + host.pids("host") + host.pids("worker"):
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, signal.SIGTERM)
        time.sleep(0.1)
    assert host.process.wait(20) == 0
    assert host.log(msg="done", delivery=delivery)


def test_requests_stay_at_the_configured_origin(fake, start_bot):
    host = start_bot(plugins=["trouble"], config={"dispatch": {"max_attempts": 1}})
    line = host.wait_log(msg="dead", delivery=host.deliver("trouble", trouble("foreign")))
    assert "example.com" in line["reason"]
    line = host.wait_log(msg="dead", delivery=host.deliver("trouble", trouble("as_app")))
    assert "/app" in line["reason"]
    # The host itself asks for /app.
    assert fake.requests(path="/app/.*") == []
