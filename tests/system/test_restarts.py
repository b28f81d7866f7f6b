# SPDX-License-Identifier: MIT OR Apache-2.0
"""Plugins whose workers keep dying, or do not load after a restart of the host: each keeps its runs, and the rest
go on."""

import contextlib
import hashlib
import http.client
import os
import pathlib
import shutil
import signal
import struct
import threading

import pytest

import snek
from crashing import handled_neighbour, on, state, state_of, trouble

# What is killed here may fail a run, which must then come again by itself.
FIRST_RETRY_MS = 5000


def test_five_deaths_in_a_minute_quarantine_the_plugin_which_keeps_its_runs(start_bot):
    host = start_bot(plugins=["trouble", "invite"], config={"dispatch": {"max_attempts": 1}})
    for _ in range(5):
        host.wait_log(msg="dead", delivery=host.deliver("trouble", trouble("exit")))
    line = host.wait_log(msg="plugin_quarantined", plugin="trouble")
    assert "died too often" in line["reason"] and line["deaths"] == "5"
    assert len(host.log(msg="worker_died", plugin="trouble")) == 5
    assert state_of(host, "trouble") == "quarantined"
    assert 'snekomatic_worker_state{plugin="trouble",state="quarantined"} 1' in host.request(
        "GET", "/metrics").body.decode()
    # Deliveries are taken, and their runs wait.
    delivery = host.deliver("trouble", trouble("fine"))
    handled_neighbour(host)
    snek.wait_until(lambda: state(host, delivery) == ("queued", 0), "the run waits")
    assert host.pids("worker", "trouble") == []
    # A host that starts with the bot ends it; a restart of a dead host does not (test_holds.py).
    host.stop()
    host.start()
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "1"


def test_a_finished_run_between_the_deaths_prevents_the_quarantine(start_bot):
    host = start_bot(plugins=["trouble"], config={"dispatch": {"max_attempts": 1}})
    for n in range(6):
        host.wait_log(msg="dead", delivery=host.deliver("trouble", trouble("exit")))
        if n % 2:
            host.wait_log(msg="done", delivery=host.deliver("trouble", trouble("fine")))
    assert not host.log(msg="plugin_quarantined")


def test_a_run_that_always_crashes_is_dead_and_counts_from_1_when_retried_by_hand(start_bot):
    host = start_bot(plugins=["trouble"], config={"dispatch": {"max_attempts": 1}})
    delivery = host.deliver("trouble", trouble("exit"))
    assert host.wait_log(msg="dead", delivery=delivery)["attempt"] == "1"
    mark = host.process.mark()
    host.verb("deliveries", "retry", delivery)
    assert host.wait_log(msg="dead", delivery=delivery, after=mark)["attempt"] == "1"


@pytest.fixture
def twins(start_bot, either_store):
    """A bot with trouble and with twin, which a file in the bot's folder spoils."""
    return start_bot(plugins=["trouble", {"name": "twin", "sandbox": "off"}], config=on(either_store))


def push():
    return {"installation": {"id": snek.INSTALLATION}}


def test_a_plugin_whose_constructor_crashes_after_a_restart_of_the_host_gets_its_runs(twins):
    (twins.folder / "crash").touch()
    mark = twins.mark()
    snek.wait_until_gone(twins.kill("host"))
    twins.wait_log(msg="host_restarted", after=mark)
    delivery = twins.deliver("push", push())
    twins.wait_log(msg="done", delivery=twins.deliver("trouble", trouble("fine")))
    assert state_of(twins, "twin") in ("loading", "restarting")
    # More often than a plugin that has loaded may die, and another host knows the plugin too.
    twins.wait_log(msg="worker_died", plugin="twin", deaths="6", after=mark)
    snek.wait_until_gone(twins.kill("host"))
    mark = twins.mark()
    twins.wait_log(msg="worker_died", plugin="twin", after=mark)
    assert not twins.log(msg="plugin_quarantined")
    second = twins.deliver("push", push())
    (twins.folder / "crash").unlink()
    for waited in (delivery, second):
        assert twins.wait_log(msg="skipped", delivery=waited, timeout=90)["attempt"] == "1"


def test_a_plugin_that_takes_another_name_after_a_crash_does_not_run_and_the_rest_go_on(twins):
    (twins.folder / "twin").touch()
    mark = twins.mark()
    snek.wait_until_gone(twins.kill("host"))
    assert "must not change" in twins.wait_log(msg="worker_died", plugin="twin", after=mark)["how"]
    delivery = twins.deliver("push", push())
    twins.wait_log(msg="done", delivery=twins.deliver("trouble", trouble("fine")))
    (twins.folder / "twin").unlink()
    twins.wait_log(msg="skipped", delivery=delivery, attempt=1, timeout=90)
    assert not twins.log(msg="plugin_quarantined")
    assert len(twins.log(msg="host_died")) == 1


