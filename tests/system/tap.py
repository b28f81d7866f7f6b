# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs pytest and reports as TAP on standard output, for Meson; pytest's own report goes to
standard error. It is no conftest.py since pytest captures output before it loads those:
    SNEK_BUILD=build python3 tests/system/tap.py tests/system/test_NAME.py [PYTEST OPTION]..."""

import os
import sys

import pytest


class Tap:
    """The plugin: a line for each test, and why it failed, as comments."""

    def __init__(self, out):
        self.out, self.count, self.reports = out, 0, {}

    def _say(self, line, details=""):
        self.out.write(line + "\n")
        for detail in details.splitlines():
            self.out.write(f"# {detail}\n")
        self.out.flush()

    def pytest_collectreport(self, report):
        if report.failed:
            self._say(f"# {report.nodeid}", str(report.longrepr))
            self._say("Bail out! the tests could not be collected")

    def pytest_collection_finish(self, session):
        self._say(f"1..{len(session.items)}")

    def pytest_runtest_logreport(self, report):
        # A test has up to three reports; it is said once, when the last is in.
        self.reports.setdefault(report.nodeid, []).append(report)
        if report.when != "teardown":
            return
        reports = self.reports.pop(report.nodeid)
        self.count += 1
        name = report.nodeid.rpartition("::")[2].replace("#", "")
        failed = [one for one in reports if one.failed]
        skipped = [one for one in reports if one.skipped]
        if failed:
            details = "\n".join(one.longreprtext for one in failed)
            sections = "".join(f"\n--- {head}\n{text}" for head, text in failed[-1].sections)
            self._say(f"not ok {self.count} - {name}", details + sections)
        elif skipped:
            reason = skipped[0].longrepr
            reason = reason[2] if isinstance(reason, tuple) else reason
            self._say(f"ok {self.count} - {name} # SKIP {reason}")
        else:
            self._say(f"ok {self.count} - {name}")


def main():
    tap_out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    options = ["-p", "no:cacheprovider", "--tb=short", *sys.argv[1:]]
    return pytest.main(options, plugins=[Tap(tap_out)])


if __name__ == "__main__":
    sys.exit(main())
