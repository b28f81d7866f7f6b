#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fails when a file of tests is not in the meson.build beside it, so that nothing runs it.
registered.py [ROOT]"""
import pathlib
import re
import sys

import tree

# ./dev heroku and ./dev debian run these themselves.
EXEMPT = ("tests/system/heroku/", "tests/system/debian/")
TEST = re.compile(r"tests/.*/(test|unit)_(\w+)\.(py|c)")


def check(root):
    """The hits, each a sentence."""
    hits = []
    for name in tree.files(root):
        found = TEST.fullmatch(name)
        if not found or name.startswith(EXEMPT):
            continue
        folder = pathlib.PurePath(name).parent
        build = folder / "meson.build"
        listed = tree.read_text(root, str(build)) if (root / build).is_file() else ""
        if not any(f"'{word}'" in listed for word in (found.group(2), pathlib.PurePath(name).name)):
            hits.append(f"{name}: {build} does not list it, so no test run has it")
    return hits


if __name__ == "__main__":
    sys.exit(tree.report(check(tree.root_of(sys.argv))))
