# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fixtures of the tests in a small Debian."""

import os
import shutil
import subprocess

import pytest

from small_system import ROOT, SYSTEM, enter


@pytest.fixture(scope="session")
def installed():
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           cwd=ROOT, check=True, capture_output=True).stdout.split(b"\0")
    source = SYSTEM / "root/source"
    shutil.rmtree(SYSTEM / "root", ignore_errors=True)
    shutil.rmtree(SYSTEM / "usr/local", ignore_errors=True)
    for name in map(os.fsdecode, filter(None, files)):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    enter("cd /root/source && meson setup build -Dtests=false --buildtype=debug && meson install -C build")
