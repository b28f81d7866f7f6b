# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes the headers of a pretended next minor: today's, with a slot more at the end of each struct
that may grow.

    python3 next_headers.py FOLDER
"""

import pathlib
import re
import sys

import sdk

GROWING = ["host", "plugin", "permission", "subscription", "command", "request", "event_service",
           "github_service", "commands_service", "store_service", "config_service",
           "role_service", "text_service"]


def grown(text, minor):
    for name in GROWING:
        text = re.sub(rf"(^struct snek_{name} \{{\n.*?)^\}};",
                      rf"\1    uint64_t next_slot; /* [since 1.{minor}] */\n}};", text,
                      flags=re.S | re.M)
    return re.sub(r"(#define SNEK_ABI_MINOR )\d+", rf"\g<1>{minor}", text)


def write(folder):
    minor = sdk.current_version()[1] + 1
    target = pathlib.Path(folder) / "snekomatic"
    target.mkdir(parents=True, exist_ok=True)
    for path in sdk.all_headers():
        new = grown(path.read_text(), minor)
        old = target / path.name
        if not old.is_file() or old.read_text() != new:  # so that nothing is built in vain
            old.write_text(new)


if __name__ == "__main__":
    write(sys.argv[1])
