# SPDX-License-Identifier: MIT OR Apache-2.0
"""A reload's host loads its plugins beside the old host, which goes on meanwhile and drains only when the new one has
loaded. So what does not load costs nothing; and whichever process is killed, no delivery is lost."""

import contextlib
import os
import signal
import subprocess
import threading
import time

import pytest

import sentry
import snek


# Ten times what the drain and the store take.
LOAD_S = 6


def trouble(action="fine", **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, **more}


def push():
    return {"installation": {"id": snek.INSTALLATION}}


def twin(path, config=None):
    return {"path": str(path), "sandbox": "off", **({"config": config} if config else {})}


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "twin.so"
    path.write_bytes(snek.program("twin.so").read_bytes())
    path.chmod(0o644)
    return path


@pytest.fixture
def host(start_bot, either_store, plugin, tmp_path):
    """trouble, and a plugin that files in the host's folder spoil, in a runtime directory of the test's."""
    (tmp_path / "run").mkdir(mode=0o700)
    config = {**either_store, "dispatch": {"delay_ms": 0, **either_store.get("dispatch", {})}}
    return start_bot(plugins=["trouble", twin(plugin)], config=config,
                     env={"RUNTIME_DIRECTORY": str(tmp_path / "run")})


def begin_reload(host):
    """A mark from before the reload."""
    mark = host.mark()
    os.kill(host.process.pid, signal.SIGHUP)
    host.wait_log(msg="reloading", after=mark)
    return mark


def hanging_reload(host):
    """A reload whose host does not get on until go_on(): a mark from before it, and its host."""
    old = set(host.pids("host"))
    (host.folder / "hang").touch()
    mark = begin_reload(host)
    snek.wait_until(lambda: set(host.pids("host")) - old, "the new host starts")
    [new] = set(host.pids("host")) - old
    # It has started its workers.
    host.wait_log(msg="worker_started", plugin="trouble", after=mark)
    return mark, new


def go_on(host):
    (host.folder / "hang").unlink()


def is_fine(host):
    """Both plugins handle deliveries."""
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))
    host.wait_log(msg="skipped", delivery=host.deliver("push", push()))


def long_run(host, ms=2000):
    delivery = host.deliver("trouble", trouble("fine", ms=ms))
    host.wait_log(msg="started", delivery=delivery)
    return delivery


def was_not_disturbed(host, mark, delivery):
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "1"
    assert len(host.log(msg="started", delivery=delivery)) == 1
    assert not host.log(mark, msg="stopping")


def test_while_create_does_not_return_the_old_host_serves(host):
    mark, _ = hanging_reload(host)
    slow = long_run(host)
    is_fine(host)
    was_not_disturbed(host, mark, slow)
    assert not host.log(mark, msg="loaded")
    go_on(host)
    host.wait_log(msg="reloaded", after=mark)
    is_fine(host)
    assert len(host.pids("host")) == 1 and len(host.pids("worker")) == 2


def without_symbol(path):
    """It needs a function that no library has."""
    code = path.read_bytes()
    assert b"\0poll\0" in code
    path.write_bytes(code.replace(b"\0poll\0", b"\0pool\0"))


