# SPDX-License-Identifier: MIT OR Apache-2.0
"""`snekomatic-test run --valgrind` and `--asan`: what a plugin does to memory fails its scenario."""

import os
import pathlib
import platform
import subprocess

import pytest

import snek
from player import play  # noqa: F401  (a fixture)

ROOT = pathlib.Path(__file__).resolve().parents[2]
unsanitized = pytest.mark.skipif(bool(os.environ.get("SNEK_SANITIZED")),
                                 reason="workers that have a sanitizer run under neither tool")
FUNCTIONS = {"uninitialised": "read_uninitialised", "leak": "leak_a_block",
             "overflow": "overflow_the_heap"}
COMPILERS = {"gcc": [], "clang": ["-shared-libasan"]}


def step(action, more=""):
    return f"""
[[step]]
name = "{action}"
deliver = "ping"
event = "memory"
change = {{ action = "{action}", installation = {{ id = 60001 }} }}
{more}
"""


def runtime_folder():
    done = subprocess.run(["clang", f"-print-file-name=libclang_rt.asan-{platform.machine()}.so"], check=True,
                          capture_output=True, text=True)
    return pathlib.Path(done.stdout.strip()).parent


def build(folder, compiler, *options):
    plugin = folder / "memory-asan.so"
    subprocess.run([compiler, "-std=gnu17", "-D_GNU_SOURCE", "-g", "-fsanitize=address", "-shared",
                    "-fPIC", f"-I{ROOT}/sdk-headers", ROOT / "tests/plugins/memory.c", "-o", plugin,
                    *options], check=True, timeout=120)
    return str(plugin)


@unsanitized
@pytest.mark.parametrize("action,function", FUNCTIONS.items())
def test_valgrind_fails_a_scenario_that_passes_without_it_and_names_the_function(
        play, tmp_path, action, function):
    assert play(step(action), plugin="memory").status == 0
    report = tmp_path / "junit.xml"
    outcome = play(step(action), "--valgrind", "--junit", report, plugin="memory")
    assert outcome.status == 1, outcome.text
    # Valgrind sees a leak when the worker has ended.
    assert outcome.not_ok == ["it.toml: " + ("and nothing else" if action == "leak" else action)]
    assert "valgrind reports an error of a worker: " in outcome.text
    for text in (outcome.text, outcome.errors, report.read_text()):
        assert f"{function} (memory.c:" in text


@unsanitized
def test_a_plugin_without_errors_passes_under_valgrind_also_when_it_is_killed(play):
    kill = '\n[[step]]\nname = "a kill"\nkill = "worker"\n'
    outcome = play(step("fine") + kill, "--valgrind", plugin="memory")
    assert outcome.status == 0, outcome.text
    assert "# a worker was killed, so valgrind did not look for its leaks (memory." in outcome.text


@unsanitized
def test_without_valgrind_the_error_says_how_to_get_it(play, tmp_path):
    outcome = play(step("fine"), "--valgrind", plugin="memory", PATH=str(tmp_path))
    assert outcome.status == 69
    assert "valgrind is not in PATH: install it" in outcome.errors


@unsanitized
@pytest.mark.parametrize("compiler,options", COMPILERS.items())
def test_asan_fails_a_scenario_with_the_first_lines_of_the_report(play, tmp_path, compiler, options):
    plugin = build(tmp_path, compiler, *options,
                   *([f"-Wl,-rpath,{runtime_folder()}"] if options else []))
    report = tmp_path / "junit.xml"
    outcome = play(step("fine") + step("overflow"), "--asan", "--junit", report, plugin=plugin)
    assert outcome.status == 1
    assert outcome.not_ok == ["it.toml: overflow"], outcome.text
    for text in (outcome.text, outcome.errors, report.read_text()):
        assert "AddressSanitizer: heap-buffer-overflow" in text
        assert "in overflow_the_heap " in text
    assert play(step("fine"), "--asan", plugin=plugin).status == 0


@unsanitized
def test_asan_explains_a_plugin_that_has_no_sanitizer_or_no_runtime(play, tmp_path):
    outcome = play(step("fine"), "--asan", plugin="memory")
    assert outcome.status == 1
    assert "no plugin of the scenario is built with -fsanitize=address" in outcome.text
    outcome = play(step("fine"), "--asan", plugin=build(tmp_path, "clang"))
    assert "link the plugin with -fsanitize=address -shared-libasan" in outcome.text
    outcome = play(step("fine"), "--asan", plugin=build(tmp_path, "clang", "-shared-libasan"))
    assert "the dynamic linker does not find: set LD_LIBRARY_PATH" in outcome.text


def test_the_two_tools_exclude_each_other(play):
    outcome = play(step("fine"), "--asan", "--valgrind", plugin="memory")
    assert outcome.status == 64 and "exclude each other" in outcome.errors


@pytest.mark.skipif(not os.environ.get("SNEK_SANITIZED"), reason="for builds with sanitizers")
@pytest.mark.parametrize("option", ["--valgrind", "--asan"])
def test_a_build_with_sanitizers_rejects_both(play, option):
    outcome = play(step("fine"), option, plugin="memory")
    assert outcome.status == 69 and "use a build without b_sanitize" in outcome.errors
