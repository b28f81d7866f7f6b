# SPDX-License-Identifier: MIT OR Apache-2.0
"""The files of the source tree, for the lint scripts beside this file."""
import pathlib
import subprocess
import sys


def root_of(argv):
    return pathlib.Path(argv[1] if len(argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()


def files(root):
    """The names of the files of `root`, relative to it: Git's, or all when it is no work tree."""
    if (root / ".git").exists():
        listed = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True, text=True).stdout
        names = [name for name in listed.split("\0") if name and (root / name).is_file()]
    else:
        names = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    return sorted(names)


def read_text(root, name):
    """The content of a text file; "" for any other."""
    data = (root / name).read_bytes()
    return "" if b"\0" in data else data.decode(errors="replace")


def report(problems):
    """Prints the problems; the exit status."""
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0
