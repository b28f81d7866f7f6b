# SPDX-License-Identifier: MIT OR Apache-2.0
"""A reload's host loads its plugins beside the old host, which goes on meanwhile and drains only when the new one has
loaded. So what does not load costs nothing."""

import subprocess

import pytest

import sentry
import snek
from beside import begin_reload, copy_plugin, go_on, hanging_reload, is_fine, long_run, start, was_not_disturbed


@pytest.fixture
def plugin(tmp_path):
    return copy_plugin(tmp_path)


@pytest.fixture
def host(start_bot, either_store, plugin, tmp_path):
    return start(start_bot, either_store, plugin, tmp_path)


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
