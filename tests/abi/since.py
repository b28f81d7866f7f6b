# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every member of the public structs and enums that came after ABI 1.0 says since which minor it
exists: `[since 1.N]`. A member of 1.0 has no tag, and no tag names a minor that is yet to come. The
layout-1.N.txt files say which member came when."""

import pathlib
import re

import sdk

HERE = pathlib.Path(__file__).resolve().parent

BAD = """
struct snek_bad {
    /* As it should be. */
    uint32_t fine;
    /* Its comment has a tag that it does not need. [since 1.0] */
    uint32_t tagged;
    /* [since
       1.1] */
    int32_t (*added)(struct snek_run *run, int32_t (*inner)(void));
    uint32_t bare;
    uint32_t early; /* [since 1.2] */
    /* The wrong minor. [since 1.0] */
    const char *const *wrong[4];
};

enum snek_worse {
    SNEK_FINE = 1,
    /* New in 1.1. */
    SNEK_BARE = 2,
};
"""
BAD_LAYOUTS = {(1, 0): "struct snek_bad.fine at 0\nstruct snek_bad.tagged at 4\nSNEK_FINE = 1\n"}


def first_minor(member, layouts, version):
    """The version of the oldest layout that has the member, else the current one."""
    if member.owner.startswith("enum"):
        line = rf"^{member.name} = "
    else:
        line = rf"^{member.owner}\.{member.name} at "
    has = [known for known, text in layouts.items() if re.search(line, text, re.M)]
    return min(has, default=version)


def complaints(members, layouts, version):
    found = []
    for member in members:
        tags = [tuple(map(int, pair)) for pair in sdk.SINCE.findall(member.comment)]
        first = first_minor(member, layouts, version)
        want = [] if first[1] == 0 else [first]
        if tags != want:
            found.append(f"{member} has the tags {tags}, not {want}")
    return found


# Where a slot may be called: host.h explains the tags.
TAGS = re.compile(r"\[(any thread|handler|create)\]")


def tag_complaints(members):
    """A slot is a function pointer of a vtable or of the descriptor."""
    slots = [m for m in members if "(*" in m.declaration and m.owner.startswith("struct")]
    return len(slots), [f"{m} has {len(TAGS.findall(m.comment))} tags of its threads, not 1"
                        for m in slots if len(TAGS.findall(m.comment)) != 1]


tap = sdk.Tap()

want = ["snek_bad.tagged", "snek_bad.bare", "snek_bad.early", "snek_bad.wrong",
        "snek_worse.SNEK_BARE"]
seen = [complaint.split()[2]
        for complaint in complaints(sdk.members(BAD, "bad.h"), BAD_LAYOUTS, (1, 1))]
tap.ok(seen == want, "a member with a missing or wrong tag is found", f"{seen}, not {want}")

layouts = {tuple(map(int, re.findall(r"\d+", path.name))): path.read_text()
           for path in HERE.glob("layout-*.txt")}
members = sdk.all_members()
for path in sdk.all_headers():
    # A member that the reader of headers does not see would never be found.
    text = sdk.without_comments(path.read_text())
    defined = re.findall(r"\b(?:struct|enum|union)\s+(\w*)\s*\{", text)
    owners = {m.owner.split()[1] for m in members if m.header == path.name}
    tap.ok(set(defined) == owners, f"{path.name}: all structs and enums are read",
           f"{sorted(defined)}, but read: {sorted(owners)}")
    mine = [m for m in members if m.header == path.name]
    found = complaints(mine, layouts, sdk.current_version())
    tap.ok(not found, f"{path.name}: the tags of {len(mine)} members are right", "\n".join(found))

bad_slots = """
struct snek_bad {
    /* [handler] Fine. */
    int32_t (*fine)(void);
    /* No tag. */
    int32_t (*bare)(void);
    /* [handler] [create] Two. */
    int32_t (*two)(void);
    uint32_t none;
};
"""
count, found = tag_complaints(sdk.members(bad_slots, "bad.h"))
tap.ok((count, len(found)) == (3, 2), "a slot without a tag of its threads, or with two, is found", found)
count, found = tag_complaints(members)
tap.ok(not found, f"each of the {count} slots says where it may be called", "\n".join(found))
tap.ok(count > 40, "there are slots at all", count)
tap.ok(len(members) > 100, "there are members at all")
tap.done()
