# SPDX-License-Identifier: MIT OR Apache-2.0
"""Whichever process is killed in a reload, no delivery is lost and the service goes on."""

import os
import signal

import pytest

import snek
from beside import (begin_reload, copy_plugin, go_on, hanging_reload, held_run, is_fine, long_run, push, start,
                    was_not_disturbed)

# What is killed here may fail a run, which must then come again by itself.
FIRST_RETRY_MS = 5000


@pytest.fixture
def plugin(tmp_path):
    return copy_plugin(tmp_path)


@pytest.fixture
def host(start_bot, either_store, plugin, tmp_path):
    return start(start_bot, either_store, plugin, tmp_path)


def test_a_new_host_that_is_killed_while_it_loads_leaves_the_old_one_alone(host):
    mark, new = hanging_reload(host)
    slow = long_run(host)
    os.kill(new, signal.SIGKILL)
    host.wait_log(msg="reload_failed", after=mark)
    was_not_disturbed(host, mark, slow)
    go_on(host)
    is_fine(host)
    host.wait_log(msg="reloaded", after=begin_reload(host))
    is_fine(host)


def test_an_old_host_that_is_killed_while_the_new_one_loads_is_restarted(host):
    mark, new = hanging_reload(host)
    [old] = set(host.pids("host")) - {new}
    slow = long_run(host, 500)
    os.kill(old, signal.SIGKILL)
    host.wait_log(msg="host_restarted", after=mark)
    delivery = host.deliver("push", push())
    go_on(host)
    host.wait_log(msg="reloaded", after=mark)
    host.wait_log(msg="done", delivery=slow, timeout=30)
    host.wait_log(msg="skipped", delivery=delivery)
    is_fine(host)


@pytest.mark.parametrize("who", ["old", "new"])
def test_a_host_that_is_killed_while_the_old_one_drains_loses_nothing(host, who):
    slow = held_run(host)
    [old] = host.pids("host")
    mark = begin_reload(host)
    host.wait_log(msg="loaded", after=mark)
    [new] = set(host.pids("host")) - {old}
    os.kill(old if who == "old" else new, signal.SIGKILL)
    host.wait_log(msg="reloaded" if who == "old" else "reload_failed", after=mark)
    host.fake.release()
    host.wait_log(msg="done", delivery=slow)
    is_fine(host)
    assert len(host.pids("host")) == 1


@pytest.mark.parametrize("phase", ["loading", "draining"])
def test_a_supervisor_that_is_killed_in_a_reload_leaves_no_process_and_loses_nothing(host, phase):
    if phase == "loading":
        hanging_reload(host)
        slow = held_run(host)
    else:
        slow = held_run(host)
        host.wait_log(msg="loaded", after=begin_reload(host))
    pids = host.pids("host") + host.pids("worker")
    assert len(pids) == 6
    host.kill("supervisor")
    host.process.wait()
    snek.wait_until_gone(pids)
    (host.folder / "hang").unlink(missing_ok=True)
    host.start()
    host.wait_log(msg="done", delivery=slow, timeout=30)
    is_fine(host)


@pytest.mark.parametrize("phase", ["loading", "draining"])
def test_sigterm_in_a_reload_ends_both_hosts_cleanly(host, phase):
    if phase == "loading":
        hanging_reload(host)
    else:
        long_run(host, 2000)
        host.wait_log(msg="loaded", after=begin_reload(host))
    pids = host.pids("host") + host.pids("worker")
    host.stop()
    snek.wait_until_gone(pids)
