# SPDX-License-Identifier: MIT OR Apache-2.0
"""The layout of every public struct and the value of every enumerator, as compiled here, is that of
layout-1.N.txt, one file a released minor. What an older file has must stay as it is; structs may
only grow. `layout.py --print` writes a new minor's file."""

import pathlib
import re
import struct
import sys

import sdk

HERE = pathlib.Path(__file__).resolve().parent


if "--print" in sys.argv:
    print(sdk.compiled_layout(sdk.compilers("cc", "gcc", "clang")[0]), end="")
    sys.exit(0)

tap = sdk.Tap()

OLD = "struct a is 8\nstruct a.x at 0 is 4\nE = 1\n"
for now, may_grow, count in (
    (OLD, False, 0),
    (OLD + "F = 2\n", True, 0),
    (OLD + "F = 2\n", False, 1),
    (OLD.replace("is 8", "is 16"), True, 0),
    (OLD.replace("is 8", "is 16"), False, 2),
    (OLD.replace("is 8", "is 4"), True, 1),
    (OLD.replace("at 0", "at 4"), True, 1),
    (OLD.replace("E = 1", "E = 2"), True, 1),
):
    found = sdk.broken_promises(OLD, now, may_grow)
    tap.ok(len(found) == count, f"the check itself: {now.splitlines()}, {may_grow}", found)

files = {
    tuple(map(int, re.findall(r"\d+", path.name))): path.read_text()
    for path in HERE.glob("layout-*.txt")
}
version = sdk.current_version()
tap.ok(version in files, f"there is a layout-{version[0]}.{version[1]}.txt")

drivers = [(c, "c", "c99") for c in sdk.compilers("gcc", "clang")]
drivers += [(c, "c++", "c++17") for c in sdk.compilers("g++", "clang++")]
for compiler, language, standard in drivers:
    now = sdk.compiled_layout(compiler, language, standard)
    for released, layout in sorted(files.items()):
        sentence = f"{compiler} as {standard}: the layout of {released[0]}.{released[1]} is kept"
        if struct.calcsize("P") != 8:
            tap.skip(sentence, "the files tell of 64 bits")
        elif released[0] == version[0]:
            found = sdk.broken_promises(layout, now, released != version)
            tap.ok(not found, sentence, "\n".join(found))
tap.done()