SPOILED = {
    "a crash in the constructor": (lambda host, path: (host.folder / "crash").touch(), "its worker was killed by signal"),
    "another plugin's name": (lambda host, path: (host.folder / "twin").touch(), "trouble"),
    "no shared object": (lambda host, path: path.write_bytes(b"no shared object"), "is not a whole shared object"),
    "a missing symbol": (lambda host, path: without_symbol(path), "pool"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_what_does_not_load_costs_the_old_host_nothing_and_the_verb_says_why(host, plugin, what):
    spoil, words = SPOILED[what]
    old, slow, mark = host.pids("host"), long_run(host), host.mark()
    spoil(host, plugin)
    output = host.verb("reload", status=78).stderr
    assert "the old configuration and plugins stay in force" in output and words in output, output
    assert words in host.wait_log(msg="reload_failed", after=mark)["reason"]
    assert host.pids("host") == old
    was_not_disturbed(host, mark, slow)
    is_fine(host)


def test_a_create_that_never_returns_is_ended_by_its_deadline(start_bot, tmp_path, plugin):
    host = start_bot(plugins=["trouble", {"path": str(plugin)}],
                     env={"RUNTIME_DIRECTORY": str(tmp_path)})
    with host.file.open("a", encoding="utf-8") as file:
        file.write('[plugin.config]\nhang = "forever"\n')
    mark = host.mark()
    with subprocess.Popen([snek.program("snekomatic"), "reload", "-c", host.file], stderr=subprocess.PIPE, text=True,
                          env=snek.clean_environment(**host.env)) as client:
        host.wait_log(msg="reloading", after=mark)
        slow = long_run(host)
        is_fine(host)
        assert "took longer than 20 s to load" in client.communicate(timeout=90)[1]
    assert client.returncode == 78
    was_not_disturbed(host, mark, slow)
    assert len(host.pids("host")) == 1 and len(host.pids("worker")) == 2


def test_sentry_gets_the_reason_of_a_failed_reload(start_bot, tmp_path, plugin):
    reports = sentry.FakeSentry()
    host = start_bot(plugins=["trouble", {"path": str(plugin)}], env={"SENTRY_DSN": reports.dsn})
    plugin.write_bytes(b"no shared object")
    begin_reload(host)
    host.wait_log(msg="reload_failed")
    snek.wait_until(lambda: any("is not a whole shared object" in text for _, text, _ in list(reports.envelopes)),
                    "Sentry gets it")
    reports.stop()


# -- processes that die in the middle -------------------------------------------------------------------------------

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
    slow = long_run(host, 3000)
    [old] = host.pids("host")
    mark = begin_reload(host)
    host.wait_log(msg="loaded", after=mark)
    [new] = set(host.pids("host")) - {old}
    os.kill(old if who == "old" else new, signal.SIGKILL)
    host.wait_log(msg="reloaded" if who == "old" else "reload_failed", after=mark)
    host.wait_log(msg="done", delivery=slow, timeout=30)
    is_fine(host)
    assert len(host.pids("host")) == 1


@pytest.mark.parametrize("phase", ["loading", "draining"])
def test_a_supervisor_that_is_killed_in_a_reload_leaves_no_process_and_loses_nothing(host, phase):
    if phase == "loading":
        hanging_reload(host)
        slow = long_run(host, 3000)
    else:
        slow = long_run(host, 3000)
        host.wait_log(msg="loaded", after=begin_reload(host))
    pids = host.pids("host") + host.pids("worker")
    assert len(pids) == 6
    host.kill("supervisor")
    host.process.popen.wait()
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


# -- the runs -------------------------------------------------------------------------------------------------------

def effect(action):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, "text": "Welcome!"}


@pytest.mark.parametrize("action,old,new,comments", [
    # The same comment: the one whose response was lost is found.
    ("comment", b"makes one effect of each sort", b"Makes one effect of each sort", ["Welcome!"]),
    # Another comment is another effect.
    ("other_way", b"attempt %d", b"Attempt %d", ["attempt 1", "Attempt 2"])])
def test_a_new_build_goes_by_what_the_old_one_has_sent(start_bot, fake, tmp_path, action, old, new, comments):
    plugin = tmp_path / "effects.so"
    code = snek.program("effects.so").read_bytes()
    plugin.write_bytes(code)
    plugin.chmod(0o644)
    host = start_bot(plugins=[{"path": str(plugin)}])
    fake.fail(method="POST", path="/repos/sneks-united/terrarium/issues/12/comments", after=True, drop=True, times=1)
    delivery = host.deliver("effects", effect(action))
    host.wait_log(msg="retry", delivery=delivery)
    assert code.count(old) == 1
    plugin.write_bytes(code.replace(old, new))
    host.wait_log(msg="reloaded", after=begin_reload(host))
    # A host looks for the comment of another one only after a request's timeout, 30 s.
    host.wait_log(msg="done", delivery=delivery, timeout=30 + snek.PATIENCE_S)
    assert [snek.visible({"body": text})["body"] for text in fake.bot_comments(12)] == comments


def test_a_reload_of_one_of_two_hosts_of_a_store_disturbs_neither_runs_nor_the_other(start_bot, store, plugin):
    config = {"store": {"url": store}, "dispatch": {"delay_ms": 0, "lease_ms": 2000}}
    hosts = [start_bot(f"host{i}", plugins=["trouble", twin(plugin)], config=config) for i in range(2)]
    sent, marks = [], [host.mark() for host in hosts]
    for _ in range(3):
        mark = begin_reload(hosts[0])
        while not hosts[0].log(mark, msg="reloaded"):
            sent += [host.deliver("trouble", trouble()) for host in hosts]

    def done():
        return [line["delivery"] for host in hosts for line in host.log(msg="done")]

    snek.wait_until(lambda: set(sent) <= set(done()), lambda: f"{len(set(sent) - set(done()))} left", timeout=60)
    assert sorted(delivery for delivery in done() if delivery in set(sent)) == sorted(sent)
    assert not hosts[1].log(marks[1], msg="stopping")


def test_webhooks_wait_for_the_drain_and_the_store_only_however_long_the_plugins_load(host):
    hanging_reload(host)
    waits, ending = [], threading.Event()

    def send():
        while not ending.is_set():
            began = time.monotonic()
            with contextlib.suppress(OSError):
                assert host.post("trouble", trouble(), timeout=60).status == 202
                waits.append(time.monotonic() - began)

    sender = threading.Thread(target=send)
    sender.start()
    # So long a plugin's create() takes.
    time.sleep(LOAD_S)
    mark = host.mark()
    go_on(host)
    host.wait_log(msg="reloaded", after=mark)
    ending.set()
    sender.join()
    print(f"the longest of {len(waits)} webhooks took {max(waits) * 1000:.0f} ms")
    assert max(waits) < LOAD_S
