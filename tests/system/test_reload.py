# SPDX-License-Identifier: MIT OR Apache-2.0
"""SIGHUP and `snekomatic reload`: the configuration and the plugins' files take effect without a restart of the service;
nothing is lost or run twice, and what is wrong leaves the old ones in force."""

import os
import signal
import threading
import time

import pytest

import snek
from reloading import build, edit, reload, trouble

# What is killed here may fail a run, which must then come again by itself.
FIRST_RETRY_MS = 5000

SANITIZED = bool(os.environ.get("SNEK_SANITIZED"))
RATE_PER_S = 20 if SANITIZED else 200


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "trouble.so"
    build(path)
    return path


@pytest.fixture
def host(start_bot, either_store, plugin):
    return start_bot(plugins=[{"path": str(plugin)}],
                     config={**either_store, "dispatch": {"delay_ms": 0}})


def reloaded_version(host):
    """Reloads; the version of trouble that the host has loaded then."""
    mark = host.mark()
    reload(host)
    return host.wait_log(msg="worker_started", plugin="trouble", after=mark)["version"]


class Load(threading.Thread):
    """Delivers at a rate until it is stopped."""

    def __init__(self, host):
        super().__init__()
        self.host, self.sent, self.wrong, self.stopping = host, [], [], False

    def run(self):
        while not self.stopping:
            response = self.host.post("trouble", trouble(), timeout=30)
            self.sent.append(response.delivery)
            if response.status != 202:
                self.wrong.append(response)
            time.sleep(10 / RATE_PER_S)

    def end(self):
        self.stopping = True
        self.join()


@pytest.mark.parametrize("how", ["replaced", "overwritten"])
def test_every_delivery_is_handled_once_while_a_rebuilt_plugin_is_loaded(host, plugin, how):
    senders = [Load(host) for _ in range(10)]
    for sender in senders:
        sender.start()
    for number in (2, 3, 4):
        if how == "replaced":
            build(plugin, str(number))
        else:
            build(plugin.with_name("other.so"), str(number))
            plugin.write_bytes(plugin.with_name("other.so").read_bytes())
        assert reloaded_version(host) == str(number)
    for sender in senders:
        sender.end()
    sent = [delivery for sender in senders for delivery in sender.sent]
    assert not [response for sender in senders for response in sender.wrong]

    def done():
        return [line["delivery"] for line in host.log(msg="done")]

    snek.wait_until(lambda: set(sent) <= set(done()), lambda: f"{len(set(sent) - set(done()))} left",
                    timeout=60)
    assert sorted(sent) == sorted(done())
    assert host.process.popen.poll() is None


def test_a_run_that_goes_on_is_finished_by_the_old_build(host, plugin):
    slow = host.deliver("trouble", trouble("fine", ms=1500))
    host.wait_log(msg="started", delivery=slow)
    build(plugin, "2")
    reload(host)
    assert host.wait_log(msg="done", delivery=slow)["attempt"] == "1"
    assert len(host.log(msg="done", delivery=slow)) == 1


def test_a_run_that_takes_too_long_goes_back_so_that_webhooks_do_not_wait_for_it(start_bot, plugin):
    host = start_bot(plugins=[{"path": str(plugin), "deadline_ms": 600000}],
                     config={"dispatch": {"delay_ms": 0}, "server": {"drain_ms": 600000}})
    slow = host.deliver("trouble", trouble("fine", ms=500000))
    host.wait_log(msg="started", delivery=slow)
    mark = host.mark()
    os.kill(host.process.pid, signal.SIGHUP)
    assert host.wait_log(msg="requeued", delivery=slow, after=mark)["reason"] == "the host stopped"
    host.wait_log(msg="reloaded", after=mark)
    assert host.wait_log(msg="started", delivery=slow, after=mark)["attempt"] == "1"
    host.process.popen.kill()
    host.process.wait()


def test_credentials_of_the_environment_survive_a_reload(start_bot, plugin, fake):
    host = start_bot(plugins=[{"path": str(plugin)}], credentials="environment",
                     config={"dispatch": {"delay_ms": 0}})
    for _ in range(2):
        reload(host)
        host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))


def test_a_bad_configuration_is_rejected_with_its_error_and_the_old_one_stays(host):
    edit(host, "delay_ms", "delai_ms")
    line = reload(host, expect="reload_rejected")
    assert line["reason"].endswith("did you mean dispatch.delay_ms?")
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))
    assert len(host.log(msg="listening")) == 1
    edit(host, "delai_ms", "delay_ms")
    reload(host)


