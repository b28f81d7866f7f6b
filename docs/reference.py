# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads the SDK's headers: their declarations with their comments. Writes the API reference.

    python3 docs/reference.py HEADER... >api.html
"""

import html
import pathlib
import re
import sys

STYLE = """body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 sans-serif; }
pre { background: #8881; padding: .6rem; overflow-x: auto; font-size: 14px; }
nav { columns: 4 12rem; font-size: 14px; } h3 { margin-top: 2rem; border-top: 1px solid #8886; }"""


class Item:
    """A declaration, or a comment between declarations, which has no name."""

    def __init__(self, kind, comment, code):
        self.kind, self.comment, self.code = kind, comment, code
        found = re.search(r"\b((?:snek|SNEK)_\w+)\b", code.partition("(")[0].rpartition(" ")[2]
                          if kind == "function" else code.partition("#define")[2] or code)
        self.name = found.group(1) if found else ""


def words_of(comment):
    """The text of a comment, without its stars."""
    lines = comment.strip().removeprefix("/*").removesuffix("*/").split("\n")
    return "\n".join(re.sub(r"^ \* ?", "", line).rstrip() for line in lines).strip("\n ")


def take(lines, end):
    """The lines up to the one for which `end` is true, with it."""
    taken = []
    while lines:
        taken.append(lines.pop(0))
        if end(taken[-1]):
            break
    return "\n".join(taken)


def items_of(text):
    """The items of a header, in order. The first is its introduction."""
    lines, found, comment = text.split("\n"), [], ""
    while lines:
        line = lines[0]
        if line.startswith("/*"):
            comment = words_of(take(lines, lambda one: "*/" in one))
            if "SPDX" in comment:
                comment = ""
            continue
        if re.match(r"(struct|enum) \w+ \{", line):
            found.append(Item(line.split()[0], comment, take(lines, lambda one: one == "};")))
        elif line.startswith("static inline"):
            code = take(lines, lambda one: one.endswith(("{", ";")))
            if code.endswith(";"):
                continue  # a prototype, for the attribute of its patterns
            take(lines, lambda one: one == "}")
            found.append(Item("function", comment, code.removesuffix(" {") + ";"))
        elif line.startswith("#define") and not line.endswith("_H"):
            found.append(Item("macro", comment, take(lines, lambda one: not one.endswith("\\"))))
        elif line.startswith("typedef"):
            found.append(Item("type", comment, take(lines, lambda one: one.endswith(";"))))
        else:
            lines.pop(0)
            if line and not line.startswith("#ifndef"):
                continue
            if comment:
                found.append(Item("note", comment, ""))
        comment = ""
    return found


def functions(headers):
    """The inline functions with a comment, or a section of their own."""
    return [item for path in headers for item in items_of(pathlib.Path(path).read_text("utf-8"))
            if item.kind == "function"]


def prose(comment):
    """A paragraph with a drawing or a list stays as it is."""
    out = []
    for paragraph in comment.split("\n\n"):
        drawn = any(line.startswith("  ") for line in paragraph.split("\n"))
        out.append(f"<{'pre' if drawn else 'p'}>{html.escape(paragraph)}"
                   f"</{'pre' if drawn else 'p'}>")
    return "\n".join(out)


def section(name, items):
    out = [f'<h2 id="{name}">{name}</h2>']
    for item in items:
        title = re.fullmatch(r"---- (.*?) ----", " ".join(item.comment.split()))
        if item.kind == "note" and title:
            out.append(f"<h3>{html.escape(title.group(1))}</h3>")
            continue
        if item.name:
            out.append(f'<h4 id="{item.name}">{item.name}</h4>')
        out.append(prose(item.comment))
        if item.code:
            out.append(f"<pre>{html.escape(item.code)}</pre>")
    return "\n".join(out)


def main(paths):
    parts = {pathlib.Path(path).name: items_of(pathlib.Path(path).read_text("utf-8"))
             for path in paths}
    names = sorted({item.name for items in parts.values() for item in items if item.name})
    index = "".join(f'<a href="#{name}">{name}</a><br>' for name in names)
    body = "\n".join(section(name, items) for name, items in parts.items())
    print(f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
          f"<title>Snekomatic: the API of plugins</title><style>{STYLE}</style></head><body>\n"
          f"<h1>The API of plugins</h1>\n<p>Made from the headers. The guide is plugins.md.</p>\n"
          f"<nav>{index}</nav>\n{body}\n</body></html>")


if __name__ == "__main__":
    main(sys.argv[1:])
