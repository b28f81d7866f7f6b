# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes a man page for scdoc from its template. The texts of verbs come from the program's --help,
those of keys from the example configuration, and those of calls from the SDK's headers, so that the
page cannot become wrong.

    python3 man/make.py TEMPLATE PROGRAM|CONFIGURATION|FOLDER-OF-HEADERS >PAGE.scd
"""

import pathlib
import re
import subprocess
import sys


def literal(text):
    """A block without formatting, in which scdoc still reads a backslash as an escape."""
    return "```\n" + text.rstrip().replace("\\", "\\\\") + "\n```\n"


def escaped(text):
    return re.sub(r"([\\*_#<>\[\]~`.])", r"\\\1", text)


def help_of(program, *verb):
    done = subprocess.run([program, *verb, "--help"], capture_output=True, text=True, check=True,
                          env={"PATH": "/usr/bin:/bin", "ASAN_OPTIONS": "detect_leaks=0"})
    return done.stdout


def verbs_of(program):
    return re.findall(r"^  ([a-z][a-z-]*)  ", help_of(program), re.M)


def describe_verbs(program):
    name = pathlib.Path(program).name
    return "\n".join(f"## {name} {verb}\n\n{literal(help_of(program, verb))}"
                     for verb in verbs_of(program))


def describe_keys(example):
    """The example's comments explain the keys: a heading for each section, an entry for each key."""
    out, words, keys, seen = [], [], [], set()
    for line in [*pathlib.Path(example).read_text(encoding="utf-8").splitlines(), ""]:
        section = re.fullmatch(r"(\[+[a-z.]+\]+)", line.lstrip("#"))
        key = re.fullmatch(r"#?([a-z][a-z0-9_]*) = (.*)", line)
        if section and section.group(1) in seen:
            break  # the second [[plugin]] is an example to copy; it has no further keys
        if line.startswith("# ") or line == "#":
            words.append(line[2:])
        elif section:
            seen.add(section.group(1))
            out.append(f"# {section.group(1)}\n\n{escaped(' '.join(words))}\n")
            words = []
        elif key and words:
            keys.append(f"*{escaped(key.group(1))}* = {escaped(key.group(2))}")
        elif not line:
            if keys:
                out.append("++\n".join(keys) + f"\n\t{escaped(' '.join(words))}\n")
            words, keys = [], []
    return "\n".join(out)


def describe_calls(folder):
    """The inline functions, and the macros that work like functions."""
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "docs"))
    import reference  # pylint: disable=import-outside-toplevel

    out = []
    for name in ("convenience.h", "convenience_item.h", "compose.h"):
        for item in reference.items_of((pathlib.Path(folder) / name).read_text("utf-8")):
            title = re.fullmatch(r"---- (.*?) ----", " ".join(item.comment.split()))
            if item.kind == "note" and title:
                out.append(f"## {title.group(1).partition(':')[0].upper()}\n")
            elif item.kind == "note":
                out.append(literal(item.comment))
            elif item.kind == "function":
                signature = " ".join(item.code.removeprefix("static inline ").split())
                words = " ".join(item.comment.split())
                out.append(f"*{escaped(signature)}*\n" + (f"\t{escaped(words)}\n" if words else ""))
    return "\n".join(out)


def main(template, source):
    text = pathlib.Path(template).read_text(encoding="utf-8")
    for name, describe in (("@VERBS@", describe_verbs), ("@KEYS@", describe_keys),
                           ("@CALLS@", describe_calls)):
        if name in text:
            text = text.replace(name, describe(source))
    sys.stdout.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