def forge_descriptions(host, old, new):
    """Does what a compromised host can do to the descriptions that the next host inherits."""
    assert len(old) == len(new)
    [pid] = host.pids("host")
    place = next(fd for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()
                 if "snekomatic-descriptions" in os.readlink(fd))
    with place.open("r+b", buffering=0) as file:
        text = file.read()
        assert old in text
        file.seek(0)
        file.write(text.replace(old, new))


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can open a file of the host")


@needs_root
def test_a_forged_description_is_replaced_by_that_of_the_worker(start_bot, either_store):
    host = start_bot(plugins=["trouble", "ping"], config=on(either_store))
    word = struct.pack("=I", len("trouble")) + b"trouble"
    # The plugin's name comes first, then the event that it subscribes to.
    forge_descriptions(host, word + struct.pack("=I", 0), word.replace(b"b", b"p") + struct.pack("=I", 0))
    mark = host.mark()
    snek.wait_until_gone(host.kill("host"))
    assert host.wait_log(msg="description_replaced", after=mark)["plugin"] == "trouble"
    host.wait_log(msg="worker_started", plugin="trouble", after=mark)
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble("fine")))
    # The next host inherits the worker's.
    mark = host.mark()
    snek.wait_until_gone(host.kill("host"))
    host.wait_log(msg="worker_started", plugin="trouble", after=mark)
    assert not host.log(mark, msg="description_replaced")
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble("fine")))
    assert not host.log(msg="worker_died")


@needs_root
def test_forged_descriptions_that_conflict_are_discarded(start_bot):
    host = start_bot(plugins=["invite", "client"])
    forge_descriptions(host, b"client", b"invite")
    mark = host.mark()
    snek.wait_until_gone(host.kill("host"))
    line = host.wait_log(msg="descriptions_discarded", after=mark)
    assert line["reason"].startswith("two plugins call themselves invite")
    for plugin in "invite", "client":
        host.wait_log(msg="worker_started", plugin=plugin, after=mark)
    host.wait_ready()
    assert len(host.log(msg="host_died")) == 1


def test_a_plugin_that_no_longer_loads_after_a_crash_keeps_its_runs_and_the_rest_go_on(start_bot,
                                                                                  tmp_path):
    plugin, copies = tmp_path / "client.so", tmp_path / "run"
    copies.mkdir(mode=0o700)
    shutil.copy(snek.program("client.so"), plugin)
    host = start_bot(plugins=["trouble", {"path": str(plugin)}], env={"RUNTIME_DIRECTORY": copies})
    # Somebody spoils the copy that each worker of the plugin loads. (A lost one is written again.)
    copy = copies / "plugins" / (hashlib.sha256(plugin.read_bytes()).hexdigest() + ".so")
    copy.chmod(0o644)
    with copy.open("r+b") as file:
        file.write(b"no shared object")
    snek.wait_until_gone(host.kill("host", signal.SIGKILL))
    line = host.wait_log(msg="worker_died")
    assert line["plugin"] == "client" and "no shared object" not in line["reason"]
    host.wait_log(msg="host_restarted")
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble("fine")))
    assert host.process.popen.poll() is None


class Sender(threading.Thread):
    """Sends deliveries, and keeps those that were acknowledged."""

    def __init__(self, host):
        super().__init__()
        self.host, self.acknowledged, self.ending = host, [], False

    def run(self):
        while not self.ending:
            with contextlib.suppress(OSError, http.client.HTTPException):
                response = self.host.post("trouble", trouble("fine"))
                if response.status == 202:
                    self.acknowledged.append(response.delivery)

    def end(self):
        self.ending = True
        self.join()


def test_a_host_that_is_killed_with_all_its_workers_again_and_again_loses_nothing(start_bot):
    host = start_bot(plugins=["trouble"])
    senders = [Sender(host) for _ in range(3)]
    for sender in senders:
        sender.start()
    # The delays before the restarts double, so they sum up to 6 s.
    for _ in range(7):
        mark = host.mark()
        snek.wait_until_gone(host.kill("host"))
        # Its workers die while they start, until the host serves.
        while not host.log(mark, msg="host_restarted"):
            for pid in host.pids("worker"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    for sender in senders:
        sender.end()
    acknowledged = {delivery for sender in senders for delivery in sender.acknowledged}
    assert acknowledged
    lost = [delivery for delivery in acknowledged if state(host, delivery) is None]
    assert not lost, f"{len(lost)} of {len(acknowledged)} have no run"
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble("fine")))
