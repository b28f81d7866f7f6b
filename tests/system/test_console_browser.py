# SPDX-License-Identifier: MIT OR Apache-2.0
"""An admin in the console with a browser, with scripts and without."""

import pytest

from browser_walk import COMMENTS, NARROW, WIDE, needs_browser, stage, walk
from console_client import ADMIN

pytestmark = needs_browser


@pytest.fixture
def bot(start_bot, fake):
    return stage(start_bot, fake)


@pytest.mark.parametrize("name,scripts,scheme,viewport", [
    ("light-wide", False, "light", WIDE), ("dark-narrow", True, "dark", NARROW)])
def test_an_admin_walks_through_the_console(bot, fake, tmp_path, name, scripts, scheme, viewport):
    report = walk(bot, tmp_path, name, token=ADMIN, scripts=scripts, scheme=scheme, viewport=viewport, retries=True)
    assert report["retried"] == "One run is due now." and report["state"] == "done"
    assert report["preview"] == "2 runs would be retried." and report["applied"] == "2 runs are due now."
    assert report["paused"] == "The plugin is paused." and report["resumed"] == "The pause has ended."
    assert not scripts or report["focused"] == "q"
    assert "it wants" in report["why"] or "it matches" in report["why"]
    # A live page stops in the background, and loads itself once when a person comes back.
    assert not scripts or report["lives"] == {"shown": 1, "hidden": 0, "returned": 1}
    assert len(fake.requests(method="POST", path=COMMENTS, status=201)) == 1
