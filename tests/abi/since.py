# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every member of every public struct and enum says since which version it is there, and none
claims one that is yet to come."""

import re

import sdk

BAD = """
struct snek_bad {
    uint32_t fine; /* as it should be [since 1.0] */
    uint32_t bare;
    /* Tells a lot, but not that. */
    int32_t (*told)(struct snek_run *run, int32_t (*inner)(void));
    /* Long before. [since 1.0] */
    const char *const *before[4];
    uint32_t early; /* [since 1.1] */
};

enum snek_worse {
    SNEK_FINE = 1, /* [since
                      1.0] */
    SNEK_BARE = 2,
};
"""


def complaints(members, version):
    found = []
    for member in members:
        since = [tuple(map(int, pair)) for pair in sdk.SINCE.findall(member.comment)]
        if len(since) != 1:
            found.append(f"{member} has {len(since)} [since 1.N], not one")
        elif since[0][0] != version[0] or since[0] > version:
            found.append(f"{member} is said to be there since {since[0]}; this is {version}")
    return found


tap = sdk.Tap()

want = ["snek_bad.bare", "snek_bad.told", "snek_bad.early", "snek_worse.SNEK_BARE"]
seen = [complaint.split()[2] for complaint in complaints(sdk.members(BAD, "bad.h"), (1, 0))]
tap.ok(seen == want, "a member that lacks it, or is too early, is found", f"{seen}, not {want}")

members = sdk.all_members()
for path in sdk.all_headers():
    # What the reader of headers does not see, it cannot complain about.
    text = sdk.without_comments(path.read_text())
    defined = re.findall(r"\b(?:struct|enum|union)\s+(\w*)\s*\{", text)
    owners = {m.owner.split()[1] for m in members if m.header == path.name}
    tap.ok(set(defined) == owners, f"{path.name}: all structs and enums are read",
           f"{sorted(defined)}, but read: {sorted(owners)}")
    mine = [m for m in members if m.header == path.name]
    found = complaints(mine, sdk.current_version())
    tap.ok(not found, f"{path.name}: each of {len(mine)} members says since when", "\n".join(found))

tap.ok(len(members) > 100, "there are members at all")
tap.done()
