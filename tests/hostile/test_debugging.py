# SPDX-License-Identifier: MIT OR Apache-2.0
"""docs/plugins.md, Debugging: a worker under gdb, valgrind and AddressSanitizer."""

import os
import pathlib
import shutil
import subprocess

import pytest

import snek

pytestmark = pytest.mark.skipif(bool(os.environ.get("SNEK_SANITIZED")),
                                reason="the worker has a sanitizer already")
SOURCE = pathlib.Path(__file__).resolve().parent


def misbehave(action):
    return {"action": action, "installation": {"id": snek.INSTALLATION}}


def start(start_bot, wrapper, plugin=None):
    table = {"path": str(plugin)} if plugin else {"name": "misbehave"}
    return start_bot(plugins=[{**table, "sandbox": "off", "deadline_ms": 600000}, "trouble"],
                     env={"SNEKOMATIC_WORKER_WRAPPER": wrapper} if wrapper else None,
                     config={"dispatch": {"max_attempts": 1}})


def test_valgrind_runs_a_worker_and_reports_its_errors(start_bot, tmp_path):
    assert shutil.which("valgrind"), "valgrind is not installed; `./dev test` does that"
    host = start(start_bot, f"valgrind --log-file={tmp_path}/valgrind.%p")
    delivery = host.deliver("misbehave", misbehave("use_after_free"))
    host.wait_log(msg="done", delivery=delivery, timeout=60)
    # Only the plugin with the sandbox off runs under it.
    [report] = tmp_path.glob("valgrind.*")
    text = report.read_text()
    assert "Invalid read of size 1" in text and "use_after_free" in text


def test_a_wrapper_that_does_not_exist_is_named(start_bot, tmp_path):
    with pytest.raises(AssertionError) as failure:
        start(start_bot, f"{tmp_path}/valgrin --quiet")
    assert f"{tmp_path}/valgrin of SNEKOMATIC_WORKER_WRAPPER: cannot start it" in str(failure.value)


# Longer than a host waits for workers without a wrapper. Its output is closed.
SLOW_END = """#!/bin/sh
"$@" 2>&- 1>&-
sleep 4
: > "$(dirname "$0")/ended"
"""


def test_a_host_that_stops_waits_for_a_worker_with_a_wrapper(start_bot, tmp_path):
    wrapper = tmp_path / "slow-end"
    wrapper.write_text(SLOW_END)
    wrapper.chmod(0o755)
    host = start(start_bot, str(wrapper))
    host.wait_log(msg="done", delivery=host.deliver("misbehave", misbehave("fine")))
    host.stop()
    assert (tmp_path / "ended").exists()


def test_a_plugin_with_address_sanitizer_reports_into_the_log(start_bot, tmp_path):
    plugin = tmp_path / "asan.so"
    root = SOURCE.parent.parent
    command = ["cc", "-std=gnu17", "-D_GNU_SOURCE", "-g", "-fsanitize=address", "-shared", "-fPIC",
               "-pthread", f"-I{root}/sdk-headers", f"-I{root}/host", SOURCE / "misbehave.c", "-o", plugin]
    subprocess.run(command, check=True, timeout=120)
    runtime = subprocess.run(["cc", "-print-file-name=libasan.so"], check=True, text=True,
                             capture_output=True).stdout.strip()
    host = start(start_bot, f"env LD_PRELOAD={os.path.realpath(runtime)}", plugin)
    delivery = host.deliver("misbehave", misbehave("use_after_free"))
    host.wait_log(msg="dead", delivery=delivery, timeout=60)
    text = "\n".join(line.get("text", "") for line in host.log(msg="worker_output", stream="stderr"))
    assert "heap-use-after-free" in text and "misbehave.c" in text


def test_gdb_attaches_to_a_worker_whose_sandbox_is_off(start_bot):
    assert shutil.which("gdb"), "gdb is not installed; `./dev test` does that"
    host = start(start_bot, None)
    [pid] = host.pids("worker", "misbehave")
    done = subprocess.run(["gdb", "-batch", "-nx", "-p", str(pid), "-ex", "info sharedlibrary"],
                          text=True, capture_output=True, timeout=120, check=False)
    assert "misbehave" in done.stdout or ".so" in done.stdout, done.stderr
    host.wait_log(msg="done", delivery=host.deliver("misbehave", misbehave("fine")))
