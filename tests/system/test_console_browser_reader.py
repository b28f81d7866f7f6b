# SPDX-License-Identifier: MIT OR Apache-2.0
"""A reader in the console with a browser."""

import os

import pytest

from browser_walk import NARROW, WIDE, needs_browser, stage, walk
from console_client import READER

pytestmark = needs_browser


@pytest.fixture
def bot(start_bot, fake):
    return stage(start_bot, fake)


@pytest.mark.parametrize("name,scheme,viewport", [
    ("light-narrow", "light", NARROW), *([("dark-wide", "dark", WIDE)] if os.environ.get("SNEK_SCREENSHOTS") else [])])
def test_a_reader_sees_no_button_that_changes_something(bot, tmp_path, name, scheme, viewport):
    report = walk(bot, tmp_path, name, token=READER, scripts=True, scheme=scheme, viewport=viewport, retries=False)
    assert sorted(report["buttons"]) == ["Log out", "Search"]
