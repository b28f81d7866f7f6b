# SPDX-License-Identifier: MIT OR Apache-2.0
"""The first plugin on a fresh Debian: `./dev debian`. The project is built and installed as README and
docs/plugins.md say, in a small system that has only the packages that ./dev installs (so no dpkg-dev,
without which Meson's own choice of libdir is one where pkgconf does not look)."""

from small_system import SYSTEM, enter


def test_the_system_lacks_dpkg_dev():
    assert not (SYSTEM / "usr/bin/dpkg-architecture").exists()


def test_plugins_and_the_pc_file_are_where_the_documents_say(installed):
    for name in ("dco", "hello", "invite", "ping", "stale", "welcome"):
        assert (SYSTEM / f"usr/local/lib/snekomatic/{name}.so").is_file(), name
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
