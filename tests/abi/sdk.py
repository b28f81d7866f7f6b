# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads the public headers: which structs and enums there are, with their members, and the comment
that belongs to each. It knows the plain C that these headers are written in, and no more; what it
does not understand, it rejects. Beside it, the little TAP that the tests here speak."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HEADERS = ROOT / "sdk-headers"
SINCE = re.compile(r"\[since\s+(\d+)\.(\d+)\]")


class Member:
    def __init__(self, owner, declaration, comment, header):
        self.owner = owner  # "struct snek_host", "enum snek_kind"
        self.declaration = " ".join(declaration.split())
        self.comment = " ".join(comment.split())
        self.header = header
        self.name = member_name(self.declaration)

    def __str__(self):
        return f"{self.header}: {self.owner}.{self.name}"


def member_name(declaration):
    for pattern in (
        r"\(\s*\*\s*(\w+)\s*\)\s*\(",  # a function pointer
        r"^(\w+)\s*(?:=.*)?$",  # an enumerator
        r"(\w+)\s*(?:\[[^\]]*\])?$",  # a field, an array of them
    ):
        found = re.search(pattern, declaration)
        if found:
            return found.group(1)
    raise ValueError(f"no name in: {declaration}")


def members(text, header):
    """All members of all public structs and enums that `text` defines."""
    found = []
    for block in re.finditer(r"^(struct|enum) (\w+) \{\n(.*?)^\};", text, re.S | re.M):
        owner = f"{block.group(1)} {block.group(2)}"
        end = ";" if block.group(1) == "struct" else ","
        found += read_members(block.group(3), end, owner, header)
    return found


def read_members(body, end, owner, header):
    """A comment belongs to the member that it follows on the same line, or stands within, else to
    the next one."""
    found, declaration, before, depth, same_line = [], "", "", 0, False
    for token in re.finditer(r"/\*.*?\*/|.", body, re.S):
        text = token.group()
        if text.startswith("/*"):
            if same_line:
                found[-1].comment += " " + " ".join(text.split())
            else:
                before += " " + text
            continue
        if text == "\n":
            same_line = False
        depth += (text == "(") - (text == ")")
        if text == end and depth == 0:
            found.append(Member(owner, declaration, before, header))
            declaration, before, same_line = "", "", True
        else:
            declaration += text
    if declaration.strip() and end == ",":  # C++98 allows no comma behind the last enumerator
        found.append(Member(owner, declaration, before, header))
    elif declaration.strip():
        raise ValueError(f"{header}: {owner} ends with: {declaration.strip()}")
    return found


def all_headers(folder=HEADERS):
    return sorted((folder / "snekomatic").glob("*.h"))


def all_members(folder=HEADERS):
    return [m for path in all_headers(folder) for m in members(path.read_text(), path.name)]


def current_version():
    types = (HEADERS / "snekomatic" / "types.h").read_text()
    return tuple(
        int(re.search(rf"#define SNEK_ABI_{part} (\d+)", types).group(1))
        for part in ("MAJOR", "MINOR")
    )


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, passed, sentence, detail=""):
        self.count += 1
        self.failed += not passed
        print(f"{'ok' if passed else 'not ok'} {self.count} - {sentence}")
        if not passed:
            for line in str(detail).splitlines():
                print(f"# {line}")

    def skip(self, sentence, why):
        self.count += 1
        print(f"ok {self.count} - {sentence} # SKIP {why}")

    def done(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.failed else 0)


def run(command, **more):
    """Standard output and error in one, and the status."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        **more,
    )
    return done.returncode, done.stdout


def compilers(*names):
    return [name for name in names if shutil.which(name)]


def layout_program(members):
    lines = ["#include <snekomatic/snekomatic.h>", "#include <stdio.h>", "int main(void) {"]
    owner = None
    for member in members:
        if member.owner.startswith("enum"):
            lines.append(f'printf("{member.name} = %d\\n", (int){member.name});')
            continue
        if member.owner != owner:
            owner = member.owner
            lines.append(f'printf("{owner} is %zu\\n", sizeof({owner}));')
        where = f"offsetof({owner}, {member.name}), sizeof((({owner} *)0)->{member.name})"
        lines.append(f'printf("{owner}.{member.name} at %zu is %zu\\n", {where});')
    return "\n".join([*lines, "return 0;", "}", ""])


def compiled_layout(compiler, language="c", standard="c99", headers=HEADERS):
    """A line for each size, offset and value."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "layout"
        status, output = run(
            [compiler, "-x", language, f"-std={standard}", "-I", headers, "-", "-o", path],
            input=layout_program(all_members(headers)),
        )
        return run([path])[1] if status == 0 else output


def broken_promises(released, now, may_grow):
    """The lines of `released` that `now` does not keep, and what is new without leave."""
    have = now.splitlines()
    broken = []
    for line in released.splitlines():
        size = re.fullmatch(r"(struct \w+ is )(\d+)", line)
        if size and may_grow:
            same = [other for other in have if other.startswith(size.group(1))]
            if not same or int(same[0].split()[-1]) < int(size.group(2)):
                broken.append(f"was: {line}; now: {same}")
        elif line not in have:
            broken.append(f"was: {line}; is no more")
    if not may_grow:
        broken += [f"is new: {line}" for line in have if line not in released.splitlines()]
    return broken
