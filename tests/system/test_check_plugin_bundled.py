# SPDX-License-Identifier: MIT OR Apache-2.0
"""`check --plugin` makes each allocation of the bundled plugins fail."""

import re

import pytest

import snek
from test_check_plugin_allocations import check


@pytest.mark.parametrize("name", ["dco.so", "hello.so", "invite.so", "ping.so", "stale.so", "welcome.so"])
def test_a_bundled_plugin_survives_allocations_that_fail(name):
    done = check("--plugin", snek.program(name))
    assert done.returncode == 0, done.stdout
    shown = r"ok   (\d+) runs in which one allocation fails(; stopped after 30 s)?"
    assert int(re.fullmatch(shown, done.stdout.splitlines()[4])[1]) > 5, done.stdout
