# SPDX-License-Identifier: MIT OR Apache-2.0
"""The runs and webhooks of a reload: nothing is lost or done twice, and nothing waits for a plugin that loads."""

import contextlib

import pytest

import snek
from beside import begin_reload, copy_plugin, go_on, hanging_reload, start, trouble, twin


@pytest.fixture
def plugin(tmp_path):
    return copy_plugin(tmp_path)


@pytest.fixture
def host(start_bot, either_store, plugin, tmp_path):
    return start(start_bot, either_store, plugin, tmp_path)


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
    assert host.post("effects", effect("hurry"), delivery=delivery).status == 200
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
    # The plugin's create() does not end meanwhile.
    for _ in range(20):
        assert host.post("trouble", trouble()).status == 202
    mark = host.mark()
    go_on(host)

    def reloaded():
        with contextlib.suppress(OSError):
            assert host.post("trouble", trouble(), timeout=60).status == 202
        return host.log(mark, msg="reloaded")

    snek.wait_until(reloaded, host.process.output)
