# SPDX-License-Identifier: MIT OR Apache-2.0
"""The steps of the tests of a reload's two hosts: the new one loads its plugins beside the old one, which goes on
meanwhile and drains only when the new one has loaded."""

import os
import signal

import snek

PLACE = "/repos/sneks-united/terrarium/issues/12"


def trouble(action="fine", **more):
    return {"action": action, "installation": {"id": snek.INSTALLATION}, **more}


def push():
    return {"installation": {"id": snek.INSTALLATION}}


def twin(path, config=None):
    return {"path": str(path), "sandbox": "off", **({"config": config} if config else {})}


def copy_plugin(tmp_path):
    path = tmp_path / "twin.so"
    path.write_bytes(snek.program("twin.so").read_bytes())
    path.chmod(0o644)
    return path


def start(start_bot, store, plugin, tmp_path):
    """trouble, and a plugin that files in the host's folder spoil, in a runtime directory of the test's."""
    (tmp_path / "run").mkdir(mode=0o700)
    config = {**store, "dispatch": {"delay_ms": 0, **store.get("dispatch", {})}}
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


def held_run(host):
    """A run that goes on until host.fake.release(), however slow the machine is: GitHub holds back the response to
    its request. When it runs again, it gets its response."""
    host.fake.fail("GET", PLACE, delay_ms=600000)
    delivery = host.deliver("trouble", trouble("get", url=PLACE))
    snek.wait_until(lambda: host.fake.requests("GET", PLACE), "its request")
    return delivery


def was_not_disturbed(host, mark, delivery):
    assert host.wait_log(msg="done", delivery=delivery)["attempt"] == "1"
    assert len(host.log(msg="started", delivery=delivery)) == 1
    assert not host.log(mark, msg="stopping")