def test_a_wrong_url_which_only_the_new_host_judges_is_rejected_likewise(host):
    text = host.file.read_text()
    edit(host, "[server]", '[server]\npublic_url = "http://bot.example"')
    line = reload(host, expect="reload_rejected")
    assert line["reason"].endswith("server.public_url must start with https:// (http:// is for a loopback "
                                   "host only)")
    assert line["result"] == "the present configuration stays in force"
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))
    assert len(host.log(msg="listening")) == 1 and not host.log(msg="host_died")
    host.file.write_text(text)
    reload(host)


def test_a_secret_that_is_not_there_is_rejected_and_the_host_goes_on(host):
    secret = host.folder / "webhook.secret"
    secret.rename(host.folder / "elsewhere")
    line = reload(host, expect="reload_rejected")
    assert "github.webhook_secret_file: cannot open" in line["reason"]
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))
    assert not host.log(msg="host_died")


def test_another_store_is_rejected_because_the_runs_are_in_the_old_one(host):
    edit(host, "[store]", "[store]  # as before")
    reload(host)
    text = host.file.read_text()
    url = next(line for line in text.splitlines() if line.startswith("url = "))
    host.file.write_text(text.replace(url, 'url = "sqlite:typing-eror.db"'))
    assert "store.url has changed" in reload(host, expect="reload_rejected")["reason"]
    assert not (host.folder / "typing-eror.db").exists()


def test_an_unsafe_or_absent_file_is_rejected_and_the_old_one_stays(host, plugin):
    plugin.chmod(0o646)
    assert "is writable by everybody" in reload(host, expect="reload_rejected")["reason"]
    plugin.unlink()
    assert "No such file" in reload(host, expect="reload_rejected")["reason"]
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))


def test_a_file_that_does_not_load_leaves_the_old_one_in_force(host, plugin):
    plugin.write_bytes(b"no shared object")
    mark = host.mark()
    reload(host, expect="reload_failed")
    assert not host.log(mark, msg="worker_started")
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))
    build(plugin, "2")
    assert reloaded_version(host) == "2"


def test_a_fixed_plugin_leaves_its_quarantine_by_a_reload(start_bot, plugin):
    host = start_bot(plugins=[{"path": str(plugin)}],
                     config={"dispatch": {"delay_ms": 0, "max_attempts": 1}})
    for _ in range(5):
        host.wait_log(msg="dead", delivery=host.deliver("trouble", trouble("exit")))
    reason = host.wait_log(msg="plugin_quarantined")["reason"]
    assert "SIGHUP" in reason and reason.endswith("snekomatic plugins release trouble")
    waiting = host.deliver("trouble", trouble())
    build(plugin, "2")
    assert reloaded_version(host) == "2"
    host.wait_log(msg="done", delivery=waiting)


def test_old_copies_do_not_pile_up(start_bot, plugin, tmp_path):
    runtime = tmp_path / "runtime"
    host = start_bot(plugins=[{"path": str(plugin)}], env={"RUNTIME_DIRECTORY": runtime})
    for number in range(2, 6):
        build(plugin, str(number))
        assert reloaded_version(host) == str(number)
    # At the last reload, a worker may still use the copy of the last build but one.
    assert len(list((runtime / "plugins").glob("*.so"))) <= 2


def test_a_plugin_is_added_and_removed(host):
    text = host.file.read_text()
    host.file.write_text(text + f'[[plugin]]\npath = "{snek.program("ping.so")}"\n')
    reload(host)
    host.wait_log(msg="worker_started", plugin="ping")
    host.file.write_text(text)
    mark = host.mark()
    reload(host)
    host.wait_log(msg="worker_started", plugin="trouble", after=mark)
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))


def test_what_needs_a_restart_is_named(host):
    edit(host, 'listen = "127.0.0.1:0"', 'listen = "127.0.0.2:0"')
    mark = host.mark()
    reload(host)
    assert host.log(mark, msg="reload_needs_restart", key="server.listen")
    host.wait_log(msg="done", delivery=host.deliver("trouble", trouble()))
    edit(host, f"app_id = {snek.APP_ID}", f"app_id = {snek.APP_ID + 1}")
    assert "needs a restart" in reload(host, expect="reload_rejected")["reason"]


def test_a_reload_is_carried_out_while_no_host_can_start(start_bot, tmp_path):
    place = tmp_path / "store.db"
    host = start_bot(plugins=["ping"], config={"store": {"url": f"sqlite:{place}"}})
    for file in tmp_path.glob("store.db*"):
        file.unlink()
    place.write_bytes(b"no database " * 1000)
    host.kill("host")
    host.wait_log(msg="host_died", **{"while": "starting"})
    # The next host has the new configuration, and fails like the others.
    reload(host, expect="reloading")
    host.wait_log(msg="reload_failed")
    place.unlink()
    reload(host)
    assert host.request("GET", "/readyz").status == 200
