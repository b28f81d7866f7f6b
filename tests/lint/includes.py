#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fails when a room includes a header that tests/lint/includes.txt does not allow, when the table
lets rooms know each other in a circle or names what is not there, and when the rooms that Meson
links to a room (ROOM_uses in host/ROOM/meson.build) are others than the table's.
includes.py [ROOT]"""
import collections
import re
import sys

import tree

TABLE = "tests/lint/includes.txt"
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<(snekomatic/[^>]+)>)', re.MULTILINE)
SOURCE = re.compile(r"host/.+\.(c|h|cpp|hpp|inc)$")


class Table:
    def __init__(self, text):
        self.rows = collections.defaultdict(list)
        self.for_all = []
        for line in text.splitlines():
            words = line.split()
            if not words or line.startswith("#"):
                continue
            if words[0] == "*":
                self.for_all += words[1:]
            else:
                self.rows[words[0]] += words[1:]

    def row_of(self, path):
        """The name of the row for `path`, which is below host/; None: there is none."""
        path = path.removesuffix(".h") + ".c" if "/" not in path and path.endswith(".h") else path
        fitting = [row for row in self.rows if path == row or path.startswith(row + "/")]
        return max(fitting, key=len, default=None)

    def allowed(self, row):
        entries = self.rows[row]
        return entries[1:] if entries[:1] == ["-"] else entries + self.for_all

    def allows(self, row, header):
        own = [row.removesuffix(".c") + ".h" if row.endswith(".c") else row + "/"]
        return any(header == entry or (entry.endswith("/") and header.startswith(entry))
                   for entry in self.allowed(row) + own)

    def circles(self):
        """The rooms from which the table's arrows lead back to the room itself."""
        arrows = {row: {entry.split("/")[0] for entry in self.allowed(row)} - {row.split("/")[0]}
                  for row in self.rows}
        for row in sorted(arrows):
            reached, waiting = set(), list(arrows[row])
            while waiting:
                room = waiting.pop()
                if room not in reached:
                    reached.add(room)
                    waiting += arrows.get(room, ())
            if row in reached:
                yield row


def check_file(table, name, text, own_files):
    path = name.removeprefix("host/")
    row = table.row_of(path)
    if row is None:
        yield f"{name}: {TABLE} has no row for this room"
        return
    for found in INCLUDE.finditer(text):
        header = found.group(1) or found.group(2)
        line = text.count("\n", 0, found.start(1 if found.group(1) else 2)) + 1
        if header.endswith(".inc"):
            continue  # generated, from the room's own folder
        if "/" not in header and "/" in path and "host/" + header not in own_files:
            yield f'{name}:{line}: write "ROOM/{header}", so that the room can be seen'
        elif not table.allows(row, header):
            yield f"{name}:{line}: {row} must not include {header}"


def check_meson(table, row, text):
    """The rooms of the table and of Meson must be the same, but for those that each room may use."""
    path = f"host/{row}/meson.build"
    found = re.search(rf"\b{row}_uses = \[(.*?)\]", text, re.DOTALL)
    if not found:
        yield f"{path}: declares no {row}_uses"
        return
    used = {name for name in re.findall(r"(\w+)_dep\b", found.group(1)) if name in table.rows}
    allowed = {entry.split("/")[0] for entry in table.allowed(row)}
    every = {entry.split("/")[0] for entry in table.for_all}
    wanted = {room for room in allowed - every if room in table.rows}
    for room in sorted(used - allowed):
        yield f"{path}: {row} must not link {room}"
    for room in sorted(wanted - used - {"base"}):
        yield f"{path}: {row} includes headers of {room}, but does not link it"


def check(root):
    table = Table((root / TABLE).read_text())
    names = set(tree.files(root))
    problems = []
    for name in sorted(names):
        if SOURCE.fullmatch(name):
            problems += check_file(table, name, tree.read_text(root, name), names)
    for row in sorted(table.rows):
        if not any(name == "host/" + row or name.startswith(f"host/{row}/") for name in names):
            problems.append(f"{TABLE}: there is no host/{row}")
        build = f"host/{row}/meson.build"
        if build in names:
            problems += check_meson(table, row, tree.read_text(root, build))
        for entry in table.rows[row]:
            if entry.endswith(".h") and "host/" + entry not in names:
                problems.append(f"{TABLE}: {row}: there is no host/{entry}")
    problems += [f"{TABLE}: the room {row} knows itself through others" for row in table.circles()]
    return problems


if __name__ == "__main__":
    sys.exit(tree.report(check(tree.root_of(sys.argv))))
