# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes a man page for scdoc from its template. The texts of verbs come from the program's --help,
those of keys from the example configuration, those of calls from the SDK's headers, and those of
scenarios from their document, so that the page cannot become wrong.

    python3 man/make.py TEMPLATE PROGRAM|CONFIGURATION|FOLDER-OF-HEADERS|DOCUMENT >PAGE.scd
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


def items_of(folder, names):
    """The declarations of these headers, as the API reference has them."""
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "docs"))
    import reference  # pylint: disable=import-outside-toplevel

    return [(name, reference.items_of((pathlib.Path(folder) / name).read_text("utf-8")))
            for name in names]


def describe_types(folder):
    """The structs, enums and constants that a plugin writes or gets; the services' tables are for
    hosts."""
    out = []
    for name, items in items_of(folder, (
            "plugin.h", "types.h", "host.h", "event.h", "commands.h", "github.h", "role.h", "item.h",
            "check.h", "commit.h", "store.h", "timer.h", "config.h", "repository_config.h", "text.h")):
        shown = [item for item in items if item.code and not re.search(
            r"_(service|SERVICE|REVISION)$|^SNEK(_ABI_HEAD|_EXPORT|_EXTERN_C)$", item.name)]
        if shown:
            out.append(f"## IN {escaped(name.upper())}\n")
        for item in shown:
            words = " ".join(item.comment.split())
            out.append((f"{escaped(words)}\n\n" if words else "") + literal(item.code))
    return "\n".join(out)


def is_drawn(paragraph):
    """Has it a line that is indented, as a drawing, a list or code has?"""
    return any(line.startswith("  ") for line in paragraph.split("\n"))


def explained(comment):
    """The paragraphs of a comment; those that are drawn stay as they are."""
    return "\n".join(literal(part) if is_drawn(part) else escaped(" ".join(part.split())) + "\n"
                     for part in comment.split("\n\n"))


def describe_calls(folder):
    """The inline functions, the macros that work like functions, and the builders of texts."""
    out = []
    for _, items in items_of(folder, ("convenience.h", "convenience_item.h", "compose.h")):
        for item in items:
            title = re.fullmatch(r"---- (.*?) ----", " ".join(item.comment.split()))
            if item.kind == "note" and title:
                out.append(f"## {title.group(1).partition(':')[0].upper()}\n")
            elif item.kind == "note":
                out.append(literal(item.comment))
            elif item.kind == "function":
                signature = " ".join(item.code.removeprefix("static inline ").split())
                words = " ".join(item.comment.split())
                out.append(f"*{escaped(signature)}*\n" + (f"\t{escaped(words)}\n" if words else ""))
            elif item.comment and is_drawn(item.comment):
                out.append(explained(item.comment))  # its examples say more than the macro's lines
            elif item.code and item.comment:
                out.append(explained(item.comment) + "\n" + literal(item.code))
    return "\n".join(out)


def inline(text):
    """Markdown's code and emphasis, in bold; of a link only its text."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    parts = re.split(r"`([^`]*)`|\*\*([^*]*)\*\*", text)
    out = [escaped(parts[0])]
    for code, bold, rest in zip(parts[1::3], parts[2::3], parts[3::3]):
        out += ["*" + escaped(code if code is not None else bold) + "*", escaped(rest)]
    return "".join(out)


def table_entry(row):
    """The first cell, and what the others say about it."""
    first, *rest = [cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))]
    return f"{inline(first)}\n\t{inline(' '.join(rest))}\n"


def block(lines):
    """The lines of a paragraph, a list, a table, code, or a heading."""
    if lines[0].startswith("#"):
        title = lines[0].lstrip("# ")
        return f"# {escaped(title.upper())}\n"
    if lines[0].startswith("```"):
        return literal("\n".join(lines[1:-1]))
    if lines[0].startswith("    "):
        return literal("\n".join(line[4:] for line in lines))
    if lines[0].startswith("|"):
        return "\n".join(table_entry(row) for row in lines[2:])
    if lines[0].startswith("- "):
        items = re.split(r"\n(?=- )", "\n".join(lines))
        return "".join(f"- {inline(' '.join(item[2:].split()))}\n" for item in items)
    return inline(" ".join(lines)) + "\n"


def describe_document(document):
    """A document of docs/, whose title the page has already. It knows the Markdown that is there."""
    blocks, code = [[]], False
    for line in pathlib.Path(document).read_text(encoding="utf-8").splitlines()[1:]:
        fence, begins = line.startswith("```"), line.startswith("- ") or line.startswith("|")
        follows = blocks[-1] and not begins and line and not line.startswith("#")
        if code or (blocks[-1] and begins and blocks[-1][0][:1] == line[:1]) or (
                follows and not fence):
            blocks[-1].append(line)
        elif line:
            blocks.append([line])
        elif blocks[-1]:
            blocks.append([])
        code ^= fence
        if fence and not code:
            blocks.append([])
    return "\n".join(block(lines) for lines in blocks if lines)


def main(template, source):
    text = pathlib.Path(template).read_text(encoding="utf-8")
    for name, describe in (("@VERBS@", describe_verbs), ("@KEYS@", describe_keys),
                           ("@CALLS@", describe_calls), ("@TYPES@", describe_types),
                           ("@DOCUMENT@", describe_document)):
        if name in text:
            text = text.replace(name, describe(source))
    sys.stdout.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
