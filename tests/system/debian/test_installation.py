# SPDX-License-Identifier: MIT OR Apache-2.0
"""The first plugin on a fresh Debian: `./dev debian`. The project is built and installed as README and
docs/plugins.md say, in a small system that has only the packages that ./dev installs (so no dpkg-dev,
without which Meson's own choice of libdir is one where pkgconf does not look).

SNEK_DEBIAN names the folder of the system."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
SYSTEM = pathlib.Path(os.environ["SNEK_DEBIAN"]).resolve()
LIMIT_S = 30 * 60

ENTER = """
set -e
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
/usr/sbin/chroot "$root" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/root \\
    bash -euxc "$1" &
status=0; wait "$!" || status=$?
exit "$status"
"""


def enter(commands):
    """Runs the commands in the system, in a tree of processes of their own. Returns their output."""
    done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", ENTER,
                           "enter", SYSTEM, commands], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
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


def test_the_system_lacks_dpkg_dev():
    assert not (SYSTEM / "usr/bin/dpkg-architecture").exists()


def test_plugins_and_the_pc_file_are_where_the_documents_say(installed):
    assert (SYSTEM / "usr/local/lib/snekomatic/invite.so").is_file()
    assert (SYSTEM / "usr/local/lib/pkgconfig/snekomatic.pc").is_file()
    output = enter("realpath $(pkg-config --variable=plugindir snekomatic); snekomatic plugins")
    assert "\n/usr/local/lib/snekomatic\n" in output


def test_a_new_plugin_is_built_tested_and_installed(installed):
    enter("cd /root && snekomatic new-plugin greeter && cd greeter && meson setup build && "
          "meson test -C build && meson install -C build")
    assert (SYSTEM / "usr/local/lib/snekomatic/greeter.so").is_file()


def test_a_plugin_is_built_without_meson(installed):
    enter("cd /root && cc -shared -fPIC $(pkg-config --cflags snekomatic) greeter/greeter.c -o greeter.so && "
          "snekomatic-test run --plugins . greeter/scenarios/greeter.toml")


def test_a_failing_scenario_shows_the_difference_in_meson_s_log(installed):
    output = enter("cd /root/greeter && sed -i 's/is listening/is gone/' greeter.c && "
                   "! meson test -C build --print-errorlogs")
    assert "is gone" in output and "is listening" in output
