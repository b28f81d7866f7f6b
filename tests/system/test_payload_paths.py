# SPDX-License-Identifier: MIT OR Apache-2.0
"""The harness warns of paths that GitHub's payloads do not have."""

import os
import pathlib
import subprocess
import sys

from player import play  # noqa: F401  (a fixture)

MODULES = os.environ.get("SNEK_CONFORMANCE_MODULES")
TESTS = pathlib.Path(__file__).resolve().parent.parent


def warnings_of(outcome):
    return [line.removeprefix("# warning: ") for line in outcome.text.splitlines()
            if line.startswith("# warning: ")]


def test_the_list_of_paths_is_that_of_githubs_description():
    assert MODULES, "SNEK_CONFORMANCE_MODULES must name what `./dev test` installs"
    script = TESTS / "conformance/payload_paths.py"
    made = subprocess.run([sys.executable, script, MODULES], check=True, capture_output=True).stdout
    assert made == (TESTS / "payloads/paths.txt").read_bytes(), f"run {script} {MODULES}"


def test_paths_that_a_plugin_reads_are_warned_of_once(play):
    step = '[[step]]\ndeliver = "pull_request.opened"\n'
    outcome = play(step + step, plugin="misreads")
    assert outcome.status == 0, outcome.text
    lacks = "which GitHub's description of the webhook pull_request does not have"
    assert warnings_of(outcome) == [
        f"misreads has a filter for issue.title, {lacks}; the nearest path is pull_request.title",
        f"misreads reads pull_request.titel, {lacks}; the nearest path is pull_request.title",
        f"misreads reads pull_request.labels[0].colour, {lacks}; "
        "the nearest path is pull_request.labels[0].color"]


def test_paths_that_a_scenario_delivers_are_warned_of(play, tmp_path):
    (tmp_path / "issues.mine.json").write_text("""{"action": "opened", "isue": {"number": 12},
        "repository": {"full_name": "sneks-united/terrarium"}, "installation": {"id": 60001}}""")
    outcome = play("""
[[step]]
deliver = "issues.mine.json"
result = "none"

[[step]]
deliver = "pull_request.opened"
change = { "pull_request.labels" = [{ name = "a", colour = "b" }], "pull_request.merged" = true }
""", plugin="misreads")
    assert outcome.status == 0, outcome.text
    found = [text for text in warnings_of(outcome) if text.startswith("the scenario")]
    lacks = "which GitHub's description of the webhook %s does not have; the nearest path is %s"
    assert found == [
        "the scenario's payload has isue, " + lacks % ("issues", "issue"),
        "the scenario's payload has pull_request.labels[0].colour, "
        + lacks % ("pull_request", "pull_request.labels[0].color")]


def test_an_event_of_ones_own_has_any_path(play, tmp_path):
    (tmp_path / "probe.json").write_text("""{"action": "do", "anything": {"a": 1},
        "installation": {"id": 60001}}""")
    outcome = play('[[step]]\ndeliver = "probe.json"\nresult = "none"\n', plugin="misreads")
    assert outcome.status == 0 and warnings_of(outcome) == [], outcome.text
