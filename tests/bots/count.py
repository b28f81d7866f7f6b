# SPDX-License-Identifier: MIT OR Apache-2.0
"""The six bots stay short, free nothing, and put no JSON together by hand."""

import pathlib
import re
import sys

LINES_MAX = 240
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "abi"))

import sdk  # noqa: E402  (a test's module, not a package's)


def code_lines(text):
    """Without comments and blank lines."""
    return [line for line in sdk.without_comments(text).splitlines() if line.strip()]


def sins(text):
    """free(), JSON in double quotes, a format function of libc, a concatenation by hand."""
    code = sdk.without_comments(text)
    return re.findall(r"\bfree\(|\bmalloc\(|\bsn?printf\(|\bstrn?cat\(|\{\\\"|\\\":", code)


tap = sdk.Tap()
tap.ok(code_lines("a;\n\n/* b\n c */\n  d; /* e */\n") == ["a;", "  d;  "], "the count counts code")
tap.ok(len(sins('free(x); y = "{\\"a\\":1}"; sprintf(z, "{}"); /* free() */')) == 4,
       "what is forbidden is found")
bots = sorted(HERE.glob("*.c"))
counts = {path.stem: len(code_lines(path.read_text())) for path in bots}
tap.ok(sum(counts.values()) <= LINES_MAX, f"{len(bots)} bots have at most {LINES_MAX} lines: "
       f"{sum(counts.values())}", counts)
for path in bots:
    found = sins(path.read_text())
    tap.ok(not found, f"{path.name} frees nothing and makes no JSON by hand", found)
tap.done()
