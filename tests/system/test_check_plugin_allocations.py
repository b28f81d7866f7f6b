# SPDX-License-Identifier: MIT OR Apache-2.0
"""`snekomatic check --plugin` makes each allocation of a handler fail in turn."""

import os
import subprocess

import pytest

import snek


def check(*words):
    return subprocess.run([snek.program("snekomatic"), "check", *map(str, words)], text=True,
                          capture_output=True, check=False)


@pytest.mark.parametrize("plugin,event,number,function", [
    *(("allocates.so", name, 1, f"{name}()") for name in (
        "malloc", "calloc", "realloc", "reallocarray", "aligned_alloc", "posix_memalign", "strdup", "strndup",
        "asprintf")),
    ("allocates.so", "pointer", 1, "malloc()"),
    ("allocates.so", "sdk", 1, "the SDK"),
    ("allocates.so", "third", 3, "malloc()"),
    ("allocates-lazy.so", "third", 3, "malloc()"),
])
def test_a_plugin_that_trusts_an_allocation_is_found(tmp_path, plugin, event, number, function):
    (tmp_path / f"{event}.json").write_text("{}")
    done = check("--plugin", snek.program(plugin), "--payloads", tmp_path)
    assert done.returncode == 78
    lines = done.stdout.splitlines()
    # Nothing else is wrong with it.
    assert [line[:4] for line in lines] == ["ok  ", "ok  ", "ok  ", "ok  ", "FAIL", "FAIL"], done.stdout
    assert lines[4].startswith(f"FAIL {event}.json when allocation {number} of the handler fails ({function}): "
                               "the worker "), lines[4]
    if not os.environ.get("SNEK_SANITIZED"):
        assert f"addr2line -Cfipe {snek.program(plugin)} 0x" in lines[4], lines[4]
    assert lines[5] == f"FAIL {number} runs in which one allocation fails: 1 failed"


@pytest.mark.parametrize("event,count", [("checked", 1), ("nothing", 0)])
def test_a_plugin_that_checks_its_allocations_or_makes_none_is_good(tmp_path, event, count):
    (tmp_path / f"{event}.json").write_text("{}")
    done = check("--plugin", snek.program("allocates.so"), "--payloads", tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[4] == f"ok   {count} runs in which one allocation fails"
