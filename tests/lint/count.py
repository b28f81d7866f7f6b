#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Counts what the style forbids, and fails when there is any. count.py [--list RULE] [ROOT]

--list prints each place of one rule with a sum per room."""
import collections
import re
import sys

import tree

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 800
TRAILING_WORDS_MAX = 4
OPENINGS = re.compile(r"(?:What|Who|Whose|Of|As|That)\b")
OPENINGS_SHARE_MAX = 0.01
C_SOURCE = re.compile(r"(host|plugins|sdk-headers|tests)/.+\.(c|h|cpp|hpp)(\.in)?$")
PROSE = re.compile(r"([A-Z]+|(docs|man|plugins|config)/.+)\.(md|scd|toml)$")


def room_of(name):
    parts = name.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


class Source:
    """A C file, its comments apart from its code (strings emptied, places kept)."""
    TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)

    def __init__(self, name, text):
        self.name, self.text = name, text
        self.comments = []  # (offset, text)
        self.code = self.TOKEN.sub(self.take, text)

    def take(self, found):
        token = found.group()
        if token[0] == "/":
            self.comments.append((found.start(), token))
        return re.sub(r"[^\n]", " ", token)

    def line(self, offset):
        return self.text.count("\n", 0, offset) + 1


def chained_conditionals(source):
    """A conditional expression inside of another one."""
    open_conditionals = [0]  # for each bracket that is open
    for found in re.finditer(r"[?;,(){}\[\]]", source.code):
        mark = found.group()
        if mark in "([{":
            open_conditionals.append(0)
        elif mark in ")]}":
            if len(open_conditionals) > 1:
                open_conditionals.pop()
        elif mark in ";,":
            open_conditionals[-1] = 0
        else:
            # Between here and the statement's start: an initializer's or block's brace ends it.
            if sum(open_conditionals):
                yield found.start(), "a conditional expression inside of another"
            open_conditionals[-1] += 1
        if mark == "{":
            open_conditionals[-1] = -sum(open_conditionals[:-1])


def missing_openings(source):
    lines = source.text.split("\n", 2)
    if source.name.endswith(".in"):
        return
    if len(lines) < 2 or not lines[1].startswith("/* "):
        yield len(lines[0]) + 1, "no comment says on line 2 what the file's job is"


def long_functions(source):
    """The layout has a function's first line and its last brace in the first column."""
    start = None
    lines = source.code.split("\n")
    for number, line in enumerate(lines):
        if re.match(r"[A-Za-z_]", line) and not (start is not None and lines[number - 1].strip()):
            start = number
        if line.startswith("}") and start is not None:
            first = " ".join(lines[start:number + 1])
            length = number - start + 1
            is_function = re.match(r"[^={]*\)\s*\{", first)
            if is_function and length > FUNCTION_LINES_MAX:
                yield offset_of(source, start), f"a function of {length} lines"
            start = None


def offset_of(source, line):
    at = 0
    for _ in range(line):
        at = source.text.index("\n", at) + 1
    return at


def trailing_comments(source):
    for offset, comment in source.comments:
        before = source.code[source.code.rfind("\n", 0, offset) + 1:offset]
        words = comment.strip("/*").split()
        if before.strip() and len(words) > TRAILING_WORDS_MAX:
            yield offset, "a comment behind code: put it above"


def long_files(source):
    lines = source.text.count("\n")
    if lines > FILE_LINES_MAX:
        yield 0, f"a file of {lines} lines"


def private_headers(source):
    if source.name.endswith("/private.h"):
        yield 0, "a private.h: make it a module with accessors"


RULES = {
    "chained": chained_conditionals,
    "opening": missing_openings,
    "function": long_functions,
    "file": long_files,
    "trailing": trailing_comments,
    "private": private_headers,
}


def sentences(text):
    for part in re.split(r"(?<=[.!?:;])\s+(?=[A-Z\"'`(])|\n\s*\n", text):
        part = part.strip(" \t\n*\"'`(_")
        if re.search(r"[a-z]{2}.*\s", part, re.DOTALL):
            yield part


def prose_of(name, text):
    """The paragraphs of a page without its code, headings and tables."""
    if name.endswith(".toml"):
        return "\n".join(line.lstrip("# ") if line.startswith("#") else "" for line in text.split("\n"))
    text = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.DOTALL | re.MULTILINE)
    kept = []
    for line in text.split("\n"):
        if re.match(r"\s*(#|\||    |\t)", line) and not re.match(r"\s+[-*\w]", line):
            line = ""
        kept.append(re.sub(r"^\s*([-*]|\d+\.)\s+", "\n\n", line))
    return "\n".join(kept)


def count_sentences(texts):
    """(all, those that open with a clause), each as (file, sentence)."""
    every, clauses = 0, []
    for name, text in texts:
        for sentence in sentences(text):
            every += 1
            if OPENINGS.match(sentence):
                clauses.append((name, " ".join(sentence.split())[:100]))
    return every, clauses


def examine(root):
    """Rule -> room -> places, and what count_sentences() finds per room."""
    places = collections.defaultdict(lambda: collections.defaultdict(list))
    texts = collections.defaultdict(list)
    for name in tree.files(root):
        if C_SOURCE.fullmatch(name):
            source = Source(name, tree.read_text(root, name))
            for rule, find in RULES.items():
                for offset, sentence in find(source):
                    places[rule][room_of(name)].append(f"{name}:{source.line(offset)}: {sentence}")
            for _, comment in source.comments:
                if "SPDX" not in comment:
                    plain = re.sub(r"^\s*\*(?!/)", "", comment[2:].removesuffix("*/"), flags=re.MULTILINE)
                    texts[room_of(name)].append((name, plain))
        elif PROSE.fullmatch(name) and not name.startswith("CHANGELOG"):
            texts[room_of(name)].append((name, prose_of(name, tree.read_text(root, name))))
    every = 0
    for room, room_texts in texts.items():
        count, clauses = count_sentences(room_texts)
        every += count
        if clauses:
            places["clause"][room] = [f"{name}: {sentence}" for name, sentence in clauses]
    return places, every


def check(places, every):
    problems = []
    for rule, rooms in sorted(places.items()):
        if rule != "clause":
            problems += [place for _, found in sorted(rooms.items()) for place in found]
    clauses = sum(len(found) for found in places["clause"].values())
    share = clauses / max(every, 1)
    print(f"{clauses} of {every} sentences ({100 * share:.1f} %) open with What, Who, Whose, Of, As or That")
    if share >= OPENINGS_SHARE_MAX:
        problems.append("sentences that open with a clause: at most 1 % (count.py --list clause shows them)")
    return problems


def main(argv):
    listed = argv[argv.index("--list") + 1] if "--list" in argv else None
    rest = [a for a in argv[1:] if not a.startswith("--") and a != listed]
    root = tree.root_of(argv[:1] + rest)
    places, every = examine(root)
    if listed:
        for room, found in sorted(places[listed].items()):
            print("\n".join(found))
            print(f"{room}: {len(found)}")
        return 0
    return tree.report(check(places, every))


if __name__ == "__main__":
    sys.exit(main(sys.argv))
