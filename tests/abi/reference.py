# SPDX-License-Identifier: MIT OR Apache-2.0
"""The API reference and the man page have every public name; the code blocks of the guide and of the
man page compile.

    python3 reference.py API.html [MAN-PAGE.scd]
"""

import pathlib
import re
import sys

import sdk

STRICT = ["cc", "-x", "c", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
          "-Wno-unused-function", "-Wno-unused-const-variable", "-I", sdk.HEADERS, "-"]


def public_names(text):
    text = sdk.without_comments(text)
    return (set(re.findall(r"^(?:struct|enum) (snek_\w+) \{", text, re.M))
            | set(re.findall(r"^#define (SNEK_(?!\w*_H$)\w+|snek_\w+)", text, re.M))
            | functions(text))


def functions(text):
    return set(re.findall(r"^static inline [^(;{]*?(\w+)\(", sdk.without_comments(text), re.M))


def compiles(block):
    if "#include" not in block:
        block = "#include <snekomatic/snekomatic.h>\n" + block
    return sdk.run(STRICT, input=block)


tap = sdk.Tap()
found = set(re.findall(r'<h4 id="([^"]+)">', pathlib.Path(sys.argv[1]).read_text("utf-8")))
for path in sdk.all_headers():
    names = {name for name in public_names(path.read_text()) if not name.startswith("SNEKOMATIC")}
    tap.ok(names <= found, f"the reference has the {len(names)} names of {path.name}",
           sorted(names - found))
tap.ok(len(found) > 150 and "snek_no_such_call" not in found, "there are names at all", len(found))

guide = "".join(page.read_text("utf-8") for page in sorted((sdk.ROOT / "docs").glob("plugins*.md")))
blocks = re.findall(r"^```c\n(.*?)^```", guide, re.S | re.M)
for number, block in enumerate(blocks, 1):
    status, output = compiles(block)
    tap.ok(status == 0, f"block {number} of C in the guide compiles", output)
tap.ok(len(blocks) >= 10, "the guide has code", len(blocks))
status, _ = compiles("static int32_t f(struct snek_run *run) { return snek_reply(run, 7); }")
tap.ok(status != 0, "a mistake in a block would be seen")

if len(sys.argv) > 2:
    page = pathlib.Path(sys.argv[2]).read_text("utf-8")
    block = re.search(r"^```\n(#include.*?)^```", page, re.S | re.M).group(1)
    status, output = compiles(block)
    tap.ok(status == 0, "the plugin of the man page compiles", output)
    tap.ok(r'"a \\"b\\""' in page, "the man page keeps backslashes: scdoc wants two for one")
    for name in ("convenience.h", "convenience_item.h", "compose.h"):
        missing = [one for one in functions((sdk.HEADERS / "snekomatic" / name).read_text())
                   if one.replace("_", "\\_") not in page]
        tap.ok(not missing, f"the man page has the calls of {name}", missing)
    # The services' tables are for hosts, and the inline functions are what plugins call.
    hidden = re.compile(r".*_(service|SERVICE|REVISION)|SNEK_ABI_\w+|SNEK_(PRINTF|EXPORT|EXTERN_C)"
                        r"|SNEK_(REQUEST|GRAPHQL|ENTRY_SYMBOL)")
    plain = page.replace("\\", "")
    for path in sdk.all_headers():
        missing = [one for one in public_names(path.read_text()) if not hidden.fullmatch(one)
                   and not re.search(rf"\b{one}\b", plain)]
        tap.ok(not missing, f"the man page has the names of {path.name}", missing)
tap.done()
