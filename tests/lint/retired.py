#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fails when the tree uses a name that tests/lint/retired.txt retires. retired.py [ROOT]"""
import re
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


def check(root):
    """The hits, each as FILE:LINE: a sentence."""
    hits = []
    rules = read_table(root)
    # One pass with all rules together finds the few lines that are worth a look at each rule.
    any_rule = re.compile("|".join(f"(?:{pattern.pattern})" for pattern, _ in rules) or "(?!)")
    for name in tree.files(root):
        if name in EXEMPT:
            continue
        text = name + "\n" + tree.read_text(root, name)
        for number, line in enumerate(text.split("\n")):
            if not any_rule.search(line):
                continue
            for pattern, path in rules:
                found = pattern.search(line)
                if found and applies(path, name):
                    hits.append(f"{name}:{number}: the name '{found.group()}' is retired")
    return hits


if __name__ == "__main__":
    sys.exit(tree.report(check(tree.root_of(sys.argv))))
