#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fails when the tree uses a name that tests/lint/retired.txt retires. retired.py [ROOT]"""
import re
import subprocess
import sys

import tree

TABLE = "tests/lint/retired.txt"
# The table itself, and the history of the names.
EXEMPT = {TABLE, "CHANGELOG.md"}


def read_table(root):
    """The rules: (pattern, path or "")."""
    rules = []
    for line in (root / TABLE).read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pattern, _, path = line.partition("\t")
        rules.append((re.compile(pattern), path.strip()))
    return rules


def applies(path, name):
    return not path or name == path or name.startswith(path.rstrip("/") + "/")


def candidates(root, rules):
    """(file, line number, line) of each line that a rule may apply to; line 0 is the file's name. grep
    finds them fifty times as fast as Python's re, which takes ten seconds for all rules."""
    names = [name for name in tree.files(root) if name not in EXEMPT]
    found = [(name, 0, name) for name in names]
    patterns = "\n".join(pattern.pattern for pattern, _ in rules)
    if not patterns or not names:
        return found
    done = subprocess.run(["grep", "-nHIE", "--null", "-e", patterns, "--", *names], cwd=root,
                          capture_output=True, check=False)
    if done.returncode > 1:
        sys.exit(f"grep failed: {done.stderr.decode()}")
    for output in done.stdout.decode(errors="replace").splitlines():
        name, _, rest = output.partition("\0")
        number, _, line = rest.partition(":")
        found.append((name, int(number), line))
    return found


def check(root):
    """The hits, each as FILE:LINE: a sentence."""
    hits = []
    rules = read_table(root)
    for name, number, line in candidates(root, rules):
        for pattern, path in rules:
            found = pattern.search(line)
            if found and applies(path, name):
                hits.append(f"{name}:{number}: the name '{found.group()}' is retired")
    return hits


if __name__ == "__main__":
    sys.exit(tree.report(check(tree.root_of(sys.argv))))
