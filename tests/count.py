# SPDX-License-Identifier: MIT OR Apache-2.0
"""Counts the results of `meson test` in each given build directory, and prints
`N passed, N failed` (and `, N skipped` if any) at the end. A line of TAP is a case. A program that
crashed, timed out or printed a wrong plan is a failed case, even if each of its lines was `ok`. Only
testlog.json records that, so this reads both files."""

import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter

GOOD = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}


def outcome_of(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def cases_of(junit):
    """Program -> its cases, for the programs that have several."""
    programs = {}
    for suite in ElementTree.parse(junit).getroot().iter("testsuite"):
        _, dot, program = suite.get("name").partition(".")
        if dot:
            programs[program] = [(case.get("name"), outcome_of(case)) for case in suite.iter("testcase")]
    return programs


def outcomes(build):
    """(program, case or None, outcome) of everything that ran in `build`."""
    logs = pathlib.Path(build) / "meson-logs"
    if not (logs / "testlog.json").exists():
        return
    programs = cases_of(logs / "testlog.junit.xml")
    for line in (logs / "testlog.json").read_text(encoding="utf-8").splitlines():
        program = json.loads(line)
        name, outcome = program["name"], GOOD.get(program["result"], "failed")
        cases = programs.get(name, [])
        for case, its_outcome in cases:
            yield name, case, its_outcome
        if not cases or (outcome == "failed" and not any(o == "failed" for _, o in cases)):
            yield f"{name} ({program['result'].lower()}, exit status {program['returncode']})", None, outcome


def main():
    counts = Counter()
    for build in sys.argv[1:]:
        for program, case, outcome in outcomes(build):
            counts[outcome] += 1
            if outcome == "failed":
                print(f"failed in {build}: {program}" + (f": {case}" if case else ""))
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}")
    return 0 if counts["passed"] > 0 and counts["failed"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
